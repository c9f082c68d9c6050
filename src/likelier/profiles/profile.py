"""One person, as the datasets know them.

A person is looked up by one id. The other ids are those that stand in the same rows: who signed in once with a cookie
and an email is known by both. Ids that meet only through a third one are joined where that is asked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from likelier.backend import Engine
from likelier.datasets import Dataset, person_rows
from likelier.events.schema import IDENTITY, OTHERS
from likelier.lake import Lake

SHOWN_EVENTS = 10
MANY = 200
SHOWN_IDS = 50
"""Ids of one namespace that are told; an id that was seen with more is a shared device, or no id."""


@dataclass(frozen=True)
class Trace:
    """The rows of one person in one dataset."""

    dataset: Dataset
    rows: pa.Table


def traces(
    engine: Callable[[], Engine], lake: Lake, datasets: Sequence[Dataset], namespace: str, identity: str
) -> list[Trace]:
    """Find a person in each dataset that knows the namespace."""
    knowing = [dataset for dataset in datasets if namespace in dataset.namespaces]
    return [Trace(dataset, person_rows(engine, lake, dataset, namespace, identity)) for dataset in knowing]


def together(found: Sequence[Sequence[Trace]]) -> list[Trace]:
    """Join what was found by several ids of one person; an event that carries two of them is there once."""
    joined: dict[str, list[Trace]] = {}
    for trace in (trace for traces_of_one in found for trace in traces_of_one):
        joined.setdefault(trace.dataset.name, []).append(trace)
    return [Trace(same[0].dataset, _once(same)) for same in joined.values()]


def _once(same: Sequence[Trace]) -> pa.Table:
    rows = pa.concat_tables(trace.rows for trace in same)
    if len(same) == 1 or same[0].dataset.kind != "events":
        return rows
    places: dict[str, int] = {}
    for place, event in enumerate(rows["_id"].to_pylist()):
        places.setdefault(event, place)
    return rows.take(list(places.values()))


def identities(found: Sequence[Trace]) -> list[dict[str, str]]:
    """Every id that stands in the person's rows, by namespace."""
    seen: set[tuple[str, str]] = set()
    for trace in found:
        for namespace in trace.dataset.namespaces:
            seen |= {(namespace, one) for one in _ids(trace.rows, f"{IDENTITY}{namespace}")}
    return [{"namespace": namespace, "id": one} for namespace, one in sorted(seen)]


def attributes(found: Sequence[Trace]) -> list[dict[str, Any]]:
    """The latest value of each attribute, and since when it is known; of two since the same moment, the greater."""
    latest: dict[str, tuple[dt.datetime, Any]] = {}
    for trace in _of_kind(found, "profiles"):
        fields = [path for path in trace.dataset.fields if path != "timestamp"]
        for row in trace.rows.select(["timestamp", *fields]).to_pylist():
            since = row.pop("timestamp")
            for name, value in row.items():
                if value is not None and (name not in latest or _later((since, value), latest[name])):
                    latest[name] = (since, value)
    return [
        {"name": name, "value": _plain(value), "since": since.isoformat()}
        for name, (since, value) in sorted(latest.items())
    ]


def activity(found: Sequence[Trace]) -> list[dict[str, Any]]:
    """How many events each dataset holds of the person, from when to when."""
    told = []
    for trace in _of_kind(found, "events"):
        if len(trace.rows):
            span = pc.min_max(trace.rows["timestamp"]).as_py()
            moments = {"first": span["min"].isoformat(), "last": span["max"].isoformat()}
            told.append({"dataset": trace.dataset.name, "events": len(trace.rows), **moments})
    return told


def last_events(found: Sequence[Trace], count: int = SHOWN_EVENTS) -> list[dict[str, Any]]:
    """The newest events, newest first, with the fields that have a value."""
    told = []
    for trace in _of_kind(found, "events"):
        newest = trace.rows
        if len(newest) > MANY:  # a shared id: Arrow sorts faster than Python, once there is much to sort
            newest = newest.take(
                pc.select_k_unstable(newest, count, [("timestamp", "descending"), ("_id", "ascending")])
            )
        told += [(trace.dataset, row) for row in newest.to_pylist()]
    told.sort(key=lambda event: event[1]["_id"])
    told.sort(key=lambda event: event[1]["timestamp"], reverse=True)
    return [_event(dataset, row) for dataset, row in told[:count]]


def _ids(rows: pa.Table, column: str) -> list[str]:
    known = set(rows[column].to_pylist() if len(rows) <= MANY else pc.unique(rows[column]).to_pylist())
    if column + OTHERS in rows.column_names:
        known.update(pc.unique(pc.list_flatten(rows[column + OTHERS])).to_pylist())
    return sorted(known - {None})[:SHOWN_IDS]


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
