"""The way of files into the lake.

A call of :func:`ingest` is a batch: all its files are read, every row is checked and converted, rows that cannot be
used are set aside with their reason, rows whose `_id` is there already are left out, and the rest is sorted by identity
and time and appended in one commit. Work in progress lies in a temporary folder; a process killed at any moment leaves
all of a batch or none, and sending the files again completes it.

The batch is named by what was sent. Rows set aside are written first, under that name, and count only once the batch is
there; so whatever is interrupted, a second sending neither loses nor doubles them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from likelier.errors import StorageError, UsageError
from likelier.events import checks, jsonfiles, sources, sql, tables
from likelier.events.mapping import FileMapping
from likelier.events.schema import IDENTITY, OTHERS, Field, fields_of
from likelier.events.sources import Source
from likelier.lake import ConflictError, Lake

Kind = Literal["events", "profiles"]
Progress = Callable[[float, int], None]

ATTEMPTS = 10
RAW = 2_000  # characters kept of a row set aside
REJECTS = pa.schema(
    {"batch": pa.string(), "file": pa.string(), "line": pa.int64(), "reason": pa.string(), "raw": pa.string()}
)


@dataclass(frozen=True)
class IngestResult:
    """What became of the rows of a batch."""

    accepted: int
    duplicate: int
    rejected: int
    batch: str


def silent(fraction: float, rows: int) -> None:
    """Report progress to nobody."""


def ingest(
    lake: Lake,
    name: str,
    files: Sequence[Path],
    *,
    mapping: FileMapping | None = None,
    kind: Kind = "events",
    now: dt.datetime,
    progress: Progress = silent,
    memory: str = "2GB",
) -> IngestResult:
    """Append files to a dataset, as one batch."""
    _check_names(lake, name, files, kind)
    batch = _digest(files, mapping, kind)
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="likelier-ingest-") as folder, _desk(memory, Path(folder)) as desk:
            work = _Batch(lake, f"datasets/{name}/{kind}", batch, kind, now, desk, Path(folder), progress)
            try:
                return work.append(files, mapping)
            except ConflictError:
                if attempt + 1 == ATTEMPTS:
                    raise
            except duckdb.IOException as error:
                raise StorageError(f"The files cannot be read or staged: {error}") from error
    raise AssertionError


def _desk(memory: str, folder: Path) -> duckdb.DuckDBPyConnection:
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": "false",  # nothing is fetched from anywhere
        "autoload_known_extensions": "false",
    }
    desk = duckdb.connect(config=settings)
    # A time without a zone is UTC, wherever the machine stands.
    desk.execute("SET TimeZone = 'UTC'")
    return desk


def _check_names(lake: Lake, name: str, files: Sequence[Path], kind: Kind) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][\w .-]{0,99}", name):
        raise UsageError(f"A dataset cannot be called '{name}': take letters, digits, '_', '-', '.' and spaces.")
    other = "profiles" if kind == "events" else "events"
    if lake.exists(f"datasets/{name}/{other}"):
        raise UsageError(f"The dataset '{name}' is of kind {other}. Take another name, or --kind {other}.")
    if not files:
        raise UsageError("Name at least one file.")
    for file in files:
        if not file.is_file():
            raise UsageError(f"There is no file {file}.")
        sources.format_of(file)


def _digest(files: Sequence[Path], mapping: FileMapping | None, kind: Kind) -> str:
    """Name a batch by all that decides what it brings."""
    digest = hashlib.sha256(f"{kind}\n{mapping.text if mapping else ''}\n".encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


@dataclass
class _Batch:
    """The steps of one batch."""

    lake: Lake
    table: str
    batch: str
    kind: Kind
    now: dt.datetime
    desk: duckdb.DuckDBPyConnection
    folder: Path
    progress: Progress

    def append(self, files: Sequence[Path], mapping: FileMapping | None) -> IngestResult:
        self.version = self.lake.version(self.table)
        kept = fields_of(self.lake.schema(self.table, self.version)) if self.version >= 0 else {}
        opened, fields = self._open(files, mapping, kept)
        staged = [self._stage(number, source, fields) for number, source in enumerate(opened)]
        rejected = self._set_aside(opened, staged)
        total, accepted = self._commit(staged)
        return IngestResult(accepted, total - accepted, rejected, self.batch)

    def _open(
        self, files: Sequence[Path], mapping: FileMapping | None, kept: dict[str, Field]
    ) -> tuple[list[Source], dict[str, Field]]:
        """Open the files and settle the fields of the batch."""
        found: dict[Path, Source] = {}
        for file in files:
            if sources.format_of(file) == "csv":
                found[file] = tables.open_csv(self.desk, file)
            elif sources.format_of(file) == "parquet":
                found[file] = tables.open_parquet(self.desk, file)
        json_files = [file for file in files if sources.format_of(file) == "json"]
        shaped = jsonfiles.open_json(json_files, self.folder) if json_files else None
        seen = [source.seen for source in found.values()] + ([shaped.seen] if shaped else [])
        fields = checks.settle(seen, kept)
        if shaped:
            own = mapping is None or mapping.fields is None
            types = {path: field.type for path, field in fields.items()} if own else {}
            found |= dict(zip(json_files, shaped.sources(types), strict=True))
        opened = [found[file] for file in files]
        if mapping is not None:
            opened = [source.mapped(self.desk, mapping) for source in opened]
            fields = checks.settle([source.seen for source in opened], kept)
        return opened, checks.sharpen(self.desk, opened, fields, kept)

    def _stage(self, number: int, source: Source, fields: dict[str, Field]) -> Path:
        target = self.folder / f"rows-{number}.parquet"
        query = checks.checked(source, fields, self.now, dated=self.kind == "events")
        self.desk.execute(f"COPY ({query}) TO {sql.text(str(target))} (FORMAT parquet, COMPRESSION lz4)")
        return target

    # ---- rows set aside ----

    def _set_aside(self, opened: Sequence[Source], staged: Sequence[Path]) -> int:
        """Write the rows that cannot be used to the rejects, with their text, and count them."""
        counts = [self._count(path, '".reason" IS NOT NULL') for path in staged]
        counts = [count + len(source.unread()) for count, source in zip(counts, opened, strict=True)]
        if sum(counts):
            batches = self._rejects(opened, staged)
            reader = pa.RecordBatchReader.from_batches(REJECTS, batches)
            self.lake.append(f"{self.table.rsplit('/', 1)[0]}/rejects", reader, batch=self.batch)
        return sum(counts)

    def _rejects(self, opened: Sequence[Source], staged: Sequence[Path]) -> Iterator[pa.RecordBatch]:
        for source, path in zip(opened, staged, strict=True):
            asked = f'SELECT ".line", ".reason" FROM {_parquet([path])} WHERE ".reason" IS NOT NULL ORDER BY 1'
            reasons = dict(self.desk.sql(asked).fetchall())
            rows = [
                {
                    "batch": self.batch,
                    "file": source.file.name,
                    "line": line,
                    "reason": why or reasons[line],
                    "raw": raw[:RAW],
                }
                for line, raw, why in (source.raw(list(reasons)) if reasons else ())
            ]
            rows += [
                {"batch": self.batch, "file": source.file.name, "line": line, "reason": why, "raw": raw[:RAW]}
                for line, why, raw in source.unread()
            ]
            if rows:
                yield pa.RecordBatch.from_pylist(rows, schema=REJECTS)

    # ---- rows kept ----

    def _commit(self, staged: Sequence[Path]) -> tuple[int, int]:
        """Append the rows that are new; say how many could be used and how many were appended."""
        union = self._union(staged)
        total = self._count_of(f"SELECT count(*) FROM {union}")
        self._find_doubles(union)
        columns, order = self._columns(union)
        query = (
            f"SELECT {', '.join(map(sql.name, columns))} FROM {union} AS u "
            'WHERE NOT EXISTS (FROM doubles d WHERE d._id = u._id AND (d.file <> u.".file" OR d.line <> u.".line")) '
            f"ORDER BY {order}"
        )
        batch = self.batch
        if self.lake.holds(self.table, batch):
            batch = f"{batch}.{self.version}"
        result = self.desk.sql(query).to_arrow_reader(65_536)
        batches = self._counted(result, total)
        first = next(batches, None)
        if first is None and batch != self.batch:
            return total, 0
        self.batch = batch
        rows = itertools.chain(() if first is None else (first,), batches)
        reader = pa.RecordBatchReader.from_batches(result.schema, rows)
        accepted = self.lake.append(self.table, reader, batch=batch, onto=self.version)
        return total, accepted

    def _union(self, staged: Sequence[Path]) -> str:
        parts = [
            f'SELECT {number} AS ".file", * EXCLUDE (".reason") FROM {_parquet([path])} WHERE ".reason" IS NULL'
            for number, path in enumerate(staged)
        ]
        return "(" + " UNION ALL BY NAME ".join(parts) + ")"

    def _find_doubles(self, union: str) -> None:
        """Gather the ids that come twice, with the row that is kept; no row where the table has the id already."""
        self.desk.execute(
            f"CREATE TEMP TABLE suspects AS SELECT hash(_id) AS h FROM {union} GROUP BY 1 HAVING count(*) > 1"
        )
        self.desk.execute(
            f'CREATE TEMP TABLE doubles AS SELECT _id, first(".file" ORDER BY ".file", ".line") AS file, '
            f'first(".line" ORDER BY ".file", ".line") AS line FROM {union} '
            "WHERE hash(_id) IN (SELECT h FROM suspects) GROUP BY _id HAVING count(*) > 1"
        )
        if self.version >= 0 and (files := self.lake.files(self.table, self.version)):
            there = f"(SELECT DISTINCT u._id FROM {union} u SEMI JOIN {_parquet(files)} t ON t._id = u._id)"
            self.desk.execute(f"CREATE TEMP TABLE there AS FROM {there}")
            self.desk.execute("DELETE FROM doubles WHERE _id IN (FROM there)")
            self.desk.execute("INSERT INTO doubles SELECT _id, -1, -1 FROM there")

    def _columns(self, union: str) -> tuple[list[str], str]:
        """Name the columns that hold anything, and the order of the rows."""
        found = self.desk.sql(f"FROM {union} LIMIT 0").columns
        data = [name for name in found if name not in (".file", ".line")]
        counts = self.desk.sql(f"SELECT {', '.join(f'count({sql.name(c)})' for c in data)} FROM {union}").fetchall()[0]
        held = dict(zip(data, counts, strict=True))
        columns = ["_id", "timestamp"] + [c for c in data if c not in ("_id", "timestamp") and held[c]]
        identities = [c for c in columns if c.startswith(IDENTITY) and not c.endswith(OTHERS)]
        identities.sort(key=lambda c: -held[c])
        keys = ", ".join(map(sql.name, identities))
        order = f"coalesce({keys}), timestamp, _id" if identities else "timestamp, _id"
        return columns, order

    def _counted(self, reader: pa.RecordBatchReader, total: int) -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in reader:
            rows += batch.num_rows
            if batch.num_rows:
                yield batch
            self.progress(rows / max(total, 1), rows)

    def _count(self, path: Path, condition: str) -> int:
        return self._count_of(f"SELECT count(*) FROM {_parquet([path])} WHERE {condition}")

    def _count_of(self, query: str) -> int:
        return int(self.desk.sql(query).fetchall()[0][0])


def _parquet(files: Sequence[Path] | Sequence[str]) -> str:
    return f"read_parquet({sql.texts(str(file) for file in files)}, union_by_name=true)"
