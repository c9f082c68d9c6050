"""CSV and Parquet files as sources."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from likelier.errors import UsageError
from likelier.events import sql
from likelier.events.jsonlines import unpacked
from likelier.events.schema import can_name
from likelier.events.shapes import dotted
from likelier.events.sources import Column, Ids, Raw, Source, entry_ids, short, source_of
from likelier.events.sql import Kind
from likelier.phrases import say

Desk = duckdb.DuckDBPyConnection
Unread = Callable[[], list[tuple[int, str, str]]]


def open_csv(desk: Desk, file: Path) -> Source:
    """Open a CSV file, whose first line names the columns; an empty value is none."""
    with unpacked(file) as stream:
        first = stream.readline().decode("utf-8-sig", errors="replace")
    delimiter = max(",;\t|", key=first.count)
    header = next(csv.reader([first.rstrip("\r\n")], delimiter=delimiter), [])
    if not header or not all(map(can_name, header)) or len({name.casefold() for name in header}) < len(header):
        raise UsageError(
            say(
                "{name}: its first line must name each column by a name of its own; it is {first!r}.",
                name=file.name,
                first=first[:80],
            )
        )
    types = ", ".join(f"{sql.text(name)}: 'VARCHAR'" for name in header)
    read = (
        f"read_csv({sql.text(str(file))}, auto_detect=false, header=true, delim={sql.text(delimiter)}, quote='\"', "
        f"escape='\"', columns={{{types}}}, store_rejects=true, rejects_limit=0)"
    )
    relation = f'(SELECT row_number() OVER () + 1 AS ".line", * FROM {read})'
    columns = {dotted(name.split(".")): Column(sql.name(name), Kind.WRITTEN, lenient=True) for name in header}
    unread = _unread(desk, file)
    return replace(source_of(file, relation, columns, {}, _as_json(desk, relation, columns, unread)), unread=unread)


def _unread(desk: Desk, file: Path) -> Unread:
    """Give the lines that DuckDB could not take apart."""

    def unread() -> list[tuple[int, str, str]]:
        asked = (
            "SELECT line, any_value(error_message), any_value(csv_line) FROM reject_errors "
            f"JOIN reject_scans USING (scan_id, file_id) WHERE file_path = {sql.text(str(file))} "
            "GROUP BY line ORDER BY line"
        )
        return desk.sql(asked).fetchall()

    return unread


def open_parquet(desk: Desk, file: Path) -> Source:
    """Open a Parquet file; structs are taken apart into paths."""
    read = f"read_parquet({sql.text(str(file))}, file_row_number=true)"
    relation = f'(SELECT file_row_number + 1 AS ".line", * EXCLUDE (file_row_number) FROM {read})'
    try:
        described = desk.sql(f'SELECT * EXCLUDE (".line") FROM {relation}')
    except duckdb.Error as error:
        raise UsageError(
            say("{name} cannot be read as Parquet: {error}", name=file.name, error=short(error))
        ) from error
    columns: dict[str, Column] = {}
    identities: dict[str, Ids] = {}
    for name, kind in zip(described.columns, described.types, strict=True):
        if not can_name(name):
            raise UsageError(
                say("{name} has a column {other_name!r}, which cannot name a field.", name=file.name, other_name=name)
            )
        if dotted([name]) == "identityMap":
            identities |= _identity_map(desk, relation, sql.name(name), kind)
        else:
            columns |= _leaves((name,), sql.name(name), kind, array=False)
    return source_of(file, relation, columns, identities, _as_json(desk, relation, columns, list))


def _leaves(steps: tuple[str, ...], value: str, kind: Any, *, array: bool) -> dict[str, Column]:
    """Flatten a column; a struct below a list becomes a list per leaf."""
    if kind.id == "list":
        child = dict(kind.children)["child"]
        return _leaves(steps, f"flatten({value})" if array else value, child, array=True)
    if kind.id == "struct":
        found: dict[str, Column] = {}
        for key, below in kind.children:
            inner = f"list_transform({value}, lambda e: e.{sql.name(key)})" if array else f"{value}.{sql.name(key)}"
            found |= _leaves((*steps, key), inner, below, array=array)
        return found
    simple, _ = sql.kind_of(str(kind))
    return {} if simple is None else {dotted(steps): Column(value, simple, array)}


def _identity_map(desk: Desk, relation: str, value: str, kind: Any) -> dict[str, Ids]:
    marked = '"primary"' in str(kind)
    if kind.id == "map":
        keys = desk.sql(f"SELECT DISTINCT unnest(map_keys({value})) FROM {relation}").fetchall()
        return {key: entry_ids(f"{value}[{sql.text(key)}]", marked=marked) for (key,) in sorted(keys)}
    if kind.id == "struct":
        return {key: entry_ids(f"{value}.{sql.name(key)}", marked='"primary"' in str(t)) for key, t in kind.children}
    return {}


def _as_json(
    desk: Desk, relation: str, columns: Mapping[str, Column], unread: Unread
) -> Callable[[Sequence[int]], Iterator[Raw]]:
    """Show a row that has no text of its own as JSON; its line is its number, moved by the unread lines before it.

    (A line of a CSV file that holds line breaks in quotes counts as one.)
    """

    def show(rows: Sequence[int]) -> Iterator[Raw]:
        skipped = [line for line, _, _ in unread()]
        fields = ", ".join(f"{sql.text(path)}: {column.sql}" for path, column in columns.items())
        wanted = ", ".join(str(row) for row in rows)
        asked = f'SELECT ".line", CAST(to_json({{{fields}}}) AS VARCHAR) FROM {relation} WHERE ".line" IN ({wanted})'
        for row, raw in sorted(desk.sql(asked).fetchall()):
            yield row, _moved(row, skipped), raw, None

    return show


def _moved(row: int, skipped: Sequence[int]) -> int:
    """Find the line of a row.

    >>> [_moved(row, [3, 4, 7]) for row in (2, 3, 4, 5)]
    [2, 5, 6, 8]
    """
    for line in skipped:
        if line > row:
            break
        row += 1
    return row
