"""`likelier serve` as a team meets it: a process on a port, with pages, an API and a door."""

import os
import re
import socket
import subprocess
import sys
import threading

import httpx
import pytest


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
    rest = threading.Thread(target=process.stderr.read, daemon=True)
    rest.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        never = threading.Event()
        for _ in range(600):
            try:
                client.get("/healthz")
                break
            except httpx.ConnectError:
                never.wait(0.1)
        yield client, "".join(said)
    process.terminate()
    process.wait(30)
    rest.join()
    process.stderr.close()


@pytest.mark.slow
def test_a_fresh_home_is_served_and_says_how_to_get_in(server):
    client, said = server
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
