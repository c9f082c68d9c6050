"""The lake: Delta tables below one root, a folder or an object-store URL.

An append is one Delta commit: readers see all of a batch or none of it, whatever happens to the writer. Every append
carries a batch id as a Delta application transaction, so a batch that is already there is not appended again. An
append may also say on which version it was computed (`onto`): when another such append came between, it raises
:class:`ConflictError` and nothing is written, so what was decided by looking at the table still holds in the commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
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
        batch: str,
        onto: int | None = None,
        note: Mapping[str, Any] | None = None,
    ) -> int:
        """Append all rows in one commit and say how many; new columns widen the table.

        Nothing happens when the batch is there already. `onto` is the version the rows were computed on, -1 for a
        table that was not there. `note` is kept in the table's history.
        """
        current = self._find(table)
        if current is not None and current.transaction_version(batch) is not None:
            return 0
        transactions = [Transaction(batch, 1)]
        if onto is not None:
            base = self._at(table, onto) if onto >= 0 else None
            turn = base.transaction_version(TURN) if base else None
            transactions.append(Transaction(TURN, (turn or 0) + 1))
            if base is None and current is not None:
                raise ConflictError(f"The table {table} was created meanwhile.")
            current = base
        counted = _Counted(reader)
        try:
            self._write(table, current, counted.reader(), transactions, {"batch": batch, **(note or {})})
        except CommitFailedError as error:
            raise ConflictError(f"The table {table} was changed meanwhile.") from error
        except Exception as error:  # deltalake raises its own, the reader's and bare ones
            if current is None and self.exists(table):
                raise ConflictError(f"The table {table} was created meanwhile.") from error
            raise StorageError(f"The table {table} cannot be written: {error}") from error
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
            raise StorageError(f"The table {table} cannot be written: {error}") from error
        return counted.rows

    def exists(self, table: str) -> bool:
        return DeltaTable.is_deltatable(self._uri(table))

    def version(self, table: str) -> int:
        """Number the newest version; -1 when there is no such table."""
        found = self._find(table)
        return -1 if found is None else found.version()

    def files(self, table: str, version: int | None = None) -> list[str]:
        """List the Parquet files that hold the table's rows, as the engine reads them."""
        return list(self._at(table, version).file_uris())

    def schema(self, table: str, version: int | None = None) -> pa.Schema:
        return pa.schema(self._at(table, version).schema().to_arrow())

    def rows(self, table: str, version: int | None = None) -> int:
        return self._at(table, version).count()

    def held(self, table: str, batches: Iterable[str]) -> set[str]:
        """Tell which of these batches were appended."""
        found = self._find(table)
        return set() if found is None else {batch for batch in batches if found.transaction_version(batch) is not None}

    def history(self, table: str) -> list[dict[str, Any]]:
        """Give the commits, newest first, with the notes they were made with."""
        return list(self._at(table, None).history())

    def delete(self, table: str, predicate: str) -> int:
        """Delete the rows that satisfy a Delta predicate, in one commit, and say how many."""
        deleted = self._at(table, None).delete(predicate, post_commithook_properties=KEEP_LOGS)
        return int(deleted["num_deleted_rows"])

    def names(self, below: str) -> list[str]:
        """List the folders below a path, sorted."""
        filesystem, root = _filesystem(self.root)
        chosen = pa.fs.FileSelector(f"{root}/{below}", allow_not_found=True)
        found = filesystem.get_file_info(chosen)
        return sorted(item.base_name for item in found if item.type is pa.fs.FileType.Directory)

    def _uri(self, table: str) -> str:
        return f"{self.root.rstrip('/')}/{table}"

    def _find(self, table: str) -> DeltaTable | None:
        try:
            return DeltaTable(self._uri(table))
        except TableNotFoundError:
            return None

    def _at(self, table: str, version: int | None) -> DeltaTable:
        try:
            return DeltaTable(self._uri(table), version=version)
        except TableNotFoundError as error:
            raise StorageError(f"There is no table {table} in {self.root}.") from error

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


def _kept(kind: pa.DataType) -> pa.DataType:
    """Every moment is kept in UTC, whatever its zone was called."""
    if pa.types.is_timestamp(kind):
        return MOMENT
    if pa.types.is_list(kind):
        return pa.list_(_kept(kind.value_type))
    return kind


def _metadata(note: Mapping[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in note.items()}


def _filesystem(root: str) -> tuple[pa.fs.FileSystem, str]:
    if "://" in root:
        return pa.fs.FileSystem.from_uri(root)
    return pa.fs.LocalFileSystem(), root.rstrip("/")
