"""Rules as keys and values, as people write them in YAML and programs send them in JSON.

::

    namespace: CRMID                # which people; may be left out where the rule says it
    description: Likely buyers who stay away
    rule:
      all:
        - score: {of: Buy again, operator: greater_or_equal, value: 75}    # also probability, percentile, bucket
        - factor: {name: Days since webVisit, of: Buy again, effect: raises, operator: greater_than, value: 20}
        - attribute: {field: tier, operator: equals, value: gold}
        - did: {conditions: [{field: commerce.purchases.value, operator: exists}], at_least: 2, last_days: 30}
        - not: {segment: Staff}

A rule is one of these keys: `all` and `any` with a list of rules, `not` with a rule, the facts, or `text` with an
expression (:mod:`likelier.profiles.text`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from likelier.conditions.algebra import all_of, any_of, where
from likelier.conditions.condition import Condition
from likelier.conditions.values import describe
from likelier.datasets import Field
from likelier.documents import read_document
from likelier.errors import ConditionError, UnknownNameError, UsageError, did_you_mean
from likelier.phrases import say
from likelier.profiles.rules import (
    EFFECTS,
    NUMERIC_VALUE,
    SCORE_FIELDS,
    TEXT_VALUE,
    Did,
    FactorActs,
    InSegment,
    Rule,
    attribute_is,
    score_is,
)
from likelier.profiles.text import Names, read_rule

COMPARING = ("operator", "value", "ignore_case")
DEEPEST = 50


def load_rule_file(path: Path) -> dict[str, Any]:
    """Read a rule file: its keys `namespace`, `description` and `rule`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(say("There is no file {path}.", path=path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(say("{path} cannot be read as a text file: {error}.", path=path, error=str(error))) from None
    return _keys(read_document(text, str(path)).value, str(path), ("namespace", "description", "rule"), ("rule",))


def make_rule(written: Any, names: Names, place: str = "rule") -> Rule:
    """Make a rule of its keys; an error names the key at fault.

    >>> make_rule({"not": {"segment": "Staff"}}, Names()).words()
    'not (are in "Staff")'
    >>> make_rule({"al": []}, Names())
    Traceback (most recent call last):
    likelier.errors.ConditionError: rule: there is no key 'al' here. Did you mean 'all'?
    """
    return _Maker(names).rule(written, place, 0)


class _Maker:
    def __init__(self, names: Names) -> None:
        self._names = names

    def rule(self, written: Any, place: str, depth: int) -> Rule:
        if depth > DEEPEST:
            raise ConditionError(
                say("{place}: this is nested more than {deepest} levels deep.", place=place, deepest=DEEPEST)
            )
        keys = _keys(written, place, tuple(_KINDS))
        if len(keys) != 1:
            raise ConditionError(
                say(
                    "{place}: a rule is one key; this has {count}. Join several with all or any.",
                    place=place,
                    count=len(keys),
                )
            )
        (kind, value), *_ = keys.items()
        return _KINDS[kind](self, value, f"{place}.{kind}", depth)

    def all(self, written: Any, place: str, depth: int) -> Rule:
        return all_of(self._several(written, place, depth))

    def any(self, written: Any, place: str, depth: int) -> Rule:
        return any_of(self._several(written, place, depth))

    def _several(self, written: Any, place: str, depth: int) -> list[Rule]:
        if not isinstance(written, list) or not written:
            raise ConditionError(say("{place}: {found}. Write a list of rules.", place=place, found=describe(written)))
        return [self.rule(one, f"{place}[{number}]", depth + 1) for number, one in enumerate(written)]

    def negation(self, written: Any, place: str, depth: int) -> Rule:
        return ~self.rule(written, place, depth + 1)

    def text(self, written: Any, place: str, _: int) -> Rule:
        try:
            return read_rule(_text(written, place), self._names)
        except ConditionError as error:
            raise ConditionError(say("{place}: {error}", place=place, error=str(error)), error.key) from None

    def segment(self, written: Any, place: str, _: int) -> Rule:
        return InSegment(self._known("segment", _text(written, place), self._names.segments, place))

    def score(self, field: str) -> Callable[[Any, str, int], Rule]:
        def made(written: Any, place: str, _: int) -> Rule:
            keys = _keys(written, place, ("of", *COMPARING), ("of", "operator"))
            return score_is(self._instance(keys, place), field, lambda asked: _where(asked, keys, place))

        return made

    def factor(self, written: Any, place: str, _: int) -> Rule:
        keys = _keys(written, place, ("name", "of", "effect", *COMPARING), ("name", "of"))
        effect = keys.get("effect")
        if effect is not None and effect not in EFFECTS:
            raise ConditionError(
                say("{place}.effect: {found}. Write raises or lowers.", place=place, found=describe(effect)), "effect"
            )
        value = None
        if "operator" in keys:
            first = keys.get("value")
            first = first[0] if isinstance(first, list) and first else first
            number = isinstance(first, int | float) and not isinstance(first, bool)
            value = _where(NUMERIC_VALUE if number else TEXT_VALUE, keys, place)
        return FactorActs(self._instance(keys, place), _text(keys["name"], f"{place}.name"), effect, value)

    def attribute(self, written: Any, place: str, _: int) -> Rule:
        return attribute_is(self._condition(written, place, self._names.attributes))

    def did(self, written: Any, place: str, _: int) -> Rule:
        keys = _keys(written, place, ("conditions", "match", "at_least", "last_days"), ("conditions",))
        conditions = keys["conditions"]
        if not isinstance(conditions, list) or not conditions:
            raise ConditionError(
                say("{place}.conditions: {found}. Write a list of conditions.", place=place, found=describe(conditions))
            )
        if (match := keys.get("match", "all")) not in ("all", "any"):
            raise ConditionError(say("{place}.match: {found}. Write all or any.", place=place, found=describe(match)))
        parts = [
            self._condition(one, f"{place}.conditions[{number}]", self._names.events)
            for number, one in enumerate(conditions)
        ]
        joined = all_of(parts) if match == "all" else any_of(parts)
        return Did(joined, _count(keys.get("at_least", 1), f"{place}.at_least"), self._last_days(keys, place))

    def _last_days(self, keys: Mapping[str, Any], place: str) -> int | None:
        found = keys.get("last_days")
        return None if found is None else _count(found, f"{place}.last_days")

    def _condition(self, written: Any, place: str, fields: Mapping[str, Field]) -> Condition:
        keys = _keys(written, place, ("field", *COMPARING), ("field", "operator"))
        path = _text(keys["field"], f"{place}.field")
        return _where(fields[self._known("field", path, fields, f"{place}.field")], keys, place)

    def _instance(self, keys: Mapping[str, Any], place: str) -> str:
        return self._known("instance", _text(keys["of"], f"{place}.of"), self._names.instances, f"{place}.of")

    def _known(self, kind: str, name: str, known: Any, place: str) -> str:
        if known is not None and name not in known:
            raise ConditionError(
                say("{place}: {fault}", place=place, fault=str(UnknownNameError(kind, name, known))), kind
            )
        return name


_KINDS: Mapping[str, Callable[[_Maker, Any, str, int], Rule]] = {
    "all": _Maker.all,
    "any": _Maker.any,
    "not": _Maker.negation,
    **{
        field: lambda maker, written, place, depth, field=field: maker.score(field)(written, place, depth)  # type: ignore[misc]
        for field in SCORE_FIELDS
    },
    "factor": _Maker.factor,
    "attribute": _Maker.attribute,
    "did": _Maker.did,
    "segment": _Maker.segment,
    "text": _Maker.text,
}


def _where(field: Field, keys: Mapping[str, Any], place: str) -> Condition:
    ignore_case = keys.get("ignore_case", False)
    if not isinstance(ignore_case, bool):
        raise ConditionError(
            say("{place}.ignore_case: {found}. Write true or false.", place=place, found=describe(ignore_case)),
            "ignore_case",
        )
    try:
        return where(field, _text(keys["operator"], f"{place}.operator"), keys.get("value"), ignore_case=ignore_case)
    except ConditionError as error:
        raise ConditionError(
            say("{place}.{key}: {error}", place=place, key=error.key, error=str(error)), error.key
        ) from None


def _keys(written: Any, place: str, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(written, dict):
        raise ConditionError(
            say(
                "{place}: {found}. Write one of these keys: {known}.",
                place=place,
                found=describe(written),
                known=", ".join(known),
            )
        )
    for key in written:
        if key not in known:
            raise ConditionError(
                say(
                    "{place}: there is no key '{key}' here. {hint}",
                    place=place,
                    key=key,
                    hint=did_you_mean(str(key), known),
                ),
                str(key),
            )
    for key in needed:
        if written.get(key) is None:
            raise ConditionError(say("{place}: the key '{key}' is missing.", place=place, key=key), key)
    return written


def _text(written: Any, place: str) -> str:
    if not isinstance(written, str):
        raise ConditionError(say("{place}: {found}. Write a text.", place=place, found=describe(written)))
    return written


def _count(written: Any, place: str) -> int:
    if isinstance(written, bool) or not isinstance(written, int) or written < 1:
        raise ConditionError(
            say("{place}: {found}. Write a whole number of at least 1.", place=place, found=describe(written))
        )
    return written
