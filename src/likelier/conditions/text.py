r"""Conditions as a readable expression, and back.

::

    commerce.purchases.value exists and web.webPageDetails.name starts_with "home" ignore_case
    (eventType in ["order", "return"] or not (device.mobile equals true)) and timestamp less_than 2024-01-01

``not`` binds before ``and``, ``and`` before ``or``; capitals do not matter for these words. Texts stand in double or
single quotes with JSON's escapes (``\"``, ``\n``, ``\u00e9``), numbers, ``true``, ``false`` and dates without. A path
that is not a plain word stands in backquotes. ``=``, ``!=``, ``>``, ``>=``, ``<`` and ``<=`` may be written for the
operators they stand for.

:func:`write_condition` and :func:`read_condition` are each other's inverse.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from likelier.conditions.algebra import OPERATORS, takes, where
from likelier.conditions.condition import And, Condition, Not, Or, all_of, any_of
from likelier.conditions.operations import Denial, Exists, OnField, Statement
from likelier.datasets import Field, FieldType
from likelier.errors import ConditionError, UnknownNameError, did_you_mean
from likelier.phrases import say

SIGNS = {
    "=": "equals",
    "!=": "not_equals",
    ">": "greater_than",
    ">=": "greater_or_equal",
    "<": "less_than",
    "<=": "less_or_equal",
}
JOINING = ("and", "or", "not")
FLAGS = {"true": True, "false": False}
RESERVED = {*JOINING, *FLAGS, "ignore_case"}
DEEPEST = 100


# --- writing ---------------------------------------------------------------------------------------------------------


def write_condition(condition: Condition) -> str:
    """Write a condition as an expression.

    >>> from likelier.datasets import FieldType
    >>> page, paid = Field("web.webPageDetails.name", FieldType.TEXT), Field("price", FieldType.NUMBER)
    >>> print(write_condition(where(paid, "less_than", 50) & ~(where(page, "in", ["a", "b"]) | where(page, "exists"))))
    price less_than 50 and not (web.webPageDetails.name in ["a", "b"] or web.webPageDetails.name exists)
    """
    match condition:
        case And(parts):
            return " and ".join(_inside(part, Or) for part in parts)
        case Or(parts):
            return " or ".join(_inside(part) for part in parts)
        case Not(Exists(field)):
            return _write_statement(Statement(field, Exists.opposite))
        case Not(part):
            return f"not ({write_condition(part)})"
        case OnField() | Denial():
            return _write_statement(condition.stated())
    raise TypeError(f"{type(condition).__name__} has no text form")


def _inside(part: Condition, *looser: type[Condition]) -> str:
    written = write_condition(part)
    return f"({written})" if isinstance(part, looser) else written


def _write_statement(statement: Statement) -> str:
    return f"{write_path(statement.field.path)} {write_claim(statement)}"


def write_claim(statement: Statement) -> str:
    """Write what is said of the field: operator, value and the case flag."""
    words = [statement.operator]
    if statement.value is not None:
        words.append(_write_value(statement.field, statement.value))
    return " ".join([*words, "ignore_case"] if statement.ignore_case else words)


def write_path(path: str, reserved: Collection[str] = frozenset(RESERVED)) -> str:
    """Write a field's path, in backquotes when it is no plain word or means something else."""
    plain = _WORD.fullmatch(path) and path.lower() not in reserved
    return path if plain else "`" + path.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _write_value(field: Field, value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_write_value(field, one) for one in value) + "]"
    return value if field.type is FieldType.MOMENT else json.dumps(value, ensure_ascii=False)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_condition(text: str, fields: Mapping[str, Field]) -> Condition:
    """Read an expression on fields; a ConditionError says at which character it goes wrong.

    >>> from likelier.datasets import FieldType
    >>> fields = {"eventType": Field("eventType", FieldType.TEXT)}
    >>> read_condition("eventType = 'order' or not eventType exists", fields).words()
    'eventType is "order" or eventType does not exist'
    >>> read_condition("eventType = order", fields)
    Traceback (most recent call last):
    likelier.errors.ConditionError: At character 13 (order): put a text in quotes: "order".
    """
    return Reader(text, fields).condition()


@dataclass(frozen=True)
class Token:
    """A piece of an expression, what it stands for, and where it begins, counted from 1."""

    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        if self.kind == "end":
            return say("At the end")
        return say("At character {position} ({text})", position=self.position, text=self.text)


