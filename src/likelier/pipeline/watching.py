"""What has changed since the people a model was judged on: gathered for :mod:`likelier.insights.drift`.

The judge cut-off lies one outcome window before now. Earlier cut-offs that lie as far apart say what change is usual.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from likelier.activities.codes import Codebook, Source
from likelier.activities.reduce import STANDARD, load
from likelier.activities.traits import load_traits
from likelier.backend import Engine
from likelier.datasets import FieldType
from likelier.explanations.contributions import Reasons
from likelier.explanations.factors import Shown, shown_factors
from likelier.features.kernel import compute
from likelier.insights import drift, tracking
from likelier.insights.drift import Snapshot
from likelier.insights.tracking import Daily, Values
from likelier.model import artifact
from likelier.phrases import dump, number, say
from likelier.pipeline import reading
from likelier.pipeline.asking import load_asked
from likelier.readings import Files, Readings, look, tally
from likelier.timespan import DAY, to_us
from likelier.windows import CUT_OFFS_PER_WINDOW, Calendar, Row

PEOPLE = 2_000
MOST_CUT_OFFS = 12
DAYS = 200
RECENT_DAYS = 28
MOST_PATHS = 40
COMMON = 0.001
LEAST_NEW = 25
MOST_NEW_VALUES = 20


def watch(
    calendar: Calendar,
    seed: int,
    source: reading.Source,
    engine: Engine,
    folder: Path,
    readings: Readings | None = None,
) -> dict[str, Any]:
    """Compare the people scored now with those at the judge cut-off, and the events with those before."""
    model = artifact.load(folder / "train")
    shown = shown_factors(model.features, np.array(model.strength))
    cut_offs = (*calendar.labelled[-MOST_CUT_OFFS:], calendar.as_of)
    snapshots, counts, reached = _looked(model, shown, seed, folder, cut_offs)
    before, now = snapshots[-2:]
    pairs = _apart(snapshots[:-1])
    rates = [
        {"cut_off": cut_off.isoformat(), "eligible": asked, "qualifying": did}
        for cut_off, asked, did in zip(cut_offs[:-1], counts[:-1], reached[:-1], strict=True)
    ][::-1][::CUT_OFFS_PER_WINDOW][::-1]
    factors = drift.factor_drift(before, now, pairs, shown) if len(before.probability) else []
    strengths = dict(zip([one.factor for one in shown], np.abs(now.contributions).mean(axis=0).tolist(), strict=True))
    told = {
        "score": drift.score_drift(before, now, pairs) if len(before.probability) else None,
        "population": drift.population_drift(counts[-2], counts[-1], _apart(counts[:-1])),
        "base_rate": drift.base_rate_drift(rates),
    }
    events = arrivals(source, model.codebook, engine, calendar.as_of, chosen_before=calendar.judge, readings=readings)
    return {
        "before": calendar.judge.isoformat(),
        "now": calendar.as_of.isoformat(),
        "usual_is_known": len(pairs) >= drift.LEAST_PAIRS,
        "findings": ranked(events, factors, told, strengths, _spread(now)),
        "factors": factors[:10],
        **told,
    }


def _looked(
    model: artifact.Model, shown: tuple[Shown, ...], seed: int, folder: Path, cut_offs: Sequence[dt.datetime]
) -> tuple[list[Snapshot], list[int], list[int]]:
    """Look at some people of each cut-off; say how many were eligible at each, and how many reached the goal.

    What is known of everybody is let go here, before the engine takes its own memory.
    """
    people = load_asked(folder)
    eligible = people.eligible[:, -len(cut_offs) :]
    look = _Look(model, shown, seed, folder)
    snapshots = [look(np.flatnonzero(eligible[:, place]), cut_off) for place, cut_off in enumerate(cut_offs)]
    reached = (eligible & people.labels[:, -len(cut_offs) :]).sum(axis=0).tolist()
    return snapshots, eligible.sum(axis=0).tolist(), reached


class _Look:
    """Looks at some of the people of a moment through a model."""

    def __init__(self, model: artifact.Model, shown: tuple[Shown, ...], seed: int, folder: Path) -> None:
        self._model, self._shown, self._seed = model, shown, seed
        self._activities, _ = load(reading.activities_of(folder))
        self._traits = load_traits(reading.activities_of(folder))
        self._reasons = Reasons.of(model.learnt, model.features.factor_of)

    def __call__(self, people: np.ndarray, at: dt.datetime) -> Snapshot:
        if len(people) > PEOPLE:
            people = np.sort(np.random.default_rng(self._seed).choice(people, PEOPLE, replace=False))
        rows = Row(people, np.full(len(people), to_us(at), np.int64))
        matrix = compute(self._activities, self._traits, self._model.codebook, self._model.features, rows)
        each = self._reasons.contributions(matrix)
        values = np.stack([one.values(matrix) for one in self._shown], axis=1)
        probability = self._model.calibration.probability(self._reasons.base + each.sum(axis=1))
        return Snapshot(values, each, probability)


def _apart(moments: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Pair the moments that lie an outcome window apart."""
    return list(zip(moments[:-CUT_OFFS_PER_WINDOW], moments[CUT_OFFS_PER_WINDOW:], strict=True))


