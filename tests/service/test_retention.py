"""Events and scores that expire."""

from dataclasses import replace
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
from tests.service.segment_shop import ANN, NEWEST, add_instance, add_scores, open_home, put_events

from likelier.errors import StorageError, UsageError
from likelier.runs.records import Run, State
from likelier.service import retention
from likelier.service.profiles import find_profile
from likelier.service.retention import let_expire, let_expire_when_due
from likelier.service.runs import RunUnderWayError, claim
from likelier.settings import read_settings
from likelier.store import audit
from likelier.store.runs import queue
from likelier.timespan import DAY


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [("a", days, True) for days in (1, 9, 10, 11, 400)])
    settings = replace(workspace.settings, keep_events_days=10, keep_scores_days=1)
    yield replace(workspace, settings=settings, clock=lambda: NEWEST)
    workspace.store.close()


def test_what_is_older_goes_and_the_latest_scores_stay(home, tmp_path):
    instance = add_instance(home)
    for _ in range(2):
        run = add_scores(home, instance, {"a": 90.0, "b": 10.0}, tmp_path)
    later = replace(home, clock=lambda: NEWEST + 2 * DAY, settings=replace(home.settings, keep_events_days=12))
    assert let_expire(later, ANN) == {"events": 2, "scores": 2}
    found = find_profile(home, "CRMID", "a")
    assert [event["timestamp"] for event in found["events"]] == [(NEWEST - n * DAY).isoformat() for n in (1, 9, 10)]
    assert [score["run"] for score in found["scores"]] == [run.id]
    assert let_expire(later, ANN) == {"events": 0, "scores": 0}
    kept = [path for path in home.settings.home.rglob("*.parquet") if ".checkpoint." not in path.name]
    assert sum(len(pq.read_table(path)) for path in kept) == 3 + 2


def test_a_server_does_it_once_a_day_when_no_run_reads(home, monkeypatch):
    moments = iter([0, 23, 25, 49, 49.5, 50.5])

    def after_hours():
        now = NEWEST + next(moments) * DAY / 24
        return let_expire_when_due(replace(home, clock=lambda: now))

    assert let_expire_when_due(replace(home, settings=read_settings({}, home=home.settings.home))) is None
    assert [after_hours(), after_hours()] == [{"events": 2, "scores": 0}, None]
    assert after_hours() == {"events": 2, "scores": 0}
    with monkeypatch.context() as patch:
        patch.setattr(retention, "purge", Mock(side_effect=StorageError("the disk is gone")))
        with pytest.raises(StorageError):
            after_hours()
    assert [after_hours(), after_hours()] == [None, {"events": 0, "scores": 0}]
    with home.store.read() as connection:
        entries = audit.page(connection, audit.Filter(object_type="lake"))
    assert {entry.actor for entry in entries} == {"scheduler"}
    instance = add_instance(home)
    run = Run("r1", instance.id, instance.name, 1, State.QUEUED, 1, "ann", NEWEST)
    with home.store.write() as connection:
        queue(connection, run)
    claim(home, run)
    assert let_expire_when_due(replace(home, clock=lambda: NEWEST + 9 * DAY)) is None


def test_it_is_refused_while_a_run_reads_and_when_nothing_is_set(home):
    with pytest.raises(UsageError, match="LIKELIER_KEEP_EVENTS_DAYS"):
        let_expire(replace(home, settings=replace(home.settings, keep_events_days=0, keep_scores_days=0)), ANN)
    instance = add_instance(home)
    run = Run("r1", instance.id, instance.name, 1, State.QUEUED, 1, "ann", NEWEST)
    with home.store.write() as connection:
        queue(connection, run)
    claim(home, run)
    with pytest.raises(RunUnderWayError):
        let_expire(home, ANN)
