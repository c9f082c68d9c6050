"""Instances at a glance, as the first page lists them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from likelier.datasets import open_dataset
from likelier.errors import LikelierError
from likelier.instance import Instance, ask
from likelier.runs.records import Run, State
from likelier.service.instances import whole_instance
from likelier.service.remembered import Remembered
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store.instances import Status


@dataclass(frozen=True)
class Overview:
    """An instance with its latest run, and the latest run that gave scores."""

    id: str
    name: str
    description: str
    status: Status
    schedule: str
    revision: int
    asked: Mapping[str, Any]
    last: Run | None
    published: Run | None
    scored_this_year: int

    @property
    def propensity_type(self) -> str:
        return str(self.asked.get("propensity_type") or "conversion")

    @property
    def is_draft(self) -> bool:
        return self.status is Status.DRAFT

    @property
    def state(self) -> State | None:
        return self.last.state if self.last else None


@dataclass(frozen=True)
class Words:
    """What an instance asks, in words; empty where it does not fit its datasets any more, and `problem` says why."""

    goal: str = ""
    population: str = ""
    deed: str = ""
    problem: str = ""


def overviews(workspace: Workspace, *, after: str = "", limit: int = 1000) -> list[Overview]:
    """The instances that come after a name, drafts included, by name."""
    with workspace.store.read() as connection:
        return _overviews(connection, workspace, stored.page(connection, after=after, limit=limit))


def overview(workspace: Workspace, instance_id: str) -> Overview | None:
    """One instance; None when there is none of that id."""
    with workspace.store.read() as connection:
        instance = stored.find(connection, instance_id)
        return _overviews(connection, workspace, [instance])[0] if instance else None


def runs_of(workspace: Workspace, instance_id: str) -> list[Run]:
    """The runs of an instance, newest first."""
    with workspace.store.read() as connection:
        return records.history(connection, instance_id=instance_id)


def in_words(workspace: Workspace, instance: Instance) -> Words:
    """Say what an instance asks of its datasets."""
    try:
        question = ask(instance, [open_dataset(workspace.lake, name) for name in instance.datasets])
    except LikelierError as error:
        return Words(problem=str(error))
    return Words(question.goal.words(), question.population.words(), question.goal.deed())


def _overviews(connection: Connection, workspace: Workspace, found: Sequence[stored.Instance]) -> list[Overview]:
    """Ask once for all instances, not once for each."""
    ids, year = [instance.id for instance in found], workspace.clock().year
    begin, end = (dt.datetime(number, 1, 1, tzinfo=dt.UTC) for number in (year, year + 1))
    last, published = records.newest(connection, ids), records.newest(connection, ids, published=True)
    scored = records.scored_between(connection, ids, begin, end)
    return [
        Overview(
            id=instance.id,
            name=instance.name,
            description=instance.description,
            status=instance.status,
            schedule=instance.schedule or "none",
            revision=instance.revision,
            asked=_asked(connection, workspace, instance),
            last=last.get(instance.id),
            published=published.get(instance.id),
            scored_this_year=scored.get(instance.id, 0),
        )
        for instance in found
    ]


_definitions: Remembered[Mapping[str, Any]] = Remembered(1000)


def _asked(connection: Connection, workspace: Workspace, instance: stored.Instance) -> Mapping[str, Any]:
    if instance.status is Status.DRAFT:
        return instance.draft or {}
    # Whatever an edit changes, it changes the revision.
    this = (workspace.store.place, instance.id, instance.revision)
    return _definitions.get(this, lambda: whole_instance(connection, instance).dump())
