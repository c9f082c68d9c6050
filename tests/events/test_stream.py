"""Events of several senders in one batch, and the ids that are known without being read."""

import json
import os

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelier.events import stream
from likelier.events.known import KnownIds
from likelier.events.stream import Sent, append_lines, tidy

from .conftest import NOW
from .killing import send_and_kill


@pytest.fixture
def send(desk, tmp_path):
    """Append what several senders sent; give (accepted, duplicate, rejected) of each."""

    def append(*bodies, name="web"):
        sent = [
            Sent(f"r{number}", body if isinstance(body, bytes) else lines(*body)) for number, body in enumerate(bodies)
        ]
        known = KnownIds(tmp_path / "known")
        found = append_lines(desk.lake, name, sent, now=NOW, memory="500MB", known=known)
        return [(each.accepted, each.duplicate, each.rejected) for each in found]

    return append


def lines(*events) -> bytes:
    return "\n".join(json.dumps(event) for event in events).encode()


def test_each_sender_is_told_what_became_of_its_own_lines(desk, make, send):
    first = (make(1), make(2), make(2))
    second = b"\n\n" + lines(make(2), make(3)) + b"\n{broken\n" + lines({"_id": "nobody"}) + b"\n\n"
    assert send(first, second, b" \n ") == [(2, 1, 0), (1, 1, 2), (0, 0, 0)]
    assert desk.values("_id") == ["e001", "e002", "e003"]
    with duckdb.connect() as connection:
        found = connection.sql(
            f"SELECT file, line FROM read_parquet({desk.lake.files('datasets/web/rejects')}) ORDER BY 2"
        )
        assert found.fetchall() == [("r1", 5), ("r1", 6)]


def test_sending_again_in_other_company_adds_nothing(desk, make, send):
    nameless = {key: value for key, value in make(1).items() if key != "_id"}
    assert send((nameless, make(2))) == [(2, 0, 0)]
    assert send((make(2), {**make(4), "new": 1}), (make(3), nameless)) == [(1, 1, 0), (1, 1, 0)]
    assert len(desk.rows()) == 4


def test_files_and_the_stream_know_each_others_events(desk, make, send):
    assert desk.send([make(1), make(2)]) == (2, 0, 0)
    assert send((make(2), make(3))) == [(1, 1, 0)]
    assert desk.send([make(3), make(4)]) == (1, 1, 0)


def test_events_that_were_deleted_may_come_again(desk, make, send):
    send((make(1), make(2)))
    desk.lake.delete("datasets/web/events", "_id = 'e001'")
    assert send((make(1), make(2))) == [(1, 1, 0)]


def test_nothing_new_leaves_no_trace(desk, make, send):
    send((make(1),))
    version = desk.dataset().version
    send((make(1),), b"")
    assert desk.dataset().version == version


def test_a_byte_order_mark_and_carriage_returns_are_no_content(send, make):
    assert send(b"\xef\xbb\xbf" + lines(make(1), make(2)).replace(b"\n", b"\r\n") + b"\r\n\r\n") == [(2, 0, 0)]


def test_a_single_byte_is_one_broken_line(send):
    assert send(b"N") == [(0, 0, 1)]


def test_a_first_line_that_looks_like_an_array_is_just_a_broken_line(send, make):
    assert send(b"[\n" + lines(make(1)), (make(2),)) == [(1, 0, 1), (1, 0, 0)]


@settings(max_examples=6)
@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=15), min_size=1, max_size=6))
def test_whatever_comes_how_often_is_there_once(tmp_path_factory, batches):
    """Against a set of the ids so far."""
    from .conftest import Desk, event  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("lake")
    desk, known, seen = Desk(folder), KnownIds(folder / "known"), set()
    for numbers in batches:
        half = len(numbers) // 2
        sent = [Sent("a", lines(*map(event, numbers[:half]))), Sent("b", lines(*map(event, numbers[half:])))]
        counts = append_lines(desk.lake, "web", sent, now=NOW, memory="500MB", known=known)
        for each, part in zip(counts, (numbers[:half], numbers[half:]), strict=True):
            new = set(part) - seen
            assert (each.accepted, each.duplicate, each.rejected) == (len(new), len(part) - len(new), 0)
            seen |= new
    assert desk.values("_id") == [f"e{number:03}" for number in sorted(seen)]


@given(st.lists(st.sets(st.text(min_size=1, max_size=3)), max_size=4), st.sets(st.text(min_size=1, max_size=3)))
@settings(max_examples=8)
def test_known_ids_are_those_of_the_files(tmp_path_factory, files, asked):
    folder = tmp_path_factory.mktemp("files")
    with duckdb.connect() as desk:
        paths = []
        for number, ids in enumerate(files):
            paths.append(str(folder / f"{number}.parquet"))
            desk.register("ids", pa.table({"_id": pa.array(sorted(ids), pa.string())}))
            desk.sql("FROM ids").write_parquet(paths[-1])
        desk.register("asked", pa.table({"id": pa.array(sorted(asked), pa.string())}))
        desk.execute("CREATE TABLE wanted AS FROM asked")
        known = KnownIds(folder / "known")
        for _ in range(2):  # made, and found again
            found = [id_ for part in known.among(desk, "FROM wanted", paths) for id_ in part["id"].to_pylist()]
            assert sorted(found) == sorted(asked & set().union(*files))
        known.forget(paths[:1])
        assert len(list((folder / "known").glob("*.ids"))) == len(paths[:1])


def test_small_files_are_joined_and_their_ids_stay_known(desk, make, send, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "MANY", 3)
    for number in range(3):
        send((make(number),))
    known = KnownIds(tmp_path / "known")
    tidy(desk.lake, "web", known)
    assert len(desk.lake.files("datasets/web/events")) == 1
    assert send((make(0), make(1), make(2), make(3))) == [(1, 3, 0)]
    tidy(desk.lake, "web", known)
    assert len(desk.values("_id")) == 4
    assert len(list((tmp_path / "known").glob("*.ids"))) == 1


KILLS, EVENTS = 5, 50

SENDING = """
        sent = [Sent(half, (folder / f"{number}-{half}").read_bytes()) for half in "ab"]
        append_lines(lake, "web", sent, now=now, memory="500MB", known=KnownIds(folder / "known"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment_and_sent_again_every_event_is_there_once(desk, make, send, tmp_path):
    bodies = {}
    for batch in range(KILLS + 1):
        for half in "ab":
            events = [{**make(), "_id": f"{batch}{half}{number}"} for number in range(EVENTS)]
            bodies[batch, half] = lines(*events)
            (tmp_path / f"{batch}-{half}").write_bytes(bodies[batch, half])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    send_and_kill(SENDING, tmp_path, KILLS, scratch)
    there = desk.values("_id")
    for batch in range(KILLS + 1):
        found = sum(id_.startswith(f"{batch}") for id_ in there)
        assert found in (0, 2 * EVENTS)  # all of a batch or nothing
        new = EVENTS if found == 0 else 0
        # alone, and the other way round: nothing depends on the company
        assert send(bodies[batch, "b"]) + send(bodies[batch, "a"]) == [(new, EVENTS - new, 0)] * 2
    assert len(desk.values("_id")) == len(set(desk.values("_id"))) == (KILLS + 1) * 2 * EVENTS
