r"""Rules written in the Profile Query Language, as far as they say what a rule of ours can say.

::

    homeAddress.countryCode = "US" and person.name.startsWith("A", false)
    tier in ["gold", "silver"] and not (age < 18) and email.isNotNull()
    exists E from xEvent where E.commerce.purchases.value > 0 and (E.timestamp occurs <= 30 days before now)
    xEvent[eventType = "web.visit" and timestamp occurs < 2 weeks before now].count() >= 3
    chain(xEvent, timestamp, [A: WHAT(eventType = "order") WHEN(<= 7 days before now) COUNT(>= 2)])
    inSegment("Staff")

A comparison, negated ones too, needs a value, as in a rule. `now` is the moment of evaluation. What has no counterpart
(sequences of events, aggregates, arithmetic, months, which have no fixed length) is refused, and it is said where.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ibis.expr.types import BooleanValue, Table

from likelier.conditions.algebra import where
from likelier.conditions.condition import And, Condition, all_of, any_of
from likelier.datasets import Field
from likelier.datasets import FieldType as Type
from likelier.errors import ConditionError, UnknownNameError
from likelier.phrases import say
from likelier.profiles.rules import Did, InSegment, Rule, attribute_is
from likelier.profiles.text import Names

SIGNS = {
    "=": "equals",
    "==": "equals",
    "!=": "not_equals",
    "<>": "not_equals",
    ">": "greater_than",
    ">=": "greater_or_equal",
    "<": "less_than",
    "<=": "less_or_equal",
}
METHODS = {
    "equals": "equals",
    "notEqualTo": "not_equals",
    "startsWith": "starts_with",
    "doesNotStartWith": "not_starts_with",
    "endsWith": "ends_with",
    "doesNotEndWith": "not_ends_with",
    "contains": "contains",
    "doesNotContain": "not_contains",
    "matches": "matches",
}
BARE = {"isNull": "not_exists", "isNotNull": "exists"}
DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
OTHER_UNITS = re.compile(r"(millisecond|second|minute|hour|month|year|decade|century)s?|centuries")
UNSUPPORTED = {"forall", "select", "like", "if", "let", "any", "all"}
EVENTS = "xEvent"
TIME = "timestamp"
DEEPEST = 50
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[^\W\d][\w-]*)|(?P<sign><=|>=|!=|<>|==|[=<>])"""
    r"""|(?P<mark>[()\[\],.:!])|(?P<space>\s+)|(?P<other>.)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        if self.kind == "end":
            return say("At character {at} (the end)", at=self.at)
        return say('At character {at} ("{text}")', at=self.at, text=self.text)


@dataclass(frozen=True)
class _Within(Condition):
    """That an event is at most so many days old: belongs to the fact, not to its condition."""

    days: int

    def holds(self, events: Table) -> BooleanValue:
        raise NotImplementedError

    @property
    def fields(self) -> frozenset[str]:
        return frozenset()

    def words(self) -> str:
        return f"in the last {self.days} days"


def read_pql(text: str, names: Names) -> Rule:
    """Read a rule; a ConditionError says at which character it goes wrong, or what no rule can say.

    >>> fields = {"tier": Field("tier", Type.TEXT)}
    >>> read_pql('tier.startsWith("g", false)', Names(attributes=fields)).words()
    'have tier starts with "g" in any case'
    >>> read_pql('tier like "g%"', Names(attributes=fields))
    Traceback (most recent call last):
    likelier.errors.ConditionError: At character 6 ("like"): like has no counterpart in a rule.
    """
    reader = _Reader(text, names)
    rule = reader.any_of()
    reader.expect_end()
    return rule


class _Reader:
    def __init__(self, text: str, names: Names) -> None:
        found = [_Token(match.lastgroup or "", match.group(), match.start() + 1) for match in _TOKEN.finditer(text)]
        self._tokens = [token for token in found if token.kind != "space"]
        self._end = _Token("end", "", len(text) + 1)
        self._place, self._depth, self._names = 0, 0, names
        self._inside: str | None = None
        """None outside events; else the variable of the event that is asked about, empty when it has none."""

    # joining

    def any_of(self) -> Rule:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _fault(self._token, say("the expression is nested more than {deepest} times.", deepest=DEEPEST))
        parts = [self._all_of()]
        while self._skip("or"):
            parts.append(self._all_of())
        self._depth -= 1
        if len(parts) > 1 and any(isinstance(part, _Within) or _times(part) for part in parts):
            raise ConditionError(say("A time relative to now must hold for all of an event: join it with 'and'."))
        return any_of(parts) if len(parts) > 1 else parts[0]

    def _all_of(self) -> Rule:
        parts = [self._one()]
        while self._skip("and"):
            parts.append(self._one())
        return all_of(parts) if len(parts) > 1 else parts[0]

    def _one(self) -> Rule:
        token = self._token
        if self._skip("not") or self._skip("!"):
            denied = self._one()
            if isinstance(denied, _Within) or _times(denied):
                raise _fault(token, say("a time relative to now cannot be denied within an event."))
            return ~denied
        if self._skip("("):
            found = self.any_of()
            self._expect(")")
            return found
        return self._leaf()

    # leaves

    def _leaf(self) -> Rule:
        token = self._token
        if token.kind != "word":
            raise _fault(token, say("expected a field, exists, chain, xEvent or inSegment."))
        word = token.text.casefold()
        if word in UNSUPPORTED:
            raise self._refused(token)
        if self._inside is None:
            if word in _FACTS:
                self._next()
                return _FACTS[word](self)
            if token.text == EVENTS:
                self._next()
                return self._events()
        return self._claim()

    def _exists(self) -> Rule:
        variable = self._word(say("a variable for the event, such as E"))
        self._expect("from")
        self._expect(EVENTS)
        self._expect("where")
        return self._did(variable)

    def _events(self) -> Rule:
        if self._skip("."):
            self._expect("exists")
            closing = self._opened("(")
        else:
            closing = self._opened("[")
        fact = self._did("", closing)
        if closing == ")":
            return fact
        self._expect(".")
        self._expect("count")
        self._expect("(")
        self._expect(")")
        return self._counted(fact)

    def _opened(self, mark: str) -> str:
        self._expect(mark)
        return {"(": ")", "[": "]"}[mark]

    def _chain(self) -> Rule:
        for text in ("(", EVENTS, ",", TIME, ",", "["):
            self._expect(text)
        self._word(say("a name for the event, such as A"))
        self._skip(":")
        self._expect("what")
        self._expect("(")
        fact = self._did("", ")")
        while not self._skip("]"):
            token = self._token
            if self._skip("when"):
                self._expect("(")
                days = self._days(self._next())
                self._expect(")")
                fact = Did(fact.condition, fact.at_least, days)
            elif self._skip("count"):
                self._expect("(")
                counted = self._counted(fact)
                self._expect(")")
                if not isinstance(counted, Did):
                    raise _fault(token, say("in a chain, count with >= or >."))
                fact = counted
            elif token.text == ",":
                raise _fault(token, say("a sequence of events has no counterpart in a rule; one event has."))
            else:
                raise _fault(token, say("expected WHEN, COUNT or ']'."))
        self._expect(")")
        return fact

    def _counted(self, fact: Did) -> Rule:
        sign, number = self._next(), self._next()
        if number.kind != "number" or not number.text.isdigit():
            raise _fault(number, say("expected a whole number."))
        count = int(number.text)
        least = {">=": count, ">": count + 1, "<": count, "<=": count + 1, "=": count, "==": count}.get(sign.text)
        if least is None:
            raise _fault(sign, say("expected a comparison of the count."))
        if sign.text in {">=", ">"} and least:
            return Did(fact.condition, least, fact.last_days)
        if sign.text in {"<", "<="} and least:
            return ~Did(fact.condition, least, fact.last_days)
        if sign.text in {"=", "=="}:
            too_many = ~Did(fact.condition, count + 1, fact.last_days)
            return Did(fact.condition, count, fact.last_days) & too_many if count else too_many
        raise _fault(number, say("every count, or none, satisfies this."))

    def _segment(self) -> Rule:
        self._expect("(")
        token = self._token
        name = self._text()
        self._expect(")")
        if self._names.segments is not None and name not in self._names.segments:
            raise _fault(token, str(UnknownNameError("segment", name, self._names.segments)))
        return InSegment(name)

    def _did(self, variable: str, closing: str | None = None) -> Did:
        token = self._token
        self._inside = variable
        asked = self.any_of()
        self._inside = None
        if closing:
            self._expect(closing)
        parts = asked.parts if isinstance(asked, And) else (asked,)
        if any(_times(part) for part in parts if not isinstance(part, _Within)):
            raise _fault(token, say("a time relative to now must hold for all of an event: join it with 'and'."))
        conditions = [part for part in parts if not isinstance(part, _Within)]
        days = min((part.days for part in parts if isinstance(part, _Within)), default=None)
        return Did(all_of(conditions) if conditions else where(Field(TIME, Type.MOMENT), "exists"), 1, days)

    # claims on one field

    def _claim(self) -> Condition:
        first, steps, method = self._token, [self._word(say("a field"))], None
        while self._skip("."):
            token = self._token
            steps.append(self._word(say("a part of a path")))
            if self._token.text == "(":
                steps.pop()
                method = token
                break
        if self._inside and steps[0] == self._inside:
            steps = steps[1:]
        path = ".".join(steps)
        if method is None and self._token.text.casefold() == "occurs":
            self._next()
            return self._occurs(first, path)
        field = self._field(first, path)
        return self._of(self._called(field, method) if method else self._compared(field))

    def _of(self, condition: Condition) -> Condition:
        return condition if self._inside is not None else attribute_is(condition)

    def _field(self, token: _Token, path: str) -> Field:
        known = self._names.attributes if self._inside is None else self._names.events
        if self._inside is not None and path == TIME:
            return Field(TIME, Type.MOMENT)
        if path not in known:
            kind = "profile attribute" if self._inside is None else "field of an event"
            raise _fault(token, str(UnknownNameError(kind, path, known)))
        return known[path]

    def _called(self, field: Field, method: _Token) -> Condition:
        self._expect("(")
        operator = METHODS.get(method.text) or BARE.get(method.text)
        if operator is None:
            raise self._refused(method)
        if method.text in BARE:
            self._expect(")")
            return self._where(method, field, operator)
        value, heeds_case = self._value(), True
        if self._skip(","):
            heeds_case = self._value() is not False
        self._expect(")")
        return self._where(method, field, operator, value, ignore_case=not heeds_case)

    def _compared(self, field: Field) -> Condition:
        token = self._next()
        if token.text.casefold() == "in":
            return self._where(token, field, "in", self._list())
        if token.text.casefold() == "not" and self._skip("in"):
            return self._where(token, field, "not_in", self._list())
        if token.text.casefold() in UNSUPPORTED:
            raise self._refused(token)
        if token.kind != "sign":
            raise _fault(token, say("expected a comparison, such as = or .startsWith(...)."))
        return self._where(token, field, SIGNS[token.text], self._value())

    def _where(self, token: _Token, field: Field, operator: str, value: Any = None, **more: bool) -> Condition:
        try:
            return where(field, operator, value, **more)
        except ConditionError as error:
            raise _fault(token, str(error), error.key) from None

    # time

    def _occurs(self, token: _Token, path: str) -> Condition:
        field = self._field(token, path)
        sign = self._next()
        if sign.text.casefold() in ("before", "after"):
            operator = {"before": "less_than", "after": "greater_than"}[sign.text.casefold()]
            return self._of(self._where(sign, field, operator, self._value()))
        if self._inside is None or path != TIME:
            raise _fault(sign, say("only the timestamp of an event can be compared with now."))
        return _Within(self._days(sign))

    def _days(self, sign: _Token) -> int:
        """Read `<= 30 days before now` from behind its sign."""
        if sign.text not in ("<", "<="):
            raise _fault(sign, say("a rule looks at the last days: write < or <= ... days before now."))
        number, unit = self._next(), self._next()
        if number.kind != "number" or not number.text.isdigit():
            raise _fault(number, say("expected a whole number."))
        name = unit.text.casefold()
        if name not in DAYS:
            if OTHER_UNITS.fullmatch(name):
                raise _fault(unit, say("{unit} is no span a rule counts in. Write days or weeks.", unit=unit.text))
            raise _fault(unit, say("{unit} is no unit of time. Write days or weeks.", unit=unit.text))
        self._expect("before")
        self._expect("now")
        return int(number.text) * DAYS[name]

    # values

    def _value(self) -> Any:
        token = self._token
        if token.kind == "text":
            return self._text()
        if token.kind == "number":
            self._next()
            return float(token.text) if "." in token.text else int(token.text)
        if token.text.casefold() in ("true", "false"):
            self._next()
            return token.text.casefold() == "true"
        if token.text.casefold() == "date":
            return self._date()
        raise _fault(token, say("expected a text in double quotes, a number, true, false or date(...)."))

    def _date(self) -> str:
        token = self._next()
        self._expect("(")
        parts = []
        for closing in (",", ",", ")"):
            parts.append(self._value())
            self._expect(closing)
        try:
            return dt.date(*parts).isoformat()
        except (TypeError, ValueError):
            raise _fault(token, say("there is no such date. Write date(year, month, day).")) from None

    def _list(self) -> list[Any]:
        self._expect("[")
        found = [self._value()]
        while self._skip(","):
            found.append(self._value())
        self._expect("]")
        return found

    def _text(self) -> str:
        token = self._next()
        if token.kind == "text":
            try:
                return str(json.loads(token.text, strict=False))
            except ValueError:
                raise _fault(token, say("a text whose escapes cannot be read.")) from None
        raise _fault(token, say("expected a text in double quotes."))

    # tokens

    @property
    def _token(self) -> _Token:
        return self._tokens[self._place] if self._place < len(self._tokens) else self._end

    def _next(self) -> _Token:
        token = self._token
        self._place += 1
        return token

    def _word(self, what: str) -> str:
        token = self._next()
        if token.kind != "word":
            raise _fault(token, say("expected {what}.", what=what))
        return token.text

    def _skip(self, text: str) -> bool:
        found = self._token.kind != "text" and self._token.text.casefold() == text.casefold()
        self._place += found
        return found

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise _fault(self._token, say("expected '{text}'.", text=text))

    def expect_end(self) -> None:
        if self._token.kind != "end":
            raise _fault(self._token, say("expected 'and', 'or' or the end."))

    def _refused(self, token: _Token) -> ConditionError:
        return _fault(token, say("{word} has no counterpart in a rule.", word=token.text))


def _fault(token: _Token, what: str, key: str = "value") -> ConditionError:
    """Say what is wrong, and at which character."""
    return ConditionError(say("{token}: {fault}", token=str(token), fault=what), key)


def _times(condition: Condition) -> bool:
    """Whether a time relative to now stands anywhere within."""
    parts = getattr(condition, "parts", None) or filter(None, [getattr(condition, "part", None)])
    return any(isinstance(part, _Within) or _times(part) for part in parts)


_FACTS: Mapping[str, Callable[[_Reader], Rule]] = {
    "exists": _Reader._exists,  # noqa: SLF001
    "chain": _Reader._chain,  # noqa: SLF001
    "insegment": _Reader._segment,  # noqa: SLF001
}
