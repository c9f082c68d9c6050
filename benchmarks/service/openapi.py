"""schemathesis against the whole OpenAPI document, all checks: no 5xx, no answer that is not documented.

    python benchmarks/service/openapi.py --examples 2000

The application is served without its worker, on a home of a simulated shop. The first half of the examples makes names
up; the second names what is there. Besides these, schemathesis sends its own examples of each boundary of the document.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from served import Served

from likelier.api.application import make_app
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings

# What the document cannot say is refused in words: a field that is not there, a name that is taken.
CONFIG = """
hooks = "{hooks}"
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412, 413, 415, 422]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422]
"""
HOOKS = """
import schemathesis

schemathesis.serializer.alias("application/x-ndjson", "text/plain")


@schemathesis.hook
def before_call(context, case, kwargs):
    # With the token in hand revoked, every later answer would be the same refusal.
    if (case.path_parameters or {{}}).get("token_id") == "{token}":
        case.path_parameters["token_id"] = "another"
"""


@contextmanager
def serving(app, port):
    """Serve the application in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def ask(served, folder, examples, seed, names):
    config = folder / "schemathesis.toml"
    named = "".join(f'"{key}" = "{value}"\n' for key, value in names.items())
    hooks = folder / "hooks.py"
    hooks.write_text(HOOKS.format(token=token_in_hand(served)))
    config.write_text(CONFIG.format(hooks=hooks) + ("[parameters]\n" + named if named else ""))
    words = ["schemathesis", "--config-file", config, "run", served.url + "/api/v1/openapi.json"]
    words += ["--checks", "all", "--max-examples", examples, "--seed", seed, "--continue-on-failure", "--no-color"]
    words += ["--header", f"Authorization: Bearer {served.token}", "--suppress-health-check", "all"]
    words += ["--request-timeout", "120"]  # a busy machine is no fault of the answer
    words += ["--include-path-regex", "^/api/v1/"]
    return subprocess.run([str(word) for word in words], check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--profiles", type=int, default=3000, help="of the simulated shop; 0: an empty home")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="likelier-bench-") as folder:
        home = Path(folder) / "home"
        served = Served(home)
        if chosen.profiles:
            served.say("demo", "--profiles", chosen.profiles)
        with open_workspace(read_settings({}, home=home)) as workspace:
            app = make_app(workspace)
            operations = sum(len(methods) for methods in app.openapi()["paths"].values())
            each = math.ceil(chosen.examples / operations / (2 if chosen.profiles else 1))
            with serving(app, served.port):
                failed = ask(served, Path(folder), each, chosen.seed, {})
                if chosen.profiles:
                    failed += ask(served, Path(folder), each, chosen.seed, names_in(served))
    sys.exit(failed)


def talking(served):
    return httpx.Client(base_url=served.url + "/api/v1", headers=served.headers, timeout=60)


def token_in_hand(served):
    with talking(served) as client:
        return next(each["id"] for each in client.get("/tokens").json()["items"] if each["name"] == "bench")


def names_in(served):
    """What there is to name."""
    with talking(served) as client:
        instance = next(each for each in client.get("/instances").json()["items"] if each["published_run"])
        dataset = client.get("/datasets").json()["items"][0]["name"]
        asked = {"name": "Likely", "instance": instance["id"], "bucket": "high"}
        segment = client.post("/segments", json=asked).raise_for_status().json()["id"]
    return {
        "path.instance_id": instance["id"],
        "path.run_id": instance["published_run"]["id"],
        "path.name": dataset,
        "path.namespace": "CRMID",
        "path.segment": segment,
    }


if __name__ == "__main__":
    main()
