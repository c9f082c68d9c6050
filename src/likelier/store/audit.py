"""The audit log: added to and read, never changed; the database itself refuses that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from likelier.store.tables import audit


@dataclass(frozen=True)
class Entry:
    """Who did what to which object, when, from where, and what it changed."""

    at: dt.datetime
    actor: str
    address: str | None
    action: str
    object_type: str
    object_id: str
    object_name: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    id: int | None = None


@dataclass(frozen=True)
class Filter:
    """Which entries are wanted; None: any. `words` stand anywhere in who did what to which object."""

    actor: str | None = None
    action: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    words: str | None = None


def add(connection: Connection, entry: Entry) -> None:
    connection.execute(sa.insert(audit).values({key: value for key, value in vars(entry).items() if key != "id"}))


def page(connection: Connection, wanted: Filter, *, before: int | None = None, limit: int = 100) -> list[Entry]:
    """List the newest entries that are wanted; `before` continues after the last id of a page."""
    query = sa.select(audit).where(*_conditions(wanted)).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [Entry(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001


def every(connection: Connection, wanted: Filter, size: int = 1000) -> Iterator[Entry]:
    """Every entry that is wanted, the newest first, a few at a time."""
    before = None
    while found := page(connection, wanted, before=before, limit=size):
        yield from found
        before = found[-1].id


def _conditions(wanted: Filter) -> Iterator[sa.ColumnElement[bool]]:
    for name in ("actor", "action", "object_type", "object_id"):
        if (value := getattr(wanted, name)) is not None:
            yield audit.c[name] == value
    if wanted.words:
        told = (audit.c.actor, audit.c.action, audit.c.object_name)
        yield sa.or_(*(column.icontains(wanted.words, autoescape=True) for column in told))
    if wanted.since is not None:
        yield audit.c.at >= wanted.since
    if wanted.until is not None:
        yield audit.c.at < wanted.until
