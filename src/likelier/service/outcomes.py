"""What came of the scored: decided once an outcome window has closed, and again when late events come in.

A window has closed when the data reaches beyond it: no figure pretends to know what no event could yet say. Outcomes
are decided by the module that makes the labels models learn from, with the definition the run had. Whenever the data
has changed, the events of every closed window are looked at again; where late ones changed a figure, the record keeps
what stood there before.
"""

from __future__ import annotations

import datetime as dt
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection

from likelier import pipeline
from likelier.backend import Engine
from likelier.datasets import open_dataset
from likelier.errors import RunError, UsageError
from likelier.insights.performance import Outcome, came_true, in_brief
from likelier.instance import Instance
from likelier.runs.owners import this_process
from likelier.runs.records import Run, State
from likelier.service.instances import whole_instance
from likelier.service.remembered import Remembered
from likelier.service.scores import read_scores
from likelier.service.worker import OWNER, SCRATCH
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import outcomes as store
from likelier.store import runs as records
from likelier.store.outcomes import Recorded
from likelier.timespan import DAY, after, next_midnight

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scoring:
    """A run that gave scores, with the instance as it was defined then."""

    run: Run
    instance: Instance
    late_days: float

    @property
    def cut_off(self) -> dt.datetime:
        assert self.run.as_of is not None
        return self.run.as_of

    @property
    def until(self) -> dt.datetime:
        """When its outcome window closes."""
        return after(self.cut_off, self.instance.goal.outcome_days).end

    @property
    def settles(self) -> dt.datetime:
        """How far the data has to reach before no late events are awaited any more."""
        return self.until + self.late_days * DAY


def scorings(connection: Connection, workspace: Workspace, instance: stored.Instance) -> list[Scoring]:
    """The runs that gave scores, oldest moment first; of several at one moment all, in the order they were made."""
    found = [run for run in records.history(connection, instance_id=instance.id) if run.state is State.SUCCESS]
    asked = {version: whole_instance(connection, instance, version) for version in {run.version for run in found}}
    listed = [Scoring(run, asked[run.version], workspace.settings.late_days) for run in found]
    return sorted(listed, key=lambda each: (each.cut_off, each.run.queued_at, each.run.id))


def look_again(workspace: Workspace, name: str) -> None:
    """Decide what came of each run whose outcome window has closed, where the data has changed."""
    with workspace.store.read() as connection:
        instance = stored.get(connection, name)
        found = scorings(connection, workspace, instance)
        known = store.recorded(connection, instance.id)
    kept = min(filter(None, (workspace.settings.keep_events_days, workspace.settings.keep_scores_days)), default=0)
    if kept:  # what its events or scores said stays recorded when they are gone
        found = [each for each in found if each.cut_off >= workspace.clock() - kept * DAY]
    for version in sorted({each.run.version for each in found}):
        same = [each for each in found if each.run.version == version]
        try:
            decided = _look_at(workspace, same, known)
        except (UsageError, RunError) as error:  # its data is gone or of another form by now: what is recorded stays
            log.warning("What came of version %s of '%s' cannot be decided: %s", version, instance.name, error)
            continue
        with workspace.store.write() as connection:
            for each in decided:
                store.put(connection, each)


def look_after(workspace: Workspace, run: Run) -> None:
    """Look again after a run."""
    try:
        look_again(workspace, run.instance_id)
    except Exception:  # the run has ended well, whatever becomes of this
        log.exception("What came of earlier runs could not be decided after run %s", run.id)


def outcome_of(
    workspace: Workspace, engine: Engine, scoring: Scoring, came: pipeline.Outcomes
) -> tuple[Outcome, pa.Array, int]:
    """Join a run's scores with what came of them: the outcome and ids of those known, and how many others there are."""
    scores = read_scores(engine, workspace, scoring.run)
    scored = engine.table(scores.select("id", "probability", "score").order_by("id"))
    ids = scored["id"].combine_chunks().cast(pa.string())
    known, reached = came.of(ids, scoring.cut_off)
    probability, score = (scored[column].to_numpy()[known] for column in ("probability", "score"))
    return Outcome(probability, score, reached), ids.filter(pa.array(known)), int((~known).sum())


@contextmanager
def room(workspace: Workspace) -> Iterator[Path]:
    """Give a folder to work in that a server beside leaves alone, and removes when this process was killed."""
    workspace.settings.runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(suffix=SCRATCH, dir=workspace.settings.runs) as folder:
        (Path(folder) / OWNER).write_text(this_process("room"), encoding="utf-8")
        yield Path(folder)


def _look_at(workspace: Workspace, same: Sequence[Scoring], known: Mapping[str, Recorded]) -> list[Recorded]:
    """Look at the runs of one definition: all their outcomes take one pass over the events."""
    instance = same[0].instance
    versions = {name: open_dataset(workspace.lake, name).version for name in instance.datasets}
    changed = [each for each in same if each.run.id not in known or dict(known[each.run.id].data_versions) != versions]
    if not changed:
        return []
    reaches = _reaches_until(workspace, versions)
    closed = [each for each in changed if each.until <= reaches]
    if not closed:
        return []
    with workspace.engine() as engine, room(workspace) as folder:
        inputs = pipeline.Inputs(instance, reaches, 0, versions)
        cut_offs = tuple(sorted({each.cut_off for each in closed}))
        came = pipeline.outcomes(inputs, cut_offs, engine=engine, lake=workspace.lake, folder=folder)
        return [_decided(workspace, engine, each, inputs, came, known.get(each.run.id)) for each in closed]


_newest: Remembered[dt.datetime] = Remembered(1000)


def _reaches_until(workspace: Workspace, versions: Mapping[str, int]) -> dt.datetime:
    """How far the data reaches; what is in a version of a dataset never changes."""

    def look() -> dt.datetime:
        with workspace.engine() as engine:
            return pipeline.newest_event(engine, workspace.lake, tuple(versions))

    return next_midnight(_newest.get((workspace.lake.root, *versions.items()), look))


def _decided(
    workspace: Workspace,
    engine: Engine,
    scoring: Scoring,
    inputs: pipeline.Inputs,
    came: pipeline.Outcomes,
    was: Recorded | None,
) -> Recorded:
    fingerprint = came.fingerprints[came.cut_offs.index(scoring.cut_off)]
    if was and was.fingerprint == fingerprint:
        return was.seen_at(dict(inputs.versions), inputs.as_of)
    outcome, _, gone = outcome_of(workspace, engine, scoring, came)
    document = {**came_true(outcome), "gone": gone}
    now = workspace.clock()
    corrections = _corrections(scoring, was, document, now) if was else []
    return Recorded(scoring.run.id, document, fingerprint, dict(inputs.versions), inputs.as_of, now, corrections)


def _corrections(
    scoring: Scoring, was: Recorded, document: Mapping[str, Any], now: dt.datetime
) -> list[Mapping[str, Any]]:
    """Remember what stood here, when late events changed it."""
    before, here = in_brief(was.document), in_brief(document)
    if before == here:
        return list(was.corrections)
    told = {"at": now.isoformat(), "before": before, "after": here, "was_settled": was.known_until >= scoring.settles}
    return [*was.corrections, told]
