"""The shape of JSON events: which leaves there are, of which kind, and which events do not fit.

A file has few different structures, so looking at these is looking at all events. From them a shape is settled: every
place is an object or a leaf, a list or one value, as most events have it, and every leaf has one kind. A structure
that contradicts the shape is a reason to set its events aside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from likelier.errors import UsageError
from likelier.events.sql import Kind

OBJECT = "object"
MOST_LEAVES = 5_000

_KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "flag": Kind.FLAG}
NULL = "null"
Steps = tuple[str, ...]
Found = Mapping[str, int]


@dataclass
class Node:
    """One place in the JSON: what was found there, how often, and what lies below."""

    found: Counter[str] = field(default_factory=Counter)
    depths: Counter[int] = field(default_factory=Counter)
    below: dict[str, Node] = field(default_factory=dict)

    @property
    def is_object(self) -> bool:
        return bool(self.below) and self.found[OBJECT] * 2 >= self.found.total()

    @property
    def depth(self) -> int:
        """How many lists deep the values lie here, mostly."""
        return max(self.depths, key=lambda depth: (self.depths[depth], depth), default=0)


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


def grow(structures: Found) -> Node:
    """Gather all structures of objects, each with how many events have it, into one tree."""
    root = Node()
    for text, count in structures.items():
        if text.startswith("{"):
            _add(root, orjson.loads(text), count)
    leaves = sum(1 for _ in _walk(root, ()))
    if leaves > MOST_LEAVES:
        raise UsageError(
            f"The events have {leaves} different fields: it seems that keys hold data. Write such keys as values."
        )
    return root


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


def _walk(node: Node, steps: Steps) -> Iterator[tuple[Steps, Node]]:
    if not node.below:
        yield steps, node
    for key, child in node.below.items():
        yield from _walk(child, (*steps, key))


@dataclass(frozen=True)
class Shape:
    """A settled shape."""

    root: Node

    def leaves(self) -> Iterator[Leaf]:
        """List the leaves; one that never held a value is none."""
        yield from self._leaves(self.root, (), array=False)

    def _leaves(self, node: Node, steps: Steps, *, array: bool) -> Iterator[Leaf]:
        here = array or (bool(steps) and node.depth > 0)
        if node.is_object or not steps:
            for key, child in self.children(node):
                yield from self._leaves(child, (*steps, key), array=here)
        elif kinds := _kinds(node):
            yield Leaf(steps, here, kinds)

    def children(self, node: Node) -> list[tuple[str, Node]]:
        """List the keys below; of keys that differ only in case the most frequent one stands."""
        folded: dict[str, list[str]] = defaultdict(list)
        for key in node.below:
            folded[key.casefold()].append(key)
        kept = (max(keys, key=lambda key: (node.below[key].found.total(), key)) for keys in folded.values())
        return [(key, node.below[key]) for key in sorted(kept)]

    def fault(self, structure: Any, kinds: Mapping[Steps, Kind]) -> str | None:
        """Say why a structure does not fit, given the kind of each leaf; None when it does."""
        if not isinstance(structure, dict):
            return "not a JSON object"
        return next(self._faults(self.root, structure, (), kinds), None)

    def _faults(
        self, node: Node, structure: dict[str, Any], steps: Steps, kinds: Mapping[Steps, Kind]
    ) -> Iterator[str]:
        known = dict(self.children(node))
        for key, value in structure.items():
            inner, depth = _unlisted(value)
            here = (*steps, key)
            if inner == NULL:
                continue
            if key not in known:
                yield f"{dotted(here)}: this field is mostly written with other capitals"
            elif known[key].is_object != isinstance(inner, dict):
                found, kept = ("an object", "a value") if isinstance(inner, dict) else ("a value", "an object")
                yield f"{dotted(here)}: {found} where {kept} is kept"
            elif known[key].depth != depth:
                found, kept = ("a list", "one value") if depth else ("one value", "a list")
                yield f"{dotted(here)}: {found} where {kept} is kept"
            elif isinstance(inner, dict):
                yield from self._faults(known[key], inner, here, kinds)
            elif here in kinds and not _fits(inner, kinds[here]):
                yield f"{dotted(here)}: {_said(inner)} where {_KEPT[kinds[here]]} is kept"


def _kinds(node: Node) -> Counter[Kind]:
    counted: Counter[Kind] = Counter()
    for found, count in node.found.items():
        if found in _KINDS:
            counted[_KINDS[found]] += count
    return counted


def _fits(found: str, kind: Kind) -> bool:
    actual = _KINDS.get(found)
    if kind is Kind.TEXT:
        return actual is not None
    if kind is Kind.MOMENT:
        return actual in (Kind.TEXT, Kind.NUMBER)
    return actual is kind


_KEPT = {Kind.TEXT: "text", Kind.NUMBER: "a number", Kind.FLAG: "true or false", Kind.MOMENT: "a moment"}


def _said(found: str) -> str:
    return _KEPT[_KINDS[found]] if found in _KINDS else "values of several types in one list"
