"""Files as sources: a relation for DuckDB, the columns it has, of which kind, and the identities in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from likelier.errors import MappingError, UsageError
from likelier.events import sql
from likelier.events.jsonlines import PACKED
from likelier.events.mapping import Expression, FileMapping, Use, unknown_column
from likelier.events.schema import END_USER, END_USER_NAMESPACES, IDENTITY
from likelier.events.sql import Kind
from likelier.phrases import say

FORMATS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
Seen = Counter[tuple[Kind, bool]]
Raw = tuple[int, int, str, str | None]  # a row's number, its line, its text, and why it is broken if that can be said


@dataclass(frozen=True)
class Column:
    """A value of each row: how to compute it, what it is.

    `lenient` when text may stand for other types, `finite` when a number is sure to be one.
    """

    sql: str
    kind: Kind
    array: bool = False
    lenient: bool = False
    finite: bool = False

    @property
    def known(self) -> str:
        """Say in SQL whether there is a value."""
        return f"list_any_value({self.sql}) IS NOT NULL" if self.array else f"{self.sql} IS NOT NULL"


@dataclass(frozen=True)
class Ids:
    """The ids of one namespace: the main one, and the list of further ones where there may be any."""

    main: str
    others: str | None = None


@dataclass(frozen=True)
class Source:
    """One file, ready to be read.

    `relation` has a column `.line`; `fault` is SQL that is null or says why a row cannot be read; `whole` is SQL of all
    that is in a row, as text; `raw` shows some rows as they stand in the file; `unread` gives the rows that never
    reach the relation; `seen` counts what each column holds; `rows` is how many rows there must be, where it is known.
    """

    file: Path
    relation: str
    columns: Mapping[str, Column]
    identities: Mapping[str, Ids]
    whole: str
    raw: Callable[[Sequence[int]], Iterator[Raw]]
    unread: Callable[[], list[tuple[int, str, str]]] = list
    fault: str = "NULL"
    seen: Mapping[str, Seen] = field(default_factory=dict)
    id: Column | None = None
    timestamp: Column | None = None
    rows: int | None = None

    def mapped(self, desk: duckdb.DuckDBPyConnection, mapping: FileMapping) -> Source:
        """See the file through a mapping."""
        evaluate = _Evaluator(desk, self)
        fields = self.columns
        if mapping.fields is not None:
            fields = {path: evaluate(expression) for path, expression in mapping.fields.items()}
        named = {entry.namespace: ids_of(evaluate(entry.value)) for entry in mapping.identities}
        id_ = evaluate(mapping.id) if mapping.id else self.id
        timestamp = evaluate(mapping.timestamp) if mapping.timestamp else self.timestamp
        return replace(
            self,
            columns=fields,
            identities={**self.identities, **named},
            fault=sql.first([self.fault, *evaluate.faults]),
            id=id_,
            timestamp=timestamp,
            seen=seen_once(fields),
        )


def seen_once(columns: Mapping[str, Column]) -> dict[str, Seen]:
    return {path: Counter({(column.kind, column.array): 1}) for path, column in columns.items()}


class _Evaluator:
    """Turns the expressions of a mapping into columns of a source."""

    def __init__(self, desk: duckdb.DuckDBPyConnection, source: Source) -> None:
        self.faults: list[str] = []
        self._desk, self._source = desk, source
        self._all = {**source.columns}
        for found, key in ((source.id, "_id"), (source.timestamp, "timestamp")):
            if found is not None:
                self._all[key] = found
        written = {name: column for name, column in self._all.items() if column.kind is Kind.WRITTEN}
        self._typed = _written_types(desk, source.relation, written) if written else {}

    def __call__(self, expression: Expression) -> Column:
        if expression.column is not None:
            return replace(self._find(expression.column)[1], lenient=True)
        written = expression.sql(self._write)
        try:
            kind = self._desk.sql(f"SELECT {written} AS value FROM {self._source.relation}").types[0]
        except duckdb.Error as error:
            raise MappingError(
                say("'{source}' cannot be computed: {error}", source=expression.source, error=short(error))
            ) from error
        found, array = sql.kind_of(str(kind))
        if found is None:
            raise MappingError(
                say("'{source}' gives {kind}, which no field can hold.", source=expression.source, kind=kind)
            )
        if found is Kind.TEXT and self._typed:
            found = Kind.WRITTEN
        return Column(f"({written})", found, array, lenient=True)

    def _find(self, column: str) -> tuple[str, Column]:
        if column in self._all:
            return column, self._all[column]
        folded = [name for name in self._all if name.casefold() == column.casefold()]
        if len(folded) != 1:
            raise unknown_column(column, self._all, self._source.file.name)
        return folded[0], self._all[folded[0]]

    def _write(self, column: str, use: Use) -> str:
        name, found = self._find(column)
        wanted = self._typed.get(name, {}).get(use)
        if wanted is None:
            return found.sql
        typed = f"TRY_CAST({found.sql} AS {wanted})"
        said = f"{sql.text(name + ': ')} || {sql.shown(found.sql)} || ' is not {_SAID[wanted]}'"
        self.faults.append(f"CASE WHEN {found.sql} IS NOT NULL AND {typed} IS NULL THEN {said} END")
        return typed


_TESTS = {"BIGINT": r"[+-]?(0|[1-9]\d{0,17})", "DOUBLE": sql.NUMBER, "BOOLEAN": sql.FLAG}
_SAID = {"BIGINT": "a whole number", "DOUBLE": "a number", "BOOLEAN": "true or false"}
SAMPLE = 20_000


def _written_types(
    desk: duckdb.DuckDBPyConnection, relation: str, written: Mapping[str, Column]
) -> dict[str, dict[Use, str]]:
    """Tell by its first rows which type a column of a CSV file has, for each use that an expression makes of it.

    Where a number is wanted the column is one when most of its values are; the others are faults then.
    """
    shares = [
        f"avg(CAST(regexp_full_match({column.sql}, {sql.text(pattern)}) AS INT))"
        for column in written.values()
        for pattern in _TESTS.values()
    ]
    answers = iter(desk.sql(f"SELECT {', '.join(shares)} FROM (FROM {relation} LIMIT {SAMPLE})").fetchall()[0])
    found: dict[str, dict[Use, str]] = {}
    for name in written:
        share = {wanted: next(answers) or 0.0 for wanted in _TESTS}
        every = next((wanted for wanted in _TESTS if share[wanted] == 1), None)
        number = next((wanted for wanted in ("BIGINT", "DOUBLE") if share[wanted] == 1), "DOUBLE")
        found[name] = {Use.ANY: every} if every else {}
        if share["DOUBLE"] > 0.5:
            found[name][Use.NUMBER] = number
    return found


def short(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def format_of(file: Path) -> str:
    """Tell the format from the name.

    >>> format_of(Path("events.jsonl.gz"))
    'json'
    """
    plain = Path(file.stem) if file.suffix.lower() in PACKED else file
    found = FORMATS.get(plain.suffix.lower())
    if found is None:
        raise UsageError(
            say(
                "{file}: its name does not say what it is. Known are {known}, each also with .gz or .zst.",
                file=file,
                known=", ".join(FORMATS),
            )
        )
    return found


# ---- from columns to a source --------------------------------------------------------------------------------------


def sort_out(columns: Mapping[str, Column]) -> tuple[dict[str, Column], dict[str, Ids]]:
    """Part the columns that are fields from those that are identities."""
    fields: dict[str, Column] = {}
    identities: dict[str, Ids] = {}
    for path, column in columns.items():
        if path.startswith(IDENTITY):
            identities[path.removeprefix(IDENTITY)] = ids_of(column)
        elif (namespace := end_user_namespace(path)) is not None:
            identities[namespace] = ids_of(column)
        elif not path.startswith(END_USER):
            fields[path] = column
    return fields, identities


def source_of(
    file: Path,
    relation: str,
    columns: Mapping[str, Column],
    identities: Mapping[str, Ids],
    raw: Callable[[Sequence[int]], Iterator[Raw]],
) -> Source:
    fields, named = sort_out(columns)
    id_, timestamp = fields.pop("_id", None), fields.pop("timestamp", None)
    return Source(
        file=file,
        relation=relation,
        columns=fields,
        identities={**named, **identities},
        whole=_whole(columns, identities),
        raw=raw,
        seen=seen_once(fields),
        id=id_,
        timestamp=timestamp,
    )


def end_user_namespace(path: str) -> str | None:
    """Name the namespace of an end-user id.

    >>> end_user_namespace("endUserIDs._experience.mcid.id")
    'ECID'
    """
    parts = path.split(".")
    if len(parts) == 4 and path.startswith("endUserIDs._experience.") and parts[3] == "id":
        return END_USER_NAMESPACES.get(parts[2], parts[2].upper())
    return None


def ids_of(column: Column) -> Ids:
    """Take the values of a column as ids."""
    if not column.array:
        return Ids(f"nullif(trim({sql.plain_text(column.sql, column.kind)}), '')")
    return _listed(f"list_transform({column.sql}, lambda i: {sql.plain_text('i', column.kind)})")


def entry_ids(entries: str, *, marked: bool) -> Ids:
    """Take the ids of one namespace of an identityMap, a list of entries; those marked primary come first."""
    every = f"list_transform({entries}, lambda e: CAST(e.id AS VARCHAR))"
    if marked:
        primary = f'list_filter({entries}, lambda e: coalesce(e."primary", false))'
        rest = f'list_filter({entries}, lambda e: NOT coalesce(e."primary", false))'
        every = f"list_transform(list_concat({primary}, {rest}), lambda e: CAST(e.id AS VARCHAR))"
    listed = _listed(every)
    # Nearly always there is one entry; DuckDB looks at the lists only where there are more.
    one = f"nullif(trim(CAST({entries}[1].id AS VARCHAR)), '')"
    return Ids(
        f"CASE WHEN len({entries}) <= 1 THEN {one} ELSE {listed.main} END",
        f"CASE WHEN len({entries}) > 1 THEN {listed.others} END",
    )


def _listed(values: str) -> Ids:
    given = f"list_filter(list_transform({values}, lambda i: trim(i)), lambda i: i <> '')"
    others = f"list_sort(list_distinct(list_filter({given}, lambda i: i <> {given}[1])))"
    return Ids(f"{given}[1]", f"CASE WHEN len({others}) > 0 THEN {others} END")


def _whole(columns: Mapping[str, Column], identities: Mapping[str, Ids]) -> str:
    """Write all that is in a row as one text: what the row's hash is made of."""
    parts = {path: _canonical(column) for path, column in columns.items()}
    parts |= {f"{IDENTITY}{namespace}": ids.main for namespace, ids in identities.items()}
    said = [f"{sql.text(path + '=')} || {value}" for path, value in sorted(parts.items())]
    return f"concat_ws(chr(31), {', '.join(said)})" if said else "''"


def _canonical(column: Column) -> str:
    if column.array or column.kind not in (Kind.NUMBER, Kind.MOMENT):
        return f"CAST({column.sql} AS VARCHAR)"
    if column.kind is Kind.MOMENT:
        return f"CAST(epoch_us(CAST({column.sql} AS TIMESTAMPTZ)) AS VARCHAR)"
    return f"CAST(CAST({column.sql} AS DOUBLE) AS VARCHAR)"
