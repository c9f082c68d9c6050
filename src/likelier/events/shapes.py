"""The shape of JSON events: which leaves there are, of which kind, and which events do not fit.

A file has few different structures, so looking at these is looking at all events. From them a shape is settled: every
place is an object or a leaf, a list or one value, as the dataset has it already or else as most events have it, and
every leaf has one kind. A structure that contradicts the shape is a reason to set its events aside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from likelier.errors import UsageError
from likelier.events.schema import Field, can_name
from likelier.events.sql import Kind
from likelier.phrases import say

OBJECT, NULL, MIXED = "object", "null", "mixed"
MOST_LEAVES = 5_000

# A list of texts and numbers is taken as texts.
_KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "flag": Kind.FLAG, MIXED: Kind.TEXT}
Steps = tuple[str, ...]


@dataclass
class Node:
    """One place in the JSON: what was found there, how often, and what lies below.

    When the shape is settled, `is_object` says what the place is, `depth` how many lists deep its values lie, and
    `below` holds the keys that stand.
    """

    found: Counter[str] = field(default_factory=Counter)
    depths: Counter[int] = field(default_factory=Counter)
    below: dict[str, Node] = field(default_factory=dict)
    is_object: bool = True
    depth: int = 0

    @property
    def kinds(self) -> Counter[Kind]:
        counted: Counter[Kind] = Counter()
        for found, count in self.found.items():
            if found in _KINDS:
                counted[_KINDS[found]] += count
        return counted


@dataclass(frozen=True)
class Leaf:
    """A leaf of the settled shape, by the keys that lead to it."""

    steps: Steps
    array: bool
    kinds: Counter[Kind]

    @property
    def path(self) -> str:
        return dotted(self.steps)


def dotted(steps: Iterable[str]) -> str:
    """Write the path of a place, without prefixes.

    >>> dotted(["xdm:commerce", "xdm:purchases", "xdm:value"])
    'commerce.purchases.value'
    """
    return ".".join(step.removeprefix("xdm:") for step in steps)


# ---- settling ------------------------------------------------------------------------------------------------------


def settle_shape(structures: Mapping[str, int], kept: Mapping[str, Field]) -> Shape:
    """Settle the shape of structures, each with how many events have it, given the fields that are kept already."""
    root = Node()
    for text, count in structures.items():
        if text.startswith("{"):
            _add(root, orjson.loads(text), count)
    _settle(root, (), _Kept.of(kept))
    shape = Shape(root)
    leaves = sum(1 for _ in shape.leaves())
    if leaves > MOST_LEAVES:
        raise UsageError(
            say(
                "The events have {leaves} different fields: it seems that keys hold data. Write such keys as values.",
                leaves=leaves,
            )
        )
    return shape


def _add(node: Node, structure: Any, count: int) -> None:
    inner, depth = _unlisted(structure)
    if inner != NULL:
        node.depths[depth] += count
    if isinstance(inner, dict):
        node.found[OBJECT] += count
        for key, value in inner.items():
            _add(node.below.setdefault(key, Node()), value, count)
    elif inner != NULL:
        node.found[str(inner)] += count


def _unlisted(structure: Any) -> tuple[Any, int]:
    depth = 0
    while isinstance(structure, list):
        structure, depth = (structure[0] if structure else NULL), depth + 1
    return structure, depth


@dataclass(frozen=True)
class _Kept:
    """What the kept fields say about places: which are leaves, which lie in no list, how all are spelled."""

    leaves: frozenset[str]
    single: frozenset[str]
    spelling: Mapping[str, str]

    @classmethod
    def of(cls, fields: Mapping[str, Field]) -> _Kept:
        places = {path: list(_places(path)) for path in fields}
        return cls(
            leaves=frozenset(fields),
            single=frozenset(place for path, field in fields.items() if not field.array for place in places[path]),
            spelling={place.casefold(): place for found in places.values() for place in found},
        )


def _places(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _settle(node: Node, steps: Steps, kept: _Kept) -> None:
    path = dotted(steps)
    inside = path.casefold() in kept.spelling and path not in kept.leaves
    most = node.found[OBJECT] > 0 and node.found[OBJECT] * 2 >= node.found.total()
    node.is_object = not steps or inside or (most and path not in kept.leaves)
    node.depth = max(node.depths, key=lambda depth: (node.depths[depth], depth), default=0)
    if path in kept.single:
        node.depth = 0
    node.below = _standing(node, steps, kept) if node.is_object else {}
    for key, child in node.below.items():
        _settle(child, (*steps, key), kept)


def _standing(node: Node, steps: Steps, kept: _Kept) -> dict[str, Node]:
    """Choose the keys that stand: of several for one field, that which is kept, else the most frequent.

    Keys name one field when they differ in case or prefix only: no table can have both as columns.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for key in node.below:
        if can_name(dotted([key])):
            same[dotted([key]).casefold()].append(key)
    chosen = []
    for fold, keys in same.items():
        place = kept.spelling.get(dotted([*steps, fold]).casefold())
        spelled = keys if place is None else [key for key in keys if dotted([key]) == place[-len(fold) :]]
        if spelled:
            chosen.append(max(spelled, key=lambda key: (node.below[key].found.total(), key)))
    return {key: node.below[key] for key in sorted(chosen)}


