"""Segments as people make them, look at their members, and take them along.

A segment is evaluated when it is made, when somebody asks for its members after the data, the scores or a rule it
rests on changed, and after each successful run of an instance it asks about. The members then stand as a snapshot in
the lake, and their number joins the counts over time.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from sqlalchemy import Connection

from likelier.access.identity import Actor
from likelier.backend import Engine
from likelier.conditions.algebra import where
from likelier.datasets import Dataset, Field, list_datasets, read_dataset
from likelier.errors import LikelierError, UnknownNameError, UsageError
from likelier.instance.question import merged_fields
from likelier.profiles import segments as evaluation
from likelier.profiles.rulefile import make_rule
from likelier.profiles.rules import (
    AttributeIs,
    Did,
    FactorActs,
    Rule,
    facts,
    instances_in,
    renamed,
    score_is,
    segments_in,
)
from likelier.profiles.segments import People
from likelier.profiles.text import Names, read_rule, write_rule
from likelier.runs.records import Run
from likelier.scores import BUCKETS
from likelier.service.files import whole_file
from likelier.service.scores import FORMATS, read_scores
from likelier.service.workspace import Workspace
from likelier.store import instances as stored_instances
from likelier.store import runs as records
from likelier.store import segments as stored
from likelier.store.segments import Count, Segment
from likelier.timespan import next_midnight

KEPT = 12
"""Snapshots of members that stay in the lake; the counts stay for good."""

SNAPSHOT = pa.schema([(name, pa.string()) for name in ("namespace", "id", "snapshot")])

log = logging.getLogger(__name__)


# --- making ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """The rule of a segment, in one of three ways: an expression, keys, or a bucket of an instance's scores."""

    text: str | None = None
    rule: Mapping[str, Any] | None = None
    instance: str | None = None
    bucket: str | None = None
    namespace: str | None = None

    def __post_init__(self) -> None:
        if [self.text, self.rule, self.instance].count(None) != 2:
            raise UsageError("Say who belongs to it in one way: a text, a rule, or an instance and a bucket.")
        if (self.instance is None) != (self.bucket is None):
            raise UsageError(f"An instance and a bucket go together; a bucket is one of {', '.join(BUCKETS)}.")
        if self.bucket is not None and self.bucket not in BUCKETS:
            raise UnknownNameError("bucket", self.bucket, BUCKETS)


def create_segment(
    workspace: Workspace, actor: Actor, name: str, wanted: Wanted, *, description: str = ""
) -> dict[str, Any]:
    """Make a segment and evaluate it; answer it with its size."""
    _refuse_name(name)
    now = workspace.clock()
    with _opened(workspace) as scene:
        if stored.find_named(scene.connection, name):
            raise stored.SegmentNameTakenError(f"There is a segment named '{name}' already. Choose another name.")
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
        count = scene.keep(made, found)
        return scene.told(made, count)


def change_segment(
    workspace: Workspace,
    name: str,
    *,
    new_name: str | None = None,
    description: str | None = None,
    wanted: Wanted | None = None,
) -> dict[str, Any]:
    """Change a segment's name, description or rule; a rule that leads back to the segment itself is refused."""
    with _opened(workspace) as scene:
        segment = scene.find(name)
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
            stored.edit(connection, changed)
        return scene.told(changed, scene.keep(changed, found))


def estimate_segment(workspace: Workspace, wanted: Wanted) -> dict[str, Any]:
    """Say how many would belong to a segment, exactly, and keep nothing."""
    with _opened(workspace) as scene:
        namespace, rule = scene.bound(wanted)
        named = scene.by_id(rule)
        found = evaluation.members(named, scene.people(namespace, [named]), scene.rules(namespace))
        size = scene.engine.table(found.aggregate(size=found.count()))["size"][0].as_py()
        return {"size": size, "namespace": namespace, "text": write_rule(rule), "words": rule.words()}


def delete_segment(workspace: Workspace, name: str) -> None:
    """Forget a segment with its members; refused while others refer to it."""
    with _opened(workspace) as scene:
        segment = scene.find(name)
        used = [other.name for other in scene.segments if segment.id in segments_in(scene.rule(other))]
        if used:
            others = ", ".join(f"'{one}'" for one in used)
            raise UsageError(f"'{segment.name}' is used by {others}. Change or delete {_them(used)} first.")
    with workspace.store.write() as connection:
        stored.remove(connection, segment.id)
    if workspace.lake.exists(_table(segment)):
        workspace.lake.delete(_table(segment), "id IS NOT NULL")