def _spread(now: Snapshot) -> float:
    """How far the scores of people lie apart, in log-odds: what a change of all of them is measured by."""
    return max(float(now.contributions.sum(axis=1).std()), 1e-6) if len(now.probability) else 1.0


def ranked(
    events: Sequence[Mapping[str, Any]],
    factors: Sequence[Mapping[str, Any]],
    told: Mapping[str, Mapping[str, Any] | None],
    strengths: Mapping[str, float],
    spread: float,
) -> list[dict[str, Any]]:
    """List everything that is drift, what matters most to the scores first; `weight` runs from 0 to 1."""
    found = [
        {**event, "weight": 1.0 if event["kind"] == "delivery" else tracking.weight_of(event["name"], strengths)}
        for event in events
    ]
    for factor in factors:
        if factor["matters"]:
            weight = min(abs(factor["shift"]) / spread, 1.0)
            found.append({"kind": "factor", "name": factor["factor"], "words": factor["words"], "weight": weight})
    for kind, name in (("base_rate", "base rate"), ("population", "population"), ("score", "scores")):
        one = told[kind]
        if one and one["drifts"]:
            weight = min(abs(one["shift"]) / spread, 1.0) if "shift" in one else 0.0
            found.append({"kind": name, "name": name, "words": one["words"], "weight": weight})
    found = [{**each, "said": dump(each["words"])} for each in found]  # in parts, for readers of other languages
    return sorted(found, key=lambda each: -each["weight"])


def arrivals(
    source: reading.Source,
    codebook: Codebook,
    engine: Engine,
    as_of: dt.datetime,
    *,
    chosen_before: dt.datetime | None = None,
    readings: Readings | None = None,
) -> list[dict[str, Any]]:
    """Tell what is unusual in how events arrived lately: kinds, fields and values.

    The values of a codebook that was chosen from events before a moment had been seen by then.
    """
    last = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    source = replace(source, events=engine.named(source.events))
    counted = _Counted.of(source, codebook, engine, last, readings)
    rows, first = _daily(counted), counted.first
    found = tracking.findings(rows, first, RECENT_DAYS) if len(rows[0].counts) > RECENT_DAYS else []
    found += [each for values in _numbers(counted) for each in tracking.other_values(values, first)]
    is_old = chosen_before is not None and chosen_before <= last - RECENT_DAYS * DAY
    seen = {(signal.path, signal.value) for signal in codebook.signals if is_old and signal.source == Source.VALUE}
    return [*found, *_new_values(source, seen, engine, last)]


