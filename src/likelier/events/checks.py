"""What makes a row unusable, said as SQL: every row gets its values in the types of the fields, or a reason."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import duckdb

from likelier.events import sql
from likelier.events.schema import IDENTITY, OTHERS, Field, FieldType, always_array, standard_type
from likelier.events.sources import Column, Seen, Source
from likelier.events.sql import Kind
from likelier.timespan import DAY, to_us

SHOWN = 40  # characters of a value that a reason shows


def settle(seen: Iterable[Mapping[str, Seen]], kept: Mapping[str, Field]) -> dict[str, Field]:
    """Decide the field of every path that was seen: as it is kept, as XDM has it, else what most of its values are."""
    counted: dict[str, Seen] = {}
    for one in seen:
        for path, found in one.items():
            counted.setdefault(path, Counter()).update(found)
    return {path: kept.get(path) or _field(path, found) for path, found in counted.items()}


def _field(path: str, found: Seen) -> Field:
    kinds: Counter[Kind] = Counter()
    for (kind, _), count in found.items():
        kinds[kind] += count
    most = max(kinds, key=lambda kind: (kinds[kind], kind is Kind.TEXT))
    wanted = standard_type(path) or FieldType(Kind.TEXT.value if most is Kind.WRITTEN else most.value)
    return Field(path, wanted, always_array(path) or any(array for _, array in found))


def sharpen(
    desk: duckdb.DuckDBPyConnection, sources: Iterable[Source], fields: dict[str, Field], kept: Mapping[str, Field]
) -> dict[str, Field]:
    """See which new text fields hold only ISO dates, or in CSV files only numbers or flags."""
    open_ = {path for path, field in fields.items() if field.type is FieldType.TEXT and path not in kept}
    open_ = {path for path in open_ if standard_type(path) is None}
    possible: dict[str, set[FieldType]] = {}
    for source in sources:
        for path, found in _possible(desk, source, open_ & source.columns.keys()).items():
            possible[path] = possible.get(path, found) & found
    order = (FieldType.NUMBER, FieldType.FLAG, FieldType.MOMENT)
    sharper = {path: next((kind for kind in order if kind in found), None) for path, found in possible.items()}
    return {path: Field(path, sharper.get(path) or field.type, field.array) for path, field in fields.items()}


def _possible(desk: duckdb.DuckDBPyConnection, source: Source, paths: set[str]) -> dict[str, set[FieldType]]:
    """Say which types all values of a text column could have; a column without values says nothing."""
    asked: dict[tuple[str, FieldType], str] = {}
    for path in sorted(paths):
        column = source.columns[path]
        patterns = {FieldType.MOMENT: sql.ISO}
        if column.kind is Kind.WRITTEN:
            patterns |= {FieldType.NUMBER: sql.NUMBER, FieldType.FLAG: sql.FLAG}
        if column.kind in (Kind.TEXT, Kind.WRITTEN):
            for wanted, pattern in patterns.items():
                asked[path, wanted] = _all_match(column, pattern)
    for limit in (2_000, None):  # most columns are out after a few rows
        if not asked:
            return {}
        rows = f"(FROM {source.relation} LIMIT {limit})" if limit else source.relation
        answers = desk.sql(f"SELECT {', '.join(asked.values())} FROM {rows}").fetchall()[0]
        answered = dict(zip(asked, answers, strict=True))
        asked = {key: asked[key] for key, answer in answered.items() if answer is not False}
    found: dict[str, set[FieldType]] = {}
    for (path, wanted), answer in answered.items():
        if answer is not None:
            found.setdefault(path, set()).update({wanted} if answer else ())
    return found


def _all_match(column: Column, pattern: str) -> str:
    if not column.array:
        return f"bool_and(regexp_full_match({column.sql}, {sql.text(pattern)}))"
    misses = f"list_filter({column.sql}, lambda e: NOT regexp_full_match(e, {sql.text(pattern)}))"
    return f"bool_and(CASE WHEN list_any_value({column.sql}) IS NOT NULL THEN len({misses}) = 0 END)"


def checked(source: Source, fields: Mapping[str, Field], now: dt.datetime, *, dated: bool) -> str:
    """Write the query that gives each row of a source its values and the reason why it cannot be used, if any."""
    columns = {f"{IDENTITY}{key}": f"trim({_ids(value)}[1])" for key, value in sorted(source.identities.items())}
    others = {
        f"{IDENTITY}{key}{OTHERS}": f"CASE WHEN len({_ids(value)}) > 1 THEN {_ids(value)}[2:] END"
        for key, value in sorted(source.identities.items())
    }
    values = {path: _value(source.columns[path], fields[path]) for path in source.columns}
    moment = (
        sql.moment(source.timestamp.sql, source.timestamp.kind) if source.timestamp else "CAST(NULL AS TIMESTAMPTZ)"
    )
    hashed = f"md5({source.whole})"
    id_ = hashed if source.id is None else f"coalesce({sql.plain_text(source.id.sql, source.id.kind)}, {hashed})"
    reasons = [source.fault, *_reasons(source, columns, moment, now, dated=dated)]
    reasons += [fault for path in source.columns for fault in _misfits(source.columns[path], fields[path])]
    selected = {"_id": id_, "timestamp": moment, ".reason": sql_first(reasons)} | columns | others | values
    written = ", ".join(f"{value} AS {sql.name(key)}" for key, value in selected.items())
    return f'SELECT ".line", {written} FROM {source.relation}'


def sql_first(parts: Iterable[str]) -> str:
    given = [part for part in parts if part != "NULL"]
    return f"coalesce({', '.join(given)})" if given else "CAST(NULL AS VARCHAR)"


def _ids(value: str) -> str:
    return f"list_filter({value}, lambda i: trim(i) <> '')"


def _reasons(
    source: Source, identities: Mapping[str, str], moment: str, now: dt.datetime, *, dated: bool
) -> Iterator[str]:
    known = " OR ".join(f"{value} IS NOT NULL" for value in identities.values()) or "false"
    yield f"CASE WHEN NOT ({known}) THEN 'no identity' END"
    if source.timestamp is None:
        if dated:
            yield "'no timestamp'"
        return
    given = source.timestamp.sql
    if dated:
        yield f"CASE WHEN {given} IS NULL THEN 'no timestamp' END"
    shown = _shown(given)
    yield f"CASE WHEN {given} IS NOT NULL AND {moment} IS NULL THEN 'timestamp: ' || {shown} || ' is not a moment' END"
    limit = f"make_timestamptz({to_us(now + DAY)})"
    yield f"CASE WHEN {moment} > {limit} THEN 'timestamp: ' || {shown} || ' is in the future' END"


def _shown(value: str) -> str:
    return f"'''' || left(CAST({value} AS VARCHAR), {SHOWN}) || ''''"


def _value(column: Column, field: Field) -> str:
    """Write a column's value in the type of its field."""
    if column.array and not field.array:
        return sql.null(field.type, array=False)
    if not column.array:
        value = _scalar(column.sql, column, field)
        return f"CASE WHEN {value} IS NOT NULL THEN [{value}] END" if field.array else value
    listed = f"list_transform({column.sql}, lambda e: {_scalar('e', column, field)})"
    return f"CASE WHEN list_any_value({column.sql}) IS NOT NULL THEN {listed} END"


