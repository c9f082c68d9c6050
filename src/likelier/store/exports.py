"""Exports that are repeated after each run, and every delivery with what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from likelier.errors import UnknownNameError, UsageError
from likelier.phrases import say
from likelier.store.tables import deliveries, exports


@dataclass(frozen=True)
class Export:
    """What is delivered where; `destination` never holds a secret, only the names of variables that do."""

    id: str
    name: str
    segment_id: str | None
    instance_id: str | None
    destination: Mapping[str, str]
    created_at: dt.datetime
    created_by: str


@dataclass(frozen=True)
class Delivery:
    """One attempt; those with the same key deliver the same rows to the same place."""

    id: str
    key: str
    export: str
    what: str
    destination: str
    started_at: dt.datetime
    started_by: str
    owner: str | None
    state: str = "under way"
    finished_at: dt.datetime | None = None
    rows: int | None = None
    error: str | None = None

    def ended(self, now: dt.datetime, *, rows: int | None = None, error: str | None = None) -> Delivery:
        return replace(self, state="failed" if error else "delivered", finished_at=now, rows=rows, error=error)


def add(connection: Connection, export: Export) -> None:
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(exports).values(vars(export)))
    except IntegrityError:
        raise UsageError(
            say("There is an export named '{name}' already. Choose another name.", name=export.name)
        ) from None


def every(connection: Connection) -> list[Export]:
    return [Export(**row) for row in connection.execute(sa.select(exports).order_by(exports.c.name)).mappings()]


def get(connection: Connection, name: str) -> Export:
    """Find an export by its name or id."""
    known = every(connection)
    found = next((export for export in known if name in {export.name, export.id}), None)
    if found is None:
        raise UnknownNameError("export", name, [export.name for export in known])
    return found


def remove(connection: Connection, export_id: str) -> None:
    connection.execute(sa.delete(exports).where(exports.c.id == export_id))


def begin(connection: Connection, delivery: Delivery) -> None:
    connection.execute(sa.insert(deliveries).values(vars(delivery)))


def end(connection: Connection, delivery: Delivery) -> None:
    connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery.id).values(vars(delivery)))


def under_way(connection: Connection) -> list[Delivery]:
    """The deliveries that have begun and not ended, oldest first."""
    query = sa.select(deliveries).where(deliveries.c.state == "under way").order_by(deliveries.c.started_at)
    return [Delivery(**row) for row in connection.execute(query).mappings()]


def give_up(connection: Connection, delivery: Delivery) -> bool:
    """End a delivery for the process that was at it, unless that or somebody else has; whether it was still to end."""
    here = sa.update(deliveries).where(deliveries.c.id == delivery.id, deliveries.c.state == "under way")
    return connection.execute(here.values(vars(delivery))).rowcount == 1


def failed_before(connection: Connection, delivery: Delivery) -> bool:
    """Whether an earlier attempt at the same delivery failed."""
    same = sa.and_(deliveries.c.key == delivery.key, deliveries.c.id != delivery.id, deliveries.c.state == "failed")
    return connection.execute(sa.select(deliveries.c.id).where(same).limit(1)).first() is not None


def newest(
    connection: Connection, limit: int = 100, *, after: str | None = None, what: str | None = None
) -> list[Delivery]:
    """The newest deliveries, newest first; those before one of an id, or of one thing alone, when told."""
    query = sa.select(deliveries).order_by(deliveries.c.started_at.desc(), deliveries.c.id.desc()).limit(limit)
    if what is not None:
        query = query.where(deliveries.c.what == what)
    if after is not None:
        last = connection.execute(sa.select(deliveries.c.started_at).where(deliveries.c.id == after)).scalar()
        if last is None:
            raise UnknownNameError("delivery", after, [])
        query = query.where(sa.tuple_(deliveries.c.started_at, deliveries.c.id) < (last, after))
    return [Delivery(**row) for row in connection.execute(query).mappings()]
