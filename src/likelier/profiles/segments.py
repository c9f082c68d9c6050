"""Who satisfies a rule: one look at each source, a row per person, then the rule itself.

Each source answers its facts of all its people at once: the scores of an instance, the events, the attributes. The
people to ask are those of the sources that a member must stand in; where a rule can hold for anybody (`not in segment
"Staff"`), everybody known in the namespace. So "score of ... >= 75 and not in segment ..." looks only at the scored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import ibis
from ibis.expr.types import BooleanValue, Table

from likelier.conditions.condition import And, Condition, Or
from likelier.datasets import FieldType
from likelier.errors import UsageError
from likelier.phrases import say
from likelier.profiles.rules import AttributeIs, Did, Fact, FactorActs, InSegment, Rule, ScoreIs, facts
from likelier.timespan import DAY

MOST_FACTS = 200


@dataclass(frozen=True)
class People:
    """What is known of the people of one namespace at a moment, each table with the column `id`.

    `events` holds the events before `as_of`, `attributes` rows with the `timestamp` from which their values are known,
    before `as_of` too. `scores` gives the latest scores of an instance. None: there is no such dataset.
    """

    as_of: dt.datetime
    events: Table | None = None
    attributes: Table | None = None
    scores: Mapping[str, Table] = field(default_factory=dict)


def members(rule: Rule, people: People, segments: Mapping[str, Rule] | None = None) -> Table:
    """Give the ids of those who satisfy a rule; `segments` are the rules of the segments it refers to, by name."""
    return Evaluation(people, segments or {}, [rule]).who(rule)


class Evaluation:
    """People with the answers to all facts of some rules, to ask several things of them at once."""

    def __init__(
        self, people: People, segments: Mapping[str, Rule], rules: Sequence[Rule], *, among: Table | None = None
    ) -> None:
        """Ask those `among` whose ids are given, else everybody for whom one of the rules can hold."""
        self._people = people
        self._segments = _needed(rules, segments)
        asked = list(dict.fromkeys(fact for rule in (*rules, *self._segments.values()) for fact in facts(rule)))
        if len(asked) > MOST_FACTS:
            raise UsageError(
                say(
                    "This asks {count} things of a person; {most_facts} are the most.",
                    count=len(asked),
                    most_facts=MOST_FACTS,
                )
            )
        self._answers = list(_answers(people, asked))
        self._found = self._joined(self._candidates(rules) if among is None else among)

    def who(self, rule: Rule) -> Table:
        return self._found.filter(rule.holds(self._found)).select("id")

    def holds(self, rules: Mapping[str, Rule]) -> Table:
        """Give a column for each rule: whether it holds for the person."""
        return self._found.select("id", **{name: rule.holds(self._found) for name, rule in rules.items()})

    def _candidates(self, rules: Sequence[Rule]) -> Table:
        """Everybody for whom one of the rules can hold."""
        anchors = _anchors(Or(tuple(rules)) if len(rules) > 1 else rules[0], self._segments)
        if anchors is None:
            return everybody(self._people)
        sources = [source for source in self._answers if any(fact.column in source.columns for fact in anchors)]
        return _union([self._anchored(source, anchors) for source in sources])

    def _anchored(self, source: Table, anchors: Iterable[Fact]) -> Table:
        holding = [fact.holds(source) for fact in anchors if fact.column in source.columns]
        return source.filter(ibis.or_(*holding)).select("id")

    def _joined(self, everybody: Table) -> Table:
        found = everybody
        for number, source in enumerate(self._answers):
            key = f"id_{number}"
            found = found.left_join(source.rename({key: "id"}), [found.id == source.rename({key: "id"})[key]]).drop(key)
        for name, rule in self._segments.items():
            found = found.mutate(**{InSegment(name).column: rule.holds(found)})
        return found


# --- what each source answers ----------------------------------------------------------------------------------------


def _answers(people: People, asked: Sequence[Fact]) -> Iterator[Table]:
    """A table for each source: `id` and a column for each of its facts."""
    for instance, scores in people.scores.items():
        of_scores = [fact for fact in asked if isinstance(fact, ScoreIs | FactorActs) and fact.instance == instance]
        if of_scores:
            yield scores.select("id", **{fact.column: _on_scores(fact, scores) for fact in of_scores})
    if done := [fact for fact in asked if isinstance(fact, Did)]:
        yield _on_events(done, people)
    if had := [fact for fact in asked if isinstance(fact, AttributeIs)]:
        yield _on_attributes(had, people)


def _on_scores(fact: ScoreIs | FactorActs, scores: Table) -> BooleanValue:
    if isinstance(fact, ScoreIs):
        return fact.condition.holds(scores)
    return scores["factors"].filter(lambda factor: _acts(fact, factor)).length().fill_null(0) > 0


def _acts(fact: FactorActs, factor: Any) -> BooleanValue:
    holds = factor["code"] == fact.factor
    if fact.effect:
        holds &= factor["contribution"] > 0 if fact.effect == "raises" else factor["contribution"] < 0
    if fact.value:
        holds &= fact.value.holds(_OneValue(_read_value(fact.value, factor["value"])))
    return holds


def _read_value(condition: Condition, value: Any) -> Any:
    kind = condition.stated().field.type  # type: ignore[attr-defined]
    return value.try_cast("float64") if kind is FieldType.NUMBER else value


@dataclass(frozen=True)
class _OneValue:
    """A value that a condition on `value` looks at as it looks at a column of a table."""

    value: Any
    columns: tuple[str, ...] = ("value",)

    def __getitem__(self, _: str) -> Any:
        return self.value


def _on_events(asked: Sequence[Did], people: People) -> Table:
    events = people.events
    if events is None:
        return _nobody(asked)
    counted = {fact: f"n{number}" for number, fact in enumerate(asked)}
    happened = {name: _counts(fact, events, people.as_of) for fact, name in counted.items()}
    marked = events.select("id", **happened).filter(lambda marked: ibis.or_(*(marked[name] for name in happened)))
    counts = marked.group_by("id").aggregate(**{name: marked[name].sum() for name in happened})
    return counts.select("id", **{fact.column: counts[name] >= fact.at_least for fact, name in counted.items()})


def _counts(fact: Did, events: Table, as_of: dt.datetime) -> BooleanValue:
    holds = fact.condition.holds(events)
    if fact.last_days is None:
        return holds
    return holds & (events.timestamp >= ibis.literal(as_of - fact.last_days * DAY))


def _on_attributes(asked: Sequence[AttributeIs], people: People) -> Table:
    rows = people.attributes
    if rows is None:
        return _nobody(asked)
    current = current_attributes(rows, sorted({path for fact in asked for path in fact.condition.fields}))
    return current.select("id", **{fact.column: fact.condition.holds(current) for fact in asked})


def current_attributes(rows: Table, paths: Sequence[str]) -> Table:
    """Give each person's latest value of each attribute; of two known since the same moment, the greater.

    Greater, because one of the two has to be chosen, and always the same one.
    """
    latest = {
        path: ibis.struct({"since": rows.timestamp, "value": rows[path]}).max(where=rows[path].notnull())
        for path in paths
        if path in rows.columns
    }
    found = rows.group_by("id").aggregate(**latest)
    return found.select("id", **{path: found[path]["value"] for path in latest})


# --- whom to ask -----------------------------------------------------------------------------------------------------


def _anchors(rule: Rule, segments: Mapping[str, Rule]) -> frozenset[Fact] | None:
    """Facts of which at least one holds for whoever satisfies the rule; None when it can hold without any."""
    match rule:
        case InSegment(name):
            return _anchors(segments[name], segments)
        case Fact():
            return frozenset({rule})
        case And(parts):
            found = [anchors for part in parts if (anchors := _anchors(part, segments)) is not None]
            return min(found, key=_cost, default=None)
        case Or(parts):
            each = [_anchors(part, segments) for part in parts]
            return None if None in each else frozenset().union(*(anchors for anchors in each if anchors))
    return None


def _cost(anchors: frozenset[Fact]) -> int:
    """Scores are the smallest source, events the largest."""
    return sum(100 if isinstance(fact, Did) else 10 if isinstance(fact, AttributeIs) else 1 for fact in anchors)


def everybody(people: People) -> Table:
    """The ids of all who are known."""
    tables = [table for table in (people.events, people.attributes, *people.scores.values()) if table is not None]
    return _union([table.select("id") for table in tables])


def _union(tables: Sequence[Table]) -> Table:
    joined = reduce(lambda one, other: one.union(other), tables)
    return joined.filter(joined.id.notnull()).distinct()


def _nobody(asked: Sequence[Fact]) -> Table:
    schema = ibis.schema({"id": "string", **{fact.column: "boolean" for fact in asked}})
    return ibis.memtable(schema.to_pyarrow().empty_table())


def _needed(rules: Sequence[Rule], segments: Mapping[str, Rule]) -> dict[str, Rule]:
    """The segments that rules refer to, straight or through others, each after those it refers to."""
    found: dict[str, Rule] = {}
    under_way: list[str] = []

    def visit(rule: Rule) -> None:
        for fact in facts(rule):
            if isinstance(fact, InSegment) and fact.segment not in found:
                enter(fact.segment)

    def enter(name: str) -> None:
        if name in under_way:
            circle = " -> ".join(f"'{one}'" for one in (*under_way[under_way.index(name) :], name))
            raise UsageError(
                say("These segments refer to each other in a circle: {circle}. Take one reference out.", circle=circle)
            )
        under_way.append(name)
        visit(segments[name])
        under_way.pop()
        found[name] = segments[name]

    for rule in rules:
        visit(rule)
    return found


def in_order(rules: Sequence[Rule], segments: Mapping[str, Rule]) -> tuple[str, ...]:
    """Name the segments that rules refer to, straight or through others; refuse circles."""
    return tuple(_needed(rules, segments))
