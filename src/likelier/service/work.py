"""Doing what was asked for: pre-flight, and carrying runs on in this process.

The pipeline loads the model libraries, which takes seconds, so it is loaded when it is used: a server starts without.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from likelier.datasets import open_dataset
from likelier.errors import UsageError
from likelier.instance import Instance
from likelier.phrases import say
from likelier.readings import Readings
from likelier.runs.execute import Bench, carry_on
from likelier.runs.execute import read_ahead as share_reading
from likelier.runs.records import LeaseLostError, Run, Watch
from likelier.service.alerts import alert_after
from likelier.service.exports import deliver_after
from likelier.service.instances import whole_instance
from likelier.service.profiles import publish_after
from likelier.service.retraining import plan
from likelier.service.runs import claim, lease
from likelier.service.segments import evaluate_after
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store.runs import Ledger
from likelier.timespan import next_midnight


def check_instance(
    workspace: Workspace, instance: Instance, as_of: dt.datetime | None, *, most_events: int | None = None
) -> dict[str, Any]:
    """Count what a run would find, and train nothing.

    `most_events` draws people, who are kept, so that an answer comes at once.
    """
    from likelier import pipeline
    from likelier.service.outcomes import room

    with workspace.chosen_engine() as engine, room(workspace) as folder:
        moment = as_of or next_midnight(pipeline.newest_event(engine, workspace.lake, instance.datasets))
        return pipeline.preflight(
            instance,
            moment,
            engine=engine,
            lake=workspace.lake,
            most_events=most_events,
            folder=folder,
            readings=kept_readings(workspace),
        )


def draw_people(workspace: Workspace, names: Sequence[str], namespace: str, *, most_events: int) -> None:
    """Draw the people that questions about some datasets are going to be counted with, and keep them."""
    from likelier.pipeline.drawing import draw
    from likelier.service.outcomes import room

    readings = kept_readings(workspace)
    if readings is None:
        return
    datasets = [open_dataset(workspace.lake, name) for name in names]
    with (
        workspace.chosen_engine() as engine,
        room(workspace) as shared,
        tempfile.TemporaryDirectory(prefix="likelier-", dir=shared) as work,
    ):
        lake, folder = workspace.lake, Path(work)
        draw(datasets, namespace, engine, lake, most_events=most_events, folder=folder, readings=readings)


def carry_on_here(workspace: Workspace, run: Run, watch: Watch = lambda _: None) -> Run:
    """Carry a run on in this process, or watch it while another does; answer it as it ended."""
    while run.state.active:
        claimed = claim(workspace, run)
        if claimed is None:
            if run.progress:
                watch(run.progress)
            time.sleep(workspace.settings.beat_seconds)
        else:
            work_on(workspace, claimed, watch)
        with workspace.store.read() as connection:
            run = _still_there(connection, run)
    return run


def read_ahead(workspace: Workspace, runs: Sequence[Run], watch: Watch = lambda _: None) -> None:
    """Have queued runs read the events together; carried on, each goes on from there."""
    claimed = [(mine, _whole(workspace, mine)) for run in runs if (mine := claim(workspace, run))]
    if claimed:
        share_reading(claimed, bench(workspace), watch)


def work_on(workspace: Workspace, run: Run, watch: Watch = lambda _: None) -> None:
    """Carry a claimed run to its end; when another process took it over meanwhile, leave it to that."""
    from likelier.service.outcomes import look_after

    try:
        carry_on(run, _whole(workspace, run), bench(workspace), watch)
    except LeaseLostError:
        return
    publish_after(workspace, run)
    evaluate_after(workspace, run)
    deliver_after(workspace, run)
    look_after(workspace, run)
    alert_after(workspace, run)


def bench(workspace: Workspace) -> Bench:
    from likelier import pipeline

    settings = workspace.settings
    return Bench(
        ledger=Ledger(workspace.store),
        stages=pipeline,
        lake=workspace.lake,
        engine=workspace.chosen_engine,
        folder=settings.runs,
        clock=workspace.clock,
        lease=lease(workspace),
        beat_seconds=settings.beat_seconds,
        attempts=settings.attempts,
        minimum_auc=settings.minimum_auc,
        plan=partial(plan, workspace),
        readings=kept_readings(workspace),
    )


def kept_readings(workspace: Workspace) -> Readings | None:
    """Give what runs have read; None where nothing is to be kept."""
    return workspace.readings if workspace.settings.readings_gb else None


def _whole(workspace: Workspace, run: Run) -> Instance:
    with workspace.store.read() as connection:
        instance = stored.find(connection, run.instance_id)
        assert instance is not None
        return whole_instance(connection, instance, run.version)


def _still_there(connection: Connection, run: Run) -> Run:
    found = records.find(connection, run.id)
    if found is None:
        raise UsageError(say("'{instance}' was deleted meanwhile.", instance=run.instance))
    return found
