"""What a person wrote in a condition, read as a value of its field's type.

Nothing is converted that could have meant something else: ``7`` is no text and ``"7"`` is no number, because a SKU
``007`` written without quotes has already lost its zeros. The error says how to write it.

A moment becomes the span of time that was written: a date is its whole day in UTC, a date with a time that
microsecond. So ``less_or_equal 2024-01-31`` holds until the end of that day, ``greater_than 2024-01-31`` from the
next day on, and ``equals 2024-01-31`` during it.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from likelier.datasets import Field, FieldType
from likelier.errors import ConditionError, UsageError
from likelier.phrases import say
from likelier.timespan import DAY, UTC, Span, parse_moment

Value: TypeAlias = str | float | bool | Span

INSTANT = dt.timedelta(microseconds=1)


def read_value(field: Field, written: Any) -> Value:
    """Read one value for a field, or say what would fit.

    >>> read_value(Field("siteSection", FieldType.TEXT), 7)
    Traceback (most recent call last):
    likelier.errors.ConditionError: 'siteSection' holds text; 7 is a number. Put it in quotes: "7".
    """
    return _READERS[field.type](field, written)


def write_value(value: Value) -> str | float | bool:
    """Write a value as a person would, so that :func:`read_value` gives it back."""
    if isinstance(value, Span):
        return _write_span(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def show(value: Value) -> str:
    """Show a value in a sentence: text in quotes, the rest as it is."""
    written = write_value(value)
    if isinstance(value, Span):
        return str(written)
    return json.dumps(written, ensure_ascii=False)


def _read_text(field: Field, written: Any) -> str:
    if not isinstance(written, str):
        hint = (
            say(' Put it in quotes: "{value}".', value=json.dumps(written))
            if isinstance(written, bool | int | float)
            else ""
        )
        raise _misfit(field, written, hint)
    if "\x00" in written or any("\ud800" <= letter <= "\udfff" for letter in written):
        raise ConditionError(
            say("The value for '{path}' holds a character that no text in a dataset can hold.", path=field.path)
        )
    return written


def _read_number(field: Field, written: Any) -> float:
    if isinstance(written, bool) or not isinstance(written, int | float):
        number = _number(written)
        bare = say(" Write it without quotes: {value}.", value="" if number is None else show(number))
        hint = say(" Write a number, such as 3 or 9.99.") if number is None else bare
        raise _misfit(field, written, hint)
    try:
        number = float(written)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ConditionError(say("'{path}' holds finite numbers; this one is not.", path=field.path))
    return number + 0.0  # -0.0 becomes 0.0: they are equal and should read alike


def _read_flag(field: Field, written: Any) -> bool:
    if not isinstance(written, bool):
        raise _misfit(field, written, say(" Write true or false, without quotes."))
    return written


def _read_moment(field: Field, written: Any) -> Span:
    try:
        if isinstance(written, dt.datetime):
            return _instant(parse_moment(written.isoformat()))
        if isinstance(written, dt.date):
            return _day(written)
        if isinstance(written, str):
            return _day(dt.date.fromisoformat(written)) if _is_date(written) else _instant(parse_moment(written))
    except (UsageError, ValueError, OverflowError):
        pass
    raise _misfit(field, written, " Write a date such as 2011-11-01 (the whole day in UTC) or 2011-11-01T12:00:00Z.")


_READERS: Mapping[FieldType, Callable[[Field, Any], Value]] = {
    FieldType.TEXT: _read_text,
    FieldType.NUMBER: _read_number,
    FieldType.FLAG: _read_flag,
    FieldType.MOMENT: _read_moment,
}

HOLDS = {
    FieldType.TEXT: say("text"),
    FieldType.NUMBER: say("numbers"),
    FieldType.FLAG: say("true or false"),
    FieldType.MOMENT: say("moments"),
}


def _day(day: dt.date) -> Span:
    start = dt.datetime.combine(day, dt.time(), tzinfo=UTC)
    return Span(start, start + DAY)


def _instant(moment: dt.datetime) -> Span:
    return Span(moment, moment + INSTANT)


def _write_span(span: Span) -> str:
    return (span.start.date() if span.end - span.start == DAY else span.start).isoformat()


def _is_date(written: str) -> bool:
    return len(written) == len("2011-11-01") and written.count("-") == 2


def _number(written: Any) -> float | None:
    try:
        number = float(written) if isinstance(written, str) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _misfit(field: Field, written: Any, hint: str) -> ConditionError:
    return ConditionError(
        say(
            "'{path}' holds {holds}; {found}.{hint}",
            path=field.path,
            holds=HOLDS[field.type],
            found=describe(written),
            hint=hint,
        )
    )


def describe(written: Any) -> str:
    """Say what was found, in words.

    >>> describe(True), describe("home"), describe([1])
    ('true is a flag', '"home" is a text', '[1] is a list')
    """
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, say("a flag")),
        ((int, float), say("a number")),
        (str, say("a text")),
        ((dt.date, dt.datetime), say("a date")),
        ((list, tuple), say("a list")),
        (dict, say("a group of keys")),
    )
    kind = next((words for types, words in kinds if isinstance(written, types)), say("nothing"))
    shown = json.dumps(written, ensure_ascii=False, default=str)
    return say("{value} is {kind}", value=shown if len(shown) <= 60 else shown[:57] + "...", kind=kind)
