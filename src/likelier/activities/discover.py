"""Find by itself what is worth looking for: common values, amounts, categories.

Only events before the judge cut-off are looked at, without their outcomes. Each text path costs one grouped count;
values rarer than one event in a thousand are left to the plain event counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from types import MappingProxyType
from typing import Any

import ibis

from likelier.activities.codes import Category, Codebook, Measure, Signal, Source, Trait, short_name
from likelier.activities.standard import STANDARD_EVENTS
from likelier.backend import Engine
from likelier.datasets import Field, FieldType
from likelier.instance import Attribute, Question

MOST_VALUES = 20
MOST_VALUE_SIGNALS = 80
MOST_MEASURES = 12
MOST_CATEGORIES = 8
FEW_VALUES = 3
RAREST_SHARE = 0.001
RAREST_COUNT = 25
SETTLED = ("timestamp", "eventType")
EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Past:
    """The events before a moment, put the same questions as those before other moments: all are answered at once.

    Whoever asks for another of the moments then puts the very same question, which an engine may remember.
    """

    engine: Engine
    events: ibis.Table
    moments: tuple[dt.datetime, ...]
    """Oldest first."""
    place: int

    @classmethod
    def before(cls, moment: dt.datetime, engine: Engine, events: ibis.Table, others: Collection[dt.datetime]) -> Past:
        moments = tuple(sorted({moment, *others}))
        past = events.filter(events.timestamp < ibis.literal(moments[-1]))
        return cls(engine, past, moments, moments.index(moment))

    def told(
        self, counts: Mapping[str, Any], lows: Mapping[str, Any] = EMPTY, highs: Mapping[str, Any] = EMPTY
    ) -> dict[str, Any]:
        """Count the events for which something holds, and find columns' lowest and highest values, in one pass."""
        columns = {
            **{name: self.events.count(where=holds) for name, holds in counts.items()},
            **{name: column.min() for name, column in lows.items()},
            **{name: column.max() for name, column in highs.items()},
        }
        since = reduce(
            add, [(self.events.timestamp >= moment).cast("int8") for moment in self._earlier], ibis.literal(0)
        )
        found = self.engine.table(self.events.group_by(since=since).aggregate(**columns))
        rows = [row for row in found.to_pylist() if row["since"] <= self.place]

        def given(name: str) -> list[Any]:
            return [row[name] for row in rows if row[name] is not None]

        return {
            **{name: sum(given(name)) for name in counts},
            **{name: min(given(name), default=None) for name in lows},
            **{name: max(given(name), default=None) for name in highs},
        }

    def commonest(self, field: Field, most: int) -> list[tuple[str, int]]:
        """Give the commonest values of a text and how often each is given, the commonest first."""
        column = self.events[field.path].unnest() if field.array else self.events[field.path]
        values = self.events.select("timestamp", value=column).filter(lambda table: table.value.notnull())
        wheres = [*(values.timestamp < moment for moment in self._earlier), None]
        counts = {f"n{place}": values.count(where=where) for place, where in enumerate(wheres)}
        counted = values.group_by("value").aggregate(**counts)
        tops = [
            counted.filter(counted[name] > 0)
            .order_by(ibis.desc(name), "value")
            .limit(most)
            .select("value", place=ibis.literal(place), n=counted[name])
            for place, name in enumerate(counts)
        ]
        every = ibis.union(*tops) if len(tops) > 1 else tops[0]
        rows = self.engine.table(every.order_by("place", ibis.desc("n"), "value")).to_pylist()
        return [(row["value"], row["n"]) for row in rows if row["place"] == self.place]

    @property
    def _earlier(self) -> list[Any]:
        """The moments but for the last, before which all of the events lie."""
        return [ibis.literal(moment) for moment in self.moments[:-1]]


def propose(
    engine: Engine,
    events: ibis.Table,
    attributes: Sequence[tuple[Attribute, ibis.Table]],
    question: Question,
    fields: Sequence[Field],
    before: dt.datetime,
    others: Collection[dt.datetime] = (),
) -> Codebook:
    """Choose what to look for in the events before a moment; of which `others` may ask, is looked at together."""
    past = Past.before(before, engine, events, others)
    count = past.told({"n": past.events.timestamp.notnull()})["n"]
    looked_at = [field for field in fields if field.path not in SETTLED]
    values = {field.path: past.commonest(field, MOST_VALUES) for field in fields if field.type == FieldType.TEXT}
    rarest = max(RAREST_COUNT, RAREST_SHARE * count)
    tops = {path: [(value, times) for value, times in found if times >= rarest] for path, found in values.items()}
    signals = [
        *_rules(question),
        *_standard(past, {field.path for field in fields}),
        *(Signal(value, Source.EVENT_TYPE, "eventType", value) for value, _ in tops.get("eventType", [])),
        *_values(looked_at, tops)[:MOST_VALUE_SIGNALS],
    ]
    return Codebook(
        tuple(signals),
        tuple(_measures(past, looked_at)[:MOST_MEASURES]),
        tuple(_categories(past, looked_at, values)[:MOST_CATEGORIES]),
        tuple(_trait(engine, attribute, table, before) for attribute, table in attributes),
    )


