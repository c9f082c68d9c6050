"""Some people with all of their events: read once and kept, so that questions about them are answered at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from likelier.backend import Engine
from likelier.datasets import Dataset, read_files
from likelier.events.schema import IDENTITY
from likelier.lake import Lake
from likelier.pipeline.reading import Instead
from likelier.readings import Files, Readings, digest, look, named, share


def draw(
    datasets: Sequence[Dataset],
    namespace: str,
    engine: Engine,
    lake: Lake,
    *,
    most_events: int,
    folder: Path,
    readings: Readings | None = None,
) -> tuple[Instead, float]:
    """Give files to read instead of those of each dataset of events, and which part of all the people is in them.

    The part is a half, a quarter and so on, as large as about `most_events` allow: so it stays the same while events
    come in, and of what was kept in `readings` only the files that came since are read. People are drawn by their ids,
    always the same ones. The files are below `folder`.
    """
    events = [dataset for dataset in datasets if dataset.kind == "events"]
    rows = sum(lake.rows(dataset.table, dataset.version) for dataset in events)
    one_of = 2 ** max(0, math.ceil(math.log2(max(rows, 1) / most_events)))
    if one_of == 1:
        return {}, 1.0
    find = partial(_find, engine, lake, namespace, one_of, readings)
    return {dataset.name: find(dataset, folder / dataset.name) for dataset in events}, 1 / one_of


def _find(
    engine: Engine, lake: Lake, namespace: str, one_of: int, readings: Readings | None, dataset: Dataset, work: Path
) -> list[str]:
    files = {named(file): file for file in lake.files(dataset.table, dataset.version)}
    schema = lake.schema(dataset.table, dataset.version)

    def read(some: Files, out: Path) -> None:
        rows = read_files(engine, [files[name] for name in sorted(some)], schema)
        who = rows[f"{IDENTITY}{namespace}"]
        batches = engine.stream(rows.filter(who.notnull(), who.hash().abs() % one_of == 0))
        out.mkdir(parents=True)
        with pq.ParquetWriter(out / f"{digest(sorted(some))}.parquet", batches.schema) as file:
            for batch in batches:
                file.write_batch(batch)

    every = frozenset(files)
    if readings is None:
        read(every, work)
        place = work
    else:
        place = readings.of(look("people", dataset.name, namespace, one_of), every, read, _together, work)
    return sorted(map(str, place.glob("*.parquet")))


def _together(one: Path, other: Path, out: Path) -> None:
    out.mkdir(parents=True)
    for place in (one, other):
        for file in place.glob("*.parquet"):
            share(file, out / file.name)
