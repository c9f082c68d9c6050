"""Datasets as people fill them and look at them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import ibis

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.datasets import Dataset, describe, list_datasets, open_dataset, read_dataset, rejects_of
from likelier.events.ingest import IngestResult, ingest
from likelier.events.known import KnownIds
from likelier.events.mapping import load_mapping
from likelier.service import meters
from likelier.service.remembered import Remembered
from likelier.service.workspace import Workspace
from likelier.timespan import DAY


def ingest_files(
    workspace: Workspace,
    actor: Actor,
    name: str,
    files: Sequence[Path],
    *,
    mapping: Path | None,
    kind: Literal["events", "profiles"],
    progress: Callable[[float, int], None] = lambda *_: None,
) -> IngestResult:
    """Append files to a dataset, as one batch."""
    done = ingest(
        workspace.lake,
        name,
        files,
        mapping=load_mapping(mapping) if mapping else None,
        kind=kind,
        now=workspace.clock(),
        progress=progress,
        memory=workspace.settings.memory,
        known=known_ids(workspace, name),
    )
    note_ingest(workspace, actor, name, done)
    return done


def known_ids(workspace: Workspace, name: str) -> KnownIds:
    """What is kept of a dataset's ids, so that nobody reads them all to find a duplicate."""
    return KnownIds(workspace.settings.home / "known" / name)


def note_ingest(workspace: Workspace, actor: Actor, name: str, done: IngestResult) -> None:
    """Log and count what somebody put into a dataset."""
    for outcome in meters.OUTCOMES:
        meters.events.labels(outcome).inc(getattr(done, outcome))
    dataset = Thing("dataset", name, name)
    with workspace.store.write() as connection:
        record(connection, actor, "dataset.ingest", dataset, now=workspace.clock(), after=vars(done))


def dataset_list(workspace: Workspace, *, after: str = "", limit: int | None = None) -> list[dict[str, Any]]:
    """Each dataset by name, with its kind, rows, dates and identities; those that come after a name."""
    found = [dataset for dataset in list_datasets(workspace.lake) if dataset.name > after]
    return [_brief(workspace, dataset) for dataset in found[:limit]]


def describe_dataset(workspace: Workspace, name: str) -> dict[str, Any]:
    """One dataset with its fields, how complete they are over the last year, and a few rows."""
    dataset = open_dataset(workspace.lake, name)

    def describe_it() -> dict[str, Any]:
        with workspace.engine() as engine:
            return describe(engine, workspace.lake, dataset)

    rejects = workspace.lake.version(rejects_of(name))
    return _descriptions.get((*_version(workspace, dataset), rejects), describe_it)


# What is in a version of a dataset never changes.
_dates: Remembered[dict[str, Any]] = Remembered(1000)
_descriptions: Remembered[dict[str, Any]] = Remembered(100)


def _version(workspace: Workspace, dataset: Dataset) -> tuple[str, str, str, int]:
    return workspace.lake.root, dataset.name, dataset.kind, dataset.version


def _brief(workspace: Workspace, dataset: Dataset) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        with workspace.engine() as engine:
            table = read_dataset(engine, workspace.lake, dataset)
            dates = table.aggregate(first=table["timestamp"].min(), last=table["timestamp"].max())
            return dict(engine.table(dates).to_pylist()[0])

    dates = _dates.get(_version(workspace, dataset), look)
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "rows": workspace.lake.rows(dataset.table, dataset.version),
        **{key: moment.isoformat() if moment else None for key, moment in dates.items()},
        "namespaces": sorted(dataset.namespaces),
    }


def days_of(workspace: Workspace, name: str) -> list[tuple[str, int]]:
    """Count the events of each day of the year up to the newest one; a day without any is there, with 0."""
    dataset = open_dataset(workspace.lake, name)
    with workspace.engine() as engine:
        table = read_dataset(engine, workspace.lake, dataset)
        newest = engine.table(table.aggregate(newest=table["timestamp"].max()))["newest"][0].as_py()
        if dataset.kind != "events" or newest is None:
            return []
        recent = table.filter(table["timestamp"] >= ibis.literal(newest - 364 * DAY))
        counted = recent.group_by(day=recent["timestamp"].truncate("D")).aggregate(events=recent.count())
        found = {row["day"].date(): row["events"] for row in engine.table(counted).to_pylist()}
    first, last = min(found), max(found)
    every = (first + dt.timedelta(days=number) for number in range((last - first).days + 1))
    return [(day.isoformat(), found.get(day, 0)) for day in every]
