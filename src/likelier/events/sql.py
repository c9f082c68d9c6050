"""Pieces of DuckDB SQL: names and texts quoted, values converted.

A column has a *kind*, what its values are in the file, and a field has a *type*, what the dataset keeps. The functions
here say how a value of a kind becomes one of a type, and for which values that fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from likelier.events.schema import FieldType


class Kind(StrEnum):
    """What the values of a column of a file are."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"
    WRITTEN = "written"  # anything, written as text: a CSV file has nothing else


ISO = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|z|[+-]\d{2}(:?\d{2})?)?)?"
NUMBER = r"[+-]?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d+)?"
FLAG = r"(?i)true|false"
EPOCH = r"-?\d+(\.\d+)?"


def name(text: str) -> str:
    """Quote a column name.

    >>> print(name('a "b" c'))
    "a ""b"" c"
    """
    return '"' + text.replace('"', '""') + '"'


def text(value: str) -> str:
    """Quote a text.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(text(value) for value in values) + "]"


def moment(sql: str, kind: Kind) -> str:
    """Read a moment; null where it cannot be read.

    A number counts seconds, milliseconds, microseconds or nanoseconds since 1970, whichever puts it between 1973 and
    5138: smaller ones may as well be years or mistakes.
    """
    if kind is Kind.MOMENT:
        return f"CAST({sql} AS TIMESTAMPTZ)"
    if kind is Kind.NUMBER:
        return _epoch(sql)
    if kind is Kind.FLAG:
        return "CAST(NULL AS TIMESTAMPTZ)"
    trimmed = f"trim({sql})"
    # The first case is the usual one; DuckDB looks at the others only where it fails.
    return (
        f"CASE WHEN regexp_full_match({sql}, {text(ISO)}) THEN TRY_CAST({sql} AS TIMESTAMPTZ) "
        f"WHEN regexp_full_match({trimmed}, {text(ISO)}) THEN TRY_CAST({trimmed} AS TIMESTAMPTZ) "
        f"WHEN regexp_full_match({trimmed}, {text(EPOCH)}) THEN {_epoch(f'TRY_CAST({trimmed} AS DOUBLE)')} END"
    )


def _epoch(sql: str) -> str:
    number = f"CAST({sql} AS DOUBLE)"
    scales = ((1e11, "1000000"), (1e14, "1000"), (1e17, "1"), (1e20, "0.001"))
    whens = " ".join(f"WHEN {number} < {limit:.0f} THEN {_microseconds(sql, scale)}" for limit, scale in scales)
    return f"CASE WHEN {number} >= 100000000 THEN make_timestamptz(CASE {whens} END) END"


def _microseconds(sql: str, scale: str) -> str:
    return f"CAST(round({sql} * {scale}) AS BIGINT)"


def plain_text(sql: str, kind: Kind) -> str:
    """Write a value as text, a whole number without a decimal point."""
    if kind in (Kind.TEXT, Kind.WRITTEN):
        return sql
    if kind is Kind.NUMBER:
        whole = f"TRY_CAST({sql} AS BIGINT)"
        return f"CASE WHEN {whole} = {sql} THEN CAST({whole} AS VARCHAR) ELSE CAST({sql} AS VARCHAR) END"
    if kind is Kind.MOMENT:
        return f"strftime(CAST({sql} AS TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f"CAST({sql} AS VARCHAR)"


def convert(sql: str, kind: Kind, wanted: FieldType, *, lenient: bool) -> str | None:
    """Turn a value into the wanted type, null where it does not fit; None when no value of the kind ever fits.

    `lenient` also reads numbers and flags from text, and a flag as 1 or 0.
    """
    readable = kind is Kind.WRITTEN or (lenient and kind is Kind.TEXT)
    if wanted is FieldType.TEXT:
        return plain_text(sql, kind)
    if wanted is FieldType.MOMENT:
        return None if kind is Kind.FLAG else moment(sql, kind)
    if wanted is FieldType.NUMBER and kind is Kind.NUMBER:
        return f"CAST({sql} AS DOUBLE)"
    if wanted is FieldType.NUMBER and readable:
        return f"TRY_CAST({sql} AS DOUBLE)"
    if wanted is FieldType.NUMBER and kind is Kind.FLAG and lenient:
        return f"CAST({sql} AS DOUBLE)"
    if wanted is FieldType.FLAG and kind is Kind.FLAG:
        return sql
    if wanted is FieldType.FLAG and readable:
        return f"TRY_CAST({sql} AS BOOLEAN)"
    return None


def always_fits(kind: Kind, wanted: FieldType) -> bool:
    """Say whether every value of the kind has the wanted type, so that nothing need be checked."""
    return wanted is FieldType.TEXT or kind.value == wanted.value != FieldType.NUMBER.value


_NULLS = {FieldType.TEXT: "VARCHAR", FieldType.NUMBER: "DOUBLE", FieldType.FLAG: "BOOLEAN"} | {
    FieldType.MOMENT: "TIMESTAMPTZ"
}


def null(wanted: FieldType, *, array: bool) -> str:
    return f"CAST(NULL AS {_NULLS[wanted]}{'[]' if array else ''})"


def first(parts: Iterable[str]) -> str:
    """Take the first of some values that is not null."""
    given = list(dict.fromkeys(part for part in parts if part != "NULL"))
    return f"coalesce({', '.join(given)})" if given else "CAST(NULL AS VARCHAR)"


def shown(value: str) -> str:
    """Quote the beginning of a value, for a reason."""
    return f"chr(39) || left(CAST({value} AS VARCHAR), 40) || chr(39)"


def kind_of(written: str) -> tuple[Kind | None, bool]:
    """Tell the kind of a DuckDB type, and whether it is a list.

    >>> kind_of("DECIMAL(18,3)[]")
    (<Kind.NUMBER: 'number'>, True)
    """
    if written.endswith("[]"):
        return kind_of(written[:-2])[0], True
    base = written.split("(", 1)[0]
    if base in ("VARCHAR", "UUID", "TIME", "ENUM", '"NULL"', "NULL"):
        return Kind.TEXT, False
    if base == "BOOLEAN":
        return Kind.FLAG, False
    if base == "DATE" or base.startswith("TIMESTAMP"):
        return Kind.MOMENT, False
    if base.endswith("INT") or base in ("INTEGER", "UINTEGER", "FLOAT", "DOUBLE", "DECIMAL"):
        return Kind.NUMBER, False
    return None, False
