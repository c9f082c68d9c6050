"""Runs in the store: their history, and the ledger by which one process at a time carries a run on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from likelier.phrases import dump, load, say
from likelier.runs.records import ACTIVE, Failure, Lease, LeaseLostError, Progress, Run, RunCancelledError, State
from likelier.store import erasures
from likelier.store.database import Store
from likelier.store.tables import insights, instances, runs

_ACTIVE = [str(state) for state in ACTIVE]


_LATEST = (
    sa.select(runs.c.id)
    .where(runs.c.instance_id == instances.c.id, runs.c.state == State.SUCCESS)
    .order_by(runs.c.queued_at.desc(), runs.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
# Statements that every look at a page or a person takes are made once: making one takes longer than its answer.
_ON_PROFILES = (
    sa.select(instances.c.id, instances.c.name, sa.func.coalesce(instances.c.kept_run, _LATEST).label("run"))
    .where((instances.c.profile_enabled & instances.c.deleted_at.is_(None)) | instances.c.kept_run.is_not(None))
    .order_by(instances.c.kept_run.is_not(None), instances.c.name)
)
_EVERY = (
    sa.select(runs, instances.c.name.label("instance"))
    .join(instances, sa.and_(instances.c.id == runs.c.instance_id, instances.c.deleted_at.is_(None)))
    .order_by(runs.c.queued_at.desc(), runs.c.id.desc())
)


def _newest_of_each(*states: State) -> sa.Select[Any]:
    each = runs.alias()
    conditions = [each.c.instance_id == instances.c.id, *(each.c.state == state for state in states)]
    mine = sa.select(each.c.id).where(*conditions).order_by(each.c.queued_at.desc(), each.c.id.desc()).limit(1)
    wanted = instances.c.id.in_(sa.bindparam("ids", expanding=True))
    return _EVERY.where(wanted, runs.c.id == mine.correlate(instances).scalar_subquery())


_NEWEST, _NEWEST_PUBLISHED = _newest_of_each(), _newest_of_each(State.SUCCESS)
_SCORED_BETWEEN = (
    sa.select(runs.c.instance_id, sa.func.sum(runs.c.scored))
    .where(runs.c.instance_id.in_(sa.bindparam("ids", expanding=True)), runs.c.scored.is_not(None))
    .where(runs.c.finished_at >= sa.bindparam("since"), runs.c.finished_at < sa.bindparam("until"))
    .group_by(runs.c.instance_id)
)


def queue(connection: Connection, run: Run) -> bool:
    """Queue a run; False when one of the instance is under way already."""
    values = {
        "id": run.id,
        "instance_id": run.instance_id,
        "version": run.version,
        "state": State.QUEUED,
        "seed": run.seed,
        "started_by": run.started_by,
        "queued_at": run.queued_at,
        "as_of": run.as_of,
        "data_versions": run.data_versions,
        "wish": run.wish,
        "stages": {},
        "timings": {},
        "attempt": 0,
        "cancel_requested": False,
    }
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(runs).values(values))
    except IntegrityError:
        if active(connection, run.instance_id) is None:
            raise
        return False
    return True


def find(connection: Connection, run_id: str) -> Run | None:
    return _only(_all(connection, runs.c.id == run_id))


def active(connection: Connection, instance_id: str) -> Run | None:
    """The run of an instance that is queued or running; there is one at most."""
    return _only(_all(connection, runs.c.instance_id == instance_id, runs.c.state.in_(_ACTIVE)))


def published(connection: Connection, instance_id: str) -> Run | None:
    """The run whose scores are an instance's latest."""
    return _only(_all(connection, runs.c.instance_id == instance_id, runs.c.state == State.SUCCESS, limit=1))


def newest(connection: Connection, instance_ids: Sequence[str], *, published: bool = False) -> dict[str, Run]:
    """The newest run of each of these instances, or the newest that gave scores; those without one are not there."""
    found = connection.execute(_NEWEST_PUBLISHED if published else _NEWEST, {"ids": instance_ids})
    return {row.instance_id: _run(row) for row in found}


def on_profiles(connection: Connection) -> list[tuple[str, str, str]]:
    """Whose scores profiles show, by name: the instance's id and name, and the id of the run.

    Instances with their profile toggle on show their latest successful run; after them come the deleted ones whose
    scores stayed.
    """
    return [(row.id, row.name, row.run) for row in connection.execute(_ON_PROFILES) if row.run is not None]


