"""The floor: the same feature columns of the same rows, as one would write them by hand in SQL.

A query for counts, sums and ages with a conditional aggregate a column, one for whatever goes by days (active days,
gaps, the n-th latest day), one for distinct values. What the definitions of a run's features say is written out here a
second time, so a comparison of both matrices also shows that the two mean the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import duckdb
import numpy as np

from likelier.activities.codes import Codebook, Signal, Source
from likelier.activities.standard import STANDARD_EVENTS
from likelier.features.definitions import Feature, FeatureSet, Kind

DAY = 86_400_000_000
COUNTED = {event.name: event.counted for event in STANDARD_EVENTS}
BY_DAY = {
    Kind.DAYS,
    Kind.NTH,
    Kind.GAP_MEAN,
    Kind.GAP_SPREAD,
    Kind.GAP_LAST,
    Kind.OVERDUE,
    Kind.RATE,
    Kind.ALIVE,
}


class Floor:
    """Writes the query of a run's features; `goal` is the condition of a purchase."""

    def __init__(self, codebook: Codebook, features: FeatureSet, goal: str) -> None:
        self._codebook, self._features, self._goal = codebook, features, goal

    def matrix(self, engine: duckdb.DuckDBPyConnection, events: str, rows: str) -> np.ndarray:
        """Give the features of a table of rows (place, who, cut_off): float32, in the order of their place."""
        count = engine.sql(f"SELECT count(*) FROM {rows}").fetchall()[0][0]
        matrix = np.full((count, len(self._features.features)), np.nan, np.float32)
        # A join by person in the order of persons: the parts fit in memory, whatever the number of rows.
        for batch in engine.sql(self.query(events, rows)).to_arrow_reader(50_000):
            places = batch["place"].to_numpy()
            for column in range(matrix.shape[1]):
                matrix[places, column] = batch[f"f{column}"].to_numpy(zero_copy_only=False)
        return matrix

    def query(self, events: str, rows: str) -> str:
        numbered = list(enumerate(self._features.features))
        plain = [(k, f) for k, f in numbered if f.kind not in BY_DAY and f.kind != Kind.DISTINCT]
        daily = [(k, f) for k, f in numbered if f.kind in BY_DAY]
        breadth = [(k, f) for k, f in numbered if f.kind == Kind.DISTINCT]
        subjects = sorted({f.subject for _, f in daily})
        parts = {
            "seen": f"SELECT r.place, r.cut_off, e.*, (epoch_us(r.cut_off) - epoch_us(e.timestamp)) / {DAY} AS age "
            f"FROM {rows} r JOIN {events} e ON e.who = r.who AND e.timestamp < r.cut_off",
            "plain": f"SELECT place, {_columns(self._plain(f, k) for k, f in plain)} FROM seen GROUP BY place",
        }
        if daily:
            firsts = ", ".join(
                f"{which}(age) FILTER ({self._signal(bit)}) AS {letter}{bit}"
                for bit in subjects
                for which, letter in (("min", "m"), ("max", "o"))
            )
            parts["days"] = f"SELECT place, ceil(age) AS day, {firsts} FROM seen GROUP BY place, day"
            gaps = ", ".join(f"m{bit} - lag(m{bit} IGNORE NULLS) OVER w AS g{bit}" for bit in subjects)
            parts["gaps"] = f"SELECT *, {gaps} FROM days WINDOW w AS (PARTITION BY place ORDER BY day)"
            parts["daily"] = f"SELECT place, {_columns(self._daily(f, k) for k, f in daily)} FROM gaps GROUP BY place"
        for category in sorted({f.subject for _, f in breadth}):
            path = f'"{self._codebook.categories[category].path}"'
            mine = [(k, f) for k, f in breadth if f.subject == category]
            columns = _columns(f"count(*) FILTER (age <= {self._edge(f)}) AS f{k}" for k, f in mine)
            value = f"unnest({path}[1:4])" if self._codebook.categories[category].array else path
            parts[f"breadth{category}"] = (
                f"SELECT place, {columns} FROM (SELECT place, value, min(age) AS age FROM "
                f"(SELECT place, age, {value} AS value FROM seen) WHERE value IS NOT NULL GROUP BY ALL) GROUP BY place"
            )
        joined = " ".join(f"LEFT JOIN {name} USING (place)" for name in parts if name.startswith(("daily", "breadth")))
        zero = {Kind.COUNT, Kind.DAYS, Kind.DECAY, Kind.SUM, Kind.DISTINCT}
        chosen = ", ".join(
            f"coalesce(f{k}, 0)::FLOAT AS f{k}" if f.kind in zero else f"f{k}::FLOAT AS f{k}" for k, f in numbered
        )
        named = ", ".join(f"{name} AS ({part})" for name, part in parts.items())
        return f"WITH {named} SELECT place, {chosen} FROM plain {joined}"

    def _signal(self, bit: int) -> str:
        signal: Signal = self._codebook.signals[bit]
        if signal.source == Source.ANY:
            return "true"
        if signal.source == Source.GOAL:
            return self._goal
        path = f'"{signal.path}"'
        if signal.source == Source.STANDARD:
            return f"{path} > 0" if COUNTED[signal.name] else f"{path} IS NOT NULL"
        kind = next((c for c in self._codebook.categories if c.path == signal.path), None)
        value = signal.value.replace("'", "''")
        return f"list_contains({path}, '{value}')" if kind and kind.array else f"{path} = '{value}'"

    def _edge(self, feature: Feature) -> str:
        edge = self._features.edges[feature.window]
        return "'inf'::DOUBLE" if math.isinf(edge) else str(edge)

    def _plain(self, feature: Feature, column: int) -> str:
        return f"{self._value(feature)} AS f{column}"

    def _value(self, feature: Feature) -> str:
        kind, subject, window = feature.kind, feature.subject, feature.window
        if kind in {Kind.WEEKEND, Kind.NIGHT}:
            holds = "isodow(timestamp) >= 6" if kind == Kind.WEEKEND else "hour(timestamp) < 6"
            return f"avg(CAST({holds} AS INT))"
        if Kind.SUM <= kind < Kind.DISTINCT:
            return self._of_measure(feature)
        if kind >= Kind.TRAIT:
            raise ValueError("The floor knows no attributes of profiles.")
        holds = self._signal(subject)
        if kind == Kind.TREND:
            return self._trend(holds, window)
        return {
            Kind.LAST: lambda: f"min(age) FILTER ({holds})",
            Kind.FIRST: lambda: f"max(age) FILTER ({holds})",
            Kind.COUNT: lambda: f"count(*) FILTER ({holds} AND age <= {self._edge(feature)})",
            Kind.DECAY: lambda: f"sum(pow(2, -age / {self._features.half_lives[window]})) FILTER ({holds})",
            Kind.SHARE: lambda: f"nullif(count(*) FILTER ({holds}), 0) / count(*)",
        }[kind]()

    def _of_measure(self, feature: Feature) -> str:
        measure = self._codebook.measures[feature.subject]
        value = f'list_sum("{measure.path}")' if measure.array else f'"{measure.path}"'
        return {
            Kind.SUM: lambda: f"sum({value}) FILTER (age <= {self._edge(feature)})",
            Kind.MEAN: lambda: f"avg({value})",
            Kind.GREATEST: lambda: f"max({value})",
            Kind.LATEST: lambda: f"arg_min({value}, age)",
        }[feature.kind]()

    def _trend(self, holds: str, window: int) -> str:
        edge, longer = self._features.edges[window], self._features.edges[window + 1]
        usual = f"max(age) FILTER ({holds})" if math.isinf(longer) else str(longer)
        upto = "true" if math.isinf(longer) else f"age <= {longer}"
        long = f"count(*) FILTER ({holds} AND {upto})"
        return (
            f"ln(1 + count(*) FILTER ({holds} AND age <= {edge})) "
            f"- ln(1 + {long} * {edge} / greatest(coalesce({usual}, {edge}), {edge}))"
        )

    def _daily(self, feature: Feature, column: int) -> str:
        return f"{self._of_days(feature)} AS f{column}"

    def _of_days(self, feature: Feature) -> str:
        m, g, window = f"m{feature.subject}", f"g{feature.subject}", feature.window
        outcome = self._features.outcome_days
        repeats = f"(count({m}) - 1)"
        first, last = f"max({m})", f"min({m})"
        if feature.kind == Kind.RATE:
            return f"(nullif(count({m}), 0) + 0.5) / ({self._first(feature)} + {outcome}) * {outcome}"
        if feature.kind == Kind.ALIVE:
            first = self._first(feature)
            odds = (
                f"1 / (1.5 + {repeats}) * exp((1 + {repeats}) * "
                f"ln(({outcome} + {first}) / ({outcome} + {first} - {last})))"
            )
            return f"CASE WHEN {repeats} > 0 THEN 1 / (1 + {odds}) WHEN {repeats} = 0 THEN 1 END"
        return {
            Kind.DAYS: lambda: f"count({m}) FILTER (day <= {self._edge(feature)})",
            Kind.NTH: lambda: f"min({m}, {window + 1})[{window + 1}]",
            Kind.GAP_MEAN: lambda: f"avg({g})",
            Kind.GAP_SPREAD: lambda: f"stddev_pop({g})",
            Kind.GAP_LAST: lambda: f"arg_min({g}, day)",
            Kind.OVERDUE: lambda: f"CASE WHEN {repeats} > 0 THEN {last} / greatest(avg({g}), 0.04) END",
        }[feature.kind]()

    def _first(self, feature: Feature) -> str:
        return f"max(o{feature.subject})"


def _columns(parts: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(parts)
