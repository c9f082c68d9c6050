"""What schedules ask for is queued: once, also when it was missed, and never beside a run that is under way."""

import datetime as dt

import pytest

from likelier.runs.records import State
from likelier.service.instances import Edit, create_instance, edit_instance, set_status
from likelier.service.runs import cancel_run
from likelier.service.worker import queue_due
from likelier.store import runs, schedules
from likelier.store.instances import Status


@pytest.fixture
def weekly(workspace, ann, make, clock):
    """Due on Mondays at 6; the clock stands at noon of Wednesday 2024-05-01, and the first run is over."""
    instance, run = create_instance(workspace, ann, make(schedule="weekly"))
    cancel_run(workspace, ann, run)
    return instance


def next_at(workspace, instance):
    with workspace.store.read() as connection:
        return schedules.find(connection, instance.id)[1]


def test_nothing_is_queued_before_it_is_due(workspace, weekly, clock):
    clock.now = dt.datetime(2024, 5, 6, 5, 59, 59, tzinfo=dt.UTC)
    assert queue_due(workspace) == []


def test_a_due_run_is_queued_once_and_the_next_is_a_week_later(workspace, weekly, clock):
    clock.now = dt.datetime(2024, 5, 6, 6, tzinfo=dt.UTC)
    (run,) = queue_due(workspace)
    assert (run.instance_id, run.state, run.started_by) == (weekly.id, State.QUEUED, "scheduler")
    assert queue_due(workspace) == []
    assert next_at(workspace, weekly) == dt.datetime(2024, 5, 13, 6, tzinfo=dt.UTC)


def test_missed_runs_are_caught_up_once(workspace, weekly, clock):
    clock.forward(days=40)
    assert len(queue_due(workspace)) == 1
    assert next_at(workspace, weekly) == dt.datetime(2024, 6, 17, 6, tzinfo=dt.UTC)


def test_a_run_that_is_under_way_is_not_joined_by_another(workspace, weekly, clock):
    clock.forward(days=7)
    assert len(queue_due(workspace)) == 1
    clock.forward(days=7)
    assert queue_due(workspace) == []
    with workspace.store.read() as connection:
        assert len([run for run in runs.history(connection) if run.state.active]) == 1


def test_of_two_servers_that_see_it_due_one_queues_it(workspace, weekly, clock):
    clock.forward(days=7)
    with workspace.store.read() as connection:
        (seen,) = schedules.due(connection, clock())
    assert len(queue_due(workspace)) == 1
    with workspace.store.write() as connection:
        assert not schedules.advance(connection, seen, next_at=clock())


def test_a_disabled_instance_waits_and_catches_up_when_it_is_enabled(workspace, ann, weekly, clock):
    set_status(workspace, ann, weekly.id, Status.DISABLED)
    clock.forward(days=30)
    assert queue_due(workspace) == []
    set_status(workspace, ann, weekly.id, Status.ENABLED)
    assert len(queue_due(workspace)) == 1


def test_a_schedule_that_was_switched_off_asks_for_nothing(workspace, ann, weekly, clock):
    edit_instance(workspace, ann, weekly.id, Edit({"schedule": "none"}))
    clock.forward(days=30)
    assert queue_due(workspace) == []


@pytest.mark.parametrize(
    ("day", "start", "hours", "due"),
    [
        # the clocks in Berlin jump from 2 to 3 on 2024-03-31, the last day of its month
        (31, dt.datetime(2024, 3, 30, 12, tzinfo=dt.UTC), 48, [dt.datetime(2024, 3, 31, 1, tzinfo=dt.UTC)]),
        # and go through 2 to 3 twice on 2024-10-27
        (27, dt.datetime(2024, 10, 26, 12, tzinfo=dt.UTC), 48, [dt.datetime(2024, 10, 27, 0, tzinfo=dt.UTC)]),
        # a month without that day takes its last, in a leap year, too
        (30, dt.datetime(2024, 2, 28, 12, tzinfo=dt.UTC), 40, [dt.datetime(2024, 2, 29, 1, tzinfo=dt.UTC)]),
    ],
)
def test_hour_by_hour_a_monthly_run_is_queued_once(workspace, ann, make, clock, day, start, hours, due):
    clock.now = start
    timing = {"day": day, "hour": 2, "time_zone": "Europe/Berlin"}
    _, run = create_instance(workspace, ann, make(schedule="monthly"), timing=timing)
    cancel_run(workspace, ann, run)
    queued = []
    for _ in range(hours):
        for run in queue_due(workspace):
            queued.append(clock.now)
            cancel_run(workspace, ann, run)
        clock.forward(hours=1)
    assert queued == due


def test_a_server_that_was_down_over_several_months_catches_up_once(workspace, ann, make, clock):
    _, run = create_instance(workspace, ann, make(schedule="monthly"), timing={"day": 31, "time_zone": "Asia/Tokyo"})
    cancel_run(workspace, ann, run)
    clock.now = dt.datetime(2024, 9, 15, tzinfo=dt.UTC)
    (run,) = queue_due(workspace)
    cancel_run(workspace, ann, run)
    assert queue_due(workspace) == []
    with workspace.store.read() as connection:
        assert schedules.find(connection, run.instance_id)[1] == dt.datetime(2024, 9, 29, 21, tzinfo=dt.UTC)
