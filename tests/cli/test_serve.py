"""`likelier serve` as a team meets it: a process on a port, with pages, an API and a door."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import httpx
import pytest


@dataclass
class Served:
    """A server on a port: what it said first, and all that it logged."""

    process: subprocess.Popen
    client: httpx.Client
    said: str
    lines: list[str] = field(default_factory=list)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def server(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "likelier.cli", "serve", "--port", str(port)]
    environment = {**os.environ, "LIKELIER_HOME": str(tmp_path / "home")}
    # What pytest hangs into its own process makes NiceGUI take the server for a test of its own.
    environment = {key: value for key, value in environment.items() if not key.startswith(("PYTEST", "NICEGUI"))}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = [process.stderr.readline(), process.stderr.readline()]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        served = Served(process, client, "".join(said))
        rest = threading.Thread(target=lambda: served.lines.extend(process.stderr), daemon=True)
        rest.start()
        never = threading.Event()
        for _ in range(600):
            try:
                client.get("/healthz")
                break
            except httpx.ConnectError:
                never.wait(0.1)
        yield served
    process.terminate()
    process.wait(30)
    rest.join()
    process.stderr.close()


@pytest.mark.slow
def test_a_fresh_home_is_served_says_how_to_get_in_and_logs_nothing_personal(server):
    client, said = server.client, server.said
    assert str(client.base_url).rstrip("/") in said
    password = re.search(r"password (\S+)", said)[1]
    for path in ("instances", "datasets", "segments", "audit"):
        assert client.get(f"/api/v1/{path}").status_code == 401
    door = client.get("/")
    assert (door.status_code, door.headers["location"]) == (303, "/sign-in?next=/")
    assert client.post("/sign-in", data={"name": "admin", "password": "wrong"}).status_code == 401
    assert client.post("/sign-in", data={"name": "admin", "password": password}).status_code == 303
    page = client.get("/")
    assert page.status_code == 200
    assert "Instances" in page.text
    for path in ("instances", "datasets", "segments", "audit"):
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200
        assert isinstance(answer.json()["items"], list)
    told = list(_something_personal(client))
    assert server.stop() == 0
    log = [json.loads(line) for line in server.lines]
    answered = {line["request"]: (line["method"], line["route"], line["status"]) for line in log if "route" in line}
    for answer, route in told:
        assert answered[answer.headers["x-request-id"]] == (answer.request.method, route, answer.status_code)
    for personal in ("ann.lee", "Oxford Street", password, client.cookies["likelier_session"]):
        assert personal not in "".join(server.lines)


def _something_personal(client):
    """What people send and look at, well or badly made, with the routes it goes to."""
    csrf = {"x-csrf-token": client.cookies["likelier_csrf"]}
    event = {
        "_id": "1",
        "timestamp": "2024-04-30T13:00:00Z",
        "identityMap": {"Email": [{"id": "ann.lee@example.com", "primary": True}]},
        "homeAddress": {"street1": "Oxford Street"},
    }
    body = json.dumps(event) + '\n{"homeAddress": {"street1": "Oxford Street'
    profile = "/api/v1/profiles/{namespace}/{identity}"
    yield client.post("/api/v1/datasets/shop/events", content=body, headers=csrf), "/api/v1/datasets/{name}/events"
    yield client.get("/api/v1/profiles/Email/ann.lee@example.com"), profile
    yield client.get("/api/v1/profiles/Email/nobody-ann.lee@example.com"), profile
    yield client.get("/ann.lee"), "unknown"
    yield (
        client.post("/api/v1/segments", json={"name": "ann.lee", "rule": {"Oxford Street": 1}}, headers=csrf),
        SEGMENTS,
    )


SEGMENTS = "/api/v1/segments"
