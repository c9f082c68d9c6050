"""A dataset: a named set of events, or of what is known about profiles, as one Delta table in the lake.

`events` has a row per event. `profiles` has a row per change of what is known about a profile: `timestamp` is the
moment from which the values of the row are known, and a null says nothing, so the value of an attribute at a cut-off is
the latest one that is not null before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import ibis
import pyarrow as pa

from likelier.backend import Engine
from likelier.errors import UnknownNameError
from likelier.events.ingest import REJECTS, REJECTS_TABLE
from likelier.events.schema import Field, fields_of, namespaces_of
from likelier.lake import Lake, Snapshot

Kind = Literal["events", "profiles"]
KINDS: tuple[Kind, ...] = ("events", "profiles")


@dataclass(frozen=True)
class Dataset:
    """What is in a dataset at one version of its table; `fields` leaves out `_id` and the identities."""

    name: str
    kind: Kind
    fields: Mapping[str, Field]
    namespaces: tuple[str, ...]
    version: int

    @property
    def table(self) -> str:
        return table_of(self.name, self.kind)


def table_of(name: str, kind: Kind) -> str:
    return f"datasets/{name}/{kind}"


def rejects_of(name: str) -> str:
    """Name the table of the rows of a dataset that were set aside."""
    return f"datasets/{name}/{REJECTS_TABLE}"


def open_dataset(lake: Lake, name: str, version: int | None = None) -> Dataset:
    """Open a dataset at its newest version or the one given."""
    for kind in KINDS:
        newest = lake.snapshot(table_of(name, kind))
        if newest is not None:
            if version is None:
                return _newest(name, kind, newest)
            return _dataset(name, kind, lake.schema(table_of(name, kind), version), version)
    raise UnknownNameError("dataset", name, [dataset.name for dataset in list_datasets(lake)])


def list_datasets(lake: Lake) -> list[Dataset]:
    """List the datasets by name."""
    found = ((name, kind, lake.snapshot(table_of(name, kind))) for name in lake.names("datasets") for kind in KINDS)
    return [_newest(name, kind, newest) for name, kind, newest in found if newest is not None]


@lru_cache
def _newest(name: str, kind: Kind, snapshot: Snapshot) -> Dataset:
    return _dataset(name, kind, snapshot.schema, snapshot.version)


def _dataset(name: str, kind: Kind, schema: pa.Schema, version: int) -> Dataset:
    return Dataset(name, kind, fields_of(schema), namespaces_of(schema), version)


def read_dataset(engine: Engine, lake: Lake, dataset: Dataset) -> ibis.Table:
    """Read a dataset at its version."""
    schema = lake.schema(dataset.table, dataset.version)
    return read_files(engine, lake.files(dataset.table, dataset.version), schema)


def read_files(engine: Engine, files: Sequence[str], schema: pa.Schema, *, file: str | None = None) -> ibis.Table:
    """Read some of a dataset's files with all of its columns; `file` names one more, which says the row's file."""
    if not files:
        return engine.values(schema.empty_table())
    table = engine.read(files, file=file)
    # The files of a column's only values may be gone.
    types = ibis.Schema.from_pyarrow(schema)
    gone = {name: ibis.null(types[name]) for name in schema.names if name not in table.columns}
    names = [*schema.names, *([file] if file else [])]
    return table.mutate(**gone).select(*names) if gone else table.select(*names)


def read_rejects(engine: Engine, lake: Lake, dataset: Dataset) -> ibis.Table:
    """Read the rows that were set aside: batch, file, line, reason and the raw text.

    Those of a batch that was killed before its rows were appended do not count yet.
    """
    table = rejects_of(dataset.name)
    if not lake.exists(table):
        return engine.values(REJECTS.empty_table())
    found = engine.read(lake.files(table)).select(*REJECTS.names)
    batches = engine.table(found.select("batch").distinct())["batch"].to_pylist()
    return found.filter(found.batch.isin(sorted(lake.held(dataset.table, batches))))
