"""The links around one id, as far as they are known: to be looked at, and to find what should be cut."""

from __future__ import annotations

import datetime as dt
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from likelier.datasets import Dataset
from likelier.events.schema import IDENTITY, OTHERS
from likelier.identity import components
from likelier.identity.links import NO_DIGITS, NOBODY, node, parted

MOST_SHOWN = 500
"""Ids that are walked to; one person has fewer."""

Find = Callable[[str, str], Sequence[tuple[Dataset, pa.Table]]]
"""Give the rows that carry an id of a namespace."""


@dataclass(frozen=True)
class Seen:
    """Two ids that were seen together."""

    first: dt.datetime
    last: dt.datetime
    rows: int

    def and_again(self, other: Seen) -> Seen:
        return Seen(min(self.first, other.first), max(self.last, other.last), self.rows + other.rows)


@dataclass(frozen=True)
class Around:
    """The ids that are one person with an id, the links among them, and those that do not count."""

    ids: tuple[str, ...]
    links: Mapping[tuple[str, str], Seen]
    hubs: Mapping[str, int]
    cut: Collection[tuple[str, str]]

    def stands(self, namespace: str) -> str | None:
        """Give the id of a namespace that stands for the person: the one that was linked first, the least of equals."""
        named = sorted(one for one in self.ids if parted(one)[0] == namespace)
        return parted(min(named, key=self._since))[1] if named else None

    def _since(self, name: str) -> dt.datetime:
        told = (seen.first for pair, seen in self.links.items() if name in pair and pair not in self.cut)
        return min(told, default=dt.datetime.max.replace(tzinfo=dt.UTC))


def around(find: Find, start: str, cuts: Collection[tuple[str, str]], before: dt.datetime | None = None) -> Around:
    """Walk from an id to all that are linked with it, before a moment if told; hubs and cut links lead nowhere."""
    links: dict[tuple[str, str], Seen] = {}
    hubs: dict[str, int] = {}
    found: list[str] = []
    waiting, known = deque([start]), {start}
    while waiting and len(found) < MOST_SHOWN:
        here = waiting.popleft()
        mine = _links_of(find, here, before)
        counting = {pair: seen for pair, seen in mine.items() if pair not in cuts}
        links |= mine
        if len(counting) > components.MOST_LINKED:
            hubs[here] = len(counting)
            if here != start:
                continue
        found.append(here)
        if here not in hubs:
            fresh = sorted({one for pair in counting for one in pair} - known)
            known.update(fresh)
            waiting.extend(fresh)
    kept = {pair: seen for pair, seen in links.items() if {*pair} & {*found}}
    return Around(tuple(found), kept, hubs, frozenset(cuts) & kept.keys())


def _links_of(find: Find, name: str, before: dt.datetime | None) -> dict[tuple[str, str], Seen]:
    links: dict[tuple[str, str], Seen] = {}
    for dataset, rows in find(*parted(name)):
        columns = [column for column in rows.column_names if column.startswith(IDENTITY)]
        for row in rows.select(["timestamp", *columns]).to_pylist():
            if before is None or row["timestamp"] < before:
                once = Seen(row["timestamp"], row["timestamp"], 1)
                for pair in _pairs(dataset, row):
                    if name in pair:
                        links[pair] = links[pair].and_again(once) if pair in links else once
    return links


def _pairs(dataset: Dataset, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    firsts = {one: row[f"{IDENTITY}{one}"] for one in dataset.namespaces}
    named = [node(namespace, one) for namespace, one in firsts.items() if names_somebody(one)]
    for place, one in enumerate(named):
        for other in named[place + 1 :]:
            yield (min(one, other), max(one, other))
    for namespace, first in firsts.items():
        for further in row.get(f"{IDENTITY}{namespace}{OTHERS}") or ():
            if names_somebody(first) and names_somebody(further):
                one, other = node(namespace, first), node(namespace, further)
                yield (min(one, other), max(one, other))


def rows_of(found: Around, find: Find, namespace: str, stands: str) -> dict[str, pa.Table]:
    """Give the rows that count for a person by dataset, all under the id that stands for them.

    It is what :mod:`.persons` gathers of everybody at once, of datasets that all have the namespace.
    """
    column = f"{IDENTITY}{namespace}"
    gathered: dict[str, list[pa.Table]] = {}
    for one in found.ids:
        for dataset, rows in find(*parted(one)):
            order = [namespace, *(other for other in dataset.namespaces if other != namespace)]
            counts = [_counts_for(row, order) == one for row in rows.select(_identities(rows)).to_pylist()]
            mine = rows.filter(pa.array(counts, pa.bool_()))
            place = rows.column_names.index(column)
            name = pa.scalar(stands, rows.schema.field(place).type)
            gathered.setdefault(dataset.name, []).append(mine.set_column(place, column, pa.repeat(name, len(mine))))
    return {name: pa.concat_tables(tables) for name, tables in gathered.items()}


def _identities(rows: pa.Table) -> list[str]:
    return [name for name in rows.column_names if name.startswith(IDENTITY)]


def _counts_for(row: Mapping[str, Any], order: Sequence[str]) -> str | None:
    """Name the id that a row counts for: the first in an order of namespaces."""
    for namespace in order:
        one = row.get(f"{IDENTITY}{namespace}")
        if one is not None and names_somebody(one):
            return node(namespace, one)
    return None


def names_somebody(identity: str | None) -> bool:
    """Say whether a text is an id, and not what is written where there is none.

    >>> [names_somebody(text) for text in ("c42", " NULL ", "0000-0000", "", None)]
    [True, False, False, False, False]
    """
    bare = (identity or "").strip().lower()
    return bare not in NOBODY and not re.search(NO_DIGITS, bare)
