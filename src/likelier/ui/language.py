"""The language of a page.

Every text that people read goes through :func:`_`, or is a phrase of the engine, which is said where it is drawn::

    _("{count} customers scored", count=count(412))
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from nicegui import context
from starlette.requests import Request

from likelier.languages import COOKIE, Language, chosen
from likelier.phrases import Phrase


def _(text: str, /, **values: Any) -> str:
    """Say a text in the language of the page that is being drawn."""
    return language().say(text, **values)


def plural(one: str, many: str, number: int) -> str:
    """Say a text in the form that a number asks for, with the number in it as ``{n}``."""
    return language().say_many(one, many, number)


def said(text: str) -> str:
    """Say a phrase in the language of the page; names and other texts are what they are."""
    return _(text) if isinstance(text, Phrase) else text


def factor(name: str) -> str:
    """Name a factor in the language of the page."""
    return language().factor(name)


def language() -> Language:
    """Give the language of the page that is being drawn; English where there is none."""
    try:
        return Language.of(chosen_language(context.client.request))
    except RuntimeError:
        return Language.of("en")


def chosen_language(request: Request) -> str:
    """Take the language chosen on an earlier page, else the one the browser would like most.

    >>> chosen_language(Request({"type": "http", "headers": [(b"accept-language", b"xx, fr-CA;q=0.5")]}))
    'fr'
    """
    return chosen(request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""))


def count(number: float | None) -> str:
    """Write a whole number.

    >>> count(12345), count(None)
    ('12,345', '–')
    """
    return "–" if number is None else language().number(number)


def figure(number: float | None, form: str) -> str:
    """Write a number as a format says.

    >>> figure(0.7312, ".2f"), figure(None, ".2f")
    ('0.73', '–')
    """
    return "–" if number is None else language().number(number, form)


def date(moment: dt.datetime | str | None) -> str:
    """Write the day of a moment."""
    return "–" if moment is None else language().day(moment, time=False)
