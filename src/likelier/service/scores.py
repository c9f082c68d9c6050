"""The scores of a run, read and written out."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import ibis
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from likelier.access.audit import record
from likelier.access.identity import Actor
from likelier.backend import Engine
from likelier.errors import UsageError
from likelier.phrases import say
from likelier.profiles.published import other_scores
from likelier.runs.records import Run, scores_table
from likelier.service.files import whole_file
from likelier.service.runs import thing
from likelier.service.workspace import Workspace


class Scored(Protocol):
    """A run that gave scores."""

    @property
    def id(self) -> str: ...

    @property
    def instance_id(self) -> str: ...


def read_scores(engine: Engine, workspace: Workspace, run: Scored) -> ibis.Table:
    """The scores of one run."""
    table = engine.read(workspace.lake.files(scores_table(run.instance_id)))
    return table.filter(table.run_id == run.id).drop("run_id")


def export_scores(workspace: Workspace, actor: Actor, run: Run, path: Path) -> int:
    """Write a run's scores to a file, in the order of their ids, and say how many; the extension names the format.

    The file appears when it is complete.
    """
    write = _writer(path)
    note_export(workspace, actor, run, path.suffix.removeprefix("."))
    with workspace.engine() as engine, whole_file(path) as file:
        scores = read_scores(engine, workspace, run)
        return write(engine.stream(scores.order_by("namespace", "id")), file)


def export_other_scores(workspace: Workspace, actor: Actor, run: Run, path: Path) -> int:
    """Write what the model that lost in a run said of everybody; kept until there are two newer runs."""
    write = _writer(path)
    found = other_scores(workspace.lake, run.instance_id, run.id)
    if found is None:
        raise UsageError(say("Run {id} has no scores of another model, or they are kept no more.", id=run.id[:8]))
    note_export(workspace, actor, run, path.suffix.removeprefix("."))
    with whole_file(path) as file:
        return write(found, file)


def _writer(path: Path) -> Callable[[pa.RecordBatchReader, IO[bytes]], int]:
    write = FORMATS.get(path.suffix.lower().removeprefix("."))
    if write is None:
        raise UsageError(
            say(
                "'{name}' names no format. End it in {known}.",
                name=path.name,
                known=", ".join(f".{name}" for name in FORMATS),
            )
        )
    return write


def note_export(workspace: Workspace, actor: Actor, run: Run, form: str) -> None:
    """Log that somebody took a run's scores away, before they do."""
    with workspace.store.write() as connection:
        taken = {"format": form, "rows": run.scored}
        record(connection, actor, "scores.export", thing(run), now=workspace.clock(), after=taken)


def write_parquet(reader: pa.RecordBatchReader, file: IO[bytes]) -> int:
    rows = 0
    with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def write_jsonl(reader: pa.RecordBatchReader, file: IO[bytes]) -> int:
    rows = 0
    for row in _rows(reader):
        file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        rows += 1
    return rows


def write_csv(reader: pa.RecordBatchReader, file: IO[bytes]) -> int:
    """Write a header and a line per person; `factors` holds JSON."""
    writer = csv.writer(_Text(file), lineterminator="\r\n")
    writer.writerow(reader.schema.names)
    rows = 0
    for row in _rows(reader):
        writer.writerow(_cell(value) for value in row.values())
        rows += 1
    return rows


FORMATS: Mapping[str, Callable[[pa.RecordBatchReader, IO[bytes]], int]] = {
    "parquet": write_parquet,
    "csv": write_csv,
    "jsonl": write_jsonl,
}


class _Text:
    """What `csv` writes to, over a file of bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


def _rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    for batch in reader:
        yield from batch.to_pylist()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else value