@dataclass(frozen=True)
class _Counted:
    """What the events of each day and type hold, summed up in one pass over them."""

    found: pa.Table
    standard: list[str]
    paths: list[str]
    numbers: list[str]
    last: dt.datetime

    @classmethod
    def of(
        cls,
        source: reading.Source,
        codebook: Codebook,
        engine: Engine,
        last: dt.datetime,
        readings: Readings | None = None,
    ) -> _Counted:
        standard = [signal.name for signal in codebook.signals if signal.source == Source.STANDARD]
        paths = _paths(codebook, source.events)
        measured = [each.path for each in codebook.measures if each.type == FieldType.NUMBER]
        numbers = [path for path in measured if path in source.events.columns][:MOST_PATHS]
        first = last - DAYS * DAY

        def count(files: Files | None) -> pa.Table:
            events = source.of(files).events
            if files is None:
                events = events.filter(_between(events, first, last))
            return engine.table(_by_day(events, standard, paths, numbers))

        words = look("arrivals", *reading.about(source), standard, paths, numbers)
        found = tally(readings, words, source.files, ["day", "type"], count, last)
        found = found.filter(pc.greater_equal(found["day"], pa.scalar(first, found["day"].type)))
        return cls(found.sort_by([("type", "ascending"), ("day", "ascending")]), standard, paths, numbers, last)

    @cached_property
    def first(self) -> dt.date:
        """The first day of all."""
        return min(self.found["day"].to_pylist(), default=self.last).date()

    @cached_property
    def types(self) -> np.ndarray:
        return self.found["type"].to_numpy(zero_copy_only=False)

    @cached_property
    def _places(self) -> np.ndarray:
        return (self.found["day"].to_numpy().astype("datetime64[D]") - np.datetime64(self.first, "D")).astype(int)

    def by_day(self, name: str, kind: str | None = None) -> np.ndarray:
        """Sum up by day, of all events or those of a type; a day without any holds 0."""
        values = np.nan_to_num(self.found[name].to_numpy().astype(float))
        if kind is not None:
            values = np.where(self.types == kind, values, 0)
        return np.bincount(self._places, values, minlength=(self.last.date() - self.first).days)


def _between(events: ibis.Table, first: dt.datetime, last: dt.datetime) -> Any:
    return (events.timestamp >= ibis.literal(first)) & (events.timestamp < ibis.literal(last))


def _by_day(events: ibis.Table, standard: Sequence[str], paths: Sequence[str], numbers: Sequence[str]) -> ibis.Table:
    """Sum up what the events of each day and type hold."""
    columns: dict[str, Any] = {"all": events.count()}
    columns |= {f"kind {place}": STANDARD[name].holds(events).sum() for place, name in enumerate(standard)}
    columns |= {f"field {place}": events[path].count() for place, path in enumerate(paths)}
    for place, path in enumerate(numbers):
        column = events[path].means() if events[path].type().is_array() else events[path]
        log = (column > 0).ifelse(column, ibis.null()).cast("float64").ln()
        columns |= {f"count {place}": log.count(), f"logs {place}": log.sum(), f"squares {place}": (log * log).sum()}
    kind = events.eventType if "eventType" in events.columns else ibis.null("string")
    return events.group_by(day=events.timestamp.truncate("D"), type=kind).aggregate(**columns)


def _numbers(counted: _Counted) -> list[Values]:
    """Give the values of every number by day."""
    return [
        Values(path, *(counted.by_day(f"{what} {place}") for what in ("count", "logs", "squares")))
        for place, path in enumerate(counted.numbers)
    ]


def _daily(counted: _Counted) -> list[Daily]:
    """Count by day: all events, each kind, how many fill each field that the model reads, and each type."""

    def counts(name: str, kind: str | None = None) -> np.ndarray:
        return counted.by_day(name, kind).astype(np.int64)

    rows = [Daily("any event", counts("all"))]
    rows += [Daily(name, counts(f"kind {place}")) for place, name in enumerate(counted.standard)]
    rows += [Daily(path, counts(f"field {place}"), "field") for place, path in enumerate(counted.paths)]
    types = sorted({kind for kind in counted.types.tolist() if kind is not None})
    return rows + [Daily(kind, counts("all", kind)) for kind in types]