_WORD = re.compile(r"[^\W\d][\w.:/@$#-]*")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt][\d:.]+(?:[Zz]|[+-]\d\d:\d\d)?)?")
_TOKEN = re.compile(
    rf"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
  | (?P<path>`(?:[^`\\]|\\.)+`)
  | (?P<number>-?\d[\w.:+-]*)
  | (?P<word>{_WORD.pattern})
  | (?P<sign><=|>=|!=|=|<|>)
  | (?P<mark>[()\[\],])
  | (?P<end>\Z)
  | (?P<quote>["'`])
  | (?P<other>\S)
    )""",
    re.VERBOSE | re.DOTALL,
)


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while True:
        found = _TOKEN.match(text, position)
        assert found, "every character fits one of the kinds"
        kind = found.lastgroup or "end"
        token = Token(kind, found[kind], found.start(kind) + 1)
        if kind == "quote":
            raise ConditionError(say("{token}: this quote is not closed.", token=str(token)))
        if kind == "other":
            raise ConditionError(say("{token}: this character fits nowhere here.", token=str(token)))
        yield token
        if kind == "end":
            return
        position = found.end()


class Reader:
    """Reads by recursive descent, one method for each rule of the grammar; a larger language overrides :meth:`leaf`."""

    def __init__(self, text: str, fields: Mapping[str, Field]) -> None:
        self._tokens = _tokens(text)
        self._ahead: deque[Token] = deque()
        self._token = next(self._tokens)
        self._fields = fields
        self._depth = 0

    def condition(self) -> Condition:
        condition = self._or()
        if self._token.kind != "end":
            raise ConditionError(say("{token}: expected 'and', 'or' or the end.", token=str(self._token)))
        return condition

    def _or(self) -> Condition:
        parts = [self._and()]
        while self._skip("or"):
            parts.append(self._and())
        return any_of(parts)

    def _and(self) -> Condition:
        parts = [self._not()]
        while self._skip("and"):
            parts.append(self._not())
        return all_of(parts)

    def _not(self) -> Condition:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ConditionError(
                say("{token}: this is nested more than {deepest} levels deep.", token=str(self._token), deepest=DEEPEST)
            )
        condition = ~self._not() if self._skip("not") else self._primary()
        self._depth -= 1
        return condition

    def _primary(self) -> Condition:
        return self._bracket() if self._token.text == "(" else self.leaf()

    def _bracket(self) -> Condition:
        self._next()
        condition = self._or()
        if not self._skip(")"):
            raise ConditionError(say("{token}: expected 'and', 'or' or ')'.", token=str(self._token)))
        return condition

    def leaf(self) -> Condition:
        """Read what stands between the joining words."""
        return self._comparison(self._token, self._field())

    def _comparison(self, field_token: Token, field: Field) -> Condition:
        operator_token, operator = self._token, self._operator()
        value_token, value = self._token, self._value(operator)
        ignore_case = self._skip("ignore_case")
        at = {"field": field_token, "operator": operator_token, "value": value_token}
        try:
            return where(field, operator, value, ignore_case=ignore_case)
        except ConditionError as error:
            raise ConditionError(
                say("{at}: {error}", at=str(at.get(error.key, value_token)), error=str(error)), error.key
            ) from None

    def _field(self) -> Field:
        token = self._next()
        path = token.text if token.kind == "word" else ""
        if token.kind == "path":
            path = re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if not path or (token.kind == "word" and path.lower() in RESERVED):
            raise ConditionError(say("{token}: expected a field, 'not' or '('.", token=str(token)), "field")
        if path not in self._fields:
            raise ConditionError(
                say("{token}: {fault}", token=str(token), fault=str(UnknownNameError("field", path, self._fields))),
                "field",
            )
        return self._fields[path]

    def _operator(self) -> str:
        token = self._next()
        operator = SIGNS.get(token.text, token.text)
        if operator not in OPERATORS:
            if token.kind != "word" or token.text.lower() in RESERVED:
                raise ConditionError(
                    say("{token}: expected an operator, such as 'exists' or 'equals'.", token=str(token)), "operator"
                )
            near = did_you_mean(operator, OPERATORS)
            raise ConditionError(
                say(
                    "{token}: there is no operator '{operator}'. {near}", token=str(token), operator=operator, near=near
                ),
                "operator",
            )
        return operator

    def _value(self, operator: str) -> Any:
        match takes(operator):
            case "nothing":
                return None
            case "list":
                return self._list(operator)
            case "one":
                return self._scalar(operator)

    def _list(self, operator: str) -> list[Any]:
        if not self._skip("["):
            raise ConditionError(
                say(
                    '{token}: \'{operator}\' takes a list, such as ["a", "b"].',
                    token=str(self._token),
                    operator=operator,
                )
            )
        values = [self._scalar(operator)]
        while self._skip(","):
            values.append(self._scalar(operator))
        if not self._skip("]"):
            raise ConditionError(say("{token}: expected ',' or ']'.", token=str(self._token)))
        return values

    def _scalar(self, operator: str) -> Any:
        token = self._next()
        match token.kind:
            case "text":
                return unquoted(token)
            case "number":
                return _number_or_moment(token)
            case "word" if token.text.lower() in FLAGS:
                return FLAGS[token.text.lower()]
            case "word" if token.text.lower() not in RESERVED:
                raise ConditionError(say('{token}: put a text in quotes: "{text}".', token=str(token), text=token.text))
        raise ConditionError(
            say(
                "{token}: expected the value of '{operator}', such as \"home\", 3 or 2024-01-31.",
                token=str(token),
                operator=operator,
            )
        )

    def _next(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._token = self._ahead.popleft() if self._ahead else next(self._tokens)
        return token

    def _peek(self, count: int = 1) -> Token:
        """Look at a token behind the present one without reading on."""
        self._ahead.extend(islice(self._tokens, count - len(self._ahead)))
        return self._ahead[count - 1] if len(self._ahead) >= count else (self._ahead or [self._token])[-1]

    def _skip(self, text: str) -> bool:
        skipped = self._token.kind in ("word", "mark") and self._token.text.lower() == text
        if skipped:
            self._next()
        return skipped


def unquoted(token: Token) -> str:
    """Read the text that stands in quotes."""
    inner = token.text[1:-1]
    if token.text[0] == "'":
        inner = re.sub(r"\\.|\"", _as_in_double_quotes, inner, flags=re.DOTALL)
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        raise ConditionError(
            say("{token}: there is no such escape; write \\\\ for a backslash.", token=str(token))
        ) from None


def _number_or_moment(token: Token) -> Any:
    if _MOMENT.fullmatch(token.text):
        return token.text
    try:
        return json.loads(token.text)
    except ValueError:
        raise ConditionError(
            say('{token}: this is no number; put a text in quotes: "{text}".', token=str(token), text=token.text)
        ) from None


def _as_in_double_quotes(found: re.Match[str]) -> str:
    return {"\\'": "'", '"': '\\"'}.get(found[0], found[0])
