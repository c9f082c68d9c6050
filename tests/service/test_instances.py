"""The life of an instance."""

import datetime as dt

import pyarrow as pa
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from likelier.errors import InstanceError, UnknownNameError, UsageError
from likelier.runs.records import State, scores_table
from likelier.service.deleted import remove_for_good
from likelier.service.drafts import create_draft, finish_draft, save_draft
from likelier.service.instances import (
    Edit,
    clone_instance,
    create_instance,
    delete_instance,
    edit_instance,
    restore_instance,
    save_instance,
    set_status,
    undo_edit,
    whole_instance,
)
from likelier.service.overview import overview, overviews
from likelier.service.worker import queue_due
from likelier.store import audit, instances, runs, schedules
from likelier.store.instances import EditedMeanwhileError, NameTakenError, Status
from likelier.store.runs import Ledger


def log(workspace, **wanted):
    with workspace.store.read() as connection:
        return audit.page(connection, audit.Filter(**wanted))


def due_at(workspace, instance_id):
    with workspace.store.read() as connection:
        found = schedules.find(connection, instance_id)
    return found[1].isoformat() if found else None


def test_creating_an_enabled_instance_begins_its_first_run(workspace, ann, make):
    instance, run = create_instance(workspace, ann, make())
    assert (instance.status, instance.version, instance.revision) == (Status.ENABLED, 1, 1)
    assert (run.state, run.instance_id, run.version, run.started_by) == (State.QUEUED, instance.id, 1, "ann")
    assert [entry.action for entry in log(workspace)] == ["run.start", "instance.create"]
    assert log(workspace, action="instance.create")[0].after["goal"]["window_days"] == 30


def test_creating_a_disabled_one_does_not(workspace, ann, make):
    assert create_instance(workspace, ann, make(), status=Status.DISABLED)[1] is None


def test_an_instance_that_does_not_fit_its_datasets_is_not_created(workspace, ann, make):
    with pytest.raises(UnknownNameError):
        create_instance(workspace, ann, make(datasets=["nothing"]))
    with pytest.raises(InstanceError, match="ECID"):
        create_instance(workspace, ann, make(namespace="ECID"))
    assert log(workspace) == []


def test_a_name_is_given_once(workspace, ann, make):
    create_instance(workspace, ann, make())
    with pytest.raises(NameTakenError):
        create_instance(workspace, ann, make())
    assert len(log(workspace)) == 2


def test_name_description_and_toggle_change_without_a_new_version(workspace, ann, make):
    created, _ = create_instance(workspace, ann, make())
    changes = {"name": "Buy soon", "description": "x", "profile_enabled": False}
    edited = edit_instance(workspace, ann, created.id, Edit(changes), was=1)
    assert (edited.version, edited.revision, edited.name) == (1, 2, "Buy soon")
    entry = log(workspace, action="instance.edit")[0]
    assert entry.before == {"name": "Buy", "description": "", "profile_enabled": True}
    assert entry.after == changes


def test_a_definition_that_asks_something_else_is_a_new_version_and_the_old_one_stays(workspace, ann, make):
    created, _ = create_instance(workspace, ann, make())
    goal = make(goal={**make().dump()["goal"], "window_days": 7}).dump()["goal"]
    edited = edit_instance(workspace, ann, created.id, Edit({"goal": goal}))
    assert (edited.version, edited.revision) == (2, 2)
    with workspace.store.read() as connection:
        assert whole_instance(connection, edited).goal.window_days == 7
        assert whole_instance(connection, edited, 1).goal.window_days == 30


def test_an_edit_that_changes_nothing_is_none(workspace, ann, make):
    created, _ = create_instance(workspace, ann, make())
    assert edit_instance(workspace, ann, created.id, Edit({"name": "Buy"})) == created
    assert save_instance(workspace, ann, make()) == created
    assert log(workspace, action="instance.edit") == []


