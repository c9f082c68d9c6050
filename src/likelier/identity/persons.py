"""Who is one person at each cut-off of a run, and how a run's rows are gathered by it.

What decides a cut-off is what was known before it, so a person may be two people at an early cut-off and one at a
later one. Each set of connected ids is therefore a *version*, which stands for the cut-offs at which the set was so,
and has the rows of all its ids. A version is named by the id that stands for it: the one of the namespace that was
linked first. Ids of other namespaces that are not linked with one of it name nobody who could be scored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from likelier.backend import Engine, batches
from likelier.identity.components import connected, gathered, known_since
from likelier.identity.links import BETWEEN, node
from likelier.timespan import to_us

KEY, PERSON = ".key", ".person"
"""They stand beside the fields of events, whose names do not begin with a dot."""


@dataclass(frozen=True)
class Persons:
    """Versions of the persons of a namespace: which ids count for which (`.key`, `.person`), and at which cut-offs.

    An id that is not among the keys was never linked: it is a person of its own, always. The version of the last
    cut-off goes by the id that stands for it; earlier ones have a number after it.
    """

    namespace: str
    keys: ibis.Table
    names: pa.Array
    first: np.ndarray
    last: np.ndarray
    cut_offs: int

    def by_person(self, rows: ibis.Table) -> ibis.Table:
        """Gather rows, whose `who` names the id they count for, by person; those of nobody are left out."""
        joined = rows.left_join(self.keys, rows.who == self.keys[KEY]).drop(KEY)
        start = node(self.namespace, "")
        own = ibis.ifelse(joined.who.startswith(start), joined.who.substr(len(start)), ibis.null("string"))
        named = joined.mutate(who=ibis.coalesce(joined[PERSON], own)).drop(PERSON)
        return named.filter(named.who.notnull())

    def spans(self, ids: pa.Array) -> np.ndarray:
        """Give the first and the last cut-off that each person stands for, by place; int64 of shape (ids, 2)."""
        place = pc.index_in(ids, self.names)
        found = np.array([0, self.cut_offs - 1]) * np.ones((len(ids), 1), np.int64)
        known = place.is_valid().to_numpy(zero_copy_only=False)
        places = place.drop_null().to_numpy(zero_copy_only=False)
        found[known, 0], found[known, 1] = self.first[places], self.last[places]
        return found


def stands_for(who: pa.Array) -> pa.Array:
    """Give the id that stands for each version of a person."""
    return pc.list_element(pc.split_pattern(who, BETWEEN, max_splits=1), 0)


def persons(
    engine: Engine, links: ibis.Table, namespace: str, cut_offs: Sequence[dt.datetime], folder: Path
) -> Persons:
    """Resolve links, at each of some cut-offs in the order of time, working in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    known = _kept(engine, links.filter(links["first"] < ibis.literal(cut_offs[-1])), folder / "links.parquet")
    both = known.select(key="a").union(known.select(key="b"), distinct=True)
    numbered = both.mutate(number=ibis.row_number().over(order_by=both.key))
    nodes = _kept(engine, numbered.order_by("number"), folder / "nodes.parquet")
    count, named = _named(engine, nodes, namespace)
    a, b, first = _edges(engine, known, nodes)
    versions = _Versions()
    since = known_since(a, b, first, count)
    for place, cut_off in enumerate(cut_offs):
        roots, _ = connected(a, b, first, to_us(cut_off), count)
        versions.see(place, roots, *gathered(roots, since, named))
    return _told(engine, nodes, namespace, versions, len(cut_offs), folder)


