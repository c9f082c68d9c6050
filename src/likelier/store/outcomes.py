"""What came of the scored of past runs, in the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from likelier.store.tables import outcomes, runs


@dataclass(frozen=True)
class Recorded:
    """What came of one run's scored, as it was known at some data versions; `fingerprint` is of the events that say so.

    `corrections` tell, oldest first, what stood here before late events came in.
    """

    run_id: str
    document: Mapping[str, Any]
    fingerprint: str
    data_versions: Mapping[str, int]
    known_until: dt.datetime
    computed_at: dt.datetime
    corrections: Sequence[Mapping[str, Any]] = ()

    def seen_at(self, data_versions: Mapping[str, int], known_until: dt.datetime) -> Recorded:
        """Say that newer data tells the same."""
        return replace(self, data_versions=data_versions, known_until=known_until)


def recorded(connection: Connection, instance_id: str) -> dict[str, Recorded]:
    """What is recorded of an instance's runs, by their ids."""
    query = sa.select(outcomes).join(runs, runs.c.id == outcomes.c.run_id).where(runs.c.instance_id == instance_id)
    return {row["run_id"]: Recorded(**row) for row in connection.execute(query).mappings()}


def put(connection: Connection, found: Recorded) -> None:
    """Record, in the place of what stood there; nothing when the run is gone."""
    # Two that decide at once take turns at the run.
    if connection.scalar(sa.select(runs.c.id).where(runs.c.id == found.run_id).with_for_update()) is None:
        return
    connection.execute(sa.delete(outcomes).where(outcomes.c.run_id == found.run_id))
    connection.execute(sa.insert(outcomes).values(vars(found)))
