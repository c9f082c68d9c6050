"""One person: what is known, what they did, how they score and why."""

from __future__ import annotations

from typing import Any

import ibis

from likelier.backend import Engine
from likelier.datasets import Dataset, list_datasets, read_dataset
from likelier.errors import UnknownNameError, UsageError
from likelier.lake import Lake
from likelier.runs.records import Run
from likelier.service.scores import read_scores
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records


def find_profile(workspace: Workspace, namespace: str, identity: str) -> dict[str, Any]:
    """Tell what is known of a person: attributes, activity per dataset, and the latest scores of each instance.

    An instance whose profile toggle is off keeps its scores to itself.
    """
    datasets = _datasets_with(workspace.lake, namespace)
    with workspace.engine() as engine:
        attributes = _attributes(engine, workspace.lake, datasets, namespace, identity)
        activity = _activity(engine, workspace.lake, datasets, namespace, identity)
        scores = [
            score for run in _published(workspace) for score in _scores(engine, workspace, run, namespace, identity)
        ]
    if not (attributes or activity or scores):
        raise UsageError(f"Nothing is known of '{identity}' in the namespace {namespace}.")
    return {
        "namespace": namespace,
        "id": identity,
        "attributes": attributes,
        "activity": activity,
        "scores": scores,
    }


def _datasets_with(lake: Lake, namespace: str) -> list[Dataset]:
    datasets = list_datasets(lake)
    known = {name for dataset in datasets for name in dataset.namespaces}
    if namespace not in known:
        raise UnknownNameError("namespace", namespace, known)
    return [dataset for dataset in datasets if namespace in dataset.namespaces]


def _attributes(
    engine: Engine, lake: Lake, datasets: list[Dataset], namespace: str, identity: str
) -> list[dict[str, Any]]:
    """The latest value of each attribute, and since when it is known."""
    found: dict[str, dict[str, Any]] = {}
    for dataset in datasets:
        if dataset.kind != "profiles":
            continue
        fields = [path for path in dataset.fields if path != "timestamp"]
        rows = _rows_of(engine, lake, dataset, namespace, identity).select("timestamp", *fields)
        for row in engine.table(rows.order_by("timestamp")).to_pylist():
            since = row.pop("timestamp")
            known = {name: value for name, value in row.items() if value is not None}
            found |= {name: {"name": name, "value": value, "since": since} for name, value in known.items()}
    return [{**attribute, "since": attribute["since"].isoformat()} for attribute in found.values()]


def _activity(
    engine: Engine, lake: Lake, datasets: list[Dataset], namespace: str, identity: str
) -> list[dict[str, Any]]:
    found = []
    for dataset in datasets:
        if dataset.kind != "events":
            continue
        rows = _rows_of(engine, lake, dataset, namespace, identity)
        counted = rows.aggregate(events=rows.count(), first=rows.timestamp.min(), last=rows.timestamp.max())
        row = engine.table(counted).to_pylist()[0]
        if row["events"]:
            moments = {key: row[key].isoformat() for key in ("first", "last")}
            found.append({"dataset": dataset.name, "events": row["events"], **moments})
    return found


def _rows_of(engine: Engine, lake: Lake, dataset: Dataset, namespace: str, identity: str) -> ibis.Table:
    table = read_dataset(engine, lake, dataset)
    return table.filter(table[f"identityMap.{namespace}"] == identity)


def _published(workspace: Workspace) -> list[Run]:
    with workspace.store.read() as connection:
        enabled = [instance for instance in stored.page(connection) if instance.profile_enabled]
        runs = (records.published(connection, instance.id) for instance in enabled)
        return [run for run in runs if run is not None]


def _scores(engine: Engine, workspace: Workspace, run: Run, namespace: str, identity: str) -> list[dict[str, Any]]:
    table = read_scores(engine, workspace, run)
    rows = engine.table(table.filter(table.namespace == namespace, table.id == identity)).to_pylist()
    return [
        {"instance": run.instance, "run": run.id, **row, "score_date": row["score_date"].isoformat()} for row in rows
    ]
