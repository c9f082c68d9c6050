"""Find by itself what is worth looking for: common values, amounts, categories.

Only events before the judge cut-off are looked at, without their outcomes. Each text path costs one grouped count;
values rarer than one event in a thousand are left to the plain event counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
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


def propose(
    engine: Engine,
    events: ibis.Table,
    attributes: Sequence[tuple[Attribute, ibis.Table]],
    question: Question,
    fields: Sequence[Field],
    before: dt.datetime,
) -> Codebook:
    """Choose what to look for in the events before a moment."""
    past = events.filter(events.timestamp < ibis.literal(before))
    count = engine.table(past.aggregate(n=past.count()))["n"][0].as_py()
    looked_at = [field for field in fields if field.path not in SETTLED]
    values = {field.path: _values_of(engine, past, field) for field in fields if field.type == FieldType.TEXT}
    rarest = max(RAREST_COUNT, RAREST_SHARE * count)
    tops = {path: [(value, times) for value, times in found if times >= rarest] for path, found in values.items()}
    signals = [
        *_rules(question),
        *_standard(engine, past, {field.path for field in fields}),
        *(Signal(value, Source.EVENT_TYPE, "eventType", value) for value, _ in tops.get("eventType", [])),
        *_values(looked_at, tops)[:MOST_VALUE_SIGNALS],
    ]
    return Codebook(
        tuple(signals),
        tuple(_measures(engine, past, looked_at)[:MOST_MEASURES]),
        tuple(_categories(engine, past, looked_at, values)[:MOST_CATEGORIES]),
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


def _standard(engine: Engine, past: ibis.Table, paths: set[str]) -> list[Signal]:
    known = [event for event in STANDARD_EVENTS if event.path in paths]
    if not known:
        return []
    counts = engine.table(past.aggregate(**{event.name: event.holds(past).sum() for event in known}))
    return [Signal(event.name, Source.STANDARD, event.path) for event in known if counts[event.name][0].as_py()]


def _values_of(engine: Engine, past: ibis.Table, field: Field) -> list[tuple[str, int]]:
    """Give the commonest values of a text and how often each is given, the commonest first."""
    column = past[field.path].unnest() if field.array else past[field.path]
    values = past.select(value=column).filter(lambda table: table.value.notnull())
    counted = values.group_by("value").aggregate(n=values.count())
    rows = engine.table(counted.order_by(ibis.desc("n"), "value").limit(MOST_VALUES)).to_pylist()
    return [(row["value"], row["n"]) for row in rows]


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


def _measures(engine: Engine, past: ibis.Table, fields: Sequence[Field]) -> list[Measure]:
    """Keep numbers and moments that vary; the most often given first."""
    paths = [field.path for field in fields]
    kept = [field for field in fields if field.type in {FieldType.NUMBER, FieldType.MOMENT}]
    if not kept:
        return []
    found: dict[str, Any] = {}
    for place, field in enumerate(kept):
        column = past[field.path].sums() if field.array else past[field.path]
        found |= {f"n{place}": column.count(), f"low{place}": column.min(), f"high{place}": column.max()}
    row = engine.table(past.aggregate(**found)).to_pylist()[0]
    varying = [
        (-row[f"n{place}"], Measure(short_name(field.path, paths), field.path, field.type, field.array))
        for place, field in enumerate(kept)
        if row[f"n{place}"] >= RAREST_COUNT and row[f"low{place}"] != row[f"high{place}"]
    ]
    return [measure for _, measure in sorted(varying, key=lambda pair: (pair[0], pair[1].path))]


def _categories(
    engine: Engine, past: ibis.Table, fields: Sequence[Field], values: Mapping[str, Sequence[tuple[str, int]]]
) -> list[Category]:
    """Keep texts with several values; the most often given first."""
    paths = [field.path for field in fields]
    kept = [field for field in fields if len(values.get(field.path, ())) > FEW_VALUES]
    if not kept:
        return []
    found: dict[str, Any] = {}
    for place, field in enumerate(kept):
        column = past[field.path][0] if field.array else past[field.path]
        found[f"n{place}"] = column.count()
    row = engine.table(past.aggregate(**found)).to_pylist()[0]
    several = [
        (-row[f"n{place}"], Category(short_name(field.path, paths), field.path, field.array))
        for place, field in enumerate(kept)
        if row[f"n{place}"] >= RAREST_COUNT
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
