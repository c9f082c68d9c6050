"""Instances as people make, change and look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from likelier.access.identity import Actor
from likelier.datasets import open_dataset
from likelier.instance import Instance, ask, make_instance
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store.instances import Status

LIFE = ("name", "description", "schedule", "profile_enabled")
"""The keys of an instance that may change at any time; the others are its definition, kept in versions."""


def save_instance(workspace: Workspace, actor: Actor, wanted: Instance) -> stored.Instance:
    """Create the instance of this name, or change it; a definition that differs becomes its next version."""
    with workspace.store.write() as connection:
        found = stored.find_named(connection, wanted.name)
        if found is None:
            return _create(connection, workspace, actor, wanted)
        return _update(connection, workspace, actor, found, wanted)


def refuse_unfit(workspace: Workspace, instance: Instance) -> None:
    """Raise the error of an instance that does not fit its datasets, before anything is recorded."""
    ask(instance, [open_dataset(workspace.lake, name) for name in instance.datasets])


def whole_instance(connection: Connection, instance: stored.Instance, version: int | None = None) -> Instance:
    """Join an instance with one version of its definition, the newest unless told."""
    definition = stored.definition(connection, instance.id, version or instance.version)
    return make_instance({**definition, **_life(instance)}, f"instance '{instance.name}'")


def _create(connection: Connection, workspace: Workspace, actor: Actor, wanted: Instance) -> stored.Instance:
    now = workspace.clock()
    created = stored.Instance(
        id=workspace.new_id(),
        status=Status.ENABLED,
        version=1,
        draft=None,
        revision=1,
        created_at=now,
        created_by=actor.name,
        updated_at=now,
        **_life(wanted),
    )
    stored.add(connection, created)
    stored.add_version(connection, created, _definition(wanted), now=now, by=actor.name)
    return created


def _update(
    connection: Connection, workspace: Workspace, actor: Actor, found: stored.Instance, wanted: Instance
) -> stored.Instance:
    asks_the_same = whole_instance(connection, found).definition_hash == wanted.definition_hash
    if asks_the_same and _life(found) == _life(wanted):
        return found
    now = workspace.clock()
    version = found.version + (not asks_the_same)
    changed = replace(found, version=version, revision=found.revision + 1, updated_at=now, **_life(wanted))
    stored.edit(connection, changed, was=found.revision)
    if not asks_the_same:
        stored.add_version(connection, changed, _definition(wanted), now=now, by=actor.name)
    return changed


def _life(instance: Instance | stored.Instance) -> dict[str, Any]:
    return {key: getattr(instance, key) for key in LIFE}


def _definition(instance: Instance) -> Mapping[str, Any]:
    return {key: value for key, value in instance.dump().items() if key not in LIFE}