def scored_between(
    connection: Connection, instance_ids: Sequence[str], since: dt.datetime, until: dt.datetime
) -> dict[str, int]:
    """How many profiles the runs of each of these instances scored that ended in `[since, until)`, if any did."""
    found = connection.execute(_SCORED_BETWEEN, {"ids": instance_ids, "since": since, "until": until})
    return {instance_id: int(scored) for instance_id, scored in found}


def waiting(connection: Connection) -> list[Run]:
    """Every run that is queued or running, longest waiting first."""
    return list(reversed(_all(connection, runs.c.state.in_(_ACTIVE))))


def history(
    connection: Connection,
    *,
    instance_id: str | None = None,
    before: tuple[dt.datetime, str] | None = None,
    limit: int | None = None,
) -> list[Run]:
    """Runs of one instance or of all, the newest first; `before` continues after the last (queued_at, id) of a page."""
    conditions: list[sa.ColumnElement[bool]] = []
    if instance_id is not None:
        conditions.append(runs.c.instance_id == instance_id)
    if before is not None:
        moment, run_id = before
        conditions.append(
            sa.or_(runs.c.queued_at < moment, sa.and_(runs.c.queued_at == moment, runs.c.id < run_id)),
        )
    return _all(connection, *conditions, limit=limit)


def beginning_with(connection: Connection, prefix: str) -> list[Run]:
    """Runs whose id begins so; people type the first characters."""
    return _all(connection, runs.c.id.startswith(prefix, autoescape=True), limit=2)


def read_insights(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """What a run learnt."""
    found: dict[str, Any] | None = connection.scalar(sa.select(insights.c.document).where(insights.c.run_id == run_id))
    return found


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many runs are in each state."""
    query = sa.select(runs.c.state, sa.func.count()).group_by(runs.c.state)
    return {state: count for state, count in connection.execute(query)}  # noqa: C416 - rows, not pairs


def stage_seconds(connection: Connection) -> dict[str, tuple[int, float]]:
    """How often each stage was finished, and how many seconds that took in all."""
    found: dict[str, tuple[int, float]] = {}
    for timings in connection.scalars(sa.select(runs.c.timings)):
        for stage, seconds in timings.items():
            count, total = found.get(stage, (0, 0.0))
            found[stage] = (count + 1, total + seconds)
    return found


def request_cancel(connection: Connection, run_id: str, *, now: dt.datetime) -> None:
    """Cancel a queued run at once; ask the process that carries a running one to stop."""
    connection.execute(
        sa.update(runs)
        .where(runs.c.id == run_id, runs.c.state == State.QUEUED)
        .values(state=State.CANCELLED, finished_at=now)
    )
    connection.execute(
        sa.update(runs).where(runs.c.id == run_id, runs.c.state == State.RUNNING).values(cancel_requested=True)
    )


def end_active(connection: Connection, instance_id: str, *, now: dt.datetime) -> None:
    """End the run of an instance that is under way; whoever carries it has lost it."""
    here = sa.update(runs).where(runs.c.instance_id == instance_id, runs.c.state.in_(_ACTIVE))
    connection.execute(here.values(state=State.CANCELLED, finished_at=now, **_AT_REST))


class Ledger:
    """The store as the executor of runs sees it (:class:`likelier.runs.execute.Ledger`).

    Every write names the owner who holds the run's lease; who lost it changes nothing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(
        self, run_id: str, owner: str, *, now: dt.datetime, until: dt.datetime, instead_of: str | None = None
    ) -> Run | None:
        free = sa.or_(
            runs.c.state == State.QUEUED,
            sa.and_(
                runs.c.state == State.RUNNING,
                sa.or_(runs.c.owner.is_(None), runs.c.lease_until < now, runs.c.owner == (instead_of or "")),
            ),
        )
        with self._store.write() as connection:
            claimed = connection.execute(
                sa.update(runs)
                .where(runs.c.id == run_id, free, ~erasures.is_under_way(now))
                .values(
                    state=State.RUNNING,
                    owner=owner,
                    lease_until=until,
                    attempt=runs.c.attempt + 1,
                    started_at=sa.func.coalesce(runs.c.started_at, sa.bindparam("now", now, runs.c.started_at.type)),
                )
            )
            return find(connection, run_id) if claimed.rowcount == 1 else None

    def pin(
        self, run: Run, *, as_of: dt.datetime, data_versions: Mapping[str, int], model: Mapping[str, Any] | None = None
    ) -> None:
        self._change(
            run,
            as_of=as_of,
            data_versions=dict(data_versions),
            model=model and {**model, "because": dump(model["because"])},
        )

    def beat(self, run: Run, progress: Progress | None, *, until: dt.datetime) -> bool:
        changes: dict[str, Any] = {"lease_until": until}
        if progress is not None:
            changes |= {"stage": progress.stage, "fraction": progress.fraction, "rows": progress.rows}
        with self._store.write() as connection:
            self._update(connection, run, **changes)
            return bool(connection.scalar(sa.select(runs.c.cancel_requested).where(runs.c.id == run.id)))

    def finish_stage(self, run: Run, *, stages: Mapping[str, Mapping[str, Any]], timings: Mapping[str, float]) -> None:
        self._change(run, stages=stages, timings=timings, attempt=1)

    def publish(
        self, run: Run, *, scored: int, auc: float | None, document: Mapping[str, Any], now: dt.datetime
    ) -> None:
        with self._store.write() as connection:
            done = connection.execute(
                self._mine(run)
                .where(runs.c.cancel_requested.is_(False))
                .values(state=State.SUCCESS, scored=scored, auc=auc, finished_at=now, **_AT_REST)
            )
            if done.rowcount != 1:
                raise self._why_refused(connection, run)
            self._keep(connection, run, document)

    def fail(
        self,
        run: Run,
        failure: Failure,
        *,
        auc: float | None = None,
        document: Mapping[str, Any] | None = None,
        now: dt.datetime,
    ) -> None:
        said = {"message": dump(failure.message), "suggestions": [dump(each) for each in failure.suggestions]}
        error = {**asdict(failure), **said}
        with self._store.write() as connection:
            self._update(connection, run, state=failure.state, error=error, auc=auc, finished_at=now, **_AT_REST)
            if document is not None:
                self._keep(connection, run, document)

    def cancel(self, run: Run, *, now: dt.datetime) -> None:
        self._change(run, state=State.CANCELLED, finished_at=now, **_AT_REST)

    def release(self, run: Run) -> None:
        self._change(run, state=State.QUEUED, attempt=0, **_AT_REST)

    def _change(self, run: Run, **changes: Any) -> None:
        with self._store.write() as connection:
            self._update(connection, run, **changes)

    def _update(self, connection: Connection, run: Run, **changes: Any) -> None:
        if connection.execute(self._mine(run).values(**changes)).rowcount != 1:
            raise LeaseLostError(run.id)

    def _mine(self, run: Run) -> sa.Update:
        owner = run.lease.owner if run.lease else ""
        return sa.update(runs).where(runs.c.id == run.id, runs.c.state == State.RUNNING, runs.c.owner == owner)

    def _why_refused(self, connection: Connection, run: Run) -> Exception:
        now = find(connection, run.id)
        mine = now and now.state == State.RUNNING and now.lease and run.lease and now.lease.owner == run.lease.owner
        return RunCancelledError(run.id) if mine else LeaseLostError(run.id)

    def _keep(self, connection: Connection, run: Run, document: Mapping[str, Any]) -> None:
        connection.execute(sa.insert(insights).values(run_id=run.id, document=document))


