"""Segments compared: with each other, and their members with everybody else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import ibis
from ibis.expr.types import Table

from likelier.datasets import FieldType
from likelier.errors import UsageError
from likelier.phrases import say
from likelier.profiles.comparison import Measure, differences, shares_of_values
from likelier.profiles.segments import People, current_attributes, everybody
from likelier.service.scene import Scene, opened_scene
from likelier.service.workspace import Workspace
from likelier.store.segments import Segment
from likelier.timespan import DAY

RECENT_DAYS = 30


def overlap(workspace: Workspace, first: str, second: str) -> dict[str, Any]:
    """Say how many belong to both segments, and to one of them alone."""
    with opened_scene(workspace) as scene:
        one, other = scene.find(first), scene.find(second)
        if one.namespace != other.namespace:
            raise UsageError(
                say(
                    "'{name}' is about {namespace} and '{other_name}' about {other_namespace}.",
                    name=one.name,
                    namespace=one.namespace,
                    other_name=other.name,
                    other_namespace=other.namespace,
                )
            )
        counts = scene.current(one), scene.current(other)
        mine, theirs = (scene.snapshot(*pair) for pair in zip((one, other), counts, strict=True))
        both = mine.semi_join(theirs, "id")
        shared = int(scene.engine.table(both.aggregate(size=both.count()))["size"][0].as_py())
    either = counts[0].size + counts[1].size - shared
    return {
        "first": {"name": one.name, "size": counts[0].size, "alone": counts[0].size - shared},
        "second": {"name": other.name, "size": counts[1].size, "alone": counts[1].size - shared},
        "both": shared,
        "either": either,
        "share_of_first": shared / counts[0].size if counts[0].size else None,
        "share_of_second": shared / counts[1].size if counts[1].size else None,
    }


def what_differs(workspace: Workspace, name: str) -> dict[str, Any]:
    """Compare members with everybody else of the namespace, the greatest differences first.

    Looks at the scores of every instance that shows them on profiles, at attributes, and at how much people did.
    """
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        count = scene.current(segment)
        known = scene.everything(segment.namespace)
        flagged = _flagged(everybody(known), scene.snapshot(segment, count))
        found = differences(scene.engine, flagged, list(_measures(scene, segment, known)))
        total = scene.engine.table(flagged.aggregate(people=flagged.count()))["people"][0].as_py()
    told = [{**asdict(one), "effect": one.effect if math.isfinite(one.effect) else None} for one in found]
    return {"segment": segment.name, "members": count.size, "others": total - count.size, "differences": told}


def _flagged(people: Table, members: Table) -> Table:
    marked = members.select(key=members.id)
    joined = people.left_join(marked, [people.id == marked.key])
    return joined.select("id", member=joined.key.notnull())


def _measures(scene: Scene, segment: Segment, known: People) -> Iterator[Measure]:
    for instance, scores in known.scores.items():
        label = say('score of "{name}"', name=scene.instance_name(instance))
        yield Measure(label, "mean", scores.select("id", value=scores.score))
    if known.events is not None:
        events = known.events
        recent = events.filter(events.timestamp >= ibis.literal(known.as_of - RECENT_DAYS * DAY))
        yield Measure(say("events"), "count", events.group_by("id").aggregate(value=events.count()))
        yield Measure(
            say("events in the last {days} days", days=RECENT_DAYS),
            "count",
            recent.group_by("id").aggregate(value=recent.count()),
        )
    if known.attributes is not None:
        yield from _of_attributes(scene, segment, known.attributes)


def _of_attributes(scene: Scene, segment: Segment, rows: Table) -> Iterator[Measure]:
    for path, field in scene.attribute_fields(segment.namespace).items():
        if field.array or path == "timestamp":
            continue
        current = current_attributes(rows, [path])
        if field.type is FieldType.NUMBER:
            yield Measure(path, "mean", current.select("id", value=current[path]))
        elif field.type in (FieldType.TEXT, FieldType.FLAG):
            yield from shares_of_values(scene.engine, current, path)
