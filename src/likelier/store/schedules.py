"""Schedules in the store."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from likelier.runs.schedule import Schedule
from likelier.store.tables import instances, schedules


@dataclass(frozen=True)
class Due:
    """An instance whose schedule fell due at `at`."""

    instance_id: str
    schedule: Schedule
    at: dt.datetime


def put(connection: Connection, instance_id: str, schedule: Schedule, *, next_at: dt.datetime) -> None:
    """Give an instance a schedule, in the place of the one before."""
    remove(connection, instance_id)
    connection.execute(sa.insert(schedules).values(instance_id=instance_id, timing=asdict(schedule), next_at=next_at))


def remove(connection: Connection, instance_id: str) -> None:
    connection.execute(sa.delete(schedules).where(schedules.c.instance_id == instance_id))


def find(connection: Connection, instance_id: str) -> tuple[Schedule, dt.datetime] | None:
    """An instance's schedule, and when it falls due next."""
    row = connection.execute(sa.select(schedules).where(schedules.c.instance_id == instance_id)).one_or_none()
    return (Schedule.of(row.timing), row.next_at) if row else None


def due(connection: Connection, now: dt.datetime) -> list[Due]:
    """The schedules of enabled instances that have fallen due."""
    query = (
        sa.select(schedules)
        .join(instances, instances.c.id == schedules.c.instance_id)
        .where(schedules.c.next_at <= now, instances.c.status == "enabled", instances.c.deleted_at.is_(None))
        .order_by(schedules.c.next_at)
    )
    return [Due(row.instance_id, Schedule.of(row.timing), row.next_at) for row in connection.execute(query)]


def advance(connection: Connection, found: Due, *, next_at: dt.datetime) -> bool:
    """Move a due schedule on; False when another process did so first."""
    here = sa.update(schedules).where(schedules.c.instance_id == found.instance_id, schedules.c.next_at == found.at)
    return connection.execute(here.values(next_at=next_at, last_at=found.at)).rowcount == 1
