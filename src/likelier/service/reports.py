"""Insights of a run, and the page that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from likelier.errors import UsageError
from likelier.insights.reports import report
from likelier.phrases import say
from likelier.runs.records import Run
from likelier.service.files import whole_file
from likelier.service.runs import details, find_run
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records


def insights_of(workspace: Workspace, run: Run) -> Mapping[str, Any] | None:
    """What a run learnt; None when it came to no insights."""
    with workspace.store.read() as connection:
        return records.read_insights(connection, run.id)


def write_report(workspace: Workspace, name: str, run_id: str | None, path: Path) -> Run:
    """Write the page of a run: the one named, else the latest that has something to tell."""
    from likelier.service.performance import (  # noqa: PLC0415 - the server itself needs no model libraries
        by_every_attribute,
        performance,
    )

    with workspace.store.read() as connection:
        run = told_run(connection, name, run_id)
        insights = records.read_insights(connection, run.id) or {}
    came = performance(workspace, run.instance_id)["runs"] if insights else []
    slices = by_every_attribute(workspace, run.instance_id) if came else []
    page = report(insights, details(run), came, slices)
    with whole_file(path) as file:
        file.write(page.encode())
    return run


def told_run(connection: Connection, name: str, run_id: str | None) -> Run:
    """Find the run to tell of: the one named, else the latest that gave scores, else the latest that ended."""
    instance = stored.get(connection, name)
    if run_id:
        run = find_run(connection, run_id)
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
    ended = [run for run in records.history(connection, instance_id=instance.id) if not run.state.active]
    published = next((run for run in ended if run.scored is not None), None)
    if found := published or next(iter(ended), None):
        return found
    raise UsageError(say("'{name}' was not run yet. Run it: likelier run.", name=instance.name))
