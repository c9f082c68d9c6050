"""Runs as people start, follow, cancel and look at them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.errors import LikelierError, UnknownNameError, UsageError
from likelier.phrases import say
from likelier.runs.owners import is_gone, this_process
from likelier.runs.records import Run, State
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store.instances import Status
from likelier.store.runs import Ledger


class RunUnderWayError(LikelierError):
    """The instance is being run already, on something else."""


def start_run(
    workspace: Workspace,
    actor: Actor,
    instance: stored.Instance,
    *,
    as_of: dt.datetime | None,
    seed: int | None,
    wish: str | None = None,
) -> Run:
    """Queue a run; one that is under way and would give the same is answered instead.

    It makes a model of its own unless another is the `wish` (:attr:`~likelier.runs.records.Run.wish`).

    One that was left behind by a process that is gone, and would give something else, is cancelled.
    """
    if instance.status is Status.DRAFT:
        raise UsageError(say("'{name}' is a draft: finish it first.", name=instance.name))
    wanted = _wanted(workspace, actor, instance, as_of, seed, wish)
    with workspace.store.write() as connection:
        if queued := _queued(connection, workspace, actor, wanted):
            return queued
        under_way = records.active(connection, instance.id)
    assert under_way is not None
    if _gives_the_same(under_way, wanted):
        return under_way
    _give_up_orphan(workspace, under_way)
    return start_run(workspace, actor, instance, as_of=as_of, seed=seed, wish=wish)


def queue_run(
    connection: Connection, workspace: Workspace, actor: Actor, instance: stored.Instance, *, wish: str | None = None
) -> Run | None:
    """Queue a run within a transaction; None when one is under way."""
    return _queued(connection, workspace, actor, _wanted(workspace, actor, instance, None, None, wish))


def claim(workspace: Workspace, run: Run) -> Run | None:
    """Take a run that nobody carries on."""
    now = workspace.clock()
    gone = run.lease.owner if run.lease and is_gone(run.lease.owner) else None
    return Ledger(workspace.store).claim(
        run.id, this_process(workspace.new_id()), now=now, until=now + lease(workspace), instead_of=gone
    )


def cancel_run(workspace: Workspace, actor: Actor, run: Run) -> None:
    """Ask for a run's end; one that is running hears it within a beat."""
    with workspace.store.write() as connection:
        records.request_cancel(connection, run.id, now=workspace.clock())
        record(connection, actor, "run.cancel", thing(run), now=workspace.clock())


def find_run(connection: Connection, run_id: str) -> Run:
    """Find a run by its id, or by enough of its beginning."""
    found = records.beginning_with(connection, run_id) if run_id else []
    if len(found) > 1:
        raise UsageError(say("Several runs begin with '{run_id}'. Write more of the id.", run_id=run_id))
    if not found:
        recent = [run.id for run in records.history(connection, limit=5)]
        raise UnknownNameError("run", run_id, recent)
    return found[0]


def find_published(connection: Connection, name: str, run_id: str | None = None) -> Run:
    """Find the run whose scores are asked for: the one named, else the instance's latest that gave some."""
    instance = stored.get(connection, name)
    run = find_run(connection, run_id) if run_id else records.published(connection, instance.id)
    if run is None:
        raise UsageError(say("'{name}' has no scores yet. Run it: likelier run.", name=instance.name))
    if run.instance_id != instance.id:
        raise UsageError(
            say(
                "Run {id} is one of '{instance}', not of '{name}'.",
                id=run.id[:8],
                instance=run.instance,
                name=instance.name,
            )
        )
    return run


def run_history(connection: Connection, name: str | None = None, limit: int | None = None) -> list[Run]:
    """Runs of one instance or of all, newest first."""
    instance_id = stored.get(connection, name).id if name else None
    return records.history(connection, instance_id=instance_id, limit=limit)


def summary(run: Run) -> dict[str, Any]:
    """A run as a line of the history."""
    return {
        "id": run.id,
        "instance": run.instance,
        "state": str(run.state),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "scored": run.scored,
        "auc": run.auc,
        "error": _error(run),
        "decision": run.decision or None,
    }


def details(run: Run) -> dict[str, Any]:
    """Everything recorded of a run."""
    return {
        **summary(run),
        "instance_id": run.instance_id,
        "version": run.version,
        "as_of": _iso(run.as_of),
        "seed": run.seed,
        "data_versions": dict(run.data_versions or {}),
        "model": run.model and {**run.model, "because": str(run.model["because"]), "used": run.model_run},
        "queued_at": _iso(run.queued_at),
        "started_by": run.started_by,
        "progress": run.progress and vars(run.progress),
        "stages": run.stages,
        "timings": run.timings,
    }


def thing(run: Run) -> Thing:
    return Thing("run", run.id, run.instance)


def _wanted(
    workspace: Workspace,
    actor: Actor,
    instance: stored.Instance,
    as_of: dt.datetime | None,
    seed: int | None,
    wish: str | None,
) -> Run:
    return Run(
        id=workspace.new_id(),
        instance_id=instance.id,
        instance=instance.name,
        version=instance.version,
        state=State.QUEUED,
        seed=workspace.settings.seed if seed is None else seed,
        started_by=actor.name,
        queued_at=workspace.clock(),
        as_of=as_of,
        wish=wish,
    )


def _queued(connection: Connection, workspace: Workspace, actor: Actor, wanted: Run) -> Run | None:
    if not records.queue(connection, wanted):
        return None
    told = {"version": wanted.version, "seed": wanted.seed, "as_of": _iso(wanted.as_of), "model": wanted.wish}
    record(connection, actor, "run.start", thing(wanted), now=workspace.clock(), after=told)
    return wanted


def _error(run: Run) -> Mapping[str, Any] | None:
    return {**vars(run.error), "suggestions": list(run.error.suggestions)} if run.error else None


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _gives_the_same(run: Run, wanted: Run) -> bool:
    same_moment = wanted.as_of is None or run.as_of == wanted.as_of
    return (run.version, run.seed, run.wish) == (wanted.version, wanted.seed, wanted.wish) and same_moment


def _give_up_orphan(workspace: Workspace, run: Run) -> None:
    claimed = claim(workspace, run)
    if claimed is None:
        raise RunUnderWayError(
            say(
                "'{instance}' is being run by {started_by} on another definition or date (run {id}). "
                "Wait for its end, or stop it: likelier cancel {id}",
                instance=run.instance,
                started_by=run.started_by,
                id=run.id[:8],
            )
        )
    Ledger(workspace.store).cancel(claimed, now=workspace.clock())


def lease(workspace: Workspace) -> dt.timedelta:
    return dt.timedelta(seconds=workspace.settings.lease_seconds)
