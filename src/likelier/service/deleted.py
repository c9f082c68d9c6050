"""What was deleted: put back for a while when somebody asks, then gone for good.

A deleted instance or segment is found no more, its name is free, it does not run, and its scores are read no more. For
:data:`KEPT` everything of it is still there. After that a server removes it, or the next deletion does; so does the
deletion of a person, at once, for nothing of them may come back.
"""

from __future__ import annotations

import datetime as dt

from likelier.profiles.published import withdraw
from likelier.runs.records import scores_table
from likelier.service.workspace import Workspace
from likelier.shelf import remove
from likelier.store import alerts, instances, schedules, segments
from likelier.store.segments import Segment, cohort_table, members_shelves, members_table

KEPT = dt.timedelta(hours=1)
"""For how long what was deleted can be put back."""


def remove_for_good(workspace: Workspace, *, at_once: bool = False) -> None:
    """Remove what can be put back no more; everything that is deleted, when `at_once`.

    What is left when this is broken off is removed the next time.
    """
    now = workspace.clock()
    if at_once:
        with workspace.store.write() as connection:
            instances.keep_until(connection, now)
            segments.keep_until(connection, now)
    with workspace.store.read() as connection:
        over_instances, over_segments = instances.over(connection, now), segments.over(connection, now)
    for instance_id, kept_run in over_instances:
        _remove_instance(workspace, instance_id, kept_run)
    for segment in over_segments:
        _remove_segment(workspace, segment)


def name_of_deleted(workspace: Workspace, thing_id: str) -> str | None:
    """How a deleted instance or segment is called, while it can be put back."""
    with workspace.store.read() as connection:
        names = {one.id: one.name for one in instances.put_away_ones(connection, after=workspace.clock())}
        names |= {one.id: one.name for one in segments.put_away_ones(connection, after=workspace.clock())}
    return names.get(thing_id)


def _remove_instance(workspace: Workspace, instance_id: str, kept_run: str | None) -> None:
    withdraw(workspace.lake, instance_id, but=(kept_run,) if kept_run else ())
    table = scores_table(instance_id)
    if workspace.lake.exists(table):
        workspace.lake.delete(table, f"run_id <> '{kept_run}'" if kept_run else "true")
    with workspace.store.write() as connection:
        schedules.remove(connection, instance_id)
        alerts.remove(connection, instance_id)
        instances.remove(connection, instance_id)


def _remove_segment(workspace: Workspace, segment: Segment) -> None:
    remove(workspace.lake, members_shelves(segment))
    for table in (members_table(segment), cohort_table(segment)):
        if workspace.lake.exists(table):
            workspace.lake.delete(table, "id IS NOT NULL")
    with workspace.store.write() as connection:
        segments.remove(connection, segment.id)
