"""Killed at random moments, an ingest leaves all of a batch or none, and sending it again completes it."""

import json
import os

import pytest

from .killing import send_and_kill

KILLS, EVENTS, BAD = 20, 100, 3

SENDING = 'ingest(lake, "web", [folder / f"{number}.jsonl"], now=now)'


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_batch_is_there_as_a_whole_or_not_at_all(desk, make, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for batch in range(KILLS + 1):
        rows = [{**make(), "_id": f"{batch}-{number}"} for number in range(EVENTS)] + [{"_id": "bad"}] * BAD
        (tmp_path / f"{batch}.jsonl").write_text("\n".join(json.dumps({**row, "batch": f"b{batch}"}) for row in rows))
    send_and_kill(SENDING, tmp_path, KILLS, scratch)

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
