"""Conditions on one event: seventeen operators, ``&``, ``|`` and ``~``, compiled to Ibis.

:func:`where` is the door: it checks that the operator fits the field and that the value fits both.

What holds when
---------------
*A condition is true or false, never unknown*, whatever is missing.

*A missing value satisfies nothing but* ``not_exists``. Events are sparse: a purchase has no page name and a page view
has no SKU. ``web.webPageDetails.name not_equals home`` therefore asks for an event that has a page name, another one;
otherwise every purchase would satisfy it. A missing value is null, or not a number (NaN) where numbers are expected.
An empty text is a value.

*An array satisfies a condition when some element does.* Null elements count for nothing; an array without any
other element is missing. Two conditions on arrays may be satisfied by two different elements.

*The negated operators* (``not_equals``, ``not_starts_with``, ``not_ends_with``, ``not_contains``, ``not_in``) *ask
that there is a value and that none satisfies the operator.* A basket of ``[prd1013, prd2000]`` does not satisfy
``productListItems.SKU not_equals prd1013``: it holds prd1013. For a single value the two readings are the same.

*``~`` is the exact opposite*: ``~(name equals home)`` also holds where there is no name. To ask that of a negated
operator, say ``not_equals`` or ``not_exists``.

*Texts* are compared letter by letter; ``ignore_case`` compares their lower-case forms. ``matches`` looks for the
pattern anywhere in the text (``^`` and ``$`` tie it to the ends) and knows the RE2 dialect: no look-around and no
back-references, so that no pattern can take for ever.

*Moments* are compared with the span that was written, see :mod:`likelier.conditions.values`.

*A table without the field's column* has no value there: datasets read together need not have the same fields.

>>> page = Field("web.webPageDetails.name", FieldType.TEXT)
>>> bought = where(Field("commerce.purchases.value", FieldType.NUMBER), "exists")
>>> home = where(page, "starts_with", "home", ignore_case=True)
>>> (bought | ~home).words()
'commerce.purchases.value exists or not (web.webPageDetails.name starts with "home" in any case)'
>>> where(Field("application.launches.first", FieldType.FLAG), "greater_than", 3)
Traceback (most recent call last):
likelier.errors.ConditionError: 'application.launches.first' holds true or false, which 'greater_than' does not fit. \
Use one of: exists, not_exists, equals, not_equals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr.types import BooleanValue, Column, StringValue
from ibis.expr.types import Value as IbisValue

from likelier.conditions.values import HOLDS, Value, describe, read_value, show, write_value
from likelier.datasets import Field, FieldType
from likelier.errors import ConditionError, did_you_mean
from likelier.timespan import Span

Takes = Literal["nothing", "one", "list"]
Operator = Literal[
    "exists",
    "not_exists",
    "equals",
    "not_equals",
    "greater_than",
    "greater_or_equal",
    "less_than",
    "less_or_equal",
    "starts_with",
    "not_starts_with",
    "ends_with",
    "not_ends_with",
    "contains",
    "not_contains",
    "in",
    "not_in",
    "matches",
]
OPERATORS: tuple[str, ...] = get_args(Operator)

TEXT = frozenset({FieldType.TEXT})
ORDERED = frozenset({FieldType.NUMBER, FieldType.MOMENT})
LISTED = TEXT | ORDERED
ANY = frozenset(FieldType)


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

    def __and__(self, other: Condition) -> Condition:
        return all_of((self, other))

    def __or__(self, other: Condition) -> Condition:
        return any_of((self, other))

    def __invert__(self) -> Condition:
        return Not(self)


# --- combinations ----------------------------------------------------------------------------------------------------


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
        return f" {self.word} ".join(_bracketed(part) for part in self.parts)

    def __repr__(self) -> str:
        return "(" + f" {self.sign} ".join(repr(part) for part in self.parts) + ")"


class And(Combination):
    """All of them hold."""

    word, sign = "and", "&"

    def holds(self, events: ibis.Table) -> BooleanValue:
        return ibis.and_(*(part.holds(events) for part in self.parts))


class Or(Combination):
    """At least one of them holds."""

    word, sign = "or", "|"

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
        return (
            f"{self.part.field.path} does not exist" if isinstance(self.part, Exists) else f"not ({self.part.words()})"
        )

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
        raise ConditionError("There is no condition to join: write at least one.")
    return kind(parts) if len(parts) > 1 else parts[0]


def _flattened(kind: type[Combination], conditions: Iterable[Condition]) -> Iterator[Condition]:
    for condition in conditions:
        if isinstance(condition, kind):
            yield from condition.parts
        else:
            yield condition


def _bracketed(part: Condition) -> str:
    return f"({part.words()})" if isinstance(part, Combination) else part.words()


# --- conditions on one field -----------------------------------------------------------------------------------------


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
        some = "some " if self.field.array else ""
        return f"{some}{self.field.path} {self.says}{self.object()}"

    def denial(self) -> str:
        """Say that there is a value and none satisfies it."""
        if self.field.array:
            return f"no {self.field.path} {self.says}{self.object()}"
        return f"{self.field.path} {self.denies}{self.object()}"

    def object(self) -> str:
        """Say what the field is compared with."""
        return ""

    def arguments(self, operator: str) -> str:
        """Write the arguments that :func:`where` takes for it."""
        return f"{_field_repr(self.field)}, {operator!r}"

    def __repr__(self) -> str:
        return f"where({self.arguments(self.operator)})"


class Exists(OnField):
    """There is a value."""

    operator, opposite, fits, takes = "exists", "not_exists", ANY, "nothing"
    says, denies = "exists", "does not exist"

    def satisfied(self, value: IbisValue) -> BooleanValue:
        return value.notnull()


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
        return self.part.denial()

    def __repr__(self) -> str:
        return f"where({self.part.arguments(self.part.opposite)})"


@dataclass(frozen=True, repr=False)
class Comparison(OnField):
    """A condition that compares with a value."""

    value: Value

    def object(self) -> str:
        return f" {show(self.value)}"

    def arguments(self, operator: str) -> str:
        return f"{super().arguments(operator)}, {write_value(self.value)!r}"


class GreaterThan(Comparison):
    operator, opposite, fits = "greater_than", "", ORDERED
    says = "is greater than"

    def satisfied(self, value: Any) -> BooleanValue:
        return value >= _literal(self.value.end) if isinstance(self.value, Span) else value > _literal(self.value)


class GreaterOrEqual(Comparison):
    operator, opposite, fits = "greater_or_equal", "", ORDERED
    says = "is at least"

    def satisfied(self, value: Any) -> BooleanValue:
        return value >= _literal(self.value.start if isinstance(self.value, Span) else self.value)


class LessThan(Comparison):
    operator, opposite, fits = "less_than", "", ORDERED
    says = "is less than"

    def satisfied(self, value: Any) -> BooleanValue:
        return value < _literal(self.value.start if isinstance(self.value, Span) else self.value)


class LessOrEqual(Comparison):
    operator, opposite, fits = "less_or_equal", "", ORDERED
    says = "is at most"

    def satisfied(self, value: Any) -> BooleanValue:
        return value < _literal(self.value.end) if isinstance(self.value, Span) else value <= _literal(self.value)


@dataclass(frozen=True, repr=False)
class Cased(Comparison):
    """A comparison that may ignore the case of texts."""

    ignore_case: bool = False

    def folded(self, text: StringValue) -> StringValue:
        return _folded(text, self.ignore_case)

    def constant(self) -> StringValue:
        return self.folded(_literal(self.value))

    def object(self) -> str:
        return super().object() + (" in any case" if self.ignore_case else "")

    def arguments(self, operator: str) -> str:
        return super().arguments(operator) + (", ignore_case=True" if self.ignore_case else "")


class Equals(Cased):
    operator, opposite, fits = "equals", "not_equals", ANY
    says, denies = "is", "is not"

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
    says, denies = "is one of", "is none of"

    def satisfied(self, value: Any) -> BooleanValue:
        if self.field.type is FieldType.MOMENT:
            return ibis.or_(*(_within(value, span) for span in self.values if isinstance(span, Span)))
        return _folded(value, self.ignore_case).isin([_folded(_literal(one), self.ignore_case) for one in self.values])

    def object(self) -> str:
        return " " + ", ".join(map(show, self.values)) + (" in any case" if self.ignore_case else "")

    def arguments(self, operator: str) -> str:
        values = [write_value(value) for value in self.values]
        return f"{super().arguments(operator)}, {values!r}" + (", ignore_case=True" if self.ignore_case else "")


class StartsWith(Cased):
    operator, opposite, fits = "starts_with", "not_starts_with", TEXT
    says, denies = "starts with", "does not start with"

    def satisfied(self, value: Any) -> BooleanValue:
        return self.folded(value).startswith(self.constant())


class EndsWith(Cased):
    operator, opposite, fits = "ends_with", "not_ends_with", TEXT
    says, denies = "ends with", "does not end with"

    def satisfied(self, value: Any) -> BooleanValue:
        return self.folded(value).endswith(self.constant())


class Contains(Cased):
    operator, opposite, fits = "contains", "not_contains", TEXT
    says, denies = "contains", "does not contain"

    def satisfied(self, value: Any) -> BooleanValue:
        return self.folded(value).contains(self.constant())


class Matches(Cased):
    operator, opposite, fits = "matches", "", TEXT
    says = "matches"

    def satisfied(self, value: Any) -> BooleanValue:
        return value.re_search(("(?i)" if self.ignore_case else "") + str(self.value))


# --- the door --------------------------------------------------------------------------------------------------------

OPERATIONS: tuple[type[OnField], ...] = (
    Exists,
    Equals,
    GreaterThan,
    GreaterOrEqual,
    LessThan,
    LessOrEqual,
    StartsWith,
    EndsWith,
    Contains,
    In,
    Matches,
)
_BY_NAME: dict[str, type[OnField]] = {
    name: operation for operation in OPERATIONS for name in (operation.operator, operation.opposite) if name
}


def where(field: Field, operator: str, value: Any = None, *, ignore_case: bool = False) -> Condition:
    """Make a condition on a field, checked: a :class:`ConditionError` says what would fit.

    >>> where(Field("commerce.order.priceTotal", FieldType.NUMBER), "greater_or_equal", 50)
    where(Field('commerce.order.priceTotal', FieldType.NUMBER), 'greater_or_equal', 50)
    >>> where(Field("productListItems.SKU", FieldType.TEXT, array=True), "not_in", ["a", "b"]).words()
    'no productListItems.SKU is one of "a", "b"'
    """
    check_shape(operator, value, ignore_case=ignore_case)
    operation = _BY_NAME[operator]
    if field.type not in operation.fits:
        fitting = ", ".join(operators_for(field))
        raise ConditionError(
            f"'{field.path}' holds {HOLDS[field.type]}, which '{operator}' does not fit. Use one of: {fitting}.",
            key="operator",
        )
    if ignore_case and field.type is not FieldType.TEXT:
        raise ConditionError(
            f"'{field.path}' holds {HOLDS[field.type]}: ignore_case is for text. Leave it out.", key="ignore_case"
        )
    condition = _condition(operation, field, value, ignore_case=ignore_case)
    return condition if operator == operation.operator else _negated(condition)


def operators_for(field: Field) -> tuple[str, ...]:
    """Name the operators that fit a field.

    >>> operators_for(Field("application.launches.first", FieldType.FLAG))
    ('exists', 'not_exists', 'equals', 'not_equals')
    """
    return tuple(name for name, operation in _BY_NAME.items() if field.type in operation.fits)


def check_shape(operator: str, value: Any, *, ignore_case: bool = False) -> None:
    """Refuse what cannot be right whatever the field is."""
    if operator not in _BY_NAME:
        raise ConditionError(f"There is no operator '{operator}'. {did_you_mean(operator, OPERATORS)}", key="operator")
    takes = _BY_NAME[operator].takes
    if takes == "nothing" and (value is not None or ignore_case):
        raise ConditionError(f"'{operator}' takes no value. Leave out 'value' and 'ignore_case'.")
    if takes != "nothing" and value is None:
        raise ConditionError(f"'{operator}' needs a value. To ask whether there is any, use 'exists' or 'not_exists'.")
    if takes == "list" and (not isinstance(value, list | tuple) or not value):
        raise ConditionError(f"'{operator}' takes a list of at least one value, such as [a, b]; {describe(value)}.")
    if takes == "one" and isinstance(value, list | tuple):
        many = {"equals": "in", "not_equals": "not_in"}.get(operator)
        hint = f"use '{many}'" if many else "join several conditions with match: any"
        raise ConditionError(f"'{operator}' takes one value; {describe(value)}. For several, {hint}.")


def _condition(operation: type[OnField], field: Field, value: Any, *, ignore_case: bool) -> OnField:
    if issubclass(operation, In):
        return operation(field, tuple(read_value(field, one) for one in value), ignore_case)
    if issubclass(operation, Comparison):
        read = read_value(field, value)
        _check_text(operation, field, read)
        return operation(field, read, ignore_case) if issubclass(operation, Cased) else operation(field, read)
    return operation(field)


def _check_text(operation: type[Comparison], field: Field, value: Value) -> None:
    if value == "" and not issubclass(operation, Equals):
        raise ConditionError(
            f"Every text of '{field.path}' {operation.says} \"\". Use 'exists', or write a longer value."
        )
    if issubclass(operation, Matches):
        _check_pattern(str(value))


def _check_pattern(pattern: str) -> None:
    try:  # Arrow's patterns are RE2, as the engine's are
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ConditionError(
            f"The pattern {pattern!r} cannot be read ({str(error).partition(': ')[2]}). "
            "Patterns are RE2: no look-around, no back-references; write \\ before a sign that stands for itself."
        ) from None


def _negated(condition: OnField) -> Condition:
    return Not(condition) if isinstance(condition, Exists) else Denial(condition)


# --- Ibis ------------------------------------------------------------------------------------------------------------


def _folded(text: Any, ignore_case: bool) -> Any:  # noqa: FBT001
    # The engine lowers the case on both sides, so that both are folded alike.
    return text.lower() if ignore_case else text


def _within(value: Any, span: Span) -> BooleanValue:
    return (value >= _literal(span.start)) & (value < _literal(span.end))


def _literal(value: Any) -> Any:
    return ibis.literal(value)


def _field_repr(field: Field) -> str:
    return f"Field({field.path!r}, FieldType.{field.type.name}" + (", array=True)" if field.array else ")")
