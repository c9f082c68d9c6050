"""What came of runs, kept with them."""

import datetime as dt
from dataclasses import replace

import pytest
from tests.store.test_runs import NOW, queued

from likelier.store import instances, runs
from likelier.store.outcomes import Recorded, put, recorded

FOUND = Recorded("r1", {"all": {"rate": 0.25}}, "print", {"shop": 3}, NOW, NOW, [])


@pytest.fixture
def run(store, made):
    with store.write() as connection:
        instances.add(connection, made("Buy"))
        instances.add_version(connection, made("Buy"), {}, now=NOW, by="ann")
        assert runs.queue(connection, queued("r1"))


def of_buy(store):
    with store.read() as connection:
        return recorded(connection, "buy")


def test_what_is_recorded_is_read_and_replaced(store, run):
    later = replace(
        FOUND, document={"all": {"rate": 0.5}}, computed_at=NOW + dt.timedelta(1), corrections=[{"at": "x"}]
    )
    for each in (FOUND, later):
        with store.write() as connection:
            put(connection, each)
        assert of_buy(store) == {"r1": each}


def test_it_goes_with_the_instance_and_does_not_come_back(store, run):
    with store.write() as connection:
        put(connection, FOUND)
        instances.remove(connection, "buy")
        put(connection, FOUND)
    assert of_buy(store) == {}