# --- looking ---------------------------------------------------------------------------------------------------------


def list_segments(workspace: Workspace) -> list[dict[str, Any]]:
    """Every segment by name, with its size when it was last evaluated."""
    with _opened(workspace) as scene:
        return [scene.told(segment, scene.latest(segment)) for segment in scene.segments]


def get_segment(workspace: Workspace, name: str) -> dict[str, Any]:
    """One segment, as it is now, with its counts over time, newest first."""
    with _opened(workspace) as scene:
        segment = scene.find(name)
        count = scene.current(segment)
    with workspace.store.read() as connection:
        counts = stored.counts(connection, segment.id)
    history = [{"at": one.at.isoformat(), "as_of": one.as_of.isoformat(), "size": one.size} for one in counts]
    return {**scene.told(segment, count), "counts": history}


def segment_members(workspace: Workspace, name: str, *, after: str = "", limit: int = 100) -> dict[str, Any]:
    """A page of members, sorted by id; `next` is what to pass as `after` for the following page."""
    if not 1 <= limit <= 10_000:
        raise UsageError(f"A page of {limit} members is not possible. Ask for 1 to 10000.")
    with _opened(workspace) as scene:
        segment = scene.find(name)
        found = scene.snapshot(segment, scene.current(segment))
        following = found.filter(found.id > after) if after else found
        rows = scene.engine.table(following.order_by("id").limit(limit + 1)).to_pylist()
    return {"items": rows[:limit], "next": rows[limit - 1]["id"] if len(rows) > limit else None}


def export_segment(workspace: Workspace, name: str, path: Path) -> int:
    """Write the members to a .parquet, .csv or .jsonl file, sorted by id, and say how many.

    The file appears when it is complete.
    """
    write = FORMATS.get(path.suffix.lower().removeprefix("."))
    if write is None:
        raise UsageError(f"'{path.name}' names no format. End it in {', '.join(f'.{name}' for name in FORMATS)}.")
    with _opened(workspace) as scene:
        segment = scene.find(name)
        found = scene.snapshot(segment, scene.current(segment))
        with whole_file(path) as file:
            return write(scene.engine.stream(found.order_by("id")), file)


def segments_of(workspace: Workspace, engine: Engine, namespace: str, identity: str) -> list[dict[str, Any]]:
    """The segments a person belonged to when they were last evaluated, by name."""
    with _opened(workspace, engine) as scene:
        mine = [
            (segment, scene.snapshot(segment, count))
            for segment in scene.segments
            if segment.namespace == namespace and (count := scene.latest(segment)) and count.size
        ]
        if not mine:
            return []
        marked = [found.filter(found.id == identity).mutate(segment=ibis.literal(one.id)) for one, found in mine]
        every = ibis.union(*marked) if len(marked) > 1 else marked[0]
        ids = set(engine.table(every.select("segment"))["segment"].to_pylist())
        return [{"id": segment.id, "name": segment.name} for segment in scene.segments if segment.id in ids]


def evaluate_after(workspace: Workspace, run: Run) -> None:
    """Evaluate anew the segments that ask about a run's instance; a segment that cannot be, leaves the rest alone."""
    with _opened(workspace) as scene:
        for segment in scene.segments:
            try:
                if run.instance_id in scene.reach(segment):
                    scene.current(segment)
            except LikelierError as error:
                log.warning("Segment %s could not be evaluated after run %s: %s", segment.id, run.id, error)


# --- how it is done --------------------------------------------------------------------------------------------------


@contextmanager
def _opened(workspace: Workspace, engine: Engine | None = None) -> Iterator[_Scene]:
    with workspace.store.read() as connection, ExitStack() as closing:
        yield _Scene(workspace, connection, closing, engine)


