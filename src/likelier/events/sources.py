"""Files as sources: a relation for DuckDB, the columns it has, of which kind, and the identities in it."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import duckdb
import orjson
import pyarrow as pa
import zstandard

from likelier.errors import MappingError, UsageError
from likelier.events import shapes, sql
from likelier.events.mapping import Expression, FileMapping, unknown_column
from likelier.events.schema import END_USER, END_USER_NAMESPACES, IDENTITY, FieldType
from likelier.events.sql import Kind

SUFFIXES = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"}
PACKED = {".gz", ".zst"}
LARGEST_EVENT = 64 << 20
Seen = Counter[tuple[Kind, bool]]


def nothing_unread(_: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Say that the reader leaves no row of the file out."""
    return []


@dataclass(frozen=True)
class Column:
    """A value of each row: how to compute it, what it is; `lenient` when text may stand for other types."""

    sql: str
    kind: Kind
    array: bool = False
    lenient: bool = False


@dataclass(frozen=True)
class Source:
    """One file, ready to be read.

    `relation` has a column `.line`; `fault` is SQL that is null or says why a row cannot be read; `whole` is SQL of all
    that is in a row, as text; `identities` give per namespace the ids of a row, as a list, the main one first.
    """

    file: Path
    relation: str
    columns: Mapping[str, Column]
    identities: Mapping[str, str]
    fault: str
    whole: str
    raw: Callable[[Sequence[int]], Iterator[tuple[int, str, str | None]]]
    seen: Mapping[str, Seen] = field(default_factory=dict)
    id: Column | None = None
    timestamp: Column | None = None
    unread: Callable[[duckdb.DuckDBPyConnection], list[tuple[int, str, str]]] = nothing_unread

    def mapped(self, desk: duckdb.DuckDBPyConnection, mapping: FileMapping) -> Source:
        """See the file through a mapping."""
        evaluate = _Evaluator(desk, self)
        fields = self.columns
        if mapping.fields is not None:
            fields = {path: evaluate(expression) for path, expression in mapping.fields.items()}
        named = {entry.namespace: _one(evaluate(entry.value)) for entry in mapping.identities}
        return replace(
            self,
            columns=fields,
            identities={**self.identities, **named},
            fault=_first([self.fault, *evaluate.faults]),
            id=evaluate(mapping.id) if mapping.id else self.id,
            timestamp=evaluate(mapping.timestamp) if mapping.timestamp else self.timestamp,
            seen={path: Counter({(column.kind, column.array): 1}) for path, column in fields.items()},
        )


class _Evaluator:
    """Turns the expressions of a mapping into columns of a source."""

    def __init__(self, desk: duckdb.DuckDBPyConnection, source: Source) -> None:
        self.faults: list[str] = []
        self._desk, self._source = desk, source
        self._all = {**source.columns}
        for found, key in ((source.id, "_id"), (source.timestamp, "timestamp")):
            if found is not None:
                self._all[key] = found
        self._typed = _written_types(desk, source) if any(c.kind is Kind.WRITTEN for c in self._all.values()) else {}

    def __call__(self, expression: Expression) -> Column:
        if expression.column is not None:
            return replace(self._find(expression.column)[1], lenient=True)
        written = expression.sql(self._write)
        try:
            relation = self._desk.sql(f"SELECT {written} AS value FROM {self._source.relation}")
            kind, array = column_kind(str(relation.types[0]))
        except duckdb.Error as error:
            raise MappingError(f"'{expression.source}' cannot be computed: {_short(error)}") from error
        if kind is None:
            raise MappingError(f"'{expression.source}' gives {relation.types[0]}, which no field can hold.")
        return Column(f"({written})", kind, array, lenient=True)

    def _find(self, column: str) -> tuple[str, Column]:
        if column in self._all:
            return column, self._all[column]
        folded = [name for name in self._all if name.casefold() == column.casefold()]
        if len(folded) != 1:
            raise unknown_column(column, self._all, self._source.file.name)
        return folded[0], self._all[folded[0]]

    def _write(self, column: str, as_text: bool) -> str:  # noqa: FBT001
        name, found = self._find(column)
        wanted = None if as_text else self._typed.get(name)
        if wanted is None:
            return found.sql
        typed = f"TRY_CAST({found.sql} AS {wanted})"
        said = sql.text(f"{name}: '")
        self.faults.append(
            f"CASE WHEN {found.sql} IS NOT NULL AND {typed} IS NULL THEN {said} || left({found.sql}, 40) || "
            f"{sql.text(chr(39) + ' is not a ' + ('flag' if wanted == 'BOOLEAN' else 'number'))} END"
        )
        return typed


