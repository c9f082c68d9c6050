"""What is in a dataset, for people who decide what to ask of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis

from likelier.backend import Engine
from likelier.datasets.dataset import Dataset, read_dataset, read_rejects
from likelier.events.schema import IDENTITY
from likelier.lake import Lake
from likelier.timespan import DAY, from_us

YEAR = 365 * DAY
SHOWN = 10
NEWEST = 100
MANY = 2_000_000
"""Rows from which on the different ids are estimated: to count them takes longer than people wait for a page."""


def describe(engine: Engine, lake: Lake, dataset: Dataset) -> dict[str, Any]:
    """Say what is in a dataset, ready for JSON: fields, dates, completeness, identities, ten rows, batches, rejects.

    `complete` is the share of rows that have a value; of events, of those in the year up to the newest. The number of
    `profiles` is `estimated`, to about 2 %, where there are many rows.
    """
    table = read_dataset(engine, lake, dataset)
    first, last = _dates(engine, table)
    recent = table
    if dataset.kind == "events" and last is not None:
        recent = table.filter(table["timestamp"] > ibis.literal(last - YEAR))
    complete = _complete(engine, recent)
    rejected = read_rejects(engine, lake, dataset)
    rows = lake.rows(dataset.table, dataset.version)
    estimated = rows > MANY
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "version": dataset.version,
        "rows": rows,
        "first": _plain(first),
        "last": _plain(last),
        "fields": [
            {"path": field.path, "type": field.type.value, "array": field.array, "complete": complete[field.path]}
            for field in dataset.fields.values()
        ],
        "identities": [
            {
                "namespace": name,
                "profiles": profiles,
                "estimated": estimated,
                "complete": complete[f"{IDENTITY}{name}"],
            }
            for name, profiles in _profiles(engine, table, dataset, estimated=estimated).items()
        ],
        "preview": _rows(engine, table.order_by([ibis.desc("timestamp"), "_id"])),
        "batches": _batches(lake, dataset),
        "rejected": engine.table(rejected.aggregate(rows=rejected.count()))["rows"][0].as_py(),
        "rejects": _rows(engine, rejected.order_by(["batch", "file", "line"])),
    }


def _dates(engine: Engine, table: ibis.Table) -> tuple[dt.datetime | None, dt.datetime | None]:
    found = engine.table(table.aggregate(first=table["timestamp"].min(), last=table["timestamp"].max()))
    return found["first"][0].as_py(), found["last"][0].as_py()


def _complete(engine: Engine, table: ibis.Table) -> dict[str, float]:
    """Give the share of rows that have a value, for every column."""
    counted = {f"c{number}": table[name].count() for number, name in enumerate(table.columns)}
    found = engine.table(table.aggregate(rows=table.count(), **counted)).to_pylist()[0]
    return {name: found[f"c{number}"] / max(found["rows"], 1) for number, name in enumerate(table.columns)}


def _profiles(engine: Engine, table: ibis.Table, dataset: Dataset, *, estimated: bool) -> dict[str, int]:
    """Count the different ids of each namespace."""
    if not dataset.namespaces:
        return {}
    ids = [table[f"{IDENTITY}{name}"] for name in dataset.namespaces]
    counted = {f"c{number}": each.approx_nunique() if estimated else each.nunique() for number, each in enumerate(ids)}
    found = engine.table(table.aggregate(**counted)).to_pylist()[0]
    return {name: found[f"c{number}"] for number, name in enumerate(dataset.namespaces)}


def _rows(engine: Engine, table: ibis.Table) -> list[dict[str, Any]]:
    rows = engine.table(table.limit(SHOWN)).to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _batches(lake: Lake, dataset: Dataset) -> list[dict[str, Any]]:
    """List the newest batches, newest first."""
    return [
        {
            "batch": commit["batch"],
            "at": _plain(from_us(commit["timestamp"] * 1000)),
            "rows": int(commit.get("operationMetrics", {}).get("num_added_rows", 0)),
        }
        for commit in lake.history(dataset.table, NEWEST)
        if "batch" in commit and commit["version"] <= dataset.version
    ]


def _plain(value: Any) -> Any:
    """Write moments as ISO texts."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.datetime) else value
