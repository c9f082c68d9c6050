"""What differs between some people and the rest, in measures that everybody has or lacks.

Each measure is a number per person; a share is one whose numbers are 0 and 1. The effect is the difference of the two
means in standard deviations (pooled), which makes measures of any unit comparable: 0.2 is small, 0.8 is large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import ibis
from ibis.expr.types import Table

from likelier.backend import Engine


@dataclass(frozen=True)
class Measure:
    """A table of `id` and `value`. Who is not in it has 0 in a share and a count, and is left out of a mean."""

    what: str
    kind: Literal["share", "count", "mean"]
    values: Table


@dataclass(frozen=True)
class Difference:
    """The two means; `known` counts the people they rest on."""

    what: str
    kind: str
    members: float | None
    others: float | None
    known: int
    effect: float


def differences(engine: Engine, people: Table, measures: Sequence[Measure]) -> list[Difference]:
    """Compare, the greatest effects first; `people` has `id` and the flag `member`."""
    found = [_difference(engine, people, measure) for measure in measures]
    return sorted(found, key=lambda one: (-abs(one.effect), one.what))


def _difference(engine: Engine, people: Table, measure: Measure) -> Difference:
    values = measure.values.select(key=measure.values.id, value=measure.values["value"].cast("float64"))
    joined = people.left_join(values, [people.id == values.key])
    value = joined["value"] if measure.kind == "mean" else joined["value"].fill_null(0.0)
    asked = joined.select("member", value=value).filter(lambda row: row["value"].notnull() & ~row["value"].isnan())
    told = asked.group_by("member").aggregate(
        count=asked["value"].count(), mean=asked["value"].mean(), spread=asked["value"].var(how="pop")
    )
    sides = {row["member"]: row for row in engine.table(told).to_pylist()}
    members, others = sides.get(True), sides.get(False)
    return Difference(
        measure.what,
        measure.kind,
        members["mean"] if members else None,
        others["mean"] if others else None,
        sum(row["count"] for row in sides.values()),
        _effect(members["mean"] - others["mean"], members["spread"], others["spread"]) if members and others else 0.0,
    )


def _effect(difference: float, one: float, other: float) -> float:
    """Divide by the pooled standard deviation.

    >>> _effect(1.0, 4.0, 4.0), _effect(0.0, 0.0, 0.0), _effect(1.0, 0.0, 0.0)
    (0.5, 0.0, inf)
    """
    spread = math.sqrt((one + other) / 2)
    return difference / spread if spread else math.copysign(math.inf, difference) if difference else 0.0


def shares_of_values(engine: Engine, values: Table, path: str, most: int = 5) -> list[Measure]:
    """A share for each of the commonest values; `values` has `id` and the column `path`."""
    counted = values.group_by(path).aggregate(people=values.count()).filter(lambda row: row[path].notnull())
    commonest = engine.table(counted.order_by([ibis.desc("people"), path]).limit(most))[path].to_pylist()
    return [
        Measure(f"{path} = {one}", "share", values.filter(values[path] == one).select("id", value=ibis.literal(1.0)))
        for one in commonest
    ]
