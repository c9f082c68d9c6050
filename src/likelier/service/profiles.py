"""One person: what is known, what they did, how they score and why, which segments they are in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from likelier.backend import Engine
from likelier.datasets import list_datasets
from likelier.errors import UnknownNameError, UsageError
from likelier.profiles.profile import activity, attributes, identities, last_events, traces
from likelier.service.scores import read_scores
from likelier.service.segments import segments_of
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records


class UnknownPersonError(UsageError):
    """Nobody is known by this id."""


def find_profile(workspace: Workspace, namespace: str, identity: str) -> dict[str, Any]:
    """Tell what is known of a person: ids, attributes, activity, scores with reasons, segments, the newest events.

    Scores are the latest of each instance; one whose profile toggle is off keeps its scores to itself. Segments are
    those the person was in when they were last evaluated.
    """
    datasets = list_datasets(workspace.lake)
    known = {name for dataset in datasets for name in dataset.namespaces}
    if namespace not in known:
        raise UnknownNameError("namespace", namespace, known)
    with workspace.engine() as engine:
        seen = traces(engine, workspace.lake, datasets, namespace, identity)
        scores = [
            score for found in _published(workspace) for score in _scores(engine, workspace, found, namespace, identity)
        ]
        told: dict[str, Any] = {
            "namespace": namespace,
            "id": identity,
            "identities": identities(engine, seen),
            "attributes": attributes(engine, seen),
            "activity": activity(engine, seen),
            "scores": scores,
            "segments": segments_of(workspace, engine, namespace, identity),
            "events": last_events(engine, seen),
        }
    if not (told["identities"] or scores):
        raise UnknownPersonError(f"Nothing is known of '{identity}' in the namespace {namespace}.")
    return told


@dataclass(frozen=True)
class _Published:
    """Scores that are on profiles: of an instance that has its toggle on, or of one that was deleted without them."""

    instance_id: str
    instance: str
    id: str


def _published(workspace: Workspace) -> list[_Published]:
    with workspace.store.read() as connection:
        enabled = [instance for instance in stored.page(connection) if instance.profile_enabled]
        runs = (records.published(connection, instance.id) for instance in enabled)
        kept = [_Published(*found) for found in stored.kept(connection)]
        return [*(_Published(run.instance_id, run.instance, run.id) for run in runs if run is not None), *kept]


def _scores(
    engine: Engine, workspace: Workspace, found: _Published, namespace: str, identity: str
) -> list[dict[str, Any]]:
    table = read_scores(engine, workspace, found)
    rows = engine.table(table.filter(table.namespace == namespace, table.id == identity)).to_pylist()
    return [
        {
            "instance": found.instance,
            "instance_id": found.instance_id,
            "run": found.id,
            **row,
            "score_date": row["score_date"].isoformat(),
        }
        for row in rows
    ]
