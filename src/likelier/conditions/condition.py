"""What a condition is, and how conditions are joined."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import ibis
from ibis.expr.types import BooleanValue

from likelier.errors import ConditionError
from likelier.phrases import join, say


class Condition(ABC):
    """Something that holds for an event or does not. Its repr rebuilds it."""

    @abstractmethod
    def holds(self, events: ibis.Table) -> BooleanValue:
        """Say of each event whether the condition holds; never null."""

    @property
    @abstractmethod
    def fields(self) -> frozenset[str]:
        """The paths of the fields it looks at."""

    @abstractmethod
    def words(self) -> str:
        """Say it in plain English."""

    def denial(self) -> str:
        """Say its exact opposite in plain English."""
        return say("not ({condition})", condition=self.words())

    def __and__(self, other: Condition) -> Condition:
        return all_of((self, other))

    def __or__(self, other: Condition) -> Condition:
        return any_of((self, other))

    def __invert__(self) -> Condition:
        return Not(self)


@dataclass(frozen=True, repr=False)
class Combination(Condition):
    """Several conditions under one word."""

    parts: tuple[Condition, ...]

    word: ClassVar[str]
    sign: ClassVar[str]

    @property
    def fields(self) -> frozenset[str]:
        return frozenset().union(*(part.fields for part in self.parts))

    def words(self) -> str:
        told = [_bracketed(part) for part in self.parts]
        return join([each for part in told for each in (self.word, part)][1:])

    def __repr__(self) -> str:
        return "(" + f" {self.sign} ".join(repr(part) for part in self.parts) + ")"


class And(Combination):
    """All of them hold."""

    word, sign = say("and"), "&"

    def holds(self, events: ibis.Table) -> BooleanValue:
        return ibis.and_(*(part.holds(events) for part in self.parts))


class Or(Combination):
    """At least one of them holds."""

    word, sign = say("or"), "|"

    def holds(self, events: ibis.Table) -> BooleanValue:
        return ibis.or_(*(part.holds(events) for part in self.parts))


@dataclass(frozen=True, repr=False)
class Not(Condition):
    """The exact opposite."""

    part: Condition

    def holds(self, events: ibis.Table) -> BooleanValue:
        return ~self.part.holds(events)

    @property
    def fields(self) -> frozenset[str]:
        return self.part.fields

    def words(self) -> str:
        return self.part.denial()

    def denial(self) -> str:
        return self.part.words()

    def __invert__(self) -> Condition:
        return self.part

    def __repr__(self) -> str:
        return f"~{self.part!r}"


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Join conditions that must all hold; a single one is itself."""
    return _joined(And, conditions)


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Join conditions of which one must hold; a single one is itself."""
    return _joined(Or, conditions)


def _joined(kind: type[Combination], conditions: Iterable[Condition]) -> Condition:
    parts = tuple(_flattened(kind, conditions))
    if not parts:
        raise ConditionError(say("There is no condition to join: write at least one."))
    return kind(parts) if len(parts) > 1 else parts[0]


def _flattened(kind: type[Combination], conditions: Iterable[Condition]) -> Iterator[Condition]:
    for condition in conditions:
        if isinstance(condition, kind):
            yield from condition.parts
        else:
            yield condition


def _bracketed(part: Condition) -> str:
    return join(["(", part.words(), ")"], "") if isinstance(part, Combination) else part.words()
