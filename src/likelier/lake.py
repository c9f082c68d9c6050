"""The lake: Delta tables below one root, a folder or an object-store URL.

An append is one Delta commit: readers see all of a batch or none of it, whatever happens to the writer; in a local
folder it is on the disk when the call returns. An append carries a batch id as a Delta application transaction, so a
batch that is already there is not appended again. An append may also say on which version it was computed (`onto`):
when another such append came between, it raises :class:`ConflictError` and nothing is written, so what was decided by
looking at the table still holds in the commit.

A batch named `series#7` is the seventh of a series. Of a series only the newest number is remembered, so that it may go
on forever; who appends a number that is taken gets :class:`ConflictError`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Transaction,
    WriterProperties,
)
from deltalake import write_deltalake as write_delta
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from likelier.errors import StorageError, TransientError
from likelier.phrases import say

try:
    import fcntl
except ImportError:  # pragma: no cover  (Windows)
    fcntl = None  # type: ignore[assignment]

TURN = "likelier.turn"  # the application transaction that appends with `onto` take in turns
MOMENT = pa.timestamp("us", "UTC")
# Old log entries carry the notes that say what each batch brought; they are small.
KEEP_LOGS = PostCommitHookProperties(cleanup_expired_logs=False)
# Ids hardly ever repeat: a dictionary of them is work for nothing.
WRITTEN = WriterProperties(
    compression="ZSTD",
    max_row_group_size=131_072,
    column_properties={"_id": ColumnProperties(dictionary_enabled=False)},
)


class ConflictError(TransientError):
    """Somebody else appended since the version this append was computed on."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A table at one version."""

    version: int
    files: tuple[str, ...]
    schema: pa.Schema
    rows: int
    newest: dt.datetime | None
    """The greatest `timestamp`, to the millisecond, when every file tells its own."""


_snapshots: dict[tuple[str, str], tuple[int, Snapshot]] = {}


