"""Finding every row of a person in the tables of a lake, and deleting them.

A person is a set of ids. A row is theirs when it carries one of them: in any identity column of a dataset, in the `id`
of a table about people, or, where a row was set aside unread, anywhere in its text.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import pyarrow as pa
from ibis.expr.types import BooleanValue

from likelier.backend import Engine
from likelier.datasets.dataset import Dataset, read_dataset
from likelier.datasets.trails import KEY, keyed
from likelier.events.ingest import REJECTS
from likelier.events.schema import IDENTITY, OTHERS
from likelier.lake import Lake

BETWEEN = "\x1f"  # stands between the namespace and the id where one text names both
Id = tuple[str, str]


@dataclass(frozen=True)
class Person:
    """Whom a request is about: the id it names, the further ids that are theirs alone, and ids they share.

    An id that stands in the same rows is theirs when it stands in no other row with an id of somebody else's; one that
    others have as well (a device that several people use) is shared, and what is known of it alone is not about this
    person. A further id of the namespace asked about may be somebody else's, and counts as shared.
    """

    asked: Id
    ids: frozenset[Id]
    shared: frozenset[Id]

    def of(self, namespace: str) -> list[str]:
        return sorted(one for space, one in self.ids if space == namespace)


def recognise(
    engine: Engine,
    lake: Lake,
    datasets: Sequence[Dataset],
    namespace: str,
    identity: str,
    apart: Collection[tuple[Id, Id]] = (),
) -> Person:
    """Find the ids of a person, from id to id; `apart` are pairs that stand in one row and are two people."""
    asked = (namespace, identity)
    tables = [(dataset, read_dataset(engine, lake, dataset)) for dataset in datasets]
    found, shared, frontier = {asked}, set[Id](), {asked}
    while frontier:
        beside = _beside(engine, tables, frontier) - found - shared
        others = {one for one in beside if one[0] == namespace or not found.isdisjoint(_apart_from(one, apart))}
        taken = _of_others(engine, tables, beside - others, found, namespace)
        shared |= others | taken
        frontier = beside - others - taken
        found |= frontier
    return Person(asked, frozenset(found), frozenset(shared))


def _apart_from(one: Id, apart: Iterable[tuple[Id, Id]]) -> set[Id]:
    return {other for pair in apart if one in pair for other in pair}


def _beside(engine: Engine, tables: Sequence[tuple[Dataset, ibis.Table]], ids: Iterable[Id]) -> set[Id]:
    """Give every id that stands in a row with one of these."""
    found = set()
    for dataset, table in tables:
        rows = table.filter(carries(table, ids))
        for namespace in dataset.namespaces:
            told = engine.table(keyed(rows, namespace).select(KEY).distinct())
            found |= {(namespace, one) for one in told[KEY].to_pylist()}
    return found


def _of_others(
    engine: Engine, tables: Sequence[tuple[Dataset, ibis.Table]], ids: set[Id], own: set[Id], namespace: str
) -> set[Id]:
    """Tell which of these ids stand in rows of somebody else, by the ids of a namespace."""
    found = set()
    for space in {one for one, _ in ids}:
        wanted = sorted(one for where, one in ids if where == space)
        for dataset, table in tables:
            if namespace in dataset.namespaces and space in dataset.namespaces:
                rows = keyed(table.filter(~carries(table, own)), space).rename(beside=KEY)
                theirs = keyed(rows.filter(rows.beside.isin(wanted)), namespace)
                found |= {
                    (space, one) for one in engine.table(theirs.select("beside").distinct())["beside"].to_pylist()
                }
    return found


def carries(table: ibis.Table, ids: Iterable[Id]) -> BooleanValue:
    """Say of each row of a dataset whether it carries one of these ids."""
    claims: list[BooleanValue] = [ibis.literal(False)]
    for namespace, some in _by_namespace(ids).items():
        column = f"{IDENTITY}{namespace}"
        if column in table.columns:
            claims.append(table[column].isin(some))
        if column + OTHERS in table.columns:
            claims += [table[column + OTHERS].contains(one) for one in some]
    return functools.reduce(operator.or_, (claim.fill_null(False) for claim in claims))


def predicate(schema: pa.Schema, ids: Iterable[Id]) -> str | None:
    """Write which rows of a table are about these ids, as a Delta predicate; None when no row can be."""
    some = sorted(ids)
    claims = list(_claims(schema, some))
    return " OR ".join(f"coalesce({claim}, false)" for claim in claims) or None


def _claims(schema: pa.Schema, ids: Sequence[Id]) -> Iterator[str]:
    if set(schema.names) == set(REJECTS.names):
        # Where the raw text was not understood, nothing says which part of it is an id.
        words = "|".join(sorted({re.escape(form) for _, one in ids for form in written(one)}))
        pattern = f"(^|[^[:alnum:]])({words})($|[^[:alnum:]])"
        yield from (f"regexp_like({name}, {_text(pattern)})" for name in ("raw", "reason"))
    elif {"namespace", "id"} <= set(schema.names):
        for namespace, some in _by_namespace(ids).items():
            yield f"(namespace = {_text(namespace)} AND id IN ({_texts(some)}))"
    elif any(name.startswith(IDENTITY) for name in schema.names):
        for namespace, some in _by_namespace(ids).items():
            column = f"{IDENTITY}{namespace}"
            if column in schema.names:
                yield f"({_name(column)} IN ({_texts(some)}))"
            if column + OTHERS in schema.names:
                yield from (f"array_has({_name(column + OTHERS)}, {_text(one)})" for one in some)
    else:
        nodes = _texts([f"{namespace}{BETWEEN}{one}" for namespace, one in ids])
        yield from (f"({_name(field.name)} IN ({nodes}))" for field in schema if pa.types.is_string(field.type))


def delete_rows(lake: Lake, table: str, ids: Iterable[Id], *, but: Iterable[Id] = ()) -> int:
    """Delete the rows of a table that are about these ids, but for those that are about others; say how many."""
    schema = lake.schema(table)
    gone, kept = predicate(schema, ids), predicate(schema, but) if but else None
    if gone is None:
        return 0
    return lake.delete(table, f"({gone}) AND NOT ({kept})" if kept else gone)


def written(identity: str) -> set[str]:
    r"""Give the ways in which an id stands in a text or in JSON.

    >>> sorted(written("é")), sorted(written("a"))
    (['\\u00e9', 'é'], ['a'])
    """
    return {identity, *(json.dumps(identity, ensure_ascii=plain)[1:-1] for plain in (True, False))}


def mentions(identity: str) -> Callable[[str], bool]:
    """Say of a text whether an id stands in it by itself, not as a part of a longer word.

    >>> names_c1 = mentions("c1")
    >>> names_c1('id = "c1"'), names_c1("c17")
    (True, False)
    """
    words = "|".join(re.escape(form) for form in written(identity))
    pattern = re.compile(rf"(?<![^\W_])({words})(?![^\W_])")
    return lambda text: pattern.search(text) is not None


def _by_namespace(ids: Iterable[Id]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for namespace, one in sorted(ids):
        found.setdefault(namespace, []).append(one)
    return found


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(map(_text, values))
