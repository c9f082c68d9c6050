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

from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from likelier.conditions.condition import And, Condition, Not, Or, all_of, any_of
from likelier.conditions.operations import (
    Cased,
    Comparison,
    Contains,
    Denial,
    EndsWith,
    Equals,
    Exists,
    GreaterOrEqual,
    GreaterThan,
    In,
    LessOrEqual,
    LessThan,
    Matches,
    OnField,
    StartsWith,
    Takes,
)
from likelier.conditions.values import HOLDS, Value, describe, read_value
from likelier.datasets import Field, FieldType
from likelier.errors import ConditionError, did_you_mean
from likelier.phrases import say

__all__ = [
    "OPERATORS",
    "And",
    "Condition",
    "Not",
    "Operator",
    "Or",
    "all_of",
    "any_of",
    "check_shape",
    "operators_for",
    "takes",
    "where",
]

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
            say(
                "'{path}' holds {holds}, which '{operator}' does not fit. Use one of: {fitting}.",
                path=field.path,
                holds=HOLDS[field.type],
                operator=operator,
                fitting=fitting,
            ),
            key="operator",
        )
    if ignore_case and field.type is not FieldType.TEXT:
        raise ConditionError(
            say(
                "'{path}' holds {holds}: ignore_case is for text. Leave it out.",
                path=field.path,
                holds=HOLDS[field.type],
            ),
            key="ignore_case",
        )
    condition = _condition(operation, field, value, ignore_case=ignore_case)
    return condition if operator == operation.operator else _negated(condition)


def operators_for(field: Field) -> tuple[str, ...]:
    """Name the operators that fit a field.

    >>> operators_for(Field("application.launches.first", FieldType.FLAG))
    ('exists', 'not_exists', 'equals', 'not_equals')
    """
    return tuple(name for name, operation in _BY_NAME.items() if field.type in operation.fits)


def takes(operator: str) -> Takes:
    """Say whether an operator takes a value."""
    return _BY_NAME[operator].takes


def check_shape(operator: str, value: Any, *, ignore_case: bool = False) -> None:
    """Refuse what cannot be right whatever the field is."""
    if operator not in _BY_NAME:
        raise ConditionError(
            say("There is no operator '{operator}'. {hint}", operator=operator, hint=did_you_mean(operator, OPERATORS)),
            key="operator",
        )
    wanted = takes(operator)
    if wanted == "nothing" and (value is not None or ignore_case):
        raise ConditionError(
            say("'{operator}' takes no value. Leave out 'value' and 'ignore_case'.", operator=operator)
        )
    if wanted != "nothing" and value is None:
        raise ConditionError(
            say(
                "'{operator}' needs a value. To ask whether there is any, use 'exists' or 'not_exists'.",
                operator=operator,
            )
        )
    if wanted == "list" and (not isinstance(value, list | tuple) or not value):
        raise ConditionError(
            say(
                "'{operator}' takes a list of at least one value, such as [a, b]; {found}.",
                operator=operator,
                found=describe(value),
            )
        )
    if wanted == "one" and isinstance(value, list | tuple):
        many = {"equals": "in", "not_equals": "not_in"}.get(operator)
        hint = say("use '{operator}'", operator=many) if many else say("join several conditions with match: any")
        raise ConditionError(
            say(
                "'{operator}' takes one value; {found}. For several, {hint}.",
                operator=operator,
                found=describe(value),
                hint=hint,
            )
        )


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
            say(
                "Every text of '{path}' {says} \"\". Use 'exists', or write a longer value.",
                path=field.path,
                says=operation.says,
            )
        )
    if issubclass(operation, Matches):
        _check_pattern(str(value))


def _check_pattern(pattern: str) -> None:
    try:  # Arrow's patterns are RE2, as the engine's are
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ConditionError(
            say(
                "The pattern {pattern!r} cannot be read ({error}). Patterns are RE2: no look-around, no "
                "back-references; write \\ before a sign that stands for itself.",
                pattern=pattern,
                error=str(error).partition(": ")[2],
            )
        ) from None


def _negated(condition: OnField) -> Condition:
    return Not(condition) if isinstance(condition, Exists) else Denial(condition)
