"""Segments, and how many members each had whenever it was evaluated.

A rule is kept as text that names instances and other segments by their ids, so that renaming one changes no rule.

One that is deleted is found no more and its name is free; until the moment `kept_until` it is there to be put back.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from likelier.errors import UsageError
from likelier.phrases import say
from likelier.store.instances import EditedMeanwhileError
from likelier.store.tables import hold_outs, segment_counts, segments


@dataclass(frozen=True)
class Segment:
    """A segment as stored."""

    id: str
    name: str
    description: str
    namespace: str
    rule: str
    created_at: dt.datetime
    created_by: str
    updated_at: dt.datetime

    @property
    def revision(self) -> str:
        """Tells this reading from any other: two are alike when nothing was changed between."""
        said = (self.name, self.description, self.namespace, self.rule, self.updated_at.isoformat())
        return hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Count:
    """One evaluation: the snapshot of its members in the lake, what it rests on, and how many there were."""

    snapshot: str
    segment_id: str
    at: dt.datetime
    as_of: dt.datetime
    size: int
    basis: str


@dataclass(frozen=True)
class HoldOut:
    """A share of a segment's members that is kept back since a moment, and the outcome that both sides may have.

    `cohort` is the batch in the lake that tells who was a member at that moment.
    """

    segment_id: str
    cohort: str
    percent: float
    outcome: str
    window_days: int
    started: dt.datetime
    created_at: dt.datetime
    created_by: str


class SegmentNameTakenError(UsageError):
    """Another segment has the name."""


def add(connection: Connection, segment: Segment) -> None:
    _write(connection, sa.insert(segments).values(**vars(segment)), segment.name)


def edit(connection: Connection, segment: Segment, *, was: dt.datetime) -> None:
    """Write a segment back, provided that nobody changed it since it `was` updated."""
    here = sa.update(segments).where(segments.c.id == segment.id, segments.c.updated_at == was, _LIVING)
    if _write(connection, here.values(**vars(segment)), segment.name) != 1:
        raise changed_meanwhile(segment)


def changed_meanwhile(segment: Segment) -> EditedMeanwhileError:
    return EditedMeanwhileError(
        say("'{name}' was changed by somebody else meanwhile. Read it again, then edit.", name=segment.name)
    )


def find(connection: Connection, segment_id: str) -> Segment | None:
    return _one(connection, segments.c.id == segment_id)


def find_named(connection: Connection, name: str) -> Segment | None:
    return _one(connection, segments.c.name == name)


def every(connection: Connection) -> list[Segment]:
    """All segments in the order of their names."""
    query = sa.select(*_COLUMNS).where(_LIVING).order_by(segments.c.name)
    return [Segment(**row) for row in connection.execute(query).mappings()]


def put_away_ones(connection: Connection, *, after: dt.datetime) -> list[Segment]:
    """The deleted segments that can be put back after a moment, the last deleted first."""
    query = sa.select(*_COLUMNS).where(segments.c.kept_until > after)
    rows = connection.execute(query.order_by(segments.c.kept_until.desc(), segments.c.id))
    return [Segment(**row) for row in rows.mappings()]


def over(connection: Connection, now: dt.datetime) -> list[Segment]:
    """The deleted segments that cannot be put back any more."""
    query = sa.select(*_COLUMNS).where(segments.c.kept_until <= now)
    return [Segment(**row) for row in connection.execute(query).mappings()]


def put_away(connection: Connection, segment_id: str, *, until: dt.datetime) -> None:
    """Delete a segment such that it can be put back until a moment."""
    connection.execute(sa.update(segments).where(segments.c.id == segment_id).values(kept_until=until))


def put_back(connection: Connection, segment: Segment) -> None:
    """Have a deleted segment again, as it is given."""
    here = sa.update(segments).where(segments.c.id == segment.id)
    _write(connection, here.values(**vars(segment), kept_until=None), segment.name)


def keep_until(connection: Connection, until: dt.datetime) -> None:
    """Let nothing deleted be put back after a moment."""
    connection.execute(sa.update(segments).where(segments.c.kept_until > until).values(kept_until=until))


def latest_counts(connection: Connection, namespace: str) -> list[tuple[Segment, Count]]:
    """The segments about the people of a namespace, by name, each with its last evaluation."""
    rows = connection.execute(_LATEST_COUNTS, {"namespace": namespace}).all()
    width = len(_COLUMNS)
    return [(Segment(*row[:width]), Count(*row[width:])) for row in rows]


_COLUMNS = [column for column in segments.c if column.name != "kept_until"]
_LIVING = segments.c.kept_until.is_(None)
_counts = segment_counts.alias()
_LATEST = (
    sa.select(_counts.c.snapshot)
    .where(_counts.c.segment_id == segments.c.id)
    .order_by(_counts.c.at.desc(), _counts.c.snapshot)
    .limit(1)
    .scalar_subquery()
)
# Asked for with every look-up: made once.
_LATEST_COUNTS = (
    sa.select(*_COLUMNS, segment_counts)
    .join(segment_counts, segment_counts.c.segment_id == segments.c.id)
    .where(_LIVING, segments.c.namespace == sa.bindparam("namespace"), segment_counts.c.snapshot == _LATEST)
    .order_by(segments.c.name)
)


def remove(connection: Connection, segment_id: str) -> None:
    """Forget a segment, its counts and its hold-out."""
    end_hold_out(connection, segment_id)
    connection.execute(sa.delete(segment_counts).where(segment_counts.c.segment_id == segment_id))
    connection.execute(sa.delete(segments).where(segments.c.id == segment_id))


def add_count(connection: Connection, count: Count) -> None:
    connection.execute(sa.insert(segment_counts).values(**vars(count)))


def counts(connection: Connection, segment_id: str, limit: int | None = None) -> list[Count]:
    """The evaluations of a segment, newest first."""
    query = (
        sa.select(segment_counts)
        .where(segment_counts.c.segment_id == segment_id)
        .order_by(segment_counts.c.at.desc(), segment_counts.c.snapshot)
        .limit(limit)
    )
    return [Count(**row) for row in connection.execute(query).mappings()]


def begin_hold_out(connection: Connection, hold_out: HoldOut) -> None:
    connection.execute(sa.insert(hold_outs).values(**vars(hold_out)))


def find_hold_out(connection: Connection, segment_id: str) -> HoldOut | None:
    row = connection.execute(sa.select(hold_outs).where(hold_outs.c.segment_id == segment_id)).mappings().one_or_none()
    return HoldOut(**row) if row else None


def end_hold_out(connection: Connection, segment_id: str) -> None:
    connection.execute(sa.delete(hold_outs).where(hold_outs.c.segment_id == segment_id))


def _one(connection: Connection, condition: sa.ColumnElement[bool]) -> Segment | None:
    row = connection.execute(sa.select(*_COLUMNS).where(_LIVING, condition)).mappings().one_or_none()
    return Segment(**row) if row else None


def _write(connection: Connection, statement: Any, name: str) -> int:
    try:
        with connection.begin_nested():
            return connection.execute(statement).rowcount
    except IntegrityError as error:
        raise SegmentNameTakenError(
            say("There is a segment named '{name}' already. Choose another name.", name=name)
        ) from error


# --- where its members stand in the lake ------------------------------------------------------------------------------


def cohort_table(segment: Segment) -> str:
    return f"holdouts/{segment.id}"


def members_table(segment: Segment) -> str:
    return f"segments/{segment.id}"


def members_shelves(segment: Segment) -> str:
    return f"members/{segment.id}"


def members_shelf(segment: Segment, snapshot: str) -> str:
    return f"{members_shelves(segment)}/{snapshot}.arrow"
