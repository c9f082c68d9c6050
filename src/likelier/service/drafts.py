"""Instances in the making: kept as they are, complete or not, until they are finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from likelier.access.identity import Actor
from likelier.errors import UnknownNameError
from likelier.instance import Instance
from likelier.service.instances import LIFE, whole_instance
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store.instances import Status


def save_draft(
    workspace: Workspace, actor: Actor, draft_id: str | None, document: Mapping[str, Any]
) -> stored.Instance:
    """Keep a draft, complete or not; a new one without an id."""
    now = workspace.clock()
    with workspace.store.write() as connection:
        found = stored.find(connection, draft_id) if draft_id else None
        name = str(document.get("name") or "").strip()
        taken = stored.find_named(connection, name) if name else None
        if not name or (taken and (found is None or taken.id != found.id)):
            name = found.name if found else f"Draft {workspace.new_id()[:6]}"
        life: dict[str, Any] = {
            "name": name,
            "description": str(document.get("description") or ""),
            "draft": dict(document),
        }
        if found is not None:
            changed = replace(found, revision=found.revision + 1, updated_at=now, **life)
            stored.edit(connection, changed, was=found.revision)
            return changed
        draft = stored.Instance(
            id=workspace.new_id(),
            status=Status.DRAFT,
            schedule="none",
            profile_enabled=True,
            version=0,
            revision=1,
            created_at=now,
            created_by=actor.name,
            updated_at=now,
            **life,
        )
        stored.add(connection, draft)
        return draft


def finish(workspace: Workspace, actor: Actor, wanted: Instance, instance_id: str) -> stored.Instance:
    """Make a draft an instance, or change an instance; what asks something else becomes its next version."""
    now = workspace.clock()
    with workspace.store.write() as connection:
        found = stored.find(connection, instance_id)
        if found is None:
            raise UnknownNameError("instance", instance_id, stored.names(connection))
        is_draft = found.status is Status.DRAFT
        is_new = is_draft or whole_instance(connection, found).definition_hash != wanted.definition_hash
        changed = replace(
            found,
            status=Status.ENABLED if is_draft else found.status,
            draft=None,
            version=found.version + is_new,
            revision=found.revision + 1,
            updated_at=now,
            **{key: getattr(wanted, key) for key in LIFE},
        )
        stored.edit(connection, changed, was=found.revision)
        if is_new:
            definition = {key: value for key, value in wanted.dump().items() if key not in LIFE}
            stored.add_version(connection, changed, definition, now=now, by=actor.name)
        return changed
