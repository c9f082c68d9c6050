"""One person: what is known, what they did, how they score and why, which segments they are in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection

from likelier.backend import Engine
from likelier.datasets import list_datasets, publish_rows
from likelier.errors import UnknownNameError, UsageError
from likelier.phrases import say
from likelier.profiles.profile import activity, attributes, identities, last_events, together, traces
from likelier.profiles.published import find_scores, withdraw
from likelier.runs.records import Run
from likelier.service.retraining import models_in_use
from likelier.service.scores import read_scores
from likelier.service.segments import segments_of
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store import segments as stored_segments
from likelier.store.segments import Count, Segment

log = logging.getLogger(__name__)


class UnknownPersonError(UsageError):
    """Nobody is known by this id."""


def find_profile(
    workspace: Workspace,
    namespace: str,
    identity: str,
    instance: str | None = None,
    *,
    ids: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Tell what is known of a person: ids, attributes, activity, scores with reasons, segments, the newest events.

    Scores are the latest of each instance, or only of the one that is named; one whose profile toggle is off keeps its
    scores to itself. Segments are those the person was in when they were last evaluated. All that is told of all `ids`,
    the one asked about among them, where they are known to be one person.
    """
    asked = ids or [(namespace, identity)]
    datasets = list_datasets(workspace.lake)
    known = {name for dataset in datasets for name in dataset.namespaces}
    if namespace not in known:
        raise UnknownNameError("namespace", namespace, known)
    with workspace.store.read() as connection:
        published = _published(connection, instance)
        evaluated = {name: stored_segments.latest_counts(connection, name) for name in {one[0] for one in asked}}
    with engine_when_needed(workspace) as engine:
        seen = together([traces(engine, workspace.lake, datasets, *one) for one in asked])
        scores = [score for found in published for one in asked for score in _scores(engine, workspace, found, *one)]
        told: dict[str, Any] = {
            "namespace": namespace,
            "id": identity,
            "identities": identities(seen),
            "attributes": attributes(seen),
            "activity": activity(seen),
            "scores": scores,
            "segments": _segments(workspace, engine, asked, evaluated),
            "events": last_events(seen),
        }
    if not (told["identities"] or scores):
        raise UnknownPersonError(
            say(
                "Nothing is known of '{identity}' in the namespace {namespace}.", identity=identity, namespace=namespace
            )
        )
    return told


def _segments(
    workspace: Workspace,
    engine: Callable[[], Engine],
    asked: Sequence[tuple[str, str]],
    evaluated: Mapping[str, Sequence[tuple[Segment, Count]]],
) -> list[dict[str, Any]]:
    found = {
        each["id"]: each
        for namespace, one in asked
        for each in segments_of(workspace, engine, evaluated[namespace], one)
    }
    return sorted(found.values(), key=lambda each: str(each["name"]))


def publish_profiles(workspace: Workspace, run: Run) -> None:
    """After a run: put the rows that came since the last time where look-ups find them, and clear old scores away.

    The run's own scores are there already. Those of the run before stay for whoever is just looking, and so do the
    model in use and the one before it, to which people may roll back.
    """
    with workspace.engine() as engine:
        for dataset in list_datasets(workspace.lake):
            publish_rows(engine, workspace.lake, dataset)
    with workspace.store.read() as connection:
        last = [one.id for one in records.history(connection, instance_id=run.instance_id) if one.scored][:2]
        models = models_in_use(connection, run.instance_id)
    if run.id in last:
        withdraw(workspace.lake, run.instance_id, but=last, models=models)


def publish_after(workspace: Workspace, run: Run) -> None:
    """Publish after a run; the run has ended, whatever becomes of this, and look-ups only stay slower."""
    try:
        publish_profiles(workspace, run)
    except Exception:
        log.exception("What is known of people could not be published after run %s", run.id)


@contextmanager
def engine_when_needed(workspace: Workspace) -> Iterator[Callable[[], Engine]]:
    """Most look-ups need no engine, which takes longer to open than they do."""
    with ExitStack() as closing:
        yield cache(lambda: closing.enter_context(workspace.engine()))


@dataclass(frozen=True)
class _Published:
    """Scores that are on profiles: of an instance that has its toggle on, or of one that was deleted without them."""

    instance_id: str
    instance: str
    id: str


def _published(connection: Connection, instance: str | None) -> list[_Published]:
    every = [_Published(*found) for found in records.on_profiles(connection)]
    if instance is None:
        return every
    wanted = stored.get(connection, instance)
    return [one for one in every if one.instance_id == wanted.id]


def _scores(
    engine: Callable[[], Engine], workspace: Workspace, found: _Published, namespace: str, identity: str
) -> list[dict[str, Any]]:
    rows = find_scores(workspace.lake, found.instance_id, found.id, identity)
    if rows is None:
        table = read_scores(engine(), workspace, found)
        rows = engine().table(table.filter(table.id == identity))
    return [
        {
            "instance": found.instance,
            "instance_id": found.instance_id,
            "run": found.id,
            **row,
            "score_date": row["score_date"].isoformat(),
        }
        for row in rows.to_pylist()
        if row["namespace"] == namespace
    ]
