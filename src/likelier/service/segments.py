"""Segments as people make them, look at their members, and take them along.

A segment is evaluated when it is made, when somebody asks for its members after the data, the scores or a rule it
rests on changed, and after each successful run of an instance it asks about. The members then stand as a snapshot in
the lake, and their number joins the counts over time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.backend import Engine
from likelier.errors import UnknownNameError, UsageError
from likelier.phrases import say, say_many
from likelier.profiles import segments as evaluation
from likelier.profiles.holdout import is_kept_back
from likelier.profiles.rules import segments_in
from likelier.profiles.text import write_rule
from likelier.runs.records import Run
from likelier.service.deleted import KEPT, remove_for_good
from likelier.service.files import whole_file
from likelier.service.remembered import Remembered
from likelier.service.scene import Scene, Wanted, opened_scene
from likelier.service.scores import FORMATS
from likelier.service.workspace import Workspace
from likelier.shelf import open_shelf
from likelier.store import segments as stored
from likelier.store.names import free_name
from likelier.store.segments import Segment, members_shelf

__all__ = [
    "Wanted",
    "change_segment",
    "create_segment",
    "delete_segment",
    "estimate_segment",
    "evaluate_after",
    "export_segment",
    "get_segment",
    "list_segments",
    "restore_segment",
    "segment_members",
    "segments_of",
    "sizes_over_time",
    "to_send",
]

log = logging.getLogger(__name__)
KEPT_SIZES = 24


# --- making ----------------------------------------------------------------------------------------------------------


def create_segment(
    workspace: Workspace, actor: Actor, name: str, wanted: Wanted, *, description: str = ""
) -> dict[str, Any]:
    """Make a segment and evaluate it; answer it with its size."""
    _refuse_name(name)
    now = workspace.clock()
    with opened_scene(workspace) as scene:
        if stored.find_named(scene.connection, name):
            raise stored.SegmentNameTakenError(
                say("There is a segment named '{name}' already. Choose another name.", name=name)
            )
        namespace, rule = scene.bound(wanted)
        made = Segment(
            id=workspace.new_id(),
            name=name,
            description=description,
            namespace=namespace,
            rule=write_rule(scene.by_id(rule)),
            created_at=now,
            created_by=actor.name,
            updated_at=now,
        )
        found = scene.members(made)
        with workspace.store.write() as connection:
            stored.add(connection, made)
            record(connection, actor, "segment.create", _thing(made), now=now, after=_told(made))
        count = scene.keep(made, found)
        return scene.told(made, count)


def change_segment(
    workspace: Workspace,
    actor: Actor,
    name: str,
    *,
    new_name: str | None = None,
    description: str | None = None,
    wanted: Wanted | None = None,
    was: str | None = None,
) -> dict[str, Any]:
    """Change a segment's name, description or rule, provided that it still has the revision it `was` read at.

    A rule that leads back to the segment itself is refused.
    """
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        _refuse_changed(segment, was)
        changed = replace(segment, updated_at=workspace.clock())
        if new_name is not None:
            _refuse_name(new_name)
            changed = replace(changed, name=new_name)
        if description is not None:
            changed = replace(changed, description=description)
        if wanted is not None:
            namespace, rule = scene.bound(wanted)
            changed = replace(changed, namespace=namespace, rule=write_rule(scene.by_id(rule)))
            scene.refuse_change(changed)
        scene.take_as(changed)
        found = scene.members(changed)
        with workspace.store.write() as connection:
            stored.edit(connection, changed, was=segment.updated_at)
            before, after = _told(segment), _told(changed)
            record(
                connection, actor, "segment.edit", _thing(changed), now=changed.updated_at, before=before, after=after
            )
        return scene.told(changed, scene.keep(changed, found))


def estimate_segment(workspace: Workspace, wanted: Wanted) -> dict[str, Any]:
    """Say how many would belong to a segment, exactly, and keep nothing."""
    with opened_scene(workspace) as scene:
        namespace, rule = scene.bound(wanted)
        named = scene.by_id(rule)
        found = evaluation.members(named, scene.people(namespace, [named]), scene.rules(namespace))
        size = scene.engine.table(found.aggregate(size=found.count()))["size"][0].as_py()
        return {"size": size, "namespace": namespace, "text": write_rule(rule), "words": rule.words()}


def delete_segment(workspace: Workspace, actor: Actor, name: str, *, was: str | None = None) -> None:
    """Delete a segment with its members; refused while others refer to it. For a while it can be put back."""
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        _refuse_changed(segment, was)
        used = [other.name for other in scene.segments if segment.id in segments_in(scene.rule(other))]
        if used:
            others = ", ".join(f"'{one}'" for one in used)
            raise UsageError(
                say_many(
                    "'{name}' is used by {others}. Change or delete it first.",
                    "'{name}' is used by {others}. Change or delete them first.",
                    len(used),
                    name=segment.name,
                    others=others,
                )
            )
    now = workspace.clock()
    with workspace.store.write() as connection:
        stored.put_away(connection, segment.id, until=now + KEPT)
        record(connection, actor, "segment.delete", _thing(segment), now=now, before=_told(segment))
    remove_for_good(workspace)


def restore_segment(workspace: Workspace, actor: Actor, name: str) -> dict[str, Any]:
    """Put a deleted segment back with its members and counts; by id, or the last deleted of a name.

    Where its name was given to another meanwhile, it gets a number.
    """
    now = workspace.clock()
    with opened_scene(workspace) as scene:
        known = stored.put_away_ones(scene.connection, after=now)
        found = next((one for one in known if name in {one.id, one.name}), None)
        if found is None:
            raise UnknownNameError("deleted segment that can be put back", name, [one.name for one in known])
        if segments_in(scene.rule(found)) - {one.id for one in scene.segments}:
            raise UsageError(
                say("'{name}' refers to a segment that was deleted too. Put that one back first.", name=found.name)
            )
        restored = replace(found, name=free_name(found.name, [one.name for one in scene.segments]), updated_at=now)
    with workspace.store.write() as connection:
        stored.put_back(connection, restored)
        record(connection, actor, "segment.restore", _thing(restored), now=now, after=_told(restored))
    with opened_scene(workspace) as scene:
        return scene.told(restored, scene.latest(restored))


# --- looking ---------------------------------------------------------------------------------------------------------


def list_segments(workspace: Workspace, *, after: str = "", limit: int | None = None) -> list[dict[str, Any]]:
    """The segments that come after a name, by name, with their sizes when they were last evaluated."""
    with opened_scene(workspace) as scene:
        found = sorted((one for one in scene.segments if one.name > after), key=lambda one: one.name)
        return [scene.told(segment, scene.latest(segment)) for segment in found[:limit]]


def sizes_over_time(workspace: Workspace, most: int = KEPT_SIZES) -> dict[str, list[int]]:
    """The newest sizes of each segment by its id, oldest first."""
    with workspace.store.read() as connection:
        return {
            segment.id: [count.size for count in reversed(stored.counts(connection, segment.id, limit=most))]
            for segment in stored.every(connection)
        }


def get_segment(workspace: Workspace, name: str) -> dict[str, Any]:
    """One segment, as it is now, with its counts over time, newest first."""
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        count = scene.current(segment)
    with workspace.store.read() as connection:
        counts = stored.counts(connection, segment.id)
    history = [{"at": one.at.isoformat(), "as_of": one.as_of.isoformat(), "size": one.size} for one in counts]
    return {**scene.told(segment, count), "counts": history}


def segment_members(workspace: Workspace, name: str, *, after: str = "", limit: int = 100) -> dict[str, Any]:
    """A page of members, sorted by id; `next` is what to pass as `after` for the following page."""
    if not 1 <= limit <= 10_000:
        raise UsageError(say("A page of {limit} members is not possible. Ask for 1 to 10000.", limit=limit))
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        count = scene.current(segment)

        def read() -> list[dict[str, Any]]:
            found = scene.snapshot(segment, count)
            following = found.filter(found.id > after) if after else found
            return scene.engine.table(following.order_by("id").limit(limit + 1)).to_pylist()

        rows = _pages.get((workspace.lake.root, count.snapshot, after, limit), read)
    return {"items": rows[:limit], "next": rows[limit - 1]["id"] if len(rows) > limit else None}


# Who was a member when a segment was evaluated never changes.
_pages: Remembered[list[dict[str, Any]]] = Remembered(200)


def export_segment(workspace: Workspace, actor: Actor, name: str, path: Path, *, kept_back: bool = False) -> int:
    """Write the members to a .parquet, .csv or .jsonl file, sorted by id, and say how many.

    Where the segment has a hold-out, those kept back are left out; `kept_back` writes them alone. The file appears when
    it is complete.
    """
    write = FORMATS.get(path.suffix.lower().removeprefix("."))
    if write is None:
        raise UsageError(
            say(
                "'{name}' names no format. End it in {known}.",
                name=path.name,
                known=", ".join(f".{name}" for name in FORMATS),
            )
        )
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        _, found = to_send(scene, segment, kept_back=kept_back)
        with workspace.store.write() as connection:
            taken = {"format": path.suffix.removeprefix("."), "kept_back": kept_back}
            record(connection, actor, "segment.export", _thing(segment), now=workspace.clock(), after=taken)
        with whole_file(path) as file:
            return write(scene.engine.stream(found.order_by("id")), file)


def to_send(scene: Scene, segment: Segment, *, kept_back: bool = False) -> tuple[str, ibis.Table]:
    """Who leaves the system: the members but for those kept back, or these alone; and what names exactly them."""
    count = scene.current(segment)
    found, source = scene.snapshot(segment, count), count.snapshot
    hold_out = stored.find_hold_out(scene.connection, segment.id)
    if hold_out is None and kept_back:
        raise UsageError(say("'{name}' has no hold-out: nobody is kept back.", name=segment.name))
    if hold_out is not None:
        back = is_kept_back(found.id, segment.id, hold_out.percent)
        found, source = found.filter(back if kept_back else ~back), f"{source} {hold_out.percent:g} {kept_back}"
    return source, found


def segments_of(
    workspace: Workspace,
    engine: Callable[[], Engine],
    evaluated: Sequence[tuple[Segment, stored.Count]],
    identity: str,
) -> list[dict[str, Any]]:
    """Of segments and their last evaluations, those a person belonged to, by name."""
    return [
        {"id": segment.id, "name": segment.name}
        for segment, count in evaluated
        if count.size and _belongs(workspace, engine, segment, count, identity)
    ]


def _belongs(
    workspace: Workspace, engine: Callable[[], Engine], segment: Segment, count: stored.Count, identity: str
) -> bool:
    shelf = open_shelf(workspace.lake, members_shelf(segment, count.snapshot))
    if shelf is not None:
        return len(shelf.rows(identity)) > 0
    with opened_scene(workspace, engine()) as scene:
        found = scene.snapshot(segment, count)
        return len(engine().table(found.filter(found.id == identity))) > 0


def evaluate_after(workspace: Workspace, run: Run) -> None:
    """Evaluate anew the segments that ask about a run's instance; a segment that cannot be, leaves the rest alone."""
    with opened_scene(workspace) as scene:
        for segment in scene.segments:
            try:
                if run.instance_id in scene.reach(segment):
                    scene.current(segment)
            except Exception:  # the run has ended well, whatever becomes of a segment
                log.exception("Segment %s could not be evaluated after run %s", segment.id, run.id)


def _refuse_changed(segment: Segment, was: str | None) -> None:
    if was is not None and was != segment.revision:
        raise stored.changed_meanwhile(segment)


def _refuse_name(name: str) -> None:
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise UsageError(
            say("'{name}' is no name for a segment. Write a word or a few, such as 'Likely buyers'.", name=name)
        )


def _thing(segment: Segment) -> Thing:
    return Thing("segment", segment.id, segment.name)


def _told(segment: Segment) -> dict[str, Any]:
    return {"name": segment.name, "description": segment.description, "rule": segment.rule}
