"""Instances as people make, change and end them.

Name, description, schedule, status and the profile toggle may change at any time. Everything else is the definition:
an edit of it becomes its next version, and each run names the version it ran.

The last edit of an instance can be undone, and for a while so can its deletion (:mod:`likelier.service.deleted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.datasets import open_dataset
from likelier.errors import UnknownNameError, UsageError
from likelier.instance import Instance, ask, make_instance
from likelier.phrases import say
from likelier.runs.records import Run
from likelier.runs.schedule import Schedule
from likelier.service import deleted
from likelier.service.runs import queue_run
from likelier.service.workspace import Workspace
from likelier.store import audit, names, schedules
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store.instances import Status

LIFE = ("name", "description", "schedule", "profile_enabled")
"""The keys of an instance that may change at any time; the others are its definition, kept in versions."""


@dataclass(frozen=True)
class Edit:
    """What is to change; None: nothing. `asked` holds keys of the instance file, whichever are to change."""

    asked: Mapping[str, Any] | None = None
    status: Status | None = None
    timing: Mapping[str, Any] | None = None


def save_instance(workspace: Workspace, actor: Actor, wanted: Instance) -> stored.Instance:
    """Create the instance of this name, or change it; a definition that differs becomes its next version."""
    with workspace.store.write() as connection:
        found = stored.find_named(connection, wanted.name)
        if found is None:
            return _create(connection, workspace, actor, wanted, None, Status.ENABLED)
        return _change(connection, workspace, actor, found, wanted, Edit())


def create_instance(
    workspace: Workspace,
    actor: Actor,
    wanted: Instance,
    *,
    timing: Mapping[str, Any] | None = None,
    status: Status = Status.ENABLED,
) -> tuple[stored.Instance, Run | None]:
    """Create an instance; an enabled one begins its first run."""
    refuse_unfit(workspace, wanted)
    with workspace.store.write() as connection:
        created = _create(connection, workspace, actor, wanted, timing, status)
        return created, _first_run(connection, workspace, actor, created)


def edit_instance(
    workspace: Workspace, actor: Actor, instance_id: str, edit: Edit, *, was: int | None = None
) -> stored.Instance:
    """Change an instance, provided that it is still at the revision it `was` read at."""
    with workspace.store.write() as connection:
        found = read_at(connection, instance_id, was)
        if found.status is Status.DRAFT:
            raise UsageError(say("'{name}' is a draft: finish it first.", name=found.name))
        whole = whole_instance(connection, found)
        wanted = make_instance({**whole.dump(), **(edit.asked or {})}, say("instance '{name}'", name=found.name))
        if wanted.definition_hash != whole.definition_hash:
            refuse_unfit(workspace, wanted)
        return _change(connection, workspace, actor, found, wanted, edit)


def set_status(workspace: Workspace, actor: Actor, instance_id: str, status: Status) -> stored.Instance:
    """Switch an instance on or off; its scores stay."""
    return edit_instance(workspace, actor, instance_id, Edit(status=status))


def undo_edit(workspace: Workspace, actor: Actor, instance_id: str, *, was: int | None = None) -> stored.Instance:
    """Put an instance back as it was before its last edit, which is an edit again; what was asked is a new version."""
    with workspace.store.write() as connection:
        found = read_at(connection, instance_id, was)
        before = _before_last_edit(connection, found)
        status, timing = before.pop("status", None), before.pop("timing", None)
        whole = whole_instance(connection, found)
        earlier = {key: value for key, value in {**whole.dump(), **before}.items() if value is not None}
        wanted = make_instance(earlier, say("instance '{name}'", name=found.name))
        if wanted.definition_hash != whole.definition_hash:
            refuse_unfit(workspace, wanted)
        edit = Edit(status=Status(status) if status else None, timing=timing)
        return _change(connection, workspace, actor, found, wanted, edit)


def _before_last_edit(connection: Connection, instance: stored.Instance) -> dict[str, Any]:
    """What the last edit changed, as it was: the audit log has it."""
    of_instance = audit.Filter(object_type="instance", object_id=instance.id)
    last = next((entry for entry in audit.every(connection, of_instance, 20) if entry.action in _CHANGES), None)
    if instance.status is Status.DRAFT or last is None or last.action != "instance.edit":
        raise UsageError(say("'{name}' was not edited: there is nothing to undo.", name=instance.name))
    return dict(last.before or {})


_CHANGES = ("instance.create", "instance.finish", "instance.edit")


def clone_instance(workspace: Workspace, actor: Actor, instance_id: str, name: str | None = None) -> stored.Instance:
    """Make an instance that asks the same under another name; it has no runs yet."""
    with workspace.store.write() as connection:
        found = stored.get(connection, instance_id)
        named = name or free_name(connection, f"{found.name} (copy)")
        if found.status is Status.DRAFT:
            return add(connection, workspace, actor, {"name": named}, status=Status.DRAFT, draft=found.draft)
        wanted = make_instance({**whole_instance(connection, found).dump(), "name": named})
        timing = schedules.find(connection, found.id)
        return _create(connection, workspace, actor, wanted, asdict(timing[0]) if timing else None, found.status)


def delete_instance(
    workspace: Workspace, actor: Actor, instance_id: str, *, was: int | None = None, from_profiles: bool = False
) -> None:
    """End an instance with its runs and its scores; for a while it can be put back.

    The latest scores stay on the profiles that have them, unless they are to go `from_profiles` too.
    """
    now = workspace.clock()
    with workspace.store.write() as connection:
        found = read_at(connection, instance_id, was)
        latest = records.published(connection, found.id)
        keep = latest if latest and found.profile_enabled and not from_profiles else None
        records.end_active(connection, found.id, now=now)
        stored.put_away(connection, found.id, now=now, until=now + deleted.KEPT, kept_run=keep.id if keep else None)
        record(connection, actor, "instance.delete", thing(found), now=now, before=life_of(found), after=None)
    deleted.remove_for_good(workspace)


def restore_instance(workspace: Workspace, actor: Actor, name: str) -> stored.Instance:
    """Put a deleted instance back with its runs and its scores; by id, or the last deleted of a name.

    Where its name was given to another meanwhile, it gets a number. A run that was due meanwhile is not made up for.
    """
    with workspace.store.write() as connection:
        known = stored.put_away_ones(connection, after=workspace.clock())
        found = next((one for one in known if name in {one.id, one.name}), None)
        if found is None:
            raise UnknownNameError("deleted instance that can be put back", name, [one.name for one in known])
        restored = replace(found, name=free_name(connection, found.name), **next_revision(found, workspace))
        stored.put_back(connection, restored)
        settle_schedule(connection, workspace, restored, None)
        record(connection, actor, "instance.restore", thing(restored), now=workspace.clock(), after=life_of(restored))
        return restored


def refuse_unfit(workspace: Workspace, instance: Instance) -> None:
    """Raise the error of an instance that does not fit its datasets, before anything is recorded."""
    ask(instance, [open_dataset(workspace.lake, name) for name in instance.datasets])


def whole_instance(connection: Connection, instance: stored.Instance, version: int | None = None) -> Instance:
    """Join an instance with one version of its definition, the newest unless told."""
    definition = stored.definition(connection, instance.id, version or instance.version)
    return make_instance({**definition, **life_of(instance)}, say("instance '{name}'", name=instance.name))


def free_name(connection: Connection, name: str) -> str:
    """Give the name, with a number where another instance has it."""
    return names.free_name(name, set(stored.names(connection)))


def life_of(instance: Instance | stored.Instance) -> dict[str, Any]:
    return {key: getattr(instance, key) for key in LIFE}


def definition_of(instance: Instance) -> dict[str, Any]:
    return {key: value for key, value in instance.dump().items() if key not in LIFE}


def thing(instance: stored.Instance) -> Thing:
    return Thing("instance", instance.id, instance.name)


def _create(
    connection: Connection,
    workspace: Workspace,
    actor: Actor,
    wanted: Instance,
    timing: Mapping[str, Any] | None,
    status: Status,
) -> stored.Instance:
    created = add(connection, workspace, actor, life_of(wanted), status=status, version=1, asked=wanted)
    add_version(connection, workspace, actor, created, wanted)
    settle_schedule(connection, workspace, created, timing)
    return created


def add(
    connection: Connection,
    workspace: Workspace,
    actor: Actor,
    life: Mapping[str, Any],
    *,
    status: Status,
    version: int = 0,
    draft: Mapping[str, Any] | None = None,
    asked: Instance | None = None,
) -> stored.Instance:
    now = workspace.clock()
    plain = {"description": "", "schedule": "none", "profile_enabled": True}
    added = stored.Instance(
        id=workspace.new_id(),
        status=status,
        version=version,
        draft=draft,
        revision=1,
        created_at=now,
        created_by=actor.name,
        updated_at=now,
        **{**plain, **life},
    )
    stored.add(connection, added)
    told = {**life, "status": str(status), **(definition_of(asked) if asked else draft or {})}
    record(connection, actor, "instance.create", thing(added), now=now, after=told)
    return added


def _change(
    connection: Connection,
    workspace: Workspace,
    actor: Actor,
    found: stored.Instance,
    wanted: Instance,
    edit: Edit,
) -> stored.Instance:
    whole = whole_instance(connection, found)
    asks_the_same = whole.definition_hash == wanted.definition_hash
    status = edit.status or found.status
    if status is Status.DRAFT:
        raise UsageError(say("'{name}' is finished, and cannot be a draft again.", name=found.name))
    if asks_the_same and life_of(found) == life_of(wanted) and status == found.status and edit.timing is None:
        return found
    timing = _timing(connection, found)
    version = found.version + (not asks_the_same)
    changed = replace(found, version=version, status=status, **next_revision(found, workspace), **life_of(wanted))
    stored.edit(connection, changed, was=found.revision)
    if not asks_the_same:
        add_version(connection, workspace, actor, changed, wanted)
    if edit.timing is not None or changed.schedule != found.schedule:
        settle_schedule(connection, workspace, changed, edit.timing)
    record(
        connection,
        actor,
        "instance.edit",
        thing(changed),
        now=workspace.clock(),
        before={**whole.dump(), "status": str(found.status), "timing": timing},
        after={**wanted.dump(), "status": str(status), "timing": _timing(connection, changed)},
    )
    return changed


def _timing(connection: Connection, instance: stored.Instance) -> dict[str, Any] | None:
    found = schedules.find(connection, instance.id)
    return asdict(found[0]) if found else None


def add_version(
    connection: Connection, workspace: Workspace, actor: Actor, instance: stored.Instance, wanted: Instance
) -> None:
    stored.add_version(connection, instance, definition_of(wanted), now=workspace.clock(), by=actor.name)


def settle_schedule(
    connection: Connection, workspace: Workspace, instance: stored.Instance, timing: Mapping[str, Any] | None
) -> None:
    """Give the instance its next run's moment; `timing` says on which day and hour."""
    if instance.schedule == "none":
        schedules.remove(connection, instance.id)
        return
    before = schedules.find(connection, instance.id)
    kept = asdict(before[0]) if before else {}
    schedule = Schedule.of({**kept, **(timing or {}), "every": instance.schedule})
    schedules.put(connection, instance.id, schedule, next_at=schedule.next_after(workspace.clock()))


def _first_run(connection: Connection, workspace: Workspace, actor: Actor, instance: stored.Instance) -> Run | None:
    return queue_run(connection, workspace, actor, instance) if instance.status is Status.ENABLED else None


def read_at(connection: Connection, instance_id: str, was: int | None) -> stored.Instance:
    found = stored.get(connection, instance_id)
    if was is not None and was != found.revision:
        raise stored.EditedMeanwhileError(
            say("'{name}' was changed by somebody else meanwhile. Read it again, then edit.", name=found.name)
        )
    return found


def next_revision(instance: stored.Instance, workspace: Workspace) -> dict[str, Any]:
    return {"revision": instance.revision + 1, "updated_at": workspace.clock()}