def _paths(codebook: Codebook, events: ibis.Table) -> list[str]:
    asked = [*(each.path for each in codebook.measures), *(each.path for each in codebook.categories)]
    return [path for path in dict.fromkeys(asked) if path in events.columns][:MOST_PATHS]


def _new_values(
    source: reading.Source, seen: Container[tuple[str, str]], engine: Engine, last: dt.datetime
) -> list[dict[str, Any]]:
    """Find common values of texts that were never seen before the recent days; of those `seen` that is known."""
    since = ibis.literal(last - RECENT_DAYS * DAY)
    events = source.events
    recent = events.filter((events.timestamp >= since) & (events.timestamp < ibis.literal(last)))
    before = events.filter(events.timestamp < since)
    tops = _common(source, recent, engine)
    unsure = {path: [value for value in values if (path, value) not in seen] for path, values in tops.items()}
    known = _known(source, before, unsure, engine)
    for path, values in tops.items():
        if sure := set(values).difference(unsure[path]):
            known.setdefault(path, set()).update(sure)
    return [
        _new_value(path, value, tops[path][value])
        for path in tops
        if path in known or _filled_before(before, path, engine)  # else the field itself is new
        for value in news(list(tops[path]), known.get(path, set()))
    ]


def _common(source: reading.Source, recent: ibis.Table, engine: Engine) -> dict[str, dict[str, int]]:
    """Count the common values of every text, the commonest first."""
    texts = [field for field in source.fields if field.type == FieldType.TEXT and field.path != "eventType"]
    if not texts:
        return {}
    least = np.ceil(max(LEAST_NEW, COMMON * engine.table(recent.aggregate(n=recent.count()))["n"][0].as_py()))
    parts = [_values(recent, field) for field in texts]
    counted = [part.group_by("path", "value").aggregate(n=part.count()) for part in parts]
    every = ibis.union(*counted) if len(counted) > 1 else counted[0]
    found: dict[str, dict[str, int]] = {}
    for row in engine.table(every.filter(every.n >= int(least)).order_by("path", ibis.desc("n"), "value")).to_pylist():
        tops = found.setdefault(row["path"], {})
        if len(tops) < MOST_NEW_VALUES:
            tops[row["value"]] = row["n"]
    return found


def _known(
    source: reading.Source, before: ibis.Table, tops: Mapping[str, Sequence[str]], engine: Engine
) -> dict[str, set[str]]:
    """Say which of some values were there before."""
    found: dict[str, set[str]] = {}
    seen = [
        values.filter(values.value.isin(tops[field.path])).distinct()
        for field in source.fields
        if tops.get(field.path)
        for values in [_values(before, field)]
    ]
    if not seen:
        return found
    every = ibis.union(*seen) if len(seen) > 1 else seen[0]
    for row in engine.table(every).to_pylist():
        found.setdefault(row["path"], set()).add(row["value"])
    return found


def _values(events: ibis.Table, field: Any) -> ibis.Table:
    """Give every value of a text, with the path it has."""
    column = events[field.path].unnest() if field.array else events[field.path]
    return events.select(path=ibis.literal(field.path), value=column).filter(lambda table: table.value.notnull())


def news(values: Sequence[str], known: Container[str]) -> list[str]:
    """Give the values that are news: none where most are new, for such a field brings new ones all the time.

    >>> news(["web", "app", "kiosk"], {"web", "app"}), news(["june sale", "may sale"], {})
    (['kiosk'], [])
    """
    new = [value for value in values if value not in known]
    return [] if len(new) > 1 and 2 * len(new) > len(values) else new


def _filled_before(before: ibis.Table, path: str, engine: Engine) -> bool:
    return bool(engine.table(before.filter(before[path].notnull()).limit(1).select("timestamp")).num_rows)


def _new_value(path: str, value: str, count: int) -> dict[str, Any]:
    words = say("{path} has a new value: {value}, {count} times so far.", path=path, value=value, count=number(count))
    return {"kind": "new value", "name": value, "of": path, "words": words}
