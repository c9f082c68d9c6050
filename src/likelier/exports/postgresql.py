"""Rows into a table of PostgreSQL: copied into a staging table, then put in place by the same transaction.

`replace` leaves exactly these rows; readers see those before until the commit. `upsert` puts each person's row in the
place of the one there, and leaves other people's. A table that is not there is made, with namespace and id as its key.
Whatever breaks off before the commit changes nothing, and either mode done twice is the same as done once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import orjson
import psycopg
import pyarrow as pa
from psycopg import sql

from likelier.errors import TransientError, UsageError
from likelier.phrases import say

Mode = Literal["replace", "upsert"]
KEY = ("namespace", "id")
PATIENCE = 60
"""Seconds a server may say nothing while it is being written to."""
_STAGING = sql.Identifier("likelier_staging")


def deliver(url: str, table: str, reader: pa.RecordBatchReader, mode: Mode, *, patience: int = PATIENCE) -> int:
    """Bring rows into a table, and say how many."""
    try:
        with psycopg.connect(url, connect_timeout=min(patience, 10), **_watchful(patience)) as connection:
            return _deliver(connection, _named(table), reader, mode)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise TransientError(say("PostgreSQL broke off: {error}", error=_said(error))) from error
    except psycopg.Error as error:
        raise UsageError(
            say("PostgreSQL refused the rows for {table}: {error}", table=table, error=_said(error))
        ) from error


def _deliver(connection: Any, table: sql.Composable, reader: pa.RecordBatchReader, mode: Mode) -> int:
    columns = [(field.name, _type(field.type)) for field in reader.schema]
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    stated = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns)
    key = sql.SQL(", ").join(map(sql.Identifier, KEY))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DROP").format(_STAGING, stated))
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(_STAGING, names)) as copy:
            rows = 0
            for row in _rows(reader):
                copy.write_row(row)
                rows += 1
        cursor.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(table, stated, key),
        )
        into = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(table, names, names, _STAGING)
        if mode == "replace":
            cursor.execute(sql.SQL("DELETE FROM {}").format(table))
        else:
            others = [sql.Identifier(name) for name, _ in columns if name not in KEY]
            taken = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in others)
            done = sql.SQL("UPDATE SET {}").format(taken) if others else sql.SQL("NOTHING")
            into += sql.SQL(" ON CONFLICT ({}) DO {}").format(key, done)
        cursor.execute(into)
    connection.commit()
    return rows


def _rows(reader: pa.RecordBatchReader) -> Iterator[list[Any]]:
    for batch in reader:
        for row in batch.to_pylist():
            yield [orjson.dumps(one).decode() if isinstance(one, list | dict) else one for one in row.values()]


def _type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "bigint"
    if pa.types.is_floating(kind):
        return "double precision"
    if pa.types.is_timestamp(kind):
        return "timestamptz"
    return "jsonb" if pa.types.is_nested(kind) else "text"


def _named(table: str) -> sql.Composable:
    parts = table.split(".")
    if not 1 <= len(parts) <= 2 or not all(parts):
        raise UsageError(say("'{table}' names no table. Write it as table or schema.table.", table=table))
    return sql.Identifier(*parts)


def _watchful(patience: int) -> dict[str, Any]:
    """Settings under which a server that is gone is noticed."""
    return {
        "options": f"-c statement_timeout={patience * 1000}",
        "tcp_user_timeout": patience * 1000,
        "keepalives_idle": max(1, patience // 4),
        "keepalives_interval": max(1, patience // 4),
        "keepalives_count": 3,
    }


def _said(error: psycopg.Error) -> str:
    """The first line of what the server said; the others may quote a row."""
    return (error.diag.message_primary or str(error).strip() or type(error).__name__).splitlines()[0]
