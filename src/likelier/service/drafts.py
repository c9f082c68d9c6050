"""Instances in the making: kept as they are, complete or not, until they are finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from likelier.access.audit import record
from likelier.access.identity import Actor
from likelier.errors import UsageError
from likelier.instance import Instance, make_instance
from likelier.phrases import say
from likelier.runs.records import Run
from likelier.service.instances import (
    Edit,
    add,
    add_version,
    definition_of,
    edit_instance,
    free_name,
    life_of,
    next_revision,
    read_at,
    refuse_unfit,
    settle_schedule,
    thing,
)
from likelier.service.runs import queue_run
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store.instances import Status

UNNAMED = "New instance"


def create_draft(workspace: Workspace, actor: Actor, document: Mapping[str, Any]) -> stored.Instance:
    """Keep an instance that may be incomplete; one without a name of its own gets one."""
    with workspace.store.write() as connection:
        name = _name(connection, document, None)
        return add(connection, workspace, actor, {"name": name}, status=Status.DRAFT, draft=dict(document))


def save_draft(
    workspace: Workspace, actor: Actor, draft_id: str | None, document: Mapping[str, Any], *, was: int | None = None
) -> stored.Instance:
    """Keep a draft in the place of what it was, unless it is the same; a new one without an id."""
    if draft_id is None:
        return create_draft(workspace, actor, document)
    with workspace.store.write() as connection:
        found = read_at(connection, draft_id, was)
        _refuse_finished(found)
        name = _name(connection, document, found)
        if (name, dict(document)) == (found.name, found.draft):
            return found
        changed = replace(found, name=name, draft=dict(document), **next_revision(found, workspace))
        stored.edit(connection, changed, was=found.revision)
        before, after = found.draft or {}, changed.draft or {}
        record(connection, actor, "instance.edit", thing(changed), now=workspace.clock(), before=before, after=after)
        return changed


def finish_draft(
    workspace: Workspace, actor: Actor, instance_id: str, *, was: int | None = None
) -> tuple[stored.Instance, Run | None]:
    """Turn a draft that is complete into an enabled instance, and begin its first run."""
    with workspace.store.write() as connection:
        draft = read_at(connection, instance_id, was)
        _refuse_finished(draft)
        wanted = make_instance({**(draft.draft or {}), "name": draft.name}, say("draft '{name}'", name=draft.name))
        finished = _finish(connection, workspace, actor, draft, wanted)
        return finished, queue_run(connection, workspace, actor, finished)


def finish(
    workspace: Workspace, actor: Actor, wanted: Instance, instance_id: str, *, was: int | None = None
) -> stored.Instance:
    """Make a draft an instance, or change an instance that still is at the revision it `was` read at.

    What asks something else becomes its next version.
    """
    with workspace.store.write() as connection:
        found = stored.get(connection, instance_id)
        if found.status is Status.DRAFT:
            finished = _finish(connection, workspace, actor, found, wanted)
            queue_run(connection, workspace, actor, finished)
            return finished
    return edit_instance(workspace, actor, instance_id, Edit(wanted.dump()), was=was)


def _finish(
    connection: Connection, workspace: Workspace, actor: Actor, draft: stored.Instance, wanted: Instance
) -> stored.Instance:
    refuse_unfit(workspace, wanted)
    life = {**next_revision(draft, workspace), **life_of(wanted)}
    finished = replace(draft, status=Status.ENABLED, version=1, draft=None, **life)
    stored.edit(connection, finished, was=draft.revision)
    add_version(connection, workspace, actor, finished, wanted)
    settle_schedule(connection, workspace, finished, None)
    told = {**life_of(wanted), **definition_of(wanted)}
    record(connection, actor, "instance.finish", thing(finished), now=workspace.clock(), after=told)
    return finished


def _name(connection: Connection, document: Mapping[str, Any], draft: stored.Instance | None) -> str:
    """The name a draft goes by: its own, unless it has none or another instance has it."""
    name = str(document.get("name") or "").strip()
    taken = stored.find_named(connection, name) if name else None
    if name and (taken is None or (draft and taken.id == draft.id)):
        return name
    return draft.name if draft else free_name(connection, name or UNNAMED)


def _refuse_finished(instance: stored.Instance) -> None:
    if instance.status is not Status.DRAFT:
        raise UsageError(say("'{name}' is no draft.", name=instance.name))
