"""Requests that arrive together, and what each of them hears."""

import asyncio
import json

import pytest

from likelier.access.identity import Actor
from likelier.errors import LikelierError, UsageError
from likelier.events.stream import Sent
from likelier.service import intake as intakes
from likelier.service.data import describe_dataset
from likelier.service.intake import Intake, TooMuchWaitingError
from likelier.store import audit

NOTHING = audit.Filter()
ANN = Actor("ann")


def body(*numbers, **fields) -> bytes:
    person = {"CRMID": [{"id": "p1", "primary": True}]}
    plain = {"timestamp": "2024-04-30T13:00:00Z", "identityMap": person, "eventType": "x", **fields}
    return "\n".join(json.dumps({"_id": f"e{number}", **plain}) for number in numbers).encode()


def send_all(workspace, *bodies, actors=(ANN,), name="shop"):
    """Send all at the same time."""
    intake = Intake(workspace)

    async def together():
        sent = [
            intake.accept(actors[number % len(actors)], name, Sent(f"r{number}", each))
            for number, each in enumerate(bodies)
        ]
        return await asyncio.gather(*sent, return_exceptions=True)

    return asyncio.run(together())


def counts(found):
    return [
        each if isinstance(each, LikelierError) else (each.accepted, each.duplicate, each.rejected) for each in found
    ]


def test_what_arrives_together_is_written_together(workspace):
    before = workspace.lake.version("datasets/shop/events")
    found = send_all(workspace, body(0), *(body(number, number + 1) for number in range(9)))
    assert counts(found) == [(1, 0, 0), *[(1, 1, 0)] * 9]
    assert workspace.lake.version("datasets/shop/events") == before + 1
    assert describe_dataset(workspace, "shop")["rows"] == 11


def test_the_log_tells_who_brought_how_much_into_each_batch(workspace):
    ann, bob = Actor("ann"), Actor("bob")
    send_all(workspace, body(1), body(2, 3), body(4), actors=(ann, bob))
    with workspace.store.read() as connection:
        entries = audit.page(connection, NOTHING)
    assert {entry.actor: entry.after["accepted"] for entry in entries} == {"ann": 2, "bob": 2}
    assert {entry.action for entry in entries} == {"dataset.ingest"}


def test_one_senders_fault_is_no_others(workspace):
    spoilt = body(5, EVENTTYPE="another spelling of a field")
    found = counts(send_all(workspace, body(1), spoilt, body(2)))
    assert [found[0], found[2]] == [(1, 0, 0), (1, 0, 0)]
    assert describe_dataset(workspace, "shop")["rows"] == 3


def test_prefixed_and_plain_fields_are_the_same_fields(workspace):
    prefixed = body(2).replace(b'"eventType"', b'"xdm:eventType"')
    assert counts(send_all(workspace, body(1), prefixed, body(3))) == [(1, 0, 0)] * 3


def test_a_name_that_cannot_be_is_refused(workspace):
    (found,) = send_all(workspace, body(1), name="../etc")
    assert isinstance(found, UsageError)


def test_what_is_too_much_is_refused_until_there_is_room(workspace, monkeypatch):
    monkeypatch.setattr(intakes, "MOST_WAITING", 10)
    first, second = send_all(workspace, body(1), body(2))
    assert first.accepted == 1
    assert isinstance(second, TooMuchWaitingError)


def test_a_large_batch_is_divided(workspace, monkeypatch):
    monkeypatch.setattr(intakes, "MOST_AT_ONCE", 2 * len(body(1)))
    before = workspace.lake.version("datasets/shop/events")
    assert counts(send_all(workspace, *map(body, range(4)))) == [(1, 0, 0)] * 4
    assert workspace.lake.version("datasets/shop/events") == before + 2


def test_who_goes_away_leaves_the_events(workspace):
    intake = Intake(workspace)

    async def leave():
        leaving = asyncio.create_task(intake.accept(ANN, "shop", Sent("r1", body(1))))
        staying = asyncio.create_task(intake.accept(ANN, "shop", Sent("r2", body(2))))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying, leaving.cancelled() or leaving.cancelling()

    stayed, left = asyncio.run(leave())
    assert (stayed.accepted, bool(left)) == (1, True)
    assert describe_dataset(workspace, "shop")["rows"] == 3


@pytest.fixture
def database(tmp_path):
    """What comes in goes to the lake: one database says it all."""
    return f"sqlite:///{tmp_path / 'likelier.db'}"
