"""The operators: one small class for each, that says what one value must satisfy."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import ibis
from ibis.expr.types import BooleanValue, Column
from ibis.expr.types import Value as IbisValue

from likelier.conditions.condition import Condition
from likelier.conditions.values import Value, show, write_value
from likelier.datasets import Field, FieldType
from likelier.phrases import join, say
from likelier.timespan import Span

Takes = Literal["nothing", "one", "list"]

TEXT = frozenset({FieldType.TEXT})
ORDERED = frozenset({FieldType.NUMBER, FieldType.MOMENT})
LISTED = TEXT | ORDERED
ANY = frozenset(FieldType)


@dataclass(frozen=True)
class Statement:
    """A condition on one field as it is written: the arguments of :func:`likelier.conditions.algebra.where`."""

    field: Field
    operator: str
    value: Any = None
    ignore_case: bool = False

    def __repr__(self) -> str:
        array = ", array=True" if self.field.array else ""
        field = f"Field({self.field.path!r}, FieldType.{self.field.type.name}{array})"
        value = "" if self.value is None else f", {self.value!r}"
        return f"where({field}, {self.operator!r}{value}{', ignore_case=True' if self.ignore_case else ''})"


@dataclass(frozen=True, repr=False)
class OnField(Condition):
    """A condition that one value of one field satisfies."""

    field: Field

    operator: ClassVar[str]
    opposite: ClassVar[str]  # "" where there is none
    fits: ClassVar[frozenset[FieldType]]
    takes: ClassVar[Takes] = "one"
    says: ClassVar[str]
    denies: ClassVar[str]

    @abstractmethod
    def satisfied(self, value: Any) -> BooleanValue:
        """Say whether one value satisfies it; null is as good as false."""

    def holds(self, events: ibis.Table) -> BooleanValue:
        if self.field.path not in events.columns:
            return ibis.literal(False)
        return self._some(events[self.field.path]) if self.field.array else self._one(events[self.field.path])

    def _one(self, value: IbisValue) -> BooleanValue:
        satisfied = self.satisfied(value)
        if value.type().is_floating():
            satisfied &= ~value.isnan()
        return satisfied.fill_null(False)

    def _some(self, values: Column) -> BooleanValue:
        return values.filter(self._one).length().fill_null(0) > 0

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({self.field.path})

    def words(self) -> str:
        subject = say("some {field}", field=self.field.path) if self.field.array else self.field.path
        return self._told(subject, self.says)

    def nothing_satisfies(self) -> str:
        """Say that there is a value and none satisfies it."""
        if self.field.array:
            return self._told(say("no {field}", field=self.field.path), self.says)
        return self._told(self.field.path, self.denies)

    def _told(self, subject: str, verb: str) -> str:
        return join([subject, verb, *self.object()])

    def object(self) -> list[str]:
        """Say what the field is compared with."""
        return []

    def stated(self) -> Statement:
        """Give it as it is written."""
        return Statement(self.field, self.operator)

    def __repr__(self) -> str:
        return repr(self.stated())


class Exists(OnField):
    """There is a value."""

    operator, opposite, fits, takes = "exists", "not_exists", ANY, "nothing"
    says, denies = say("exists"), say("does not exist")

    def satisfied(self, value: IbisValue) -> BooleanValue:
        return value.notnull()

    def denial(self) -> str:
        return join([self.field.path, self.denies])


@dataclass(frozen=True, repr=False)
class Denial(Condition):
    """There is a value, and none satisfies the condition: what the negated operators ask."""

    part: OnField

    def holds(self, events: ibis.Table) -> BooleanValue:
        return Exists(self.part.field).holds(events) & ~self.part.holds(events)

    @property
    def fields(self) -> frozenset[str]:
        return self.part.fields

    def words(self) -> str:
        return self.part.nothing_satisfies()

    def stated(self) -> Statement:
        """Give it as it is written."""
        return replace(self.part.stated(), operator=self.part.opposite)

    def __repr__(self) -> str:
        return repr(self.stated())


@dataclass(frozen=True, repr=False)
class Comparison(OnField):
    """A condition that compares with a value."""

    value: Value

    def object(self) -> list[str]:
        return [show(self.value)]

    def stated(self) -> Statement:
        return replace(super().stated(), value=write_value(self.value))


class GreaterThan(Comparison):
    operator, opposite, fits = "greater_than", "", ORDERED
    says = say("is greater than")

    def satisfied(self, value: Any) -> BooleanValue:
        return value >= _literal(self.value.end) if isinstance(self.value, Span) else value > _literal(self.value)


class GreaterOrEqual(Comparison):
    operator, opposite, fits = "greater_or_equal", "", ORDERED
    says = say("is at least")

    def satisfied(self, value: Any) -> BooleanValue:
        return value >= _literal(self.value.start if isinstance(self.value, Span) else self.value)


class LessThan(Comparison):
    operator, opposite, fits = "less_than", "", ORDERED
    says = say("is less than")

    def satisfied(self, value: Any) -> BooleanValue:
        return value < _literal(self.value.start if isinstance(self.value, Span) else self.value)


class LessOrEqual(Comparison):
    operator, opposite, fits = "less_or_equal", "", ORDERED
    says = say("is at most")

    def satisfied(self, value: Any) -> BooleanValue:
        return value < _literal(self.value.end) if isinstance(self.value, Span) else value <= _literal(self.value)


@dataclass(frozen=True, repr=False)
class Cased(Comparison):
    """A comparison that may ignore the case of texts."""

    ignore_case: bool = False

    def folded(self, text: Any) -> Any:
        return _folded(text, self.ignore_case)

    def constant(self) -> Any:
        return self.folded(_literal(self.value))

    def object(self) -> list[str]:
        return [*super().object(), *_case(self.ignore_case)]

    def stated(self) -> Statement:
        return replace(super().stated(), ignore_case=self.ignore_case)


class Equals(Cased):
    operator, opposite, fits = "equals", "not_equals", ANY
    says, denies = say("is"), say("is not")

    def satisfied(self, value: Any) -> BooleanValue:
        if isinstance(self.value, Span):
            return _within(value, self.value)
        return self.folded(value) == self.constant()


@dataclass(frozen=True, repr=False)
class In(OnField):
    """One of several values."""

    values: tuple[Value, ...]
    ignore_case: bool = False

    operator, opposite, fits, takes = "in", "not_in", LISTED, "list"
    says, denies = say("is one of"), say("is none of")

    def satisfied(self, value: Any) -> BooleanValue:
        if self.field.type is FieldType.MOMENT:
            return ibis.or_(*(_within(value, span) for span in self.values if isinstance(span, Span)))
        return _folded(value, self.ignore_case).isin([_folded(_literal(one), self.ignore_case) for one in self.values])

    def object(self) -> list[str]:
        return [", ".join(map(show, self.values)), *_case(self.ignore_case)]

    def stated(self) -> Statement:
        values = [write_value(value) for value in self.values]
        return Statement(self.field, self.operator, values, self.ignore_case)


class StartsWith(Cased):
    operator, opposite, fits = "starts_with", "not_starts_with", TEXT
    says, denies = say("starts with"), say("does not start with")

    def satisfied(self, value: Any) -> BooleanValue:
        return self.folded(value).startswith(self.constant())


class EndsWith(Cased):
    operator, opposite, fits = "ends_with", "not_ends_with", TEXT
    says, denies = say("ends with"), say("does not end with")

    def satisfied(self, value: Any) -> BooleanValue:
        return self.folded(value).endswith(self.constant())


class Contains(Cased):
    operator, opposite, fits = "contains", "not_contains", TEXT
    says, denies = say("contains"), say("does not contain")

    def satisfied(self, value: Any) -> BooleanValue:
        return self.folded(value).contains(self.constant())


class Matches(Cased):
    operator, opposite, fits = "matches", "", TEXT
    says = say("matches")

    def satisfied(self, value: Any) -> BooleanValue:
        return value.re_search(("(?i)" if self.ignore_case else "") + str(self.value))


def _case(ignored: bool) -> list[str]:  # noqa: FBT001
    return [say("in any case")] if ignored else []


def _folded(text: Any, ignore_case: bool) -> Any:  # noqa: FBT001
    # The engine lowers the case on both sides, so that both are folded alike.
    return text.lower() if ignore_case else text


def _within(value: Any, span: Span) -> BooleanValue:
    return (value >= _literal(span.start)) & (value < _literal(span.end))


def _literal(value: Any) -> Any:
    return ibis.literal(value)
