"""One person, as the datasets know them.

A person is looked up by one id. The other ids are those that stand in the same rows: who signed in once with a cookie
and an email is known by both. Ids that meet only through a third one are not joined.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from likelier.backend import Engine
from likelier.datasets import Dataset, read_dataset
from likelier.events.schema import IDENTITY, OTHERS
from likelier.lake import Lake

SHOWN_EVENTS = 10
SHOWN_IDS = 50
"""Ids of one namespace that are told; an id that was seen with more is a shared device, or no id."""


@dataclass(frozen=True)
class Trace:
    """The rows of one person in one dataset."""

    dataset: Dataset
    rows: ibis.Table


def traces(engine: Engine, lake: Lake, datasets: Sequence[Dataset], namespace: str, identity: str) -> list[Trace]:
    """Find a person in each dataset that knows the namespace."""
    column = f"{IDENTITY}{namespace}"
    tables = [(one, read_dataset(engine, lake, one)) for one in datasets if namespace in one.namespaces]
    return [Trace(dataset, table.filter(table[column] == identity)) for dataset, table in tables]


def identities(engine: Engine, found: Sequence[Trace]) -> list[dict[str, str]]:
    """Every id that stands in the person's rows, by namespace."""
    seen: set[tuple[str, str]] = set()
    for trace in found:
        for namespace in trace.dataset.namespaces:
            seen |= {(namespace, one) for one in _ids(engine, trace.rows, f"{IDENTITY}{namespace}")}
    return [{"namespace": namespace, "id": one} for namespace, one in sorted(seen)]


def attributes(engine: Engine, found: Sequence[Trace]) -> list[dict[str, Any]]:
    """The latest value of each attribute, and since when it is known; of two since the same moment, the greater."""
    latest: dict[str, tuple[dt.datetime, Any]] = {}
    for trace in _of_kind(found, "profiles"):
        fields = [path for path in trace.dataset.fields if path != "timestamp"]
        for row in engine.table(trace.rows.select("timestamp", *fields)).to_pylist():
            since = row.pop("timestamp")
            for name, value in row.items():
                if value is not None and (name not in latest or _later((since, value), latest[name])):
                    latest[name] = (since, value)
    return [
        {"name": name, "value": _plain(value), "since": since.isoformat()}
        for name, (since, value) in sorted(latest.items())
    ]


def activity(engine: Engine, found: Sequence[Trace]) -> list[dict[str, Any]]:
    """How many events each dataset holds of the person, from when to when."""
    told = []
    for trace in _of_kind(found, "events"):
        rows = trace.rows
        counted = rows.aggregate(events=rows.count(), first=rows.timestamp.min(), last=rows.timestamp.max())
        row = engine.table(counted).to_pylist()[0]
        if row["events"]:
            moments = {key: row[key].isoformat() for key in ("first", "last")}
            told.append({"dataset": trace.dataset.name, "events": row["events"], **moments})
    return told


def last_events(engine: Engine, found: Sequence[Trace], count: int = SHOWN_EVENTS) -> list[dict[str, Any]]:
    """The newest events, newest first, with the fields that have a value."""
    told = []
    for trace in _of_kind(found, "events"):
        newest = trace.rows.order_by([ibis.desc("timestamp"), "_id"]).limit(count)
        told += [_event(trace.dataset, row) for row in engine.table(newest).to_pylist()]
    return sorted(told, key=lambda event: event["timestamp"], reverse=True)[:count]


def _ids(engine: Engine, rows: ibis.Table, column: str) -> set[str]:
    several = [rows[column]]
    if column + OTHERS in rows.columns:
        several.append(rows[column + OTHERS].unnest())
    tables = [rows.select(id=ids) for ids in several]
    every = ibis.union(*tables) if len(tables) > 1 else tables[0]
    known = every.filter(every.id.notnull()).distinct().order_by("id").limit(SHOWN_IDS)
    return set(engine.table(known)["id"].to_pylist())


def _event(dataset: Dataset, row: dict[str, Any]) -> dict[str, Any]:
    fields = {path: _plain(row[path]) for path in dataset.fields if path != "timestamp" and row[path] not in (None, [])}
    return {
        "id": row["_id"],
        "dataset": dataset.name,
        "timestamp": row["timestamp"].astimezone(dt.UTC).isoformat(),
        "fields": fields,
    }


def _of_kind(found: Sequence[Trace], kind: str) -> list[Trace]:
    return [trace for trace in found if trace.dataset.kind == kind]


def _later(one: tuple[dt.datetime, Any], other: tuple[dt.datetime, Any]) -> bool:
    try:
        return one > other
    except TypeError:  # datasets may hold different types under one path
        return (one[0], str(one[1])) > (other[0], str(other[1]))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, dt.datetime) else value
