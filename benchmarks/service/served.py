"""A server to measure: a process on a home of its own, which can be killed and started again."""

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

WORDS = [sys.executable, "-m", "likelier.cli"]


class Served:
    """`likelier serve` on a port of its own."""

    def __init__(self, home):
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = json.loads(self.say("tokens", "create", "--name", "bench", "--role", "admin", "--json"))["token"]
        self.headers = {"authorization": f"Bearer {self.token}"}
        self.process, self.spent = None, 0.0
        atexit.register(self.end)

    def say(self, *words):
        """Be the command line."""
        done = subprocess.run(
            [*WORDS, *map(str, words)], env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    @property
    def environment(self):
        return {**os.environ, "LIKELIER_HOME": str(self.home)}

    def start(self):
        words = [*WORDS, "serve", "--port", str(self.port)]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(words, env=self.environment, stdout=quiet, stderr=quiet)
        while not self.answers():
            time.sleep(0.1)
        self.spent -= self.seconds()  # starting is not what is measured

    def answers(self):
        with suppress(httpx.HTTPError):
            return httpx.get(self.url + "/healthz", timeout=5).is_success
        return False

    def kill(self):
        self.spent += self.seconds()
        self.process.kill()
        self.process.wait()

    def end(self):
        """Leave nothing behind, also when the measurement failed."""
        if self.process and self.process.poll() is None:
            self.process.kill()

    def stop(self):
        self.spent += self.seconds()
        self.process.terminate()
        self.process.wait(60)

    def seconds(self):
        """How long the process has had a processor."""
        times = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """The most memory the process had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@contextmanager
def runs_going_on(served):
    """Have one run of the first instance after the other; gives the states they ended in."""
    over, ended = threading.Event(), []

    def go_on():
        with httpx.Client(base_url=served.url + "/api/v1", headers=served.headers, timeout=60) as client:
            instance, run, seed = None, None, 0
            while not over.wait(0.5):
                try:
                    instance = instance or client.get("/instances").json()["items"][0]["id"]
                    if run is None:
                        seed += 1
                        run = client.post(f"/instances/{instance}/runs", params={"seed": seed}).json()["id"]
                    state = client.get(f"/runs/{run}").json()["state"]
                    if state not in ("queued", "running"):
                        ended.append(state)
                        run = None
                except (httpx.HTTPError, KeyError):
                    continue

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()


def quantiles(values):
    """The middle, and what 95 and 99 of a hundred stay below."""
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99)]