def rules_only(question: Question) -> Codebook:
    """Look for nothing but what the question asks: enough to count people, not to learn."""
    return Codebook(tuple(_rules(question)))


def _rules(question: Question) -> list[Signal]:
    """Give the question's own rules their bits first: they must never fall to a budget."""
    population = question.population
    rules = [
        (Source.GOAL, question.goal.events),
        (Source.INCLUDE, population.events),
        (Source.EXCLUDE, population.exclude),
        (Source.CUSTOM, question.custom_events),
    ]
    named = [Signal(rule.name, source, place=place) for source, events in rules for place, rule in enumerate(events)]
    return [Signal("any event", Source.ANY), *named]


def _standard(past: Past, paths: set[str]) -> list[Signal]:
    known = [event for event in STANDARD_EVENTS if event.path in paths]
    if not known:
        return []
    counts = past.told({event.name: event.holds(past.events) for event in known})
    return [Signal(event.name, Source.STANDARD, event.path) for event in known if counts[event.name]]


def _values(fields: Sequence[Field], tops: dict[str, list[tuple[str, int]]]) -> list[Signal]:
    """Name the common values of every text path, the commonest of all first."""
    paths = [field.path for field in fields]
    found = [
        (count, Signal(f"{short_name(field.path, paths)} {value}", Source.VALUE, field.path, value))
        for field in fields
        if field.type == FieldType.TEXT
        for value, count in tops[field.path]
    ]
    return [signal for _, signal in sorted(found, key=lambda pair: (-pair[0], pair[1].name))]


def _measures(past: Past, fields: Sequence[Field]) -> list[Measure]:
    """Keep numbers and moments that vary; the most often given first."""
    paths = [field.path for field in fields]
    kept = [field for field in fields if field.type in {FieldType.NUMBER, FieldType.MOMENT}]
    if not kept:
        return []
    columns = [past.events[field.path].sums() if field.array else past.events[field.path] for field in kept]
    row = past.told(
        {f"n{place}": column.notnull() for place, column in enumerate(columns)},
        {f"low{place}": column for place, column in enumerate(columns)},
        {f"high{place}": column for place, column in enumerate(columns)},
    )
    varying = [
        (-row[f"n{place}"], Measure(short_name(field.path, paths), field.path, field.type, field.array))
        for place, field in enumerate(kept)
        if row[f"n{place}"] >= RAREST_COUNT and row[f"low{place}"] != row[f"high{place}"]
    ]
    return [measure for _, measure in sorted(varying, key=lambda pair: (pair[0], pair[1].path))]


def _categories(past: Past, fields: Sequence[Field], values: Mapping[str, Sequence[tuple[str, int]]]) -> list[Category]:
    """Keep texts with several values; the most often given first."""
    paths = [field.path for field in fields]
    kept = [field for field in fields if len(values.get(field.path, ())) > FEW_VALUES]
    if not kept:
        return []
    columns = {field.path: past.events[field.path] for field in kept}
    row = past.told(
        {path: (column[0] if column.type().is_array() else column).notnull() for path, column in columns.items()}
    )
    several = [
        (-row[field.path], Category(short_name(field.path, paths), field.path, field.array))
        for field in kept
        if row[field.path] >= RAREST_COUNT
    ]
    return [category for _, category in sorted(several, key=lambda pair: (pair[0], pair[1].path))]


def _trait(engine: Engine, attribute: Attribute, table: ibis.Table, before: dt.datetime) -> Trait:
    field = attribute.field
    if field.type not in {FieldType.TEXT, FieldType.FLAG}:
        return Trait(attribute.name, field.path, field.type)
    if field.type == FieldType.FLAG:
        return Trait(attribute.name, field.path, field.type, ("true", "false"))
    known = table.filter(table[field.path].notnull() & (table.timestamp < ibis.literal(before)))
    counted = known.group_by(value=known[field.path]).aggregate(n=known.count())
    values = engine.table(counted.order_by(ibis.desc("n"), "value").limit(MOST_VALUES))
    return Trait(attribute.name, field.path, field.type, tuple(values["value"].to_pylist()))
