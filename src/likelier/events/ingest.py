"""The way of files into the lake.

A call of :func:`ingest` is a batch (:mod:`likelier.events.batch`). Work in progress lies in a temporary folder; a
process killed at any moment leaves all of a batch or none, and sending the files again completes it: the batch is named
by what was sent.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from likelier.errors import StorageError, UsageError
from likelier.events.batch import REJECTS, REJECTS_TABLE, Batch, Kind, Progress, silent
from likelier.events.known import KnownIds
from likelier.events.mapping import FileMapping
from likelier.events.sources import format_of
from likelier.events.staging import open_desk, staging_folder
from likelier.lake import ConflictError, Lake
from likelier.phrases import say

__all__ = ["REJECTS", "REJECTS_TABLE", "IngestResult", "Kind", "Progress", "ingest", "silent"]

ATTEMPTS = 10
Done = TypeVar("Done")


@dataclass(frozen=True)
class IngestResult:
    """What became of the rows of a batch."""

    accepted: int
    duplicate: int
    rejected: int
    batch: str


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
    known: KnownIds | None = None,
) -> IngestResult:
    """Append files to a dataset, as one batch; `progress` hears the fraction done and the rows appended."""
    check_name(lake, name, kind)
    _check_files(files)
    batch = _digest(files, mapping, kind)

    def attempt(folder: Path, desk: duckdb.DuckDBPyConnection) -> IngestResult:
        work = Batch(lake, f"datasets/{name}", batch, kind, now, desk, folder, progress, known)
        opened, fields = work.open(files, mapping)
        staged = work.stage(opened, fields)
        rejected = work.set_aside(opened, staged)
        total, accepted = work.commit(staged)
        return IngestResult(accepted, total - accepted, rejected, work.batch)

    return persistently(attempt, memory)


def persistently(attempt: Callable[[Path, duckdb.DuckDBPyConnection], Done], memory: str) -> Done:
    """Compute a batch, anew while another one comes between."""
    for number in range(1, ATTEMPTS + 1):
        with staging_folder() as folder, open_desk(memory, folder) as desk:
            try:
                return attempt(folder, desk)
            except ConflictError:
                if number == ATTEMPTS:
                    raise
            except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
                raise StorageError(say("The files cannot be read or staged: {error}", error=str(error))) from error
    raise AssertionError


def check_name(lake: Lake, name: str, kind: Kind) -> None:
    """Refuse a name that cannot be a dataset's, or is one of the other kind."""
    if not re.fullmatch(r"[A-Za-z0-9][\w .-]{0,99}", name):
        raise UsageError(
            say("A dataset cannot be called '{name}': take letters, digits, '_', '-', '.' and spaces.", name=name)
        )
    other = "profiles" if kind == "events" else "events"
    if lake.exists(f"datasets/{name}/{other}"):
        raise UsageError(
            say(
                "The dataset '{name}' is of kind {other}. Take another name, or --kind {other}.", name=name, other=other
            )
        )


def _check_files(files: Sequence[Path]) -> None:
    if not files:
        raise UsageError(say("Name at least one file."))
    for file in files:
        if not file.is_file():
            raise UsageError(say("There is no file {path}.", path=file))
        format_of(file)


def _digest(files: Sequence[Path], mapping: FileMapping | None, kind: Kind) -> str:
    """Name a batch by all that decides what it brings."""
    digest = hashlib.sha256(f"{kind}\n{mapping.text if mapping else ''}\n".encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]