@dataclass(frozen=True)
class Lake:
    """Delta tables by their path below the root.

    >>> import tempfile
    >>> lake = Lake(tempfile.mkdtemp())
    >>> rows = pa.table({"who": ["a", "b"]})
    >>> lake.append("people", rows.to_reader(), batch="monday")
    2
    >>> lake.append("people", rows.to_reader(), batch="monday")
    0
    >>> lake.version("people")
    0
    """

    root: str

    def append(
        self,
        table: str,
        reader: pa.RecordBatchReader,
        *,
        batch: str | None,
        onto: int | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> int:
        """Append all rows in one commit and say how many; new columns widen the table.

        Nothing happens when the batch is there already; without a name none is remembered. `onto` is the version the
        rows were computed on, -1 for a table that was not there. `note` is kept in the table's history.
        """
        current = self._find(table)
        before = -1 if current is None else current.version()
        if batch is not None and current is not None and _holds(current, batch):
            if "#" in batch:
                raise ConflictError(f"The table {table} has the batch {batch} of somebody else.")
            return 0
        transactions = [] if batch is None else [Transaction(*_numbered(batch))]
        if onto is not None:
            base = self._at(table, onto) if onto >= 0 else None
            turn = base.transaction_version(TURN) if base else None
            transactions.append(Transaction(TURN, (turn or 0) + 1))
            if base is None and current is not None:
                raise ConflictError(f"The table {table} was created meanwhile.")
            current = base
        counted = _Counted(reader)
        try:
            named = {} if batch is None else {"batch": batch}
            with contextlib.nullcontext() if current is not None else self._creating(table):
                self._write(table, current, counted.reader(), transactions, {**named, **(note or {})})
            self._settle(table, before)
        except ConflictError:
            raise
        except CommitFailedError as error:
            raise ConflictError(f"The table {table} was changed meanwhile.") from error
        except Exception as error:  # deltalake raises its own, the reader's and bare ones
            if current is None and self.exists(table):
                raise ConflictError(f"The table {table} was created meanwhile.") from error
            raise StorageError(
                say("The table {table} cannot be written: {error}", table=table, error=str(error))
            ) from error
        return counted.rows

    def replace(self, table: str, reader: pa.RecordBatchReader, *, note: Mapping[str, Any] | None = None) -> int:
        """Put these rows in the place of all that is there, in one commit."""
        counted = _Counted(reader)
        try:
            write_delta(
                self._uri(table),
                counted.reader(),
                mode="overwrite",
                schema_mode="overwrite",
                commit_properties=CommitProperties(custom_metadata=_metadata(note or {})),
            )
        except (DeltaError, OSError) as error:
            raise StorageError(
                say("The table {table} cannot be written: {error}", table=table, error=str(error))
            ) from error
        return counted.rows

    def snapshot(self, table: str) -> Snapshot | None:
        """Give the newest version of a table, None when there is no such table.

        Delta numbers the entries of its log, so as long as the next number is not there, what was read before is the
        newest still: two looks at the log folder instead of reading it.
        """
        filesystem, log = self.place(f"{table}/_delta_log")
        known = _snapshots.get((self.root, table))
        if known is not None:
            written, found = known
            last, following = filesystem.get_file_info([_entry(log, found.version + step) for step in (0, 1)])
            if last.mtime_ns == written and following.type is pa.fs.FileType.NotFound:
                return found
        elif filesystem.get_file_info(log).type is pa.fs.FileType.NotFound:
            return None
        table_now = self._find(table)
        if table_now is None:
            return None
        version, schema = table_now.version(), pa.schema(table_now.schema().to_arrow())
        found = Snapshot(version, tuple(table_now.file_uris()), schema, table_now.count(), _newest(table_now))
        _snapshots[self.root, table] = (filesystem.get_file_info(_entry(log, version)).mtime_ns, found)
        return found

    def place(self, name: str) -> tuple[pa.fs.FileSystem, str]:
        """Give the file system of a file that stands beside the tables, and its path there."""
        filesystem, root = _filesystem(self.root)
        return filesystem, f"{root}/{name}"

    def exists(self, table: str) -> bool:
        return self.snapshot(table) is not None

    def version(self, table: str) -> int:
        """Number the newest version; -1 when there is no such table."""
        found = self.snapshot(table)
        return -1 if found is None else found.version

    def files(self, table: str, version: int | None = None) -> list[str]:
        """List the Parquet files that hold the table's rows, as the engine reads them."""
        known = self._known(table, version)
        return list(known.files if known else self._at(table, version).file_uris())

    def schema(self, table: str, version: int | None = None) -> pa.Schema:
        known = self._known(table, version)
        return known.schema if known else pa.schema(self._at(table, version).schema().to_arrow())

    def rows(self, table: str, version: int | None = None) -> int:
        known = self._known(table, version)
        return known.rows if known else self._at(table, version).count()

    def held(self, table: str, batches: Iterable[str]) -> set[str]:
        """Tell which of these batches were appended."""
        found = self._find(table)
        return set() if found is None else {batch for batch in batches if _holds(found, batch)}

    def next_of(self, table: str, series: str, version: int) -> str:
        """Name the batch that comes next in a series, at a version of the table (-1: there is no table)."""
        newest = self._at(table, version).transaction_version(series) if version >= 0 else None
        return f"{series}#{(newest or 0) + 1}"

    def history(self, table: str, limit: int | None = None) -> list[dict[str, Any]]:
        """Give the newest commits, newest first, with the notes they were made with."""
        return list(self._at(table, None).history(limit))

    def delete(self, table: str, predicate: str) -> int:
        """Delete the rows that satisfy a Delta predicate, in one commit, and say how many."""
        try:
            deleted = self._at(table, None).delete(
                predicate, post_commithook_properties=KEEP_LOGS, writer_properties=WRITTEN
            )
        except CommitFailedError as error:
            raise ConflictError(f"The table {table} was changed meanwhile.") from error
        return int(deleted["num_deleted_rows"])

    def sizes(self, table: str) -> list[int]:
        """List how many bytes each of the table's files has."""
        return list(pa.table(self._at(table, None).get_add_actions(flatten=True))["size_bytes"].to_pylist())

    def compact(self, table: str, below: int) -> None:
        """Join the files that have fewer bytes, in one commit that changes no row."""
        before = self.version(table)
        try:
            self._at(table, None).optimize.compact(
                target_size=below, post_commithook_properties=KEEP_LOGS, writer_properties=WRITTEN
            )
        except CommitFailedError as error:
            raise ConflictError(f"The table {table} was changed meanwhile.") from error
        except DeltaError as error:
            raise StorageError(
                say("The table {table} cannot be compacted: {error}", table=table, error=str(error))
            ) from error
        self._settle(table, before)

    def names(self, below: str) -> list[str]:
        """List the folders below a path, sorted."""
        filesystem, root = _filesystem(self.root)
        chosen = pa.fs.FileSelector(f"{root}/{below}", allow_not_found=True)
        found = filesystem.get_file_info(chosen)
        return sorted(item.base_name for item in found if item.type is pa.fs.FileType.Directory)

    def _uri(self, table: str) -> str:
        return f"{self.root.rstrip('/')}/{table}"

    def _known(self, table: str, version: int | None) -> Snapshot | None:
        """Give the newest version when it is the one that is asked for."""
        found = self.snapshot(table)
        return found if found is not None and version in (None, found.version) else None

    def _find(self, table: str) -> DeltaTable | None:
        try:
            return DeltaTable(self._uri(table))
        except TableNotFoundError:
            return None

    def _at(self, table: str, version: int | None) -> DeltaTable:
        try:
            return DeltaTable(self._uri(table), version=version)
        except TableNotFoundError as error:
            raise StorageError(say("There is no table {table} in {root}.", table=table, root=self.root)) from error

    @contextlib.contextmanager
    def _creating(self, table: str) -> Iterator[None]:
        """Be alone in creating a table of a local folder.

        Of two that create a table at the same moment deltalake lets the second append to the first's, unseen.
        """
        if "://" in self.root or fcntl is None:
            yield
            return
        folder = Path(self._uri(table))
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            if self._find(table) is not None:
                raise ConflictError(f"The table {table} was created meanwhile.")
            yield
        finally:
            os.close(held)

    def _settle(self, table: str, version: int) -> None:
        """Have the disk keep what was committed since a version; object stores do by themselves."""
        if "://" in self.root:
            return
        folder = Path(self._uri(table))
        every = (folder / "_delta_log" / f"{number:020}.json" for number in itertools.count(version + 1))
        logs = list(itertools.takewhile(Path.exists, every))
        added = [folder / path for log in logs for path in _added(log)]
        for path in (*added, *logs, folder / "_delta_log", folder):
            _sync(path)

    def _write(
        self,
        table: str,
        current: DeltaTable | None,
        reader: pa.RecordBatchReader,
        transactions: list[Transaction],
        note: Mapping[str, Any],
    ) -> None:
        write_delta(
            current if current is not None else self._uri(table),
            reader,
            mode="append" if current is not None else "error",
            schema_mode="merge" if current is not None else None,
            commit_properties=CommitProperties(custom_metadata=_metadata(note), app_transactions=transactions),
            post_commithook_properties=KEEP_LOGS,
            writer_properties=WRITTEN,
        )


class _Counted:
    """A reader that counts what passes, in the types the lake keeps."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self.rows = 0
        self._reader = reader
        self._schema = pa.schema([pa.field(field.name, _kept(field.type)) for field in reader.schema])

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._schema, self._batches())

    def _batches(self) -> Any:
        for batch in self._reader:
            self.rows += batch.num_rows
            yield batch.cast(self._schema)


def _numbered(batch: str) -> tuple[str, int]:
    """Name the application transaction of a batch, and its number.

    >>> _numbered("monday"), _numbered("stream#7")
    (('monday', 1), ('stream', 7))
    """
    series, _, number = batch.partition("#")
    return series, int(number or 1)


def _holds(table: DeltaTable, batch: str) -> bool:
    name, number = _numbered(batch)
    newest = table.transaction_version(name)
    return newest is not None and newest >= number


def _added(log: Path) -> Iterable[str]:
    """List the files that a commit added."""
    actions = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return [unquote(action["add"]["path"]) for action in actions if "add" in action]


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _kept(kind: pa.DataType) -> pa.DataType:
    """Every moment is kept in UTC, whatever its zone was called."""
    if pa.types.is_timestamp(kind):
        return MOMENT
    if pa.types.is_list(kind):
        return pa.list_(_kept(kind.value_type))
    return kind


def _metadata(note: Mapping[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in note.items()}


def _newest(table: DeltaTable) -> dt.datetime | None:
    told = pa.table(table.get_add_actions(flatten=True))
    if "max.timestamp" not in told.column_names or told["max.timestamp"].null_count or not len(told):
        return None
    newest: dt.datetime = pc.max(told["max.timestamp"]).as_py()
    return newest.astimezone(dt.UTC) if newest.tzinfo else newest.replace(tzinfo=dt.UTC)


def _entry(log: str, version: int) -> str:
    return f"{log}/{version:020}.json"


@cache
def _filesystem(root: str) -> tuple[pa.fs.FileSystem, str]:
    if "://" in root:
        return pa.fs.FileSystem.from_uri(root)
    return pa.fs.LocalFileSystem(), root.rstrip("/")