def test_an_edit_from_an_old_reading_is_refused(workspace, ann, make):
    created, _ = create_instance(workspace, ann, make())
    edit_instance(workspace, ann, created.id, Edit({"description": "first"}), was=1)
    with pytest.raises(EditedMeanwhileError):
        edit_instance(workspace, ann, created.id, Edit({"description": "second"}), was=1)
    with pytest.raises(EditedMeanwhileError):
        delete_instance(workspace, ann, created.id, was=1)


@pytest.mark.parametrize(
    "changes", [{"goaal": 1}, {"goal": None}, {"datasets": ["nothing"]}, {"name": ""}, {"schedule": "daily"}]
)
def test_an_edit_that_does_not_fit_changes_nothing(workspace, ann, make, changes):
    created, _ = create_instance(workspace, ann, make())
    with pytest.raises(UsageError):
        edit_instance(workspace, ann, created.id, Edit(changes))
    with workspace.store.read() as connection:
        assert instances.find(connection, created.id) == created


def test_switching_off_and_on(workspace, ann, make):
    created, _ = create_instance(workspace, ann, make())
    assert set_status(workspace, ann, created.id, Status.DISABLED).status is Status.DISABLED
    assert set_status(workspace, ann, created.id, Status.ENABLED).revision == 3
    with pytest.raises(UsageError, match="cannot be a draft"):
        set_status(workspace, ann, created.id, Status.DRAFT)


def test_a_schedule_says_when_the_next_run_is(workspace, ann, make):
    # the clock stands at noon of Wednesday 2024-05-01
    created, _ = create_instance(workspace, ann, make(schedule="weekly"))
    assert due_at(workspace, created.id) == "2024-05-06T06:00:00+00:00"
    edit_instance(workspace, ann, created.id, Edit(timing={"weekday": "friday", "time_zone": "Europe/Berlin"}))
    assert due_at(workspace, created.id) == "2024-05-03T04:00:00+00:00"
    edit_instance(workspace, ann, created.id, Edit({"schedule": "monthly"}, timing={"day": 31}))
    assert due_at(workspace, created.id) == "2024-05-31T04:00:00+00:00"
    edit_instance(workspace, ann, created.id, Edit({"description": "x"}))
    assert due_at(workspace, created.id) == "2024-05-31T04:00:00+00:00"
    edit_instance(workspace, ann, created.id, Edit({"schedule": "none"}))
    assert due_at(workspace, created.id) is None


def test_a_schedule_that_is_none_is_refused_and_nothing_kept(workspace, ann, make):
    with pytest.raises(UsageError, match="time zone"):
        create_instance(workspace, ann, make(schedule="weekly"), timing={"time_zone": "Nowhere"})
    assert log(workspace) == []


def test_a_draft_may_be_incomplete_and_grows(workspace, ann, ask):
    draft = create_draft(workspace, ann, {"propensity_type": "churn", "goal": {"events": []}})
    assert (draft.name, draft.status, draft.version) == ("New instance", Status.DRAFT, 0)
    assert create_draft(workspace, ann, {}).name == "New instance 2"
    with pytest.raises(InstanceError, match="datasets is missing"):
        finish_draft(workspace, ann, draft.id)
    grown = save_draft(workspace, ann, draft.id, ask(name="Leave", propensity_type="churn"), was=1)
    assert save_draft(workspace, ann, draft.id, ask(name="Leave", propensity_type="churn")).revision == grown.revision
    assert (grown.name, grown.status, grown.revision) == ("Leave", Status.DRAFT, 2)
    finished, run = finish_draft(workspace, ann, draft.id, was=2)
    assert (finished.status, finished.version, finished.draft) == (Status.ENABLED, 1, None)
    assert run.instance_id == draft.id
    with pytest.raises(UsageError, match="no draft"):
        finish_draft(workspace, ann, draft.id)


