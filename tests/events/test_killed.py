"""Killed at random moments, an ingest leaves all of a batch or none, and sending it again completes it."""

import json
import os
import subprocess
import sys

import pytest

KILLS, EVENTS, BAD = 20, 100, 3

# A process of its own, without threads of other tests: it forks a child per batch and kills it at a random moment.
SCRIPT = """
import datetime as dt, os, pathlib, random, signal, sys, time
import pyarrow
from likelier.events.ingest import ingest
from likelier.lake import Lake

folder, kills = pathlib.Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(7)

pyarrow.array([""])  # loads pandas where it is installed, once rather than in each child
now = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)

def send(number):
    child = os.fork()
    if child == 0:
        ingest(Lake(str(folder / "lake")), "web", [folder / f"{number}.jsonl"], now=now)
        os._exit(0)
    return child

start = time.monotonic()
os.waitpid(send(0), 0)
usual = time.monotonic() - start
for number in range(1, kills + 1):
    child = send(number)
    time.sleep(chance.uniform(0, 1.1 * usual))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_batch_is_there_as_a_whole_or_not_at_all(desk, make, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for batch in range(KILLS + 1):
        rows = [{**make(), "_id": f"{batch}-{number}"} for number in range(EVENTS)] + [{"_id": "bad"}] * BAD
        (tmp_path / f"{batch}.jsonl").write_text("\n".join(json.dumps({**row, "batch": f"b{batch}"}) for row in rows))
    environment = {**os.environ, "TMPDIR": str(scratch)}
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), str(KILLS)], check=True, env=environment)

    there = desk.values("batch")
    assert {there.count(f"b{batch}") for batch in range(KILLS + 1)} <= {0, EVENTS}
    assert len(desk.rejects()) == BAD * len(set(there))
    assert there.count("b0") == EVENTS

    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    for batch in range(KILLS + 1):
        found = desk.ingest(tmp_path / f"{batch}.jsonl")
        there_already = f"b{batch}" in there
        assert (found.accepted, found.duplicate, found.rejected) == (
            (0, EVENTS, BAD) if there_already else (EVENTS, 0, BAD)
        )
    assert len(desk.values("_id")) == len(set(desk.values("_id"))) == EVENTS * (KILLS + 1)
    assert len(desk.rejects()) == BAD * (KILLS + 1)
    assert list(scratch.iterdir()) == []
