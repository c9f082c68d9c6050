r"""Rules as a readable expression, and back: the language of :mod:`likelier.conditions.text` with facts for its leaves.

::

    score of "Buy again" >= 75                      also: probability, percentile, bucket
    factor "Days since webVisit" of "Buy again" raises and value > 20
    tier = "gold"                                   a profile attribute
    did (commerce.purchases.value exists) at least 2 times in the last 30 days
    not in segment "Staff"

``and value ...`` right after a factor belongs to the factor. ``at least n times`` and ``in the last d days`` may be
left out: once, ever. An attribute whose path is one of the words that begin a fact stands in backquotes.
:func:`write_rule` and :func:`read_rule` are each other's inverse.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from likelier.conditions.condition import And, Condition, Not, Or
from likelier.conditions.operations import Denial, OnField
from likelier.conditions.text import RESERVED, Reader, Token, unquoted, write_claim, write_condition, write_path
from likelier.datasets import Field
from likelier.errors import ConditionError, UnknownNameError
from likelier.phrases import say
from likelier.profiles.rules import (
    EFFECTS,
    NUMERIC_VALUE,
    SCORE_FIELDS,
    TEXT_VALUE,
    AttributeIs,
    Did,
    Effect,
    Fact,
    FactorActs,
    InSegment,
    Rule,
    ScoreIs,
    attribute_is,
    score_is,
)

BEGINNINGS = {*SCORE_FIELDS, "factor", "did", "in", "value"}


@dataclass(frozen=True)
class Names:
    """What a rule may name; None: anything, as of a rule that was read before."""

    events: Mapping[str, Field] = field(default_factory=dict)
    attributes: Mapping[str, Field] = field(default_factory=dict)
    instances: Collection[str] | None = None
    segments: Collection[str] | None = None


# --- writing ---------------------------------------------------------------------------------------------------------


def write_rule(rule: Rule) -> str:
    """Write a rule as an expression."""
    match rule:
        case And(parts):
            return " and ".join(f"({write_rule(part)})" if isinstance(part, Or) else write_rule(part) for part in parts)
        case Or(parts):
            return " or ".join(write_rule(part) for part in parts)
        case Not(Did() | InSegment() as fact):
            return f"not {_write_fact(fact)}"
        case Not(part):
            return f"not ({write_rule(part)})"
        case Fact():
            return _write_fact(rule)
    raise TypeError(f"{type(rule).__name__} is no rule")


def _write_fact(fact: Fact) -> str:
    match fact:
        case ScoreIs(instance, condition):
            stated = _stated(condition)
            return f"{stated.field.path} of {_quoted(instance)} {write_claim(stated)}"
        case FactorActs(instance, factor, effect, value):
            claim = f" and value {write_claim(_stated(value))}" if value else ""
            return f"factor {_quoted(factor)} of {_quoted(instance)}{f' {effect}' if effect else ''}{claim}"
        case AttributeIs(condition):
            stated = _stated(condition)
            return f"{write_path(stated.field.path, RESERVED | BEGINNINGS)} {write_claim(stated)}"
        case Did(condition, at_least, last_days):
            times = f" at least {at_least} times" if at_least > 1 else ""
            last = f" in the last {last_days} days" if last_days else ""
            return f"did ({write_condition(condition)}){times}{last}"
        case InSegment(segment):
            return f"in segment {_quoted(segment)}"
    raise TypeError(f"{type(fact).__name__} has no text form")


def _stated(condition: Condition | None) -> Any:
    assert isinstance(condition, OnField | Denial)
    return condition.stated()


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_rule(text: str, names: Names) -> Rule:
    """Read a rule; a ConditionError says at which character it goes wrong.

    >>> rule = read_rule('bucket of "Buy again" = "high" and not in segment "Staff"', Names())
    >>> print(write_rule(rule))
    bucket of "Buy again" equals "high" and not in segment "Staff"
    >>> read_rule('in segment "Stuff"', Names(segments=["Staff"]))
    Traceback (most recent call last):
    likelier.errors.ConditionError: At character 12 ("Stuff"): There is no segment 'Stuff'. Did you mean 'Staff'?
    """
    return _RuleReader(text, names).condition()


class _RuleReader(Reader):
    """Reads facts where a condition has comparisons."""

    def __init__(self, text: str, names: Names) -> None:
        super().__init__(text, names.attributes)
        self._names = names
        self._inside_did = False

    def leaf(self) -> Rule:
        if self._inside_did:
            return super().leaf()
        token = self._token
        word = token.text.lower() if token.kind == "word" else ""
        if word in SCORE_FIELDS:
            return self._score(self._next())
        if read := _FACTS.get(word):
            self._next()
            return read(self)
        return attribute_is(super().leaf())

    def _score(self, token: Token) -> Rule:
        instance = self._of()
        return score_is(instance, token.text.lower(), lambda asked: self._comparison(token, asked))

    def _factor(self) -> Rule:
        factor = self._text(say("the factor's name in quotes"))
        instance = self._of()
        effect: Effect | None = next((effect for effect in EFFECTS if self._skip(effect)), None)
        token, value = self._token, self._factor_value()
        with _at(token):
            return FactorActs(instance, factor, effect, value)

    def _factor_value(self) -> Condition | None:
        following = self._peek()
        if not (self._token.text.lower() == "and" and following.kind == "word" and following.text.lower() == "value"):
            return None
        self._next()
        return self._value_condition(self._next())

    def _value_condition(self, token: Token) -> Condition:
        kind = TEXT_VALUE if self._compares_text() else NUMERIC_VALUE
        return self._comparison(token, kind)

    def _compares_text(self) -> bool:
        """Look at the value behind the operator: a number asks for numbers."""
        first = self._peek()
        if first.text == "[":
            first = self._peek(2)
        return first.kind != "number"

    def _did(self) -> Rule:
        denied = self._skip("not")
        fact = self._did_so()
        return ~fact if denied else fact

    def _did_so(self) -> Rule:
        if self._token.text != "(":
            raise ConditionError(say("{token}: expected '(' and a condition on an event.", token=str(self._token)))
        self._fields, self._inside_did = self._names.events, True
        condition = self._bracket()
        self._fields, self._inside_did = self._names.attributes, False
        at_least = 1
        if self._skip("at"):
            self._expect("least")
            at_least = self._count()
            if not self._skip("time"):
                self._expect("times")
        token, last_days = self._token, self._last_days()
        with _at(token):
            return Did(condition, at_least, last_days)

    def _last_days(self) -> int | None:
        # `in segment ...` may not follow here without a joining word, so `in` begins the window.
        if not self._skip("in"):
            return None
        self._expect("the")
        self._expect("last")
        days = self._count()
        if not self._skip("day"):
            self._expect("days")
        return days

    def _segment(self) -> Rule:
        self._expect("segment")
        token, segment = self._token, self._text(say("the segment's name in quotes"))
        self._known("segment", segment, self._names.segments, token)
        return InSegment(segment)

    def _of(self) -> str:
        self._expect("of")
        token, instance = self._token, self._text(say("the instance's name in quotes"))
        self._known("instance", instance, self._names.instances, token)
        return instance

    def _known(self, kind: str, name: str, known: Collection[str] | None, token: Token) -> None:
        if known is not None and name not in known:
            raise ConditionError(
                say("{token}: {fault}", token=str(token), fault=str(UnknownNameError(kind, name, known))), kind
            )

    def _expect(self, word: str) -> None:
        if not self._skip(word):
            raise ConditionError(say("{token}: expected '{word}'.", token=str(self._token), word=word))

    def _text(self, what: str) -> str:
        token = self._next()
        if token.kind != "text":
            raise ConditionError(say("{token}: expected {what}.", token=str(token), what=what))
        return unquoted(token)

    def _count(self) -> int:
        token = self._next()
        if token.kind != "number" or not token.text.isascii() or not token.text.isdigit() or int(token.text) < 1:
            raise ConditionError(say("{token}: expected a whole number of at least 1.", token=str(token)))
        return int(token.text[:9])


@contextmanager
def _at(token: Token) -> Iterator[None]:
    """Say where a fact goes wrong."""
    try:
        yield
    except ConditionError as error:
        raise ConditionError(say("{token}: {error}", token=str(token), error=str(error)), error.key) from None


_FACTS: Mapping[str, Callable[[_RuleReader], Rule]] = {
    "factor": _RuleReader._factor,  # noqa: SLF001
    "did": _RuleReader._did,  # noqa: SLF001
    "in": _RuleReader._segment,  # noqa: SLF001
}