class _Versions:
    """The versions seen so far: who stands for each, since and until which cut-off, and its members."""

    def __init__(self) -> None:
        self.stands: list[np.ndarray] = []
        self.first: list[np.ndarray] = []
        self.last = np.empty(0, np.int64)
        self.members: list[tuple[np.ndarray, np.ndarray]] = []
        self._version = np.empty(0, np.int64)
        self._digest = np.empty(0, np.uint64)

    def see(self, place: int, roots: np.ndarray, stands: np.ndarray, digest: np.ndarray) -> None:
        """Take in the sets at the next cut-off: those that are as before go on, the others begin."""
        version = np.full(len(roots), -1, np.int64)
        there = stands >= 0
        goes_on = np.zeros(len(roots), bool)
        if len(self._version):
            goes_on = there & (self._version >= 0) & (self._digest == digest)
            version[goes_on] = self._version[goes_on]
            self.last[version[goes_on]] = place
        begun = np.flatnonzero(there & ~goes_on)
        version[begun] = len(self.last) + np.arange(len(begun))
        self.stands.append(stands[begun])
        self.first.append(np.full(len(begun), place))
        self.last = np.concatenate([self.last, np.full(len(begun), place)])
        fresh = np.zeros(len(roots), bool)
        fresh[begun] = True
        mine = np.flatnonzero(fresh[roots])
        self.members.append((mine, version[roots[mine]]))
        self._version, self._digest = version, digest


def _named(engine: Engine, nodes: ibis.Table, namespace: str) -> tuple[int, np.ndarray]:
    """Count the nodes, and say which are of the namespace."""
    start = node(namespace, "")
    found = engine.table(nodes.filter(nodes.key.startswith(start)).select("number"))["number"].to_numpy()
    count = engine.table(nodes.aggregate(n=nodes.count()))["n"][0].as_py()
    named = np.zeros(count, bool)
    named[found] = True
    return count, named


def _edges(engine: Engine, links: ibis.Table, nodes: ibis.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    one, other = nodes.select(a="key", x="number"), nodes.select(b="key", y="number")
    edges = links.join(one, "a").join(other, "b").select("x", "y", "first")
    columns: dict[str, list[np.ndarray]] = {"x": [], "y": [], "first": []}
    for batch in batches(engine.stream(edges)):
        columns["x"].append(batch["x"].to_numpy())
        columns["y"].append(batch["y"].to_numpy())
        columns["first"].append(batch["first"].view(pa.int64()).to_numpy())
    a, b, first = (np.concatenate(found) if found else np.empty(0, np.int64) for found in columns.values())
    return a, b, first


def _told(
    engine: Engine, nodes: ibis.Table, namespace: str, versions: _Versions, cut_offs: int, folder: Path
) -> Persons:
    stands, first = np.concatenate(versions.stands), np.concatenate(versions.first)
    table = pa.table({"version": np.arange(len(stands)), "stands": stands, "newest": versions.last == cut_offs - 1})
    pq.write_table(table, folder / "versions.parquet")
    members = pa.table(
        {
            "number": np.concatenate([mine for mine, _ in versions.members]),
            "version": np.concatenate([version for _, version in versions.members]),
        }
    )
    pq.write_table(members, folder / "members.parquet")
    every = engine.read([str(folder / "versions.parquet")])
    standing = every.join(nodes, every.stands == nodes.number)
    own = standing.key.substr(len(node(namespace, "")))
    person = ibis.ifelse(standing.newest, own, own + BETWEEN + standing.version.cast("string"))
    names = _kept(engine, standing.select("version", person=person).order_by("version"), folder / "names.parquet")
    mine = engine.read([str(folder / "members.parquet")])
    keys = mine.join(nodes, "number").join(names, "version").select(**{KEY: "key", PERSON: "person"})
    return Persons(
        namespace,
        _kept(engine, keys, folder / "persons.parquet"),
        pq.read_table(folder / "names.parquet")["person"].combine_chunks(),
        first,
        versions.last,
        cut_offs,
    )


def _kept(engine: Engine, expression: ibis.Table, file: Path) -> ibis.Table:
    """Compute an expression once, into a file."""
    reader = engine.stream(expression)
    with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
    return engine.read([str(file)])
