"""What people read, in their language: texts, phrases, numbers and dates.

The texts stand in gettext catalogues beside this file, one `.po` for each language; they are read as they are, so that
nothing has to be compiled. `python -m likelier.languages.gather` brings them up to date with the code.
"""

from __future__ import annotations

import datetime as dt
import functools
import gettext
import io
import re
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from babel import Locale, dates
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import get_decimal_symbol, get_group_symbol

from likelier.languages.factors import FACTORS
from likelier.phrases import Phrase, moment_of

NAMES = {"en": "English", "fr": "Français", "es": "Español", "pt": "Português"}
COOKIE = "likelier-language"
CATALOGUES = Path(__file__).parent
_LOCALES = {"en": "en_GB"}  # days before months


class Language:
    """A language that pages speak.

    >>> from likelier.phrases import day, number, say
    >>> french = Language.of("fr")
    >>> french.say("Goal"), french.say(number(1234.5, ",.1f")), french.say(day("2024-02-01"))
    ('Objectif', '1\u202f234,5', '1 févr. 2024')
    >>> french.say(say("{code} is nothing to translate", code="x"))
    'x is nothing to translate'
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self._texts = _texts(code)
        self._locale = Locale.parse(_LOCALES.get(code, code))
        self._format = _Formatter(self)

    @staticmethod
    @functools.cache
    def of(code: str) -> Language:
        return Language(code)

    def say(self, text: str, /, **values: Any) -> str:
        """Say a text of the catalogue, or a phrase with all that is in it; any other text stays as it is."""
        if isinstance(text, Phrase):
            return self._phrase(text)
        said = self._texts.gettext(text) if text else ""
        return self._format.format(said, **values) if values else said

    def say_many(self, one: str, many: str, n: float, **values: Any) -> str:
        """Say the text that a number asks for, with the number as `n`."""
        return self._format.format(self._texts.ngettext(one, many, _plural(n)), n=n, **values)

    def _phrase(self, phrase: Phrase) -> str:
        if phrase.plural:
            said = self._texts.ngettext(phrase.template, phrase.plural, _plural(phrase.values["n"]))
        else:
            said = self._texts.gettext(phrase.template) if phrase.template else ""
        return self._format.format(said, **phrase.values)

    def factor(self, name: str) -> str:
        """Say the name of a factor: what it measures, in this language, of something that has its own name.

        >>> Language.of("en").factor("Days since webVisit"), Language.of("fr").factor("Days since webVisit")
        ('Days since webVisit', 'Jours depuis webVisit')
        """
        for template, pattern in _factor_patterns():
            if found := pattern.fullmatch(name):
                return self.say(template, **found.groupdict()) if found.groupdict() else self.say(template)
        return name

    def number(self, value: float, form: str = ",.0f") -> str:
        r"""Write a number as a format says, with this language's signs.

        >>> Language.of("es").number(0.125, ".1%"), Language.of("pt").number(12345)
        ('12,5\xa0%', '12.345')
        """
        return self.written(format(value, form))

    def written(self, digits: str) -> str:
        """Write a number that was written in English."""
        if self.code == "en":
            return digits
        signs = {",": get_group_symbol(self._locale), ".": get_decimal_symbol(self._locale)}
        signs["%"] = self._locale.percent_formats[None].suffix[0]
        return "".join(signs.get(each, each) for each in digits)

    def day(self, moment: dt.datetime | str, *, time: bool = True) -> str:
        """Write a moment as a day, with its time when it is not midnight UTC."""
        at = moment_of(moment)
        day = dates.format_date(at, "medium", self._locale)
        midnight = (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
        return day if midnight or not time else f"{day}, {at:%H:%M} UTC"


class _Formatter(string.Formatter):
    """Puts values into a template as a language writes them."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def format_field(self, value: Any, form: str) -> str:
        if isinstance(value, Phrase):
            return self._language.say(value)
        if form == "day":
            return self._language.day(value)
        if form == "number":
            return self._language.written(value)
        if isinstance(value, int | float) and form:
            return self._language.number(value, form)
        return format(value, form)


def chosen(cookie: str, accepted: str) -> str:
    """Take the language chosen before, else the first of the browser's that is there.

    >>> chosen("", "xx, pt-BR;q=0.8, en;q=0.5"), chosen("es", "fr"), chosen("", "de")
    ('pt', 'es', 'en')
    """
    return next((each for each in _wished(cookie, accepted) if each in NAMES), "en")


def _wished(cookie: str, accepted: str) -> Iterable[str]:
    yield cookie
    weighed = []
    for place, each in enumerate(accepted.split(",")):
        name, _, weight = each.partition(";q=")
        try:
            weighed.append((-float(weight or 1), place, name.strip()[:2].lower()))
        except ValueError:
            continue
    yield from (name for _, _, name in sorted(weighed))


def _plural(n: float) -> int:
    # Catalogues choose by whole numbers; no part of one is one.
    return int(n) if float(n).is_integer() else 2


@functools.cache
def _texts(code: str) -> gettext.NullTranslations:
    file = CATALOGUES / f"{code}.po"
    if not file.exists():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with file.open("rb") as read:
        write_mo(compiled, read_po(read, locale=code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@functools.cache
def _factor_patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Give a pattern for each way that factors are named, those that say most first."""
    ordered = sorted(FACTORS, key=lambda template: -len(re.sub(r"{\w+}", "", template)))
    return [(template, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template)))) for template in ordered]
