"""The ledger: one process at a time carries a run on."""

import datetime as dt
import threading

import pytest

from likelier.runs.records import Failure, LeaseLostError, Progress, Run, RunCancelledError, State
from likelier.store import instances, runs
from likelier.store.runs import Ledger

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def queued(run_id: str, instance: str = "buy", **changes) -> Run:
    fields = {"version": 1, "state": State.QUEUED, "seed": 7, "started_by": "ann", "queued_at": NOW}
    return Run(id=run_id, instance_id=instance, instance=instance.title(), **fields | changes)


@pytest.fixture
def ledger(store, made) -> Ledger:
    with store.write() as connection:
        for name in ("Buy", "Leave"):
            instance = made(name)
            instances.add(connection, instance)
            instances.add_version(connection, instance, {}, now=NOW, by="ann")
    return Ledger(store)


@pytest.fixture
def claimed(store, ledger) -> Run:
    with store.write() as connection:
        assert runs.queue(connection, queued("r1"))
    return ledger.claim("r1", "one", now=NOW, until=NOW + MINUTE)


def found(store, run_id: str) -> Run:
    with store.read() as connection:
        return runs.find(connection, run_id)


def test_a_queued_run_is_as_it_was_queued(store, ledger):
    run = queued("r1", as_of=NOW, data_versions={"shop": 3})
    with store.write() as connection:
        assert runs.queue(connection, run)
    assert found(store, "r1") == run


def test_an_instance_has_one_run_under_way(store, ledger):
    with store.write() as connection:
        assert runs.queue(connection, queued("r1"))
        assert not runs.queue(connection, queued("r2"))
        assert runs.queue(connection, queued("r3", "leave"))
        assert runs.active(connection, "buy").id == "r1"
    assert found(store, "r2") is None


def test_a_claimed_run_is_its_owners_until_the_lease_is_over(ledger, claimed):
    assert (claimed.state, claimed.lease.owner, claimed.started_at) == (State.RUNNING, "one", NOW)
    assert ledger.claim("r1", "two", now=NOW + MINUTE, until=NOW + 2 * MINUTE) is None
    taken = ledger.claim("r1", "two", now=NOW + MINUTE * 1.01, until=NOW + 3 * MINUTE)
    assert (taken.lease.owner, taken.lease.attempt, taken.started_at) == ("two", 2, NOW)


def test_the_run_of_an_owner_known_to_be_gone_is_free_at_once(ledger, claimed):
    assert ledger.claim("r1", "two", now=NOW, until=NOW + MINUTE, instead_of="somebody else") is None
    assert ledger.claim("r1", "two", now=NOW, until=NOW + MINUTE, instead_of="one").lease.owner == "two"