# ---- settled -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """A settled shape."""

    root: Node

    def leaves(self) -> Iterator[Leaf]:
        """List the leaves; one that never held a value is none."""
        yield from _leaves(self.root, (), array=False)

    def fault(self, structure: Any, kinds: Mapping[Steps, Kind]) -> str | None:
        """Say why a structure does not fit, given the kind of each leaf; None when it does."""
        if not isinstance(structure, dict):
            return "not a JSON object"
        return next(_faults(self.root, structure, (), kinds), None)


def _leaves(node: Node, steps: Steps, *, array: bool) -> Iterator[Leaf]:
    here = array or node.depth > 0
    if node.is_object:
        for key, child in node.below.items():
            yield from _leaves(child, (*steps, key), array=here)
    elif kinds := node.kinds:
        yield Leaf(steps, here, kinds)


def _faults(node: Node, structure: dict[str, Any], steps: Steps, kinds: Mapping[Steps, Kind]) -> Iterator[str]:
    for key, value in structure.items():
        inner, depth = _unlisted(value)
        here = (*steps, key)
        if inner == NULL:
            continue
        child = node.below.get(key)
        if child is None and not can_name(dotted([key])):
            yield f"{dotted(here)!r}: this key cannot name a field"
        elif child is None:
            yield f"{dotted(here)}: this field is otherwise written with other capitals or another prefix"
        elif child.is_object != isinstance(inner, dict):
            found, kept = ("an object", "a value") if isinstance(inner, dict) else ("a value", "an object")
            yield f"{dotted(here)}: {found} where {kept} is kept"
        elif child.depth != depth:
            found, kept = ("a list", "one value") if depth else ("one value", "a list")
            yield f"{dotted(here)}: {found} where {kept} is kept"
        elif isinstance(inner, dict):
            yield from _faults(child, inner, here, kinds)
        elif here in kinds and not _fits(inner, kinds[here]):
            yield f"{dotted(here)}: {_said(inner)} where {_SAID[kinds[here]]} is kept"
        elif here not in kinds:
            yield f"{dotted(here)}: {_said(inner)}"


def _fits(found: str, kind: Kind) -> bool:
    if kind is Kind.TEXT:
        return found in _KINDS
    if kind is Kind.MOMENT:
        return found in ("text", "number")
    return found == kind.value


_SAID = {Kind.TEXT: "text", Kind.NUMBER: "a number", Kind.FLAG: "true or false", Kind.MOMENT: "a moment"}


def _said(found: str) -> str:
    return "values of several types in one list" if found not in _KINDS or found == MIXED else _SAID[_KINDS[found]]
