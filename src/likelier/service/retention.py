"""Letting events and scores expire by their age.

Events go by their timestamp, scores by their date; the latest scores of each instance stay, however old, for profiles
show them. Like the deletion of a person this is refused while a run reads, keeps runs waiting, and leaves no older
version; broken off, it is asked for again. A server does it once a day, when no run reads.
"""

from __future__ import annotations

import datetime as dt

from likelier.access.audit import Thing, record
from likelier.access.identity import SCHEDULER, Actor
from likelier.datasets import is_published, list_datasets, publish_rows
from likelier.errors import UsageError
from likelier.profiles.published import withdraw
from likelier.purge import purge
from likelier.runs.records import State
from likelier.service.data import known_ids
from likelier.service.privacy import begin
from likelier.service.retraining import models_in_use
from likelier.service.workspace import Workspace
from likelier.store import erasures
from likelier.store import runs as records
from likelier.timespan import DAY

TRIED_AGAIN = dt.timedelta(hours=1)


def limits(workspace: Workspace) -> dict[str, dt.datetime]:
    """Before which moment events and scores have expired, as far as it is set."""
    kept = {"events": workspace.settings.keep_events_days, "scores": workspace.settings.keep_scores_days}
    if any(days < 0 for days in kept.values()) or not any(kept.values()):
        raise UsageError(
            "Nothing expires. Set LIKELIER_KEEP_EVENTS_DAYS or LIKELIER_KEEP_SCORES_DAYS to a number of days."
        )
    return {kind: workspace.clock() - days * DAY for kind, days in kept.items() if days}


def let_expire(workspace: Workspace, actor: Actor) -> dict[str, int]:
    """Delete what has expired, and say how much."""
    before = limits(workspace)
    begun, counts, finished = begin(workspace, actor, ()), {"events": 0, "scores": 0}, None
    try:
        if "events" in before:
            counts["events"] = _expire_events(workspace, begun.id, before["events"])
        if "scores" in before:
            counts["scores"] = _expire_scores(workspace, begun.id, before["scores"])
        finished = workspace.clock()
    finally:
        with workspace.store.write() as connection:
            erasures.end(connection, begun.id, finished=finished, counts=counts)
            told = {**counts, **{f"{kind}_before": moment.isoformat() for kind, moment in before.items()}}
            record(connection, actor, "retention", Thing("lake", begun.id, "lake"), now=workspace.clock(), after=told)
    return counts


def let_expire_when_due(workspace: Workspace) -> dict[str, int] | None:
    """Delete what has expired, where that is set and was not done within a day; say how much, None when it is not due.

    What was broken off, by a commit to the same table say, is tried again an hour later.
    """
    if not (workspace.settings.keep_events_days or workspace.settings.keep_scores_days):
        return None
    with workspace.store.read() as connection:
        last = erasures.last_retention(connection)
        reading = any(run.state is State.RUNNING or run.pinned for run in records.waiting(connection))
    if reading or (last and workspace.clock() < last.requested_at + (DAY if last.finished_at else TRIED_AGAIN)):
        return None
    return let_expire(workspace, SCHEDULER)


def _expire_events(workspace: Workspace, erasure: str, before: dt.datetime) -> int:
    lake, gone = workspace.lake, 0
    for dataset in list_datasets(lake):
        if dataset.kind == "events":
            deleted = lake.delete(dataset.table, f"\"timestamp\" < '{before.isoformat()}'")
            if deleted:
                workspace.readings.forget()
                known_ids(workspace, dataset.name).forget(lake.files(dataset.table))
                with workspace.engine() as engine:
                    if is_published(lake, dataset):
                        publish_rows(engine, lake, dataset, strictly=True)
            purge(lake, dataset.table)
            gone += deleted
            _go_on(workspace, erasure)
    return gone


def _expire_scores(workspace: Workspace, erasure: str, before: dt.datetime) -> int:
    lake, gone = workspace.lake, 0
    for instance_id in lake.names("scores"):
        with workspace.store.read() as connection:
            latest = records.published(connection, instance_id)
            models = models_in_use(connection, instance_id)
        aged = f"score_date < '{before.isoformat()}'"
        deleted = lake.delete(f"scores/{instance_id}", f"{aged} AND run_id <> '{latest.id}'" if latest else aged)
        if deleted and latest:
            withdraw(lake, instance_id, but=(latest.id,), models=models)
        purge(lake, f"scores/{instance_id}")
        gone += deleted
        _go_on(workspace, erasure)
    return gone


def _go_on(workspace: Workspace, erasure: str) -> None:
    with workspace.store.write() as connection:
        erasures.go_on(connection, erasure, now=workspace.clock())