class _Scene:
    """All that segments rest on, read once: datasets, instances with their latest scores, the other segments."""

    def __init__(
        self, workspace: Workspace, connection: Connection, closing: ExitStack, engine: Engine | None = None
    ) -> None:
        self.workspace, self.connection, self._closing = workspace, connection, closing
        self.segments = stored.every(connection)
        if engine is not None:
            self.engine = engine

    @cached_property
    def engine(self) -> Engine:
        return self._closing.enter_context(self.workspace.engine())

    def take_as(self, segment: Segment) -> None:
        """Go on with a segment as it will be."""
        self.segments = [segment if one.id == segment.id else one for one in self.segments]

    # names and rules

    def find(self, name: str) -> Segment:
        found = stored.find_named(self.connection, name) or stored.find(self.connection, name)
        if found is None:
            raise UnknownNameError("segment", name, [segment.name for segment in self.segments])
        return found

    def bound(self, wanted: Wanted) -> tuple[str, Rule]:
        """Read a rule against all that can be named, and settle whose namespace it is about."""
        rule = self._read(wanted, self._names(self._datasets))
        namespace = self._namespace(wanted, rule)
        rule = self._read(wanted, self._names(self._datasets_of(namespace)))
        self._refuse_unknown_factors(rule)
        return namespace, rule

    def rule(self, segment: Segment) -> Rule:
        """A stored rule, by ids."""
        names = self._names(self._datasets_of(segment.namespace))
        return read_rule(segment.rule, replace(names, instances=None, segments=None))

    def rules(self, namespace: str) -> dict[str, Rule]:
        """The rules of a namespace's segments, by id."""
        return {one.id: self.rule(one) for one in self.segments if one.namespace == namespace}

    def by_id(self, rule: Rule) -> Rule:
        """Name instances and segments by their ids."""
        return renamed(
            rule,
            instance=lambda name: stored_instances.get(self.connection, name).id,
            segment=lambda name: self.find(name).id,
        )

    def by_name(self, rule: Rule) -> Rule:
        instances, segments = self._instance_names, {one.id: one.name for one in self.segments}
        return renamed(rule, instance=lambda id_: instances.get(id_, id_), segment=lambda id_: segments.get(id_, id_))

    def refuse_change(self, segment: Segment) -> None:
        """Refuse circles, and a namespace that those who refer to the segment do not have."""
        readable = {**{one.id: self.rule(one) for one in self.segments}, segment.id: self.rule(segment)}
        names = {one.id: one.name for one in self.segments}
        called = {names[id_]: self.by_name(rule) for id_, rule in readable.items()}
        evaluation.in_order([called[names[segment.id]]], called)
        for other in self.segments:
            if segment.id in segments_in(readable[other.id]) and other.namespace != segment.namespace:
                raise UsageError(f"'{other.name}' refers to '{segment.name}' and is about {other.namespace}.")

    def reach(self, segment: Segment) -> set[str]:
        """The ids of the instances that a segment asks about, straight or through others."""
        rules = self.rules(segment.namespace)
        through = evaluation.in_order([rules[segment.id]], rules)
        return set().union(*(instances_in(rules[one]) for one in (segment.id, *through)))

    def _read(self, wanted: Wanted, names: Names) -> Rule:
        if wanted.text is not None:
            return read_rule(wanted.text, names)
        if wanted.rule is not None:
            return make_rule(wanted.rule, names)
        assert wanted.instance is not None
        name = stored_instances.get(self.connection, wanted.instance).name
        return score_is(name, "bucket", lambda field: where(field, "equals", wanted.bucket))

    def _names(self, datasets: Sequence[Dataset]) -> Names:
        return Names(
            events=_fields(datasets, "events"),
            attributes=_fields(datasets, "profiles"),
            instances=list(self._instance_names.values()),
            segments=[segment.name for segment in self.segments],
        )

    def _namespace(self, wanted: Wanted, rule: Rule) -> str:
        said = {f"the scores of '{name}'": self._namespace_of(name) for name in sorted(instances_in(rule))}
        said |= {f"segment '{name}'": self.find(name).namespace for name in sorted(segments_in(rule))}
        if wanted.namespace:
            known = {one for dataset in self._datasets for one in dataset.namespaces}
            if wanted.namespace not in known | set(said.values()):
                raise UnknownNameError("namespace", wanted.namespace, known)
            said["what was asked for"] = wanted.namespace
        found = set(said.values())
        if not found:
            found = {one for dataset in self._datasets for one in dataset.namespaces}
            if len(found) > 1:
                raise UsageError(f"Say whose ids the members are: one of the namespaces {', '.join(sorted(found))}.")
        if len(found) > 1:
            told = ", ".join(f"{what} ({namespace})" for what, namespace in said.items())
            raise UsageError(f"A segment is about the people of one namespace; this joins {told}.")
        if not found:
            raise UsageError("There are no people yet. Ingest events: likelier ingest DATASET FILE")
        return found.pop()

    def _namespace_of(self, instance: str) -> str:
        found = stored_instances.get(self.connection, instance)
        version = self._published(found.id).version
        return str(stored_instances.definition(self.connection, found.id, version)["namespace"])

    def _refuse_unknown_factors(self, rule: Rule) -> None:
        for fact in facts(rule):
            if isinstance(fact, FactorActs):
                run = self._published(stored_instances.get(self.connection, fact.instance).id)
                known = self._factors(run, fact.factor)
                if fact.factor not in known:
                    raise UnknownNameError("factor", fact.factor, known)

    def _factors(self, run: Run, wanted: str) -> set[str]:
        """The factors of a run: those of its insights, or all when the wanted one is not among them."""
        insights = records.read_insights(self.connection, run.id) or {}
        told = {factor["code"] for bucket in insights.get("factors", {}).values() for factor in bucket}
        if wanted in told:
            return told
        codes = read_scores(self.engine, self.workspace, run)["factors"].unnest().name("factor").as_table()
        return set(self.engine.table(codes.select(code=codes.factor["code"]).distinct())["code"].to_pylist())

    # data

    @cached_property
    def _datasets(self) -> list[Dataset]:
        return list_datasets(self.workspace.lake)

    @cached_property
    def _instance_names(self) -> dict[str, str]:
        return {one.id: one.name for one in stored_instances.page(self.connection, limit=1_000_000)}

    def _datasets_of(self, namespace: str) -> list[Dataset]:
        return [dataset for dataset in self._datasets if namespace in dataset.namespaces]

    def _published(self, instance_id: str) -> Run:
        run = records.published(self.connection, instance_id)
        if run is None:
            name = self._instance_names.get(instance_id)
            raise UsageError(
                f"'{name}' has no scores yet. Run it: likelier run."
                if name
                else "This segment asks for scores of an instance that was deleted. Change its rule or delete it."
            )
        return run

    def people(self, namespace: str, rules: Sequence[Rule]) -> People:
        reached = self._with_reached(rules, namespace)
        asked = [fact for rule in reached for fact in facts(rule)]
        datasets = self._datasets_of(namespace)
        done = {path for fact in asked if isinstance(fact, Did) for path in fact.condition.fields}
        had = {path for fact in asked if isinstance(fact, AttributeIs) for path in fact.condition.fields}
        instances = set().union(*(instances_in(rule) for rule in reached))
        return People(
            as_of=self._as_of(namespace),
            events=self._rows(datasets, "events", namespace, done),
            attributes=self._rows(datasets, "profiles", namespace, had),
            scores={one: self._scores(one, namespace) for one in sorted(instances)},
        )

    def _with_reached(self, rules: Sequence[Rule], namespace: str) -> list[Rule]:
        known = self.rules(namespace)
        return [*rules, *(known[one] for one in evaluation.in_order(rules, known))]

    def _scores(self, instance_id: str, namespace: str) -> ibis.Table:
        scores = read_scores(self.engine, self.workspace, self._published(instance_id))
        return scores.filter(scores.namespace == namespace)

    def _rows(self, datasets: Sequence[Dataset], kind: str, namespace: str, paths: set[str]) -> ibis.Table | None:
        """All rows of one kind, with the columns asked for, in one table."""
        fields = {path: field for path, field in _fields(datasets, kind).items() if path in paths}
        tables = [
            _aligned(read_dataset(self.engine, self.workspace.lake, dataset), fields, namespace)
            for dataset in datasets
            if dataset.kind == kind
        ]
        return None if not tables else ibis.union(*tables) if len(tables) > 1 else tables[0]

    def _as_of(self, namespace: str) -> dt.datetime:
        """The midnight after the newest event, as runs take it."""
        events = self._rows(self._datasets_of(namespace), "events", namespace, set())
        if events is None:
            return next_midnight(self.workspace.clock())
        newest = self.engine.table(events.aggregate(at=events.timestamp.max()))["at"][0].as_py()
        return next_midnight(newest or self.workspace.clock())

    # members

    def members(self, segment: Segment) -> tuple[dt.datetime, ibis.Table]:
        """Who belongs to a segment now, and when now is."""
        rule, rules = self.rule(segment), self.rules(segment.namespace)
        people = self.people(segment.namespace, [rule])
        return people.as_of, evaluation.members(rule, people, rules)

    def latest(self, segment: Segment) -> Count | None:
        """The last evaluation of a segment."""
        with self.workspace.store.read() as connection:
            return next(iter(stored.counts(connection, segment.id, limit=1)), None)

    def current(self, segment: Segment) -> Count:
        """The last evaluation of a segment, or a new one when what it rests on has changed."""
        count = self.latest(segment)
        if count is not None and count.basis == self.basis(segment):
            return count
        return self.keep(segment, self.members(segment))

    def keep(self, segment: Segment, evaluated: tuple[dt.datetime, ibis.Table]) -> Count:
        """Put the members into the lake as a snapshot, then count them in the store."""
        as_of, found = evaluated
        snapshot = self.workspace.new_id()
        rows = found.select(namespace=ibis.literal(segment.namespace), id=found.id, snapshot=ibis.literal(snapshot))
        reader = self.engine.stream(rows.order_by("id"))
        batches = (batch.cast(SNAPSHOT) for batch in reader)
        size = self.workspace.lake.append(
            _table(segment), pa.RecordBatchReader.from_batches(SNAPSHOT, batches), batch=snapshot
        )
        count = Count(snapshot, segment.id, self.workspace.clock(), as_of, size, self.basis(segment))
        with self.workspace.store.write() as connection:
            stored.add_count(connection, count)
            old = stored.counts(connection, segment.id)[KEPT : KEPT + 1]
        for one in old:
            self.workspace.lake.delete(_table(segment), f"snapshot = '{one.snapshot}'")
        return count

    def snapshot(self, segment: Segment, count: Count) -> ibis.Table:
        """The members that an evaluation found: `namespace` and `id`."""
        files = self.workspace.lake.files(_table(segment)) if count.size else []
        if not files:
            return self.engine.values(pa.table(SNAPSHOT.empty_table())).drop("snapshot")
        rows = self.engine.read(files)
        return rows.filter(rows.snapshot == count.snapshot).select("namespace", "id")

    def basis(self, segment: Segment) -> str:
        """All that decides a segment's members: rules, runs, versions of the data."""
        rules = {**self.rules(segment.namespace), segment.id: self.rule(segment)}
        used = [segment.id, *evaluation.in_order([rules[segment.id]], rules)]
        instances = sorted(set().union(*(instances_in(rules[one]) for one in used)))
        document = {
            "rules": {one: write_rule(rules[one]) for one in sorted(used)},
            "runs": {one: self._published(one).id for one in instances},
            "data": {dataset.name: dataset.version for dataset in self._datasets_of(segment.namespace)},
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    def told(self, segment: Segment, count: Count | None) -> dict[str, Any]:
        """A segment as answers show it."""
        rule = self.by_name(self.rule(segment))
        return {
            "id": segment.id,
            "name": segment.name,
            "size": count.size if count else None,
            "description": segment.description,
            "namespace": segment.namespace,
            "text": write_rule(rule),
            "words": rule.words(),
            "as_of": count.as_of.isoformat() if count else None,
            "evaluated_at": count.at.isoformat() if count else None,
            "created_at": segment.created_at.isoformat(),
            "created_by": segment.created_by,
            "updated_at": segment.updated_at.isoformat(),
        }


def _fields(datasets: Sequence[Dataset], kind: str) -> dict[str, Field]:
    """Fields of one type; a path that has several types has no common column."""
    merged = merged_fields([dataset for dataset in datasets if dataset.kind == kind])
    return {path: found[0] for path, found in merged.items() if len(found) == 1}


def _aligned(table: ibis.Table, fields: Mapping[str, Field], namespace: str) -> ibis.Table:
    missing = {path: ibis.null(ibis.dtype(field.arrow)) for path, field in fields.items() if path not in table.columns}
    there = {path: table[path] for path in fields if path in table.columns and path != "timestamp"}
    missing.pop("timestamp", None)
    rows = table.select(
        id=table[f"identityMap.{namespace}"], timestamp=table["timestamp"], **dict(sorted((there | missing).items()))
    )
    return rows.filter(rows.id.notnull())


def _refuse_name(name: str) -> None:
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise UsageError(f"'{name}' is no name for a segment. Write a word or a few, such as 'Likely buyers'.")


def _table(segment: Segment) -> str:
    return f"segments/{segment.id}"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
