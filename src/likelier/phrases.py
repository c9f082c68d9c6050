"""Sentences that remember how they were put together, so that they can be said in another language later.

The rooms of the engine speak English and know of no other language. What they say to people is written with
:func:`say` instead of an f-string: the result *is* the English text, a `str` like any other, and keeps its template and
values besides. Whoever shows it to a person (:mod:`likelier.languages`) looks up the template in that person's
language and puts the values in anew, numbers in that language's way, phrases within phrases included.

A phrase that is stored goes through :func:`dump` and :func:`load`; everywhere else it is kept as its English text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Self


class Phrase(str):
    """An English text with its template and values; `plural` is the template for more than one `n`."""

    __slots__ = ("plural", "template", "values")

    template: str
    values: Mapping[str, Any]
    plural: str

    def __new__(cls, english: str, template: str, values: Mapping[str, Any], plural: str = "") -> Self:
        phrase = super().__new__(cls, english)
        phrase.template, phrase.values, phrase.plural = template, values, plural
        return phrase

    def __str__(self) -> str:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Phrase, (str.__str__(self), self.template, self.values, self.plural)


def say(template: str, /, **values: Any) -> str:
    """Say a text with its values, as `str.format` would.

    >>> say("{eligible:,} people are eligible in {place}.", eligible=1234, place="France")
    '1,234 people are eligible in France.'
    """
    return Phrase(template.format(**values), template, values)


def say_many(one: str, many: str, n: float, /, **values: Any) -> str:
    """Say the text for one or the text for many, with the number as `n`.

    >>> say_many("{n} day", "{n:,} days", 1), say_many("{n} day", "{n:,} days", 1400)
    ('1 day', '1,400 days')
    """
    values = {"n": n, **values}
    return Phrase((one if n == 1 else many).format(**values), one, values, many)


def number(value: float, form: str = ",", sign: str = "") -> str:
    """Write a number by its format, with a sign after it.

    >>> number(1234.5, ",.1f"), number(0.2, ".0%"), number(2.14, ".1f", "×")
    ('1,234.5', '20%', '2.1×')
    """
    return Phrase(f"{value:{form}}{sign}", f"{{value:{form}}}{sign}", {"value": value})


def join(parts: Sequence[str], between: str = " ") -> str:
    """Put phrases one after the other.

    >>> join(["a day", "a week"], ", ")
    'a day, a week'
    """
    places = {f"part{place}": part for place, part in enumerate(parts)}
    template = ("{between}" if isinstance(between, Phrase) else between).join(f"{{{name}}}" for name in places)
    return Phrase(between.join(parts), template, {**places, "between": between})


def dump(text: str) -> Any:
    """Give a text, or a phrase with all it remembers, as plain data for JSON.

    >>> dump("Buy"), dump(say("{n} days", n=7))
    ('Buy', {'english': '7 days', 'template': '{n} days', 'values': {'n': 7}, 'plural': ''})
    """
    if not isinstance(text, Phrase):
        return text
    values = {name: dump(value) if isinstance(value, str) else _plain(value) for name, value in text.values.items()}
    return {"english": str.__str__(text), "template": text.template, "values": values, "plural": text.plural}


def load(data: Any) -> Any:
    """Read what :func:`dump` gave.

    >>> load(dump(say("{n} days", n=7))).template
    '{n} days'
    """
    if not isinstance(data, Mapping):
        return data
    values = {name: load(value) for name, value in data["values"].items()}
    return Phrase(data["english"], data["template"], values, data["plural"])


def _plain(value: Any) -> Any:
    """Keep numbers, and the text of anything else."""
    return value if isinstance(value, int | float) else str(value)


def day(moment: str | dt.datetime | None) -> str:
    """Write a moment as a day, with its time when it is not midnight UTC.

    >>> day("2011-11-01T00:00:00+00:00"), day("2011-11-01T09:05:00Z"), day(None)
    ('1 Nov 2011', '1 Nov 2011, 09:05 UTC', '–')
    """
    if not moment:
        return "–"
    at = moment_of(moment)
    date = f"{at.day} {at:%b %Y}"
    english = date if (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0) else f"{date}, {at:%H:%M} UTC"
    return Phrase(english, "{moment:day}", {"moment": at.isoformat()})


def moment_of(moment: str | dt.datetime) -> dt.datetime:
    """Read a moment, in UTC."""
    at = moment if isinstance(moment, dt.datetime) else dt.datetime.fromisoformat(moment)
    return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
