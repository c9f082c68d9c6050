"""The steps of one batch on its way into the lake.

Files are opened and their fields settled, every row is checked and converted, rows that cannot be used are set aside
with their reason, rows whose `_id` is there already are left out, and the rest is sorted by identity and time and
appended in one commit. Rows set aside are written first, under the batch's name, and count only once the batch is
there; so whatever is interrupted, a second sending neither loses nor doubles them.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from likelier.errors import StorageError
from likelier.events import checks, fresh, jsonfiles, sql, tables
from likelier.events.known import KnownIds
from likelier.events.mapping import FileMapping
from likelier.events.schema import MOMENT_TYPE, Field, fields_of
from likelier.events.sources import Source, format_of
from likelier.events.staging import run
from likelier.lake import Lake
from likelier.phrases import say

Kind = Literal["events", "profiles"]
Progress = Callable[[float, int], None]
Place = Callable[[Source, int], tuple[str, int]]

OPENED, STAGED = 0.3, 0.7  # how far a batch is when its files are opened, and when its rows are checked
REJECTS_TABLE = "rejects"
RAW = 2_000  # characters kept of a row set aside
NOTHING = pa.schema({"_id": pa.string(), "timestamp": MOMENT_TYPE}).empty_table()
REJECTS = pa.schema(
    {"batch": pa.string(), "file": pa.string(), "line": pa.int64(), "reason": pa.string(), "raw": pa.string()}
)


def silent(fraction: float, rows: int) -> None:
    """Report progress to nobody."""


def in_its_file(source: Source, line: int) -> tuple[str, int]:
    return source.file.name, line


@dataclass
class Batch:
    """One batch, computed on one version of the dataset's table.

    `lines` when JSON files are sure to hold a row on each line; `place` tells file and line of a row set aside;
    `remembered` when the batch is to be known by its name even when it brings nothing.
    """

    lake: Lake
    dataset: str
    batch: str
    kind: Kind
    now: dt.datetime
    desk: duckdb.DuckDBPyConnection
    folder: Path
    progress: Progress = silent
    known: KnownIds | None = None
    lines: bool = False
    place: Place = in_its_file
    remembered: bool = True

    def __post_init__(self) -> None:
        self.version = self.lake.version(self.table)

    @property
    def table(self) -> str:
        return f"{self.dataset}/{self.kind}"

    def open(self, files: Sequence[Path], mapping: FileMapping | None) -> tuple[list[Source], dict[str, Field]]:
        """Open the files and settle the fields of the batch."""
        kept = fields_of(self.lake.schema(self.table, self.version)) if self.version >= 0 else {}
        formats = {file: format_of(file) for file in files}
        found: dict[Path, Source] = {}
        for file, form in formats.items():
            if form == "csv":
                found[file] = tables.open_csv(self.desk, file)
            elif form == "parquet":
                found[file] = tables.open_parquet(self.desk, file)
        json_files = [file for file, form in formats.items() if form == "json"]
        as_they_are = mapping is None or mapping.fields is None
        shaped = self._open_json(json_files, kept if as_they_are else {}) if json_files else None
        seen = [source.seen for source in found.values()] + ([shaped.seen] if shaped else [])
        fields = checks.settle(seen, kept)
        if shaped:
            types = {path: field.type for path, field in fields.items()} if as_they_are else {}
            found |= dict(zip(json_files, shaped.sources(types), strict=True))
        opened = [found[file] for file in formats]
        if mapping is not None:
            opened = [source.mapped(self.desk, mapping) for source in opened]
            fields = checks.settle([source.seen for source in opened], kept)
        return opened, checks.sharpen(self.desk, opened, fields, kept)

    def _open_json(self, files: list[Path], kept: dict[str, Field]) -> jsonfiles.JsonFiles:
        return jsonfiles.open_json(files, self.folder, kept, lines=self.lines)

    def stage(self, opened: Sequence[Source], fields: dict[str, Field]) -> list[Path]:
        """Write the rows of the files, checked and converted."""
        self.progress(OPENED, 0)
        return [self._stage(number, source, fields, len(opened)) for number, source in enumerate(opened)]

    def _stage(self, number: int, source: Source, fields: dict[str, Field], count: int) -> Path:
        target = self.folder / f"rows-{number}.parquet"
        query = checks.checked(source, fields, self.now, dated=self.kind == "events")
        run(
            self.desk,
            f"COPY ({query}) TO {sql.text(str(target))} (FORMAT parquet, COMPRESSION lz4)",
            lambda done: self.progress(OPENED + (STAGED - OPENED) * (number + done) / count, 0),
        )
        if source.rows is not None and self._count(fresh.parquet([target])) != source.rows:
            raise StorageError(say("{name} changed while it was read. Send it again.", name=source.file.name))
        return target

    # ---- rows set aside ----

    def set_aside(self, opened: Sequence[Source], staged: Sequence[Path], *, once: bool = True) -> int:
        """Write the rows that cannot be used to the rejects, with their text, and count them.

        `once`: not again when those of a batch of this name are there.
        """
        counts = [self._count(f'{fresh.parquet([path])} WHERE ".reason" IS NOT NULL') for path in staged]
        unread = [source.unread() for source in opened]
        rejected = sum(counts) + sum(map(len, unread))
        if rejected:
            reader = pa.RecordBatchReader.from_batches(REJECTS, self._rejects(opened, staged, unread))
            self.lake.append(f"{self.dataset}/{REJECTS_TABLE}", reader, batch=self.batch if once else None)
        return rejected

    def _rejects(
        self, opened: Sequence[Source], staged: Sequence[Path], unread: Sequence[list[tuple[int, str, str]]]
    ) -> Iterator[pa.RecordBatch]:
        for source, path, lines in zip(opened, staged, unread, strict=True):
            yield self._rejected(source, lines)
            shown = self._shown(source, path)
            while part := list(itertools.islice(shown, 10_000)):
                yield self._rejected(source, part)

    def _shown(self, source: Source, path: Path) -> Iterator[tuple[int, str, str]]:
        """Give line, reason and text of the rows of a file that cannot be used."""
        asked = f'SELECT ".line", ".reason" FROM {fresh.parquet([path])} WHERE ".reason" IS NOT NULL ORDER BY 1'
        with self.desk.cursor() as other:  # the source asks the desk meanwhile
            found = other.execute(asked)
            while part := dict(found.fetchmany(500_000)):
                for row, line, raw, why in source.raw(list(part)):
                    yield line, why or part[row], raw

    def _rejected(self, source: Source, rows: Sequence[tuple[int, str, str]]) -> pa.RecordBatch:
        places = [self.place(source, line) for line, _, _ in rows]
        columns = {
            "batch": [self.batch] * len(rows),
            "file": [file for file, _ in places],
            "line": [line for _, line in places],
            "reason": [reason for _, reason, _ in rows],
            "raw": [raw[:RAW] for _, _, raw in rows],
        }
        return pa.RecordBatch.from_pydict(columns, schema=REJECTS)

    # ---- rows kept ----

    def commit(self, staged: Sequence[Path]) -> tuple[int, int]:
        """Append the rows that are new; say how many could be used and how many were appended."""
        rows = usable(staged)
        total = self._count(rows)
        there = self.lake.files(self.table, self.version) if self.version >= 0 else []
        found = fresh.look_over(self.desk, rows, there, self.known)
        if self.kind == "events":
            queries = fresh.new_events(found)
        else:
            queries = [fresh.new_profiles(found, self.now, first=not there)]
        result = self._one_after_another(queries)
        batches = self._told(result, total)
        head = next(batches, None)
        if self.lake.held(self.table, [self.batch]):
            if head is None:
                return total, 0
            # The same files again, after some of their events were deleted.
            self.batch = f"{self.batch}.{self.version}"
        if head is None and not self.remembered:
            return total, 0
        if head is None:  # the batch is remembered, and no column made of it
            reader = NOTHING.to_reader()
        else:
            reader = pa.RecordBatchReader.from_batches(result.schema, itertools.chain([head], batches))
        return total, self.lake.append(self.table, reader, batch=self.batch, onto=self.version)

    def _one_after_another(self, queries: Sequence[str]) -> pa.RecordBatchReader:
        first = self.desk.sql(queries[0]).to_arrow_reader(65_536)
        others = (batch for query in queries[1:] for batch in self.desk.sql(query).to_arrow_reader(65_536))
        return pa.RecordBatchReader.from_batches(first.schema, itertools.chain(first, others))

    def _told(self, reader: pa.RecordBatchReader, total: int) -> Iterator[pa.RecordBatch]:
        """Pass the batches on that hold rows, and tell how far it is."""
        rows = 0
        for batch in reader:
            rows += batch.num_rows
            self.progress(STAGED + (1 - STAGED) * rows / max(total, 1), rows)
            if batch.num_rows:
                yield batch

    def _count(self, relation: str) -> int:
        return int(self.desk.sql(f"SELECT count(*) FROM {relation}").fetchall()[0][0])


def usable(staged: Sequence[Path]) -> str:
    """Say in SQL which staged rows can be used."""
    rows = " UNION ALL BY NAME ".join(
        f'SELECT {number} AS ".file", * EXCLUDE (".reason") FROM {fresh.parquet([path])} WHERE ".reason" IS NULL'
        for number, path in enumerate(staged)
    )
    return f"({rows})"
