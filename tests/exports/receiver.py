"""A webhook receiver, as a process of its own: keeps what it takes in a file, takes each key once, and misbehaves.

Called with a port (0: any), the file, the secret and a plan such as ``{"3": "fail"}``: what to do at the n-th request.
"""

import hmac
import itertools
import json
import os
import sqlite3
import sys
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

never = threading.Event()
turn = threading.Lock()
numbers = itertools.count(1)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        said = self.headers["x-likelier-timestamp"].encode() + b"." + body
        signed = "sha256=" + hmac.new(secret.encode(), said, sha256).hexdigest()
        if signed != self.headers["x-likelier-signature"]:
            return self.answer(401)
        with turn:
            act = plan.get(str(next(numbers)))
            if act == "fail":
                return self.answer(503)
            if act == "refuse":
                return self.answer(400)
            if act == "die":
                os._exit(1)
            with sqlite3.connect(file) as database:
                database.execute("CREATE TABLE IF NOT EXISTS batches (key TEXT PRIMARY KEY, body TEXT)")
                database.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (self.headers["idempotency-key"], body))
            if act == "take and die":
                os._exit(1)
        if act == "take and hang":
            never.wait()
        return self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port, file, secret, plan = int(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