def test_a_draft_does_not_become_enabled_by_the_way(workspace, ann):
    draft = create_draft(workspace, ann, {"name": "Leave"})
    with pytest.raises(UsageError, match="finish it first"):
        set_status(workspace, ann, draft.id, Status.ENABLED)


def test_a_clone_asks_the_same_under_another_name(workspace, ann, make):
    created, _ = create_instance(workspace, ann, make(schedule="weekly"), timing={"weekday": "friday"})
    copy = clone_instance(workspace, ann, created.id)
    assert (copy.name, copy.version, copy.schedule) == ("Buy (copy)", 1, "weekly")
    assert clone_instance(workspace, ann, created.id).name == "Buy (copy) 2"
    assert due_at(workspace, copy.id) == due_at(workspace, created.id)
    with workspace.store.read() as connection:
        assert whole_instance(connection, copy).definition_hash == make().definition_hash
        assert runs.history(connection, instance_id=copy.id) == []
    draft = create_draft(workspace, ann, {"goal": {}})
    assert clone_instance(workspace, ann, draft.id).draft == {"goal": {}}


def publish(workspace, run, ids):
    table = pa.table({"namespace": ["CRMID"] * len(ids), "id": ids, "run_id": [run.id] * len(ids)})
    workspace.lake.append(scores_table(run.instance_id), table.to_reader(), batch=run.id)
    claimed = Ledger(workspace.store).claim(run.id, "x", now=workspace.clock(), until=workspace.clock())
    document = {"metrics": {}}
    Ledger(workspace.store).publish(claimed, scored=len(ids), auc=0.8, document=document, now=workspace.clock())


@pytest.mark.parametrize(("toggle", "from_profiles", "left"), [(True, False, 1), (True, True, 0), (False, False, 0)])
def test_deleting_takes_runs_and_scores_and_leaves_what_is_on_profiles(
    workspace, ann, make, clock, toggle, from_profiles, left
):
    created, run = create_instance(workspace, ann, make(profile_enabled=toggle))
    publish(workspace, run, ["p1", "p2"])
    delete_instance(workspace, ann, created.id, from_profiles=from_profiles)

    def found():
        with workspace.store.read() as connection:
            shown = len(runs.on_profiles(connection))
            return instances.find(connection, created.id), runs.find(connection, run.id), shown

    assert found() == (None, None, left)
    assert workspace.lake.rows(scores_table(created.id)) == 2
    assert log(workspace, action="instance.delete")[0].before["name"] == "Buy"
    clock.forward(hours=1)
    remove_for_good(workspace)
    assert found() == (None, None, left)
    assert workspace.lake.rows(scores_table(created.id)) == 2 * left
    with pytest.raises(UnknownNameError, match="no deleted instance that can be put back 'Buy'"):
        restore_instance(workspace, ann, "Buy")


def test_a_deleted_instance_is_put_back_with_all_it_had(workspace, ann, make, clock):
    created, run = create_instance(workspace, ann, make(schedule="weekly"))
    publish(workspace, run, ["p1", "p2"])
    delete_instance(workspace, ann, created.id)
    clock.forward(minutes=59)
    restored = restore_instance(workspace, ann, created.id)
    assert (restored.name, restored.status, restored.revision) == ("Buy", Status.ENABLED, 2)
    with workspace.store.read() as connection:
        assert runs.find(connection, run.id).state is State.SUCCESS
        assert runs.read_insights(connection, run.id) == {"metrics": {}}
        assert [name for _, name, _ in runs.on_profiles(connection)] == ["Buy"]
    assert workspace.lake.rows(scores_table(created.id)) == 2
    assert due_at(workspace, created.id) == "2024-05-06T06:00:00+00:00"
    assert log(workspace)[0].action == "instance.restore"
    clock.forward(hours=2)
    remove_for_good(workspace)
    with workspace.store.read() as connection:
        assert runs.find(connection, run.id) is not None


