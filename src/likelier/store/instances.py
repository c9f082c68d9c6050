"""Instances and the versions of their definitions.

Name, description, schedule, status and the profile toggle may change at any time. What decides the scores, the
definition, is never changed: an edit adds a version, and each run names the version it ran.

One that is deleted is found no more, nor are its runs, and its name is free; until the moment `kept_until` all of it is
there to be put back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from likelier.errors import UnknownNameError, UsageError
from likelier.phrases import say
from likelier.store.tables import insights, instance_versions, instances, outcomes, runs


class Status(StrEnum):
    """A draft may be incomplete and never runs; a disabled instance runs only by hand."""

    DRAFT = "draft"
    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Instance:
    """An instance as stored; `revision` counts its edits and guards against two at once."""

    id: str
    name: str
    description: str
    status: Status
    schedule: Any
    profile_enabled: bool
    version: int
    draft: Mapping[str, Any] | None
    revision: int
    created_at: dt.datetime
    created_by: str
    updated_at: dt.datetime


class NameTakenError(UsageError):
    """Another instance has the name."""


class EditedMeanwhileError(UsageError):
    """Somebody else changed the instance since it was read."""


_COLUMNS = [column for column in instances.c if column.name not in ("deleted_at", "kept_run", "kept_until")]
_LIVING = instances.c.deleted_at.is_(None)


def add(connection: Connection, instance: Instance) -> None:
    """Add an instance; its first version follows with :func:`add_version`."""
    _write(connection, sa.insert(instances).values(**vars(instance)), instance.name)


def add_version(
    connection: Connection, instance: Instance, definition: Mapping[str, Any], *, now: dt.datetime, by: str
) -> None:
    """Record the definition that `instance.version` stands for."""
    connection.execute(
        sa.insert(instance_versions).values(
            instance_id=instance.id, version=instance.version, definition=definition, created_at=now, created_by=by
        )
    )


def edit(connection: Connection, instance: Instance, *, was: int) -> None:
    """Write an instance back, provided that it still is at the revision it `was` read at."""
    here = sa.update(instances).where(instances.c.id == instance.id, instances.c.revision == was, _LIVING)
    if _write(connection, here.values(**vars(instance)), instance.name) != 1:
        raise EditedMeanwhileError(
            say("'{name}' was changed by somebody else meanwhile. Read it again, then edit.", name=instance.name)
        )


def find(connection: Connection, instance_id: str) -> Instance | None:
    return _one(connection, instances.c.id == instance_id)


def find_named(connection: Connection, name: str) -> Instance | None:
    return _one(connection, instances.c.name == name)


def get(connection: Connection, name: str) -> Instance:
    """Find an instance by its name or id, or tell the names there are."""
    found = find_named(connection, name) or find(connection, name)
    if found is None:
        raise UnknownNameError("instance", name, names(connection))
    return found


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(sa.select(instances.c.name).where(_LIVING).order_by(instances.c.name)))


def page(connection: Connection, *, after: str = "", limit: int = 1000) -> list[Instance]:
    """List the instances whose name comes after a name, in the order of their names."""
    query = sa.select(*_COLUMNS).where(_LIVING, instances.c.name > after).order_by(instances.c.name).limit(limit)
    return [_instance(row) for row in connection.execute(query)]


def definition(connection: Connection, instance_id: str, version: int) -> dict[str, Any]:
    """The definition a version stands for."""
    found: dict[str, Any] = connection.execute(
        sa.select(instance_versions.c.definition).where(
            instance_versions.c.instance_id == instance_id, instance_versions.c.version == version
        )
    ).scalar_one()
    return found


def versions(connection: Connection, instance_id: str) -> list[dict[str, Any]]:
    """Every version of an instance's definition, newest first."""
    query = (
        sa.select(instance_versions)
        .where(instance_versions.c.instance_id == instance_id)
        .order_by(instance_versions.c.version.desc())
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def put_away(
    connection: Connection, instance_id: str, *, now: dt.datetime, until: dt.datetime, kept_run: str | None = None
) -> None:
    """Delete an instance such that it can be put back until a moment; the scores of `kept_run` stay on profiles."""
    here = sa.update(instances).where(instances.c.id == instance_id)
    connection.execute(here.values(deleted_at=now, kept_until=until, kept_run=kept_run))


def put_back(connection: Connection, instance: Instance) -> None:
    """Have a deleted instance again, as it is given."""
    here = sa.update(instances).where(instances.c.id == instance.id)
    _write(connection, here.values(**vars(instance), deleted_at=None, kept_until=None, kept_run=None), instance.name)


def put_away_ones(connection: Connection, *, after: dt.datetime) -> list[Instance]:
    """The deleted instances that can be put back after a moment, the last deleted first."""
    here = sa.select(*_COLUMNS).where(instances.c.kept_until > after)
    return [_instance(row) for row in connection.execute(here.order_by(instances.c.deleted_at.desc(), instances.c.id))]


def over(connection: Connection, now: dt.datetime) -> list[tuple[str, str | None]]:
    """The deleted instances that cannot be put back any more: their ids, each with the run whose scores stay."""
    here = sa.select(instances.c.id, instances.c.kept_run).where(instances.c.kept_until <= now)
    return [(row.id, row.kept_run) for row in connection.execute(here)]


def keep_until(connection: Connection, until: dt.datetime) -> None:
    """Let nothing deleted be put back after a moment."""
    connection.execute(sa.update(instances).where(instances.c.kept_until > until).values(kept_until=until))


def remove(connection: Connection, instance_id: str) -> None:
    """Forget a deleted instance with its runs and insights."""
    of_instance = sa.select(runs.c.id).where(runs.c.instance_id == instance_id)
    connection.execute(sa.delete(insights).where(insights.c.run_id.in_(of_instance)))
    connection.execute(sa.delete(outcomes).where(outcomes.c.run_id.in_(of_instance)))
    connection.execute(sa.delete(runs).where(runs.c.instance_id == instance_id))
    connection.execute(sa.update(instances).where(instances.c.id == instance_id).values(kept_until=None))


def _one(connection: Connection, condition: sa.ColumnElement[bool]) -> Instance | None:
    row = connection.execute(sa.select(*_COLUMNS).where(_LIVING, condition)).one_or_none()
    return _instance(row) if row else None


def _instance(row: Any) -> Instance:
    return Instance(**{**row._mapping, "status": Status(row.status)})  # noqa: SLF001 - SQLAlchemy's public name for it


def _write(connection: Connection, statement: sa.Insert | sa.Update, name: str) -> int:
    """Write an instance, and turn the database's refusal of a second name into words."""
    try:
        with connection.begin_nested():
            return connection.execute(statement).rowcount
    except IntegrityError as error:
        raise NameTakenError(
            say("There is an instance named '{name}' already. Choose another name.", name=name)
        ) from error
