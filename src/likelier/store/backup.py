"""The whole store in one file, from either database and into either.

The file is gzipped JSON lines: a head, every row of every table as it was at one moment, and an end that counts them,
so that half a file is no backup. Who is signed in, and replies kept for a while, are left out.
"""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby, islice
from operator import itemgetter
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy import Connection

from likelier.errors import UsageError
from likelier.store.database import HEAD, Store
from likelier.store.tables import Moment, metadata

FORMAT = "likelier backup 1"
PASSING = frozenset({"sessions", "replies"})
AT_ONCE = 500


def dump(store: Store, file: IO[bytes], *, now: dt.datetime) -> Mapping[str, int]:
    """Write everything the store holds, as of one moment; say how many rows of each table."""
    written: Counter[str] = Counter()
    with gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed, store.read() as connection:
        _line(packed, {"format": FORMAT, "tables": HEAD, "at": now.isoformat()})
        for table in _kept():
            for row in connection.execute(sa.select(table).order_by(*table.primary_key)).yield_per(AT_ONCE):
                _line(packed, {"table": table.name, "row": {key: _plain(value) for key, value in row._mapping.items()}})  # noqa: SLF001
                written[table.name] += 1
        _line(packed, {"end": written})
    return written


def load(store: Store, file: IO[bytes]) -> Mapping[str, int]:
    """Fill an empty store with a backup, all of it or nothing; say how many rows of each table."""
    read: Counter[str] = Counter()
    with store.write() as connection:
        _refuse_filled(connection)
        for table, rows in groupby(_rows(file), key=itemgetter(0)):
            while some := [_typed(table, row) for _, row in islice(rows, AT_ONCE)]:
                connection.execute(sa.insert(table), some)
                read[table.name] += len(some)
        _number_on(connection)
    return read


def _kept() -> Iterator[sa.Table]:
    return (table for table in metadata.sorted_tables if table.name not in PASSING)


def _refuse_filled(connection: Connection) -> None:
    filled = [table.name for table in _kept() if connection.scalar(sa.select(sa.func.count()).select_from(table))]
    if filled:
        raise UsageError(
            f"A backup is restored into an empty store, and this one holds {', '.join(filled)}. "
            "Name another: --home or LIKELIER_DATABASE."
        )


def _rows(file: IO[bytes]) -> Iterator[tuple[sa.Table, Mapping[str, Any]]]:
    """Each row of a backup, which must be whole and of these tables."""
    tables = {table.name: table for table in _kept()}
    read: Counter[str] = Counter()
    lines = _lines(file)
    head = next(lines, {})
    if head.get("format") != FORMAT:
        raise UsageError("That file is no backup of likelier.")
    if head.get("tables") != HEAD:
        raise UsageError(
            f"That backup was made by a likelier whose tables are at {head.get('tables')}; these are at {HEAD}. "
            "Restore it with that version, then upgrade."
        )
    for line in lines:
        if "end" in line:
            if line["end"] != read or next(lines, None) is not None:  # which reads to the end, and its checksum
                break
            return
        read[line["table"]] += 1
        yield tables[line["table"]], line["row"]
    raise UsageError("That backup is not whole.")


def _lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as packed:
            for line in packed:
                yield json.loads(line)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UsageError("That file is no backup of likelier, or not a whole one.") from error


def _line(file: gzip.GzipFile, document: Mapping[str, Any]) -> None:
    file.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _typed(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {column.name: _value(column, row.get(column.name)) for column in table.columns}


def _value(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return sa.null() if isinstance(column.type, sa.JSON) else None
    if isinstance(column.type, Moment):
        return dt.datetime.fromisoformat(value)
    return base64.b64decode(value["bytes"]) if isinstance(column.type, sa.LargeBinary) else value


def _number_on(connection: Connection) -> None:
    """Let PostgreSQL's own numbers go on behind those that were restored."""
    if connection.dialect.name != "postgresql":
        return
    for table in _kept():
        for column in table.primary_key:
            sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, column.name)))
            if sequence:
                highest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
                connection.execute(sa.select(sa.func.setval(sequence, highest, False)))