def _written_types(desk: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
    """Tell which columns of a CSV file hold numbers or flags, from its first rows."""
    written = {name: column for name, column in source.columns.items() if column.kind is Kind.WRITTEN}
    tests = {"BIGINT": r"[+-]?(0|[1-9]\d{0,17})", "DOUBLE": sql.NUMBER, "BOOLEAN": sql.FLAG}
    asked = [
        f"bool_and(regexp_full_match({column.sql}, {sql.text(pattern)}))"
        for column in written.values()
        for pattern in tests.values()
    ]
    rows = desk.sql(f"SELECT {', '.join(asked)} FROM (FROM {source.relation} LIMIT 20000)").fetchall()
    answers = iter(rows[0])
    found = {}
    for name in written:
        fitting = [wanted for wanted in tests if next(answers)]
        if fitting:
            found[name] = fitting[0]
    return found


def _first(parts: Iterable[str]) -> str:
    given = list(dict.fromkeys(part for part in parts if part != "NULL"))
    return f"coalesce({', '.join(given)})" if given else "NULL"


def _one(column: Column) -> str:
    return column.sql if column.array else f"[{sql.plain_text(column.sql, column.kind)}]"


def _short(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def column_kind(written: str) -> tuple[Kind | None, bool]:
    """Tell the kind of a DuckDB type, and whether it is a list."""
    if written.endswith("[]"):
        return column_kind(written[:-2])[0], True
    base = written.split("(", 1)[0]
    if base in ("VARCHAR", "UUID", "TIME") or written.startswith("ENUM"):
        return Kind.TEXT, False
    if base == "BOOLEAN":
        return Kind.FLAG, False
    if base == "DATE" or base.startswith("TIMESTAMP"):
        return Kind.MOMENT, False
    if base.endswith("INT") or base in ("INTEGER", "FLOAT", "DOUBLE", "DECIMAL"):
        return Kind.NUMBER, False
    return (Kind.TEXT, False) if base == '"NULL"' else (None, False)


# ---- opening -------------------------------------------------------------------------------------------------------


def format_of(file: Path) -> str:
    """Tell the format from the name.

    >>> format_of(Path("events.jsonl.gz"))
    'json'
    """
    plain = Path(file.stem) if file.suffix.lower() in PACKED else file
    suffix = plain.suffix.lower()
    if suffix not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        raise UsageError(f"{file}: its name does not say what it is. Known are {known}, each also with .gz or .zst.")
    return {".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}.get(suffix, "json")


def unpacked(file: Path) -> IO[bytes]:
    """Open a file for reading, unpacked."""
    suffix = file.suffix.lower()
    if suffix == ".gz":
        return io.BufferedReader(gzip.open(file, "rb"))
    if suffix == ".zst":
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file.open("rb"), read_across_frames=True))
    return file.open("rb")


# ---- CSV -----------------------------------------------------------------------------------------------------------


def open_csv(desk: duckdb.DuckDBPyConnection, file: Path) -> Source:
    with unpacked(file) as stream:
        first = stream.readline().decode("utf-8-sig", errors="replace")
    delimiter = max(",;\t|", key=first.count)
    header = next(csv.reader([first.rstrip("\r\n")], delimiter=delimiter), [])
    if not header or not all(header) or len({name.casefold() for name in header}) < len(header):
        raise UsageError(
            f"{file.name}: the first line must name the columns, each by its own name; it is {first[:80]!r}."
        )
    columns = ", ".join(f"{sql.text(name)}: 'VARCHAR'" for name in header)
    read = (
        f"read_csv({sql.text(str(file))}, auto_detect=false, header=true, delim={sql.text(delimiter)}, quote='\"', "
        f"escape='\"', columns={{{columns}}}, store_rejects=true, rejects_limit=0, null_padding=false)"
    )
    relation = f'(SELECT row_number() OVER () + 1 AS ".line", * FROM {read})'
    columns_ = {shapes.dotted(name.split(".")): Column(sql.name(name), Kind.WRITTEN, lenient=True) for name in header}
    return replace(_columns_source(desk, file, relation, columns_), unread=_unread_rows(file))


def _unread_rows(file: Path) -> Callable[[duckdb.DuckDBPyConnection], list[tuple[int, str, str]]]:
    def unread(desk: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
        asked = (
            "SELECT line, any_value(error_message), any_value(csv_line) FROM reject_errors JOIN reject_scans "
            f"USING (scan_id, file_id) WHERE file_path = {sql.text(str(file))} GROUP BY line ORDER BY line"
        )
        return desk.sql(asked).fetchall()

    return unread


# ---- Parquet -------------------------------------------------------------------------------------------------------


def open_parquet(desk: duckdb.DuckDBPyConnection, file: Path) -> Source:
    read = f"read_parquet({sql.text(str(file))}, file_row_number=true)"
    relation = f'(SELECT file_row_number + 1 AS ".line", * EXCLUDE (file_row_number) FROM {read})'
    try:
        described = desk.sql(f'SELECT * EXCLUDE (".line") FROM {relation}')
    except duckdb.Error as error:
        raise UsageError(f"{file.name} cannot be read as Parquet: {_short(error)}") from error
    columns: dict[str, Column] = {}
    for name, kind in zip(described.columns, described.types, strict=True):
        columns |= _parquet_leaves((name,), sql.name(name), kind, array=False)
    return _columns_source(desk, file, relation, columns)


def _parquet_leaves(steps: tuple[str, ...], value: str, kind: Any, *, array: bool) -> dict[str, Column]:
    """Flatten a column; a struct below a list becomes a list per leaf."""
    if steps[0].removeprefix("xdm:") == "identityMap" and len(steps) == 1 and kind.id != "varchar":
        return {"identityMap": Column(value, Kind.TEXT)}
    if kind.id == "list":
        child = dict(kind.children)["child"]
        if child.id == "struct":
            found: dict[str, Column] = {}
            for key, below in child.children:
                inner = f"list_transform({value}, lambda e: e.{sql.name(key)})"
                inner = f"flatten({inner})" if below.id == "list" else inner
                found |= _parquet_leaves((*steps, key), inner, below, array=True)
            return found
        return _parquet_leaves(steps, value, child, array=True)
    if kind.id == "struct" and not array:
        found = {}
        for key, below in kind.children:
            found |= _parquet_leaves((*steps, key), f"{value}.{sql.name(key)}", below, array=False)
        return found
    if kind.id == "struct":
        found = {}
        for key, below in kind.children:
            inner = f"list_transform({value}, lambda e: e.{sql.name(key)})"
            found |= _parquet_leaves((*steps, key), inner, below, array=True)
        return found
    simple, _ = column_kind(str(kind))
    return {} if simple is None else {shapes.dotted(steps): Column(value, simple, array)}


def _columns_source(
    desk: duckdb.DuckDBPyConnection, file: Path, relation: str, columns: Mapping[str, Column]
) -> Source:
    identities: dict[str, str] = {}
    plain: dict[str, Column] = {}
    for path, column in columns.items():
        if path == "identityMap":
            identities |= _identity_map(desk, relation, column)
        elif path.startswith(IDENTITY):
            identities[path.removeprefix(IDENTITY)] = _one(column)
        elif (namespace := end_user_namespace(path)) is not None:
            identities[namespace] = _one(column)
        elif not path.startswith(END_USER):
            plain[path] = column
    id_, timestamp = plain.pop("_id", None), plain.pop("timestamp", None)
    return Source(
        file=file,
        relation=relation,
        columns=plain,
        identities=identities,
        fault="NULL",
        whole=_whole(columns),
        raw=_no_raw(desk, relation, columns),
        seen={path: Counter({(column.kind, column.array): 1}) for path, column in plain.items()},
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


def _identity_map(desk: duckdb.DuckDBPyConnection, relation: str, column: Column) -> dict[str, str]:
    written = str(desk.sql(f"SELECT {column.sql} FROM {relation}").types[0])
    if written.startswith("MAP"):
        keys = desk.sql(f"SELECT DISTINCT unnest(map_keys({column.sql})) FROM {relation}").fetchall()
        marked = '"primary"' in written
        return {key: ids(f"{column.sql}[{sql.text(key)}]", marked=marked) for (key,) in sorted(keys)}
    if written.startswith("STRUCT"):
        kind = desk.sql(f"SELECT {column.sql} FROM {relation}").types[0]
        return {key: ids(f"{column.sql}.{sql.name(key)}", marked='"primary"' in str(t)) for key, t in kind.children}
    return {}


def ids(entries: str, *, marked: bool) -> str:
    """List the ids of one namespace of an identityMap, those marked primary first."""
    if not marked:
        return f"list_transform({entries}, lambda e: CAST(e.id AS VARCHAR))"
    primary = f'list_filter({entries}, lambda e: coalesce(e."primary", false))'
    rest = f'list_filter({entries}, lambda e: NOT coalesce(e."primary", false))'
    return f"list_transform(list_concat({primary}, {rest}), lambda e: CAST(e.id AS VARCHAR))"


def _whole(columns: Mapping[str, Column]) -> str:
    """Write all that is in a row as one text: what the row's hash is made of."""
    parts = [f"{sql.text(path + '=')} || {_canonical(column)}" for path, column in sorted(columns.items())]
    return f"concat_ws(chr(31), {', '.join(parts)})"


def _canonical(column: Column) -> str:
    if column.array or column.kind not in (Kind.NUMBER, Kind.MOMENT):
        return f"CAST({column.sql} AS VARCHAR)"
    if column.kind is Kind.MOMENT:
        return f"CAST(epoch_us(CAST({column.sql} AS TIMESTAMPTZ)) AS VARCHAR)"
    return f"CAST(CAST({column.sql} AS DOUBLE) AS VARCHAR)"


def _no_raw(
    desk: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, Column]
) -> Callable[[Sequence[int]], Iterator[tuple[int, str, str | None]]]:
    """Show a row of a file that has no text of its own as JSON."""

    def show(lines: Sequence[int]) -> Iterator[tuple[int, str, str | None]]:
        fields = ", ".join(f"{sql.text(path)}: {column.sql}" for path, column in columns.items())
        wanted = ", ".join(str(line) for line in lines)
        asked = f'SELECT ".line", CAST(to_json({{{fields}}}) AS VARCHAR) FROM {relation} WHERE ".line" IN ({wanted})'
        for line, raw in desk.sql(asked).fetchall():
            yield line, raw, None

    return show


# ---- JSON ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JsonFiles:
    """The JSON files of a batch, whose shape is settled together."""

    files: tuple[tuple[Path, Path, str], ...]  # the file, its structures by line, DuckDB's name of its format
    structures: Mapping[str, int]
    shape: shapes.Shape

    @property
    def seen(self) -> dict[str, Seen]:
        """Say how often each path holds which kind."""
        found: dict[str, Seen] = {}
        for leaf in self._plain():
            counted = found.setdefault(leaf.path, Counter())
            counted.update({(kind, leaf.array): count for kind, count in leaf.kinds.items()})
        return found

    def _plain(self) -> Iterator[shapes.Leaf]:
        return (leaf for leaf in self.shape.leaves() if not leaf.path.startswith((IDENTITY, END_USER)))

    def sources(self, desk: duckdb.DuckDBPyConnection, types: Mapping[str, FieldType]) -> list[Source]:
        """Open the files, given the types that are already settled."""
        kinds = {leaf.steps: _kind(leaf, types) for leaf in self.shape.leaves()}
        faults = {text: self.shape.fault(orjson.loads(text), kinds) for text in self.structures}
        odd = {text: reason for text, reason in faults.items() if reason is not None}
        return [self._source(desk, number, kinds, odd) for number in range(len(self.files))]

    def _source(
        self,
        desk: duckdb.DuckDBPyConnection,
        number: int,
        kinds: Mapping[shapes.Steps, Kind],
        odd: Mapping[str, str],
    ) -> Source:
        file, lined, form = self.files[number]
        columns = _json_columns(self.shape, kinds)
        types = _json_types(self.shape, kinds) or {"_id": "VARCHAR"}
        typed = ", ".join(f"{sql.text(key)}: {sql.text(kind)}" for key, kind in types.items())
        read = _read_json(file, form, f"columns={{{typed}}}")
        relation = f'(SELECT row_number() OVER () AS ".line", * FROM {read})'
        desk.register("odd_structures", pa.table({"structure": list(odd), "reason": list(odd.values())}, schema=_ODD))
        desk.execute(
            f"CREATE OR REPLACE TEMP TABLE odd_{number} AS "
            f'SELECT ".line", coalesce(reason, {sql.text(BROKEN)}) AS ".fault" '
            f"FROM read_parquet({sql.text(str(lined))}) LEFT JOIN odd_structures USING (structure) "
            "WHERE structure IS NULL OR reason IS NOT NULL"
        )
        desk.unregister("odd_structures")
        relation = f'(SELECT r.*, o.".fault" FROM {relation} r LEFT JOIN odd_{number} o USING (".line"))'
        source = _columns_source(desk, file, relation, columns)
        named = {key: ids(value, marked=marked) for key, (value, marked) in _json_identities(self.shape).items()}
        return replace(
            source,
            identities={**source.identities, **named},
            fault='".fault"',
            raw=_json_raw(file),
        )


BROKEN = "broken JSON"
_ODD = pa.schema({"structure": pa.string(), "reason": pa.string()})
_WRITTEN_TYPES = {Kind.NUMBER: "DOUBLE", Kind.FLAG: "BOOLEAN"}


def open_json(desk: duckdb.DuckDBPyConnection, files: Sequence[Path], folder: Path) -> JsonFiles:
    """Look at the structure of every event."""
    opened = []
    structures: Counter[str] = Counter()
    for number, given in enumerate(files):
        file, form = _json_form(given)
        lined = folder / f"structures-{number}.parquet"
        desk.execute(
            f'COPY (SELECT row_number() OVER () AS ".line", json_structure(json) AS structure '
            f"FROM {_read_json(file, form, '', objects=True)}) TO {sql.text(str(lined))} (FORMAT parquet)"
        )
        parquet = f"read_parquet({sql.text(str(lined))})"
        asked = f"SELECT structure, count(*) FROM {parquet} WHERE structure IS NOT NULL GROUP BY 1"
        structures.update(dict(desk.sql(asked).fetchall()))
        opened.append((file, lined, form))
    usable = {text: count for text, count in structures.items() if text.startswith("{")}
    return JsonFiles(tuple(opened), structures, shapes.Shape(shapes.grow(usable)))


def _json_form(file: Path) -> tuple[Path, str]:
    with unpacked(file) as stream:
        start = stream.read(65_536).lstrip(b"\xef\xbb\xbf \t\r\n")
    return file, "array" if start.startswith(b"[") else "newline_delimited"


def _read_json(file: Path, form: str, columns: str, *, objects: bool = False) -> str:
    tolerant = "ignore_errors=true, " if form == "newline_delimited" else ""
    called = "read_json_objects" if objects else "read_json"
    return f"{called}({sql.text(str(file))}, {tolerant}format={sql.text(form)}{', ' + columns if columns else ''})"


def _kind(leaf: shapes.Leaf, types: Mapping[str, FieldType]) -> Kind:
    if leaf.path.startswith((IDENTITY, END_USER)):
        return Kind.FLAG if leaf.path.endswith(".primary") else Kind.TEXT
    if leaf.path in types:
        return Kind(types[leaf.path].value)
    return max(leaf.kinds, key=lambda kind: (leaf.kinds[kind], kind is Kind.TEXT))


def _json_types(shape: shapes.Shape, kinds: Mapping[shapes.Steps, Kind]) -> dict[str, str]:
    """Write the DuckDB type of each key of an event."""

    def written(node: shapes.Node, steps: shapes.Steps) -> str | None:
        if node.is_object:
            below = {key: written(child, (*steps, key)) for key, child in shape.children(node)}
            parts = [f"{sql.name(key)} {kind}" for key, kind in below.items() if kind]
            inner = f"STRUCT({', '.join(parts)})" if parts else None
        else:
            inner = _WRITTEN_TYPES.get(kinds[steps], "VARCHAR") if steps in kinds else None
        return inner and inner + "[]" * node.depth

    found = {key: written(node, (key,)) for key, node in shape.children(shape.root)}
    return {key: kind for key, kind in found.items() if kind}


def _json_columns(shape: shapes.Shape, kinds: Mapping[shapes.Steps, Kind]) -> dict[str, Column]:
    columns: dict[str, Column] = {}

    def add(node: shapes.Node, steps: shapes.Steps, value: str, *, array: bool) -> None:
        if steps and dotted_key(steps[0]) == "identityMap" and node.is_object:
            return
        for _ in range(node.depth - (0 if array else 1)):
            value = f"flatten({value})"
        inside = array or node.depth > 0
        if not node.is_object:
            if steps in kinds:
                kind = Kind.TEXT if kinds[steps] is Kind.MOMENT else kinds[steps]
                path = shapes.dotted(steps)
                other = columns.get(path)
                columns[path] = Column(f"coalesce({other.sql}, {value})" if other else value, kind, inside)
            return
        for key, child in shape.children(node):
            below = f"list_transform({value}, lambda e: e.{sql.name(key)})" if inside else f"{value}.{sql.name(key)}"
            if _has_leaf(shape, child, (*steps, key), kinds):
                add(child, (*steps, key), below, array=inside)

    for key, node in shape.children(shape.root):
        add(node, (key,), sql.name(key), array=False)
    return columns


def _has_leaf(shape: shapes.Shape, node: shapes.Node, steps: shapes.Steps, kinds: Mapping[shapes.Steps, Kind]) -> bool:
    if not node.is_object:
        return steps in kinds
    return any(_has_leaf(shape, child, (*steps, key), kinds) for key, child in shape.children(node))


def dotted_key(key: str) -> str:
    return key.removeprefix("xdm:")


def _json_identities(shape: shapes.Shape) -> dict[str, tuple[str, bool]]:
    found = {}
    for key, node in shape.children(shape.root):
        if dotted_key(key) == "identityMap" and node.is_object:
            for namespace, entries in shape.children(node):
                if {"id"} <= entries.below.keys():
                    value = f"{sql.name(key)}.{sql.name(namespace)}"
                    listed = value if entries.depth else f"[{value}]"
                    found[namespace] = (listed, "primary" in entries.below and bool(entries.below["primary"].found))
    return found


def _json_raw(file: Path) -> Callable[[Sequence[int]], Iterator[tuple[int, str, str | None]]]:
    """Read the text of some events, and why it is broken where it is."""

    def read(lines: Sequence[int]) -> Iterator[tuple[int, str, str | None]]:
        wanted = set(lines)
        with unpacked(file) as stream:
            number = 0
            for line in stream:
                if not line.strip():
                    continue
                number += 1
                if number in wanted:
                    yield number, line.decode("utf-8", errors="replace").strip(), _why_broken(line)

    return read


def _why_broken(line: bytes) -> str | None:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"{BROKEN}: {error}"
    return None
