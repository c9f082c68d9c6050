"""What makes a row unusable, said as SQL: every row gets its values in the types of the fields, or a reason."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import duckdb

from likelier.errors import UsageError
from likelier.events import sql
from likelier.events.schema import IDENTITY, OTHERS, Field, FieldType, always_array, standard_type
from likelier.events.sources import Column, Ids, Seen, Source
from likelier.events.sql import Kind
from likelier.phrases import say
from likelier.timespan import DAY, to_us

MOMENT = '".moment"'


def settle(seen: Iterable[Mapping[str, Seen]], kept: Mapping[str, Field]) -> dict[str, Field]:
    """Decide the field of every path that was seen: as it is kept, as XDM has it, else what most of its values are."""
    counted: dict[str, Seen] = {}
    for one in seen:
        for path, found in one.items():
            counted.setdefault(path, Counter()).update(found)
    _one_spelling([*kept, *counted])
    return {path: kept.get(path) or _field(path, found) for path, found in counted.items()}


def _one_spelling(paths: Iterable[str]) -> None:
    """Refuse paths that differ only in case: no table can have both as columns."""
    spelled: dict[str, str] = {}
    for path in paths:
        other = spelled.setdefault(path.casefold(), path)
        if other != path:
            raise UsageError(
                say(
                    "The field '{path}' is already there as '{other}'. Write it with the same capitals.",
                    path=path,
                    other=other,
                )
            )


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
    ids = dict(sorted(source.identities.items()))
    moment = "CAST(NULL AS TIMESTAMPTZ)"
    if source.timestamp is not None:
        moment = sql.moment(source.timestamp.sql, source.timestamp.kind)
    relation = f'(SELECT *, {moment} AS ".moment" FROM {source.relation})'  # computed once, used several times
    hashed = f"md5({source.whole})"
    id_ = hashed if source.id is None else f"coalesce({sql.plain_text(source.id.sql, source.id.kind)}, {hashed})"
    reasons = [source.fault, _no_identity(ids), *_bad_moment(source, now, dated=dated)]
    reasons += [fault for path in source.columns for fault in _misfits(source.columns[path], fields[path])]
    selected = {"_id": id_, "timestamp": MOMENT, ".reason": sql.first(reasons)}
    selected |= {f"{IDENTITY}{key}": found.main for key, found in ids.items()}
    selected |= {f"{IDENTITY}{key}{OTHERS}": found.others for key, found in ids.items() if found.others}
    selected |= {path: _value(column, fields[path]) for path, column in source.columns.items()}
    written = ", ".join(f"{value} AS {sql.name(key)}" for key, value in selected.items())
    return f'SELECT ".line", {written} FROM {relation}'


def _no_identity(ids: Mapping[str, Ids]) -> str:
    known = ", ".join(found.main for found in ids.values())
    return f"CASE WHEN coalesce({known}) IS NULL THEN 'no identity' END" if known else "'no identity'"


def _bad_moment(source: Source, now: dt.datetime, *, dated: bool) -> Iterator[str]:
    if source.timestamp is None:
        if dated:
            yield "'no timestamp'"
        return
    given = source.timestamp.sql
    if dated:
        yield f"CASE WHEN {given} IS NULL THEN 'no timestamp' END"
    said = f"'timestamp: ' || {sql.shown(given)}"
    yield f"CASE WHEN {given} IS NOT NULL AND {MOMENT} IS NULL THEN {said} || ' is not a moment' END"
    yield f"CASE WHEN {MOMENT} > make_timestamptz({to_us(now + DAY)}) THEN {said} || ' is in the future' END"


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
    if field.type is FieldType.NUMBER and not column.finite:
        return f"CASE WHEN isfinite({converted}) THEN {converted} END"
    return converted


def _misfits(column: Column, field: Field) -> Iterator[str]:
    """Write the reasons why a value does not fit its field."""
    if column.array and not field.array:
        yield f"CASE WHEN len({column.sql}) > 0 THEN {sql.text(field.path + ': a list where one value is kept')} END"
    elif not (sql.always_fits(column.kind, field.type) or _surely_a_number(column, field)):
        bad = _bad("e" if column.array else column.sql, column, field)
        wanted = {"number": "a number", "flag": "true or false", "moment": "a moment", "text": "text"}[field.type.value]
        first = f"list_filter({column.sql}, lambda e: {bad})[1]" if column.array else column.sql
        there = f"{first} IS NOT NULL" if column.array else bad
        said = f"{sql.text(field.path + ': ')} || {sql.shown(first)} || {sql.text(' is not ' + wanted)}"
        yield f"CASE WHEN {there} THEN {said} END"


def _surely_a_number(column: Column, field: Field) -> bool:
    return column.finite and column.kind is Kind.NUMBER and field.type is FieldType.NUMBER


def _bad(value: str, column: Column, field: Field) -> str:
    converted = sql.convert(value, column.kind, field.type, lenient=column.lenient)
    if converted is None:
        return f"{value} IS NOT NULL"
    if field.type is FieldType.NUMBER:
        return f"({value} IS NOT NULL AND ({converted} IS NULL OR isinf({converted})))"
    return f"({value} IS NOT NULL AND {converted} IS NULL)"