def _scalar(value: str, column: Column, field: Field) -> str:
    converted = sql.convert(value, column.kind, field.type, lenient=column.lenient)
    if converted is None:
        return sql.null(field.type, array=False)
    if field.type is FieldType.NUMBER:
        return f"CASE WHEN isfinite({converted}) THEN {converted} END"
    return converted


def _misfits(column: Column, field: Field) -> Iterator[str]:
    """Write the reasons why a value does not fit its field."""
    if column.array and not field.array:
        yield f"CASE WHEN len({column.sql}) > 0 THEN {sql.text(field.path + ': a list where one value is kept')} END"
    elif not sql.always_fits(column.kind, field.type):
        bad = _bad("e" if column.array else column.sql, column, field)
        wanted = {"number": "a number", "flag": "true or false", "moment": "a moment", "text": "text"}[field.type.value]
        first = f"list_filter({column.sql}, lambda e: {bad})[1]" if column.array else column.sql
        there = f"{first} IS NOT NULL" if column.array else bad
        said = f"{sql.text(field.path + ': ')} || {_shown(first)} || {sql.text(' is not ' + wanted)}"
        yield f"CASE WHEN {there} THEN {said} END"


def _bad(value: str, column: Column, field: Field) -> str:
    converted = sql.convert(value, column.kind, field.type, lenient=column.lenient)
    if converted is None:
        return f"{value} IS NOT NULL"
    if field.type is FieldType.NUMBER:
        return f"({value} IS NOT NULL AND ({converted} IS NULL OR isinf({converted})))"
    return f"({value} IS NOT NULL AND {converted} IS NULL)"