def test_a_deleted_instance_does_not_run_and_frees_its_name(workspace, ann, make, clock):
    created, run = create_instance(workspace, ann, make(schedule="weekly"))
    delete_instance(workspace, ann, created.id)
    other, _ = create_instance(workspace, ann, make(schedule="none"))
    clock.forward(days=5)
    assert queue_due(workspace) == []
    clock.now -= dt.timedelta(days=5)
    assert restore_instance(workspace, ann, "Buy").name == "Buy 2"
    with workspace.store.read() as connection:
        assert runs.find(connection, run.id).state is State.CANCELLED
        assert instances.get(connection, "Buy").id == other.id


def test_the_last_edit_is_undone_and_that_too(workspace, ann, make):
    created, _ = create_instance(workspace, ann, make(schedule="weekly"))
    with pytest.raises(UsageError, match="not edited"):
        undo_edit(workspace, ann, created.id)
    changes = {"name": "Soon", "schedule": "none", "goal": {**make().dump()["goal"], "window_days": 7}}
    edited = edit_instance(workspace, ann, created.id, Edit(changes, status=Status.DISABLED))
    with pytest.raises(EditedMeanwhileError):
        undo_edit(workspace, ann, created.id, was=1)
    undone = undo_edit(workspace, ann, created.id, was=edited.revision)
    assert (undone.name, undone.schedule, undone.status, undone.version) == ("Buy", "weekly", Status.ENABLED, 3)
    assert due_at(workspace, created.id) == "2024-05-06T06:00:00+00:00"
    again = undo_edit(workspace, ann, created.id)
    assert (again.name, again.schedule, again.status) == ("Soon", "none", Status.DISABLED)
    with workspace.store.read() as connection:
        assert [whole_instance(connection, again, each).goal.window_days for each in (1, 2, 3, 4)] == [30, 7, 30, 7]


def test_what_was_saved_of_a_draft_is_no_edit_of_the_instance(workspace, ann, ask):
    draft = create_draft(workspace, ann, ask(name="Leave"))
    save_draft(workspace, ann, draft.id, ask(name="Leave", description="x"))
    with pytest.raises(UsageError, match="not edited"):
        undo_edit(workspace, ann, draft.id)
    finish_draft(workspace, ann, draft.id)
    with pytest.raises(UsageError, match="not edited"):
        undo_edit(workspace, ann, draft.id)


def test_deleting_ends_the_run_that_is_under_way(workspace, ann, make):
    created, run = create_instance(workspace, ann, make())
    delete_instance(workspace, ann, created.id)
    now = workspace.clock()
    assert Ledger(workspace.store).claim(run.id, "x", now=now, until=now + dt.timedelta(1)) is None


def test_as_many_questions_are_put_to_the_store_for_many_instances_as_for_one(workspace, ann, make):
    def questions():
        asked = []
        listen = lambda *said: asked.append(said[2])  # noqa: E731
        overviews(workspace)  # definitions are read when they are first looked at
        event.listen(Engine, "before_cursor_execute", listen)
        told = overviews(workspace)
        event.remove(Engine, "before_cursor_execute", listen)
        return told, len(asked)

    create_instance(workspace, ann, make())
    (one,), few = questions()
    for number in range(5):
        create_instance(workspace, ann, make(name=f"Buy {number}"))
    many, as_many = questions()
    assert as_many == few
    assert [each.name for each in many] == ["Buy", *(f"Buy {number}" for number in range(5))]
    assert (one.asked["goal"]["window_days"], one.last.state, one.published) == (30, State.QUEUED, None)


def test_an_edited_instance_is_told_as_it_is_now(workspace, ann, make):
    instance, _ = create_instance(workspace, ann, make())
    assert overview(workspace, instance.id).asked["goal"]["window_days"] == 30
    edit_instance(workspace, ann, instance.id, Edit({"goal": {**make().dump()["goal"], "window_days": 7}}))
    assert overview(workspace, instance.id).asked["goal"]["window_days"] == 7
