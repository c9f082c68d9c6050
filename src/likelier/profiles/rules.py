"""What a segment asks of a person: facts joined by ``&``, ``|`` and ``~``.

A rule is a :class:`~likelier.conditions.condition.Condition` on *people* instead of events. There are five kinds of
facts, and each holds or does not, never unknown:

``ScoreIs``       the person's latest score, probability, percentile or bucket of an instance
``FactorActs``    a factor is among the influential factors of that score, raises or lowers it, has a value
``AttributeIs``   the current value of a profile attribute
``Did``           events that satisfy a condition, so many of them, within the last days
``InSegment``     the person is a member of another segment

*Who was not scored has no score*, so every fact on scores is false for them, also ``score < 25``; ``not score >= 25``
holds for them. *Conditions on one factor hold on that factor*; only the ten strongest of a person are named.

*The last d days* end at the moment of evaluation: events from ``as_of - d days`` on and before ``as_of``.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ibis.expr.types import BooleanValue, Table

from likelier.conditions.condition import Combination, Condition, Not
from likelier.conditions.operations import Exists
from likelier.conditions.words import days
from likelier.datasets import Field, FieldType
from likelier.errors import ConditionError
from likelier.phrases import join, say

Rule = Condition
Effect = Literal["raises", "lowers"]
EFFECTS: tuple[Effect, ...] = ("raises", "lowers")

SCORE_FIELDS = {
    "score": Field("score", FieldType.NUMBER),
    "probability": Field("probability", FieldType.NUMBER),
    "percentile": Field("percentile", FieldType.NUMBER),
    "bucket": Field("bucket", FieldType.TEXT),
}
NUMERIC_VALUE, TEXT_VALUE = Field("value", FieldType.NUMBER), Field("value", FieldType.TEXT)
MOST_DAYS = 36_500


class Fact(Condition):
    """Something that holds for a person or does not."""

    @property
    def column(self) -> str:
        """The column that answers it in a table of people."""
        return "is_" + hashlib.sha256(repr(self).encode()).hexdigest()[:24]

    @property
    def fields(self) -> frozenset[str]:
        return frozenset()

    def holds(self, events: Table) -> BooleanValue:
        return events[self.column].fill_null(False)

    @abstractmethod
    def words(self) -> str:
        """Say it in plain English; reads after "who"."""


@dataclass(frozen=True)
class ScoreIs(Fact):
    """The latest score of an instance satisfies a condition on score, probability, percentile or bucket."""

    instance: str
    condition: Condition

    def words(self) -> str:
        said = self.condition.words()
        return say('have a score of "{instance}" where {condition}', instance=self.instance, condition=said)


@dataclass(frozen=True)
class FactorActs(Fact):
    """A factor is among those of the latest score; it raises or lowers it, and its value satisfies a condition.

    Values are as people see them: `3`, `0.031`, `never`, `gold`. A numeric condition holds for none that is no number.
    """

    instance: str
    factor: str
    effect: Effect | None = None
    value: Condition | None = None

    def __post_init__(self) -> None:
        if isinstance(self.value, Exists | Not):
            raise ConditionError(say("A factor always has a value: compare it, or leave this out."), "operator")

    def words(self) -> str:
        said = {
            "raises": say('have "{factor}" that raises the score of "{instance}"', **self._names),
            "lowers": say('have "{factor}" that lowers the score of "{instance}"', **self._names),
            None: say('have "{factor}" that is a factor of the score of "{instance}"', **self._names),
        }[self.effect]
        return join([said, say("and"), self.value.words()]) if self.value else said

    @property
    def _names(self) -> dict[str, str]:
        return {"factor": self.factor, "instance": self.instance}


@dataclass(frozen=True)
class AttributeIs(Fact):
    """The current value of a profile attribute satisfies a condition."""

    condition: Condition

    def words(self) -> str:
        return say("have {condition}", condition=self.condition.words())


@dataclass(frozen=True)
class Did(Fact):
    """At least so many events satisfy a condition, within the last days or ever."""

    condition: Condition
    at_least: int = 1
    last_days: int | None = None

    def __post_init__(self) -> None:
        if self.at_least < 1:
            raise ConditionError(
                say("'at least {at_least} times' is no count. Write 1 or more.", at_least=self.at_least), "at_least"
            )
        if self.last_days is not None and not 1 <= self.last_days <= MOST_DAYS:
            raise ConditionError(
                say(
                    "{last_days} days are no span. Write 1 to {most_days}.",
                    last_days=self.last_days,
                    most_days=MOST_DAYS,
                ),
                "last_days",
            )

    def words(self) -> str:
        said = [say("had an event where {condition}", condition=self.condition.words())]
        if self.at_least > 1:
            said.append(say("at least {n} times", n=self.at_least))
        if self.last_days:
            said.append(say("in the last {days}", days=days(self.last_days)))
        return join(said)


@dataclass(frozen=True)
class InSegment(Fact):
    """The person is a member of another segment."""

    segment: str

    def words(self) -> str:
        return say('are in "{segment}"', segment=self.segment)


def score_is(instance: str, field: str, condition: Callable[[Field], Condition]) -> Rule:
    """Ask something of a score; `condition` makes it from the field.

    >>> from likelier.conditions.algebra import where
    >>> score_is("Buy", "score", lambda field: where(field, "greater_than", 75)).words()
    'have a score of "Buy" where score is greater than 75'
    """
    return _outside(condition(SCORE_FIELDS[field]), lambda asked: ScoreIs(instance, asked))


def attribute_is(condition: Condition) -> Rule:
    return _outside(condition, AttributeIs)


def facts(rule: Rule) -> Iterator[Fact]:
    """Go through the facts of a rule."""
    match rule:
        case Combination(parts):
            for part in parts:
                yield from facts(part)
        case Not(part):
            yield from facts(part)
        case Fact():
            yield rule


def instances_in(rule: Rule) -> set[str]:
    """Name the instances whose scores a rule asks for."""
    return {fact.instance for fact in facts(rule) if isinstance(fact, ScoreIs | FactorActs)}


def segments_in(rule: Rule) -> set[str]:
    """Name the segments a rule refers to."""
    return {fact.segment for fact in facts(rule) if isinstance(fact, InSegment)}


def renamed(rule: Rule, *, instance: Callable[[str], str], segment: Callable[[str], str]) -> Rule:
    """Call instances and segments by other names."""
    match rule:
        case Combination(parts):
            return type(rule)(tuple(renamed(part, instance=instance, segment=segment) for part in parts))
        case Not(part):
            return Not(renamed(part, instance=instance, segment=segment))
        case ScoreIs() | FactorActs():
            return replace(rule, instance=instance(rule.instance))
        case InSegment():
            return InSegment(segment(rule.segment))
    return rule


def _outside(condition: Condition, fact: Callable[[Condition], Any]) -> Rule:
    """Keep a fact positive: `not exists` becomes the opposite of the fact that there is a value."""
    return Not(fact(condition.part)) if isinstance(condition, Not) else fact(condition)
