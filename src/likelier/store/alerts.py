"""Alerts: what was noticed, how long it lasted, and whether somebody was told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from likelier.errors import UnknownNameError
from likelier.phrases import dump, load
from likelier.store.tables import alerts, instances

_EVERY = sa.select(alerts)


@dataclass(frozen=True)
class Alert:
    """A matter of an instance; `key` names it while it lasts, `sent` says when each channel took it.

    It waits to be sent from `next_at` on; None when there is nothing more to do.
    """

    id: str
    instance_id: str
    instance: str
    kind: str
    key: str
    words: str
    noticed_at: dt.datetime
    run_id: str | None = None
    over_at: dt.datetime | None = None
    sent: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0
    next_at: dt.datetime | None = None
    error: str | None = None


def add(connection: Connection, alert: Alert) -> bool:
    """Note an alert; False when the matter has been noted and still lasts."""
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(alerts).values({**vars(alert), "words": dump(alert.words)}))
    except IntegrityError:
        return False
    return True


def lasting(connection: Connection, instance_id: str) -> list[Alert]:
    """The matters of an instance that last."""
    return _all(connection, alerts.c.instance_id == instance_id, alerts.c.over_at.is_(None))


def end(connection: Connection, alert_id: str, *, now: dt.datetime) -> None:
    connection.execute(sa.update(alerts).where(alerts.c.id == alert_id).values(over_at=now))


def newest(connection: Connection, limit: int, *, after: str | None = None, instance: str = "") -> list[Alert]:
    """The newest alerts, newest first; those before one of an id, or whose instance is named like that, when told.

    An instance has the name it has now; what was noticed of deleted ones is left out.
    """
    name = sa.func.coalesce(instances.c.name, alerts.c.instance)
    wanted: list[sa.ColumnElement[bool]] = [instances.c.deleted_at.is_(None)]
    if instance:
        wanted.append(name.icontains(instance, autoescape=True))
    if after is not None:
        last = connection.execute(sa.select(alerts.c.noticed_at).where(alerts.c.id == after)).scalar()
        if last is None:
            raise UnknownNameError("alert", after, [])
        wanted.append(sa.tuple_(alerts.c.noticed_at, alerts.c.id) < (last, after))
    columns = [name.label("instance") if column is alerts.c.instance else column for column in alerts.c]
    here = sa.select(*columns).outerjoin_from(alerts, instances, instances.c.id == alerts.c.instance_id)
    return _all(connection, *wanted, query=here.limit(limit))


def remove(connection: Connection, instance_id: str) -> None:
    """Forget what was noticed of an instance."""
    connection.execute(sa.delete(alerts).where(alerts.c.instance_id == instance_id))


def take(connection: Connection, *, now: dt.datetime, until: dt.datetime) -> list[Alert]:
    """Take those that wait to be sent; no other process takes them until then."""
    waiting = _all(connection, alerts.c.next_at <= now)
    taken = []
    for each in reversed(waiting):
        here = sa.update(alerts).where(alerts.c.id == each.id, alerts.c.next_at == each.next_at)
        if connection.execute(here.values(next_at=until)).rowcount == 1:
            taken.append(each)
    return taken


def settle(
    connection: Connection,
    alert_ids: Sequence[str],
    *,
    sent: Mapping[str, str],
    attempts: int,
    next_at: dt.datetime | None,
    error: str | None,
) -> None:
    """Record what came of sending some."""
    values: dict[str, Any] = {"sent": dict(sent), "attempts": attempts, "next_at": next_at, "error": error}
    connection.execute(sa.update(alerts).where(alerts.c.id.in_(alert_ids)).values(values))


def _all(connection: Connection, *conditions: sa.ColumnElement[bool], query: sa.Select[Any] = _EVERY) -> list[Alert]:
    here = query.where(*conditions).order_by(alerts.c.noticed_at.desc(), alerts.c.id.desc())
    return [Alert(**{**row, "words": load(row["words"])}) for row in connection.execute(here).mappings()]