_AT_REST: dict[str, Any] = {"owner": None, "lease_until": None}


def _only(found: list[Run]) -> Run | None:
    return found[0] if found else None


def _all(connection: Connection, *conditions: sa.ColumnElement[bool], limit: int | None = None) -> list[Run]:
    query = _EVERY.where(*conditions).limit(limit)
    return [_run(row) for row in connection.execute(query)]


def _run(row: Any) -> Run:
    return Run(
        id=row.id,
        instance_id=row.instance_id,
        instance=row.instance,
        version=row.version,
        state=State(row.state),
        seed=row.seed,
        started_by=row.started_by,
        queued_at=row.queued_at,
        as_of=row.as_of,
        data_versions=row.data_versions,
        wish=row.wish,
        model=row.model and {**row.model, "because": load(row.model["because"])},
        started_at=row.started_at,
        finished_at=row.finished_at,
        progress=Progress(row.stage, row.fraction or 0.0, row.rows or 0) if row.stage else None,
        stages=row.stages,
        timings=row.timings,
        scored=row.scored,
        auc=row.auc,
        error=_failure(row.error),
        lease=Lease(row.owner, row.lease_until, row.attempt) if row.owner else None,
        cancel_requested=row.cancel_requested,
    )


def _failure(error: Mapping[str, Any] | None) -> Failure | None:
    if error is None:
        return None
    suggestions = tuple(load(each) for each in error["suggestions"])
    return Failure(error["code"], say(error["title"]), load(error["message"]), suggestions)
