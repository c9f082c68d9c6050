"""What a person does with an instance after it was made: on and off, a copy, its end."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from likelier.access.identity import Actor
from likelier.errors import UnknownNameError, UsageError
from likelier.service.instances import LIFE, whole_instance
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store.instances import Status


def set_status(workspace: Workspace, actor: Actor, instance_id: str, status: Status) -> stored.Instance:
    """Switch an instance on or off; its scores stay."""
    del actor
    with workspace.store.write() as connection:
        found = _found(connection, instance_id)
        changed = replace(found, status=status, revision=found.revision + 1, updated_at=workspace.clock())
        stored.edit(connection, changed, was=found.revision)
    return changed


def clone_instance(workspace: Workspace, actor: Actor, instance_id: str, name: str) -> stored.Instance:
    """Make an instance that asks the same under another name; it has no runs yet."""
    with workspace.store.write() as connection:
        found = _found(connection, instance_id)
        if found.status is Status.DRAFT:
            raise UsageError(f"'{found.name}' is a draft: finish it first.")
        asked = whole_instance(connection, found).dump()
        now = workspace.clock()
        copy = replace(
            found,
            id=workspace.new_id(),
            name=name,
            version=1,
            revision=1,
            created_at=now,
            created_by=actor.name,
            updated_at=now,
        )
        stored.add(connection, copy)
        definition = {key: value for key, value in asked.items() if key not in LIFE}
        stored.add_version(connection, copy, definition, now=now, by=actor.name)
    return copy


def delete_instance(workspace: Workspace, actor: Actor, instance_id: str) -> None:
    """Forget an instance with its runs and insights."""
    del actor
    with workspace.store.write() as connection:
        found = _found(connection, instance_id)
        if under_way := records.active(connection, found.id):
            records.request_cancel(connection, under_way.id, now=workspace.clock())
        stored.remove(connection, found.id, now=workspace.clock())


def free_name(workspace: Workspace, name: str) -> str:
    """Name a copy so that it does not stand in the way of another."""
    with workspace.store.read() as connection:
        taken = set(stored.names(connection))
    tries = (f"{name} (copy{f' {number}' if number > 1 else ''})" for number in range(1, 10_000))
    return next(each for each in tries if each not in taken)


def _found(connection: Connection, instance_id: str) -> stored.Instance:
    found = stored.find(connection, instance_id)
    if found is None:
        raise UnknownNameError("instance", instance_id, stored.names(connection))
    return found