def test_of_many_who_claim_one_gets_it(store, ledger):
    with store.write() as connection:
        runs.queue(connection, queued("r1"))
    got = []

    def claim(name):
        if ledger.claim("r1", name, now=NOW, until=NOW + MINUTE):
            got.append(name)

    threads = [threading.Thread(target=claim, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_beat_renews_the_lease_and_shows_progress(store, ledger, claimed):
    assert ledger.beat(claimed, Progress("train", 0.25, 1000), until=NOW + 5 * MINUTE) is False
    now = found(store, "r1")
    assert (now.progress, now.lease.until) == (Progress("train", 0.25, 1000), NOW + 5 * MINUTE)


def test_who_lost_the_lease_changes_nothing(store, ledger, claimed):
    ledger.claim("r1", "two", now=NOW + 2 * MINUTE, until=NOW + 3 * MINUTE)
    before = found(store, "r1")
    for attempt in (
        lambda: ledger.beat(claimed, None, until=NOW),
        lambda: ledger.pin(claimed, as_of=NOW, data_versions={}),
        lambda: ledger.finish_stage(claimed, stages={"read": {}}, timings={"read": 1}),
        lambda: ledger.publish(claimed, scored=1, auc=0.9, document={}, now=NOW),
        lambda: ledger.fail(claimed, Failure(410, "NO POPULATION", "-"), now=NOW),
        lambda: ledger.cancel(claimed, now=NOW),
        lambda: ledger.release(claimed),
    ):
        with pytest.raises(LeaseLostError):
            attempt()
    assert found(store, "r1") == before


def test_publishing_shows_everything_at_once(store, ledger, claimed):
    with store.read() as connection:
        assert runs.published(connection, "buy") is None
    ledger.publish(claimed, scored=12, auc=0.8, document={"seed": 7}, now=NOW + MINUTE)
    with store.read() as connection:
        run = runs.published(connection, "buy")
        assert (run.id, run.state, run.scored, run.auc, run.lease) == ("r1", State.SUCCESS, 12, 0.8, None)
        assert runs.read_insights(connection, "r1") == {"seed": 7}
        assert runs.active(connection, "buy") is None


def test_nothing_is_published_twice(ledger, claimed):
    ledger.publish(claimed, scored=12, auc=0.8, document={}, now=NOW)
    with pytest.raises(LeaseLostError):
        ledger.publish(claimed, scored=12, auc=0.8, document={}, now=NOW)


@pytest.mark.parametrize(("code", "state"), [(410, State.FAILED), (402, State.TRAINING_ISSUE), (None, State.FAILED)])
def test_a_failure_keeps_its_reason(store, ledger, claimed, code, state):
    failure = Failure(code, "TITLE", "What was found.", ("Do this.", "Or that."))
    ledger.fail(claimed, failure, now=NOW)
    assert (found(store, "r1").state, found(store, "r1").error) == (state, failure)


def test_a_queued_run_is_cancelled_at_once(store, ledger):
    with store.write() as connection:
        runs.queue(connection, queued("r1"))
        runs.request_cancel(connection, "r1", now=NOW)
    assert (found(store, "r1").state, found(store, "r1").finished_at) == (State.CANCELLED, NOW)
    assert ledger.claim("r1", "one", now=NOW, until=NOW) is None


def test_a_running_run_hears_that_it_is_to_stop_and_is_not_published(store, ledger, claimed):
    with store.write() as connection:
        runs.request_cancel(connection, "r1", now=NOW)
    assert ledger.beat(claimed, None, until=NOW + MINUTE) is True
    with pytest.raises(RunCancelledError):
        ledger.publish(claimed, scored=1, auc=0.9, document={}, now=NOW)
    ledger.cancel(claimed, now=NOW)
    assert found(store, "r1").state == State.CANCELLED


def test_an_ended_run_is_not_cancelled(store, ledger, claimed):
    ledger.publish(claimed, scored=12, auc=0.8, document={}, now=NOW)
    with store.write() as connection:
        runs.request_cancel(connection, "r1", now=NOW)
    assert found(store, "r1").state == State.SUCCESS


def test_a_released_run_waits_for_the_next(store, ledger, claimed):
    ledger.release(claimed)
    assert found(store, "r1").state == State.QUEUED
    assert ledger.claim("r1", "two", now=NOW, until=NOW + MINUTE).lease.attempt == 1


def test_a_finished_stage_forgives_the_attempts_before(store, ledger, claimed):
    again = ledger.claim("r1", "two", now=NOW, until=NOW + MINUTE, instead_of="one")
    ledger.finish_stage(again, stages={"read": {"rows": 3}}, timings={"read": 1.5})
    now = found(store, "r1")
    assert (now.lease.attempt, now.stages, now.timings) == (1, {"read": {"rows": 3}}, {"read": 1.5})


def test_history_comes_in_pages_newest_first(store, ledger):
    with store.write() as connection:
        for number in range(5):
            runs.queue(connection, queued(f"r{number}", queued_at=NOW + number // 2 * MINUTE))
            runs.request_cancel(connection, f"r{number}", now=NOW)
        first = runs.history(connection, instance_id="buy", limit=2)
        last = first[-1]
        rest = runs.history(connection, instance_id="buy", before=(last.queued_at, last.id))
        assert [run.id for run in first + rest] == ["r4", "r3", "r2", "r1", "r0"]
        assert runs.history(connection, instance_id="leave") == []


def test_the_newest_runs_of_several_instances_come_in_one_look(store, ledger, claimed):
    ledger.finish_stage(claimed, stages={"read": {"rows": 3}}, timings={"read": 1.5})
    ledger.publish(claimed, scored=12, auc=0.8, document={}, now=NOW)
    with store.write() as connection:
        runs.queue(connection, queued("r2", queued_at=NOW + MINUTE))
        runs.queue(connection, queued("l1", "leave"))
        ids = ["buy", "leave", "none"]
        newest = runs.newest(connection, ids)
        assert {key: run.id for key, run in newest.items()} == {"buy": "r2", "leave": "l1"}
        published = runs.newest(connection, ids, published=True)
        assert {key: run.id for key, run in published.items()} == {"buy": "r1"}
        assert runs.newest(connection, []) == {}
        assert published["buy"] == runs.find(connection, "r1")


def test_scored_profiles_are_counted_of_runs_that_ended_within_a_span(store, ledger, claimed):
    ledger.publish(claimed, scored=12, auc=0.8, document={}, now=NOW + MINUTE)
    with store.read() as connection:
        ids = ["buy", "leave"]
        assert runs.scored_between(connection, ids, NOW, NOW + 2 * MINUTE) == {"buy": 12}
        assert runs.scored_between(connection, ids, NOW, NOW + MINUTE) == {}
        assert runs.scored_between(connection, ids, NOW + MINUTE, NOW + 2 * MINUTE) == {"buy": 12}


def test_an_id_is_found_by_its_beginning_and_wildcards_mean_nothing(store, ledger):
    with store.write() as connection:
        runs.queue(connection, queued("ab12"))
        assert [run.id for run in runs.beginning_with(connection, "ab")] == ["ab12"]
        assert runs.beginning_with(connection, "%") == []


def test_removing_an_instance_removes_its_runs(store, ledger, claimed):
    ledger.publish(claimed, scored=12, auc=0.8, document={}, now=NOW)
    with store.write() as connection:
        instances.remove(connection, "buy")
    assert found(store, "r1") is None
