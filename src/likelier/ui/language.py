"""The language of a page.

Every text that people read goes through :func:`_`, with its values put in afterwards::

    _("{count} customers scored").format(count=count(412))
"""

from __future__ import annotations

import functools
import gettext
from pathlib import Path

from nicegui import context
from starlette.requests import Request

LANGUAGES = {"en": "English"}
COOKIE = "likelier-language"
CATALOGUES = Path(__file__).parent / "languages"


def _(text: str) -> str:
    """Say a text in the language of the page that is being drawn."""
    return _catalogue(page_language()).gettext(text)


def plural(one: str, many: str, number: int) -> str:
    """Say a text in the form that a number asks for, with the number in it as ``{n}``."""
    return _catalogue(page_language()).ngettext(one, many, number).format(n=count(number))


def page_language() -> str:
    request = context.client.request if context.slot_stack else None
    return chosen_language(request) if request else "en"


def chosen_language(request: Request) -> str:
    """Take the language chosen on an earlier page, else the first of the browser's that is there.

    >>> chosen_language(Request({"type": "http", "headers": [(b"accept-language", b"xx, en-GB;q=0.5")]}))
    'en'
    """
    wanted = [request.cookies.get(COOKIE, ""), *request.headers.get("accept-language", "").split(",")]
    short = (each.strip()[:2].lower() for each in wanted)
    return next((each for each in short if each in LANGUAGES), "en")


def count(number: float | None) -> str:
    """Write a whole number.

    >>> count(12345), count(None)
    ('12,345', '–')
    """
    return "–" if number is None else f"{number:,.0f}"


@functools.cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("likelier", CATALOGUES, [language], fallback=True)
