"""What segments rest on, read once: the datasets, the instances with their latest scores, the other segments."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import ibis
import pyarrow as pa
from sqlalchemy import Connection

from likelier.backend import Engine
from likelier.conditions.algebra import where
from likelier.datasets import Dataset, Field, list_datasets, read_dataset
from likelier.errors import UnknownNameError, UsageError
from likelier.instance.question import merged_fields
from likelier.phrases import join, say
from likelier.profiles import segments as evaluation
from likelier.profiles.pql import read_pql
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
from likelier.service.scores import read_scores
from likelier.service.workspace import Workspace
from likelier.shelf import remove, write_shelf
from likelier.store import instances as stored_instances
from likelier.store import runs as records
from likelier.store import segments as stored
from likelier.store.segments import Count, Segment, members_shelf, members_table
from likelier.timespan import Span, next_midnight

MOST = 1_000_000
KEPT = 12
"""Snapshots of members that stay in the lake; the counts stay for good."""

SNAPSHOT = pa.schema([(name, pa.string()) for name in ("namespace", "id", "snapshot")])


@dataclass(frozen=True)
class Wanted:
    """The rule of a segment, in one of four ways: an expression, PQL, keys, or a bucket of an instance's scores."""

    text: str | None = None
    rule: Mapping[str, Any] | None = None
    instance: str | None = None
    bucket: str | None = None
    namespace: str | None = None
    pql: str | None = None

    def __post_init__(self) -> None:
        if [self.text, self.pql, self.rule, self.instance].count(None) != 3:
            raise UsageError(say("Say who belongs to it in one way: a text, a rule, PQL, or an instance and a bucket."))
        if (self.instance is None) != (self.bucket is None):
            raise UsageError(
                say("An instance and a bucket go together; a bucket is one of {known}.", known=", ".join(BUCKETS))
            )
        if self.bucket is not None and self.bucket not in BUCKETS:
            raise UnknownNameError("bucket", self.bucket, BUCKETS)


@contextmanager
def opened_scene(workspace: Workspace, engine: Engine | None = None) -> Iterator[Scene]:
    with workspace.store.read() as connection, ExitStack() as closing:
        yield Scene(workspace, connection, closing, engine)


class Scene:
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
        return self.read_stored(segment.rule, segment.namespace)

    def read_stored(self, text: str, namespace: str) -> Rule:
        names = self._names(self._datasets_of(namespace))
        return read_rule(text, replace(names, instances=None, segments=None))

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
                raise UsageError(
                    say(
                        "'{name}' refers to '{segment_name}' and is about {namespace}.",
                        name=other.name,
                        segment_name=segment.name,
                        namespace=other.namespace,
                    )
                )

    def reach(self, segment: Segment) -> set[str]:
        """The ids of the instances that a segment asks about, straight or through others."""
        rules = self.rules(segment.namespace)
        through = evaluation.in_order([rules[segment.id]], rules)
        return set().union(*(instances_in(rules[one]) for one in (segment.id, *through)))

    def _read(self, wanted: Wanted, names: Names) -> Rule:
        if wanted.text is not None:
            return read_rule(wanted.text, names)
        if wanted.pql is not None:
            return read_pql(wanted.pql, names)
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
        said = {
            say("the scores of '{name}'", name=name): self._namespace_of(name) for name in sorted(instances_in(rule))
        }
        said |= {
            say("the segment '{name}'", name=name): self.find(name).namespace for name in sorted(segments_in(rule))
        }
        if wanted.namespace:
            known = {one for dataset in self._datasets for one in dataset.namespaces}
            if wanted.namespace not in known | set(said.values()):
                raise UnknownNameError("namespace", wanted.namespace, known)
            said[say("what was asked for")] = wanted.namespace
        found = set(said.values())
        if not found:
            found = {one for dataset in self._datasets for one in dataset.namespaces}
            if len(found) > 1:
                raise UsageError(
                    say("Say whose ids the members are: one of the namespaces {known}.", known=", ".join(sorted(found)))
                )
        if len(found) > 1:
            told = join([join([what, f"({namespace})"]) for what, namespace in said.items()], ", ")
            raise UsageError(say("A segment is about the people of one namespace; this joins {told}.", told=told))
        if not found:
            raise UsageError(say("There are no people yet. Ingest events: likelier ingest DATASET FILE"))
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
        return {one.id: one.name for one in stored_instances.page(self.connection, limit=MOST)}

    def _datasets_of(self, namespace: str) -> list[Dataset]:
        return [dataset for dataset in self._datasets if namespace in dataset.namespaces]

    def _published(self, instance_id: str) -> Run:
        run = records.published(self.connection, instance_id)
        if run is None:
            name = self._instance_names.get(instance_id)
            raise UsageError(
                say("'{name}' has no scores yet. Run it: likelier run.", name=name)
                if name
                else say("This segment asks for scores of an instance that was deleted. Change its rule or delete it.")
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

    def events_within(self, namespace: str, rule: Rule, span: Span) -> People:
        """What people did within a span of time, as far as a rule of events asks."""
        done = {path for fact in facts(rule) if isinstance(fact, Did) for path in fact.condition.fields}
        events = self._rows(self._datasets_of(namespace), "events", namespace, done)
        if events is not None:
            start, end = ibis.literal(span.start), ibis.literal(span.end)
            events = events.filter((events.timestamp >= start) & (events.timestamp < end))
        return People(as_of=span.end, events=events)

    def newest_midnight(self, namespace: str) -> dt.datetime:
        """The moment up to which events are known."""
        return self._as_of(namespace)

    def everything(self, namespace: str) -> People:
        """All that is known of the people of a namespace, with the scores that profiles show."""
        datasets = self._datasets_of(namespace)
        shown = [one for one in stored_instances.page(self.connection, limit=MOST) if one.profile_enabled]
        scored = [one.id for one in shown if records.published(self.connection, one.id)]
        return People(
            as_of=self._as_of(namespace),
            events=self._rows(datasets, "events", namespace, set()),
            attributes=self._rows(datasets, "profiles", namespace, set(self.attribute_fields(namespace))),
            scores={one: self._scores(one, namespace) for one in scored},
        )

    def attribute_fields(self, namespace: str) -> dict[str, Field]:
        return _fields(self._datasets_of(namespace), "profiles")

    def instance_name(self, instance_id: str) -> str:
        return self._instance_names[instance_id]

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
            members_table(segment), pa.RecordBatchReader.from_batches(SNAPSHOT, batches), batch=snapshot
        )
        count = Count(snapshot, segment.id, self.workspace.clock(), as_of, size, self.basis(segment))
        self._shelve(segment, count)
        with self.workspace.store.write() as connection:
            stored.add_count(connection, count)
            old = stored.counts(connection, segment.id)[KEPT : KEPT + 1]
        for one in old:
            self.workspace.lake.delete(members_table(segment), f"snapshot = '{one.snapshot}'")
            remove(self.workspace.lake, members_shelf(segment, one.snapshot))
        return count

    def _shelve(self, segment: Segment, count: Count) -> None:
        """Put the members where one person is found at once."""
        ids = self.snapshot(segment, count).select("id").order_by("id")
        write_shelf(self.workspace.lake, members_shelf(segment, count.snapshot), self.engine.stream(ids), "id")

    def snapshot(self, segment: Segment, count: Count) -> ibis.Table:
        """The members that an evaluation found: `namespace` and `id`."""
        files = self.workspace.lake.files(members_table(segment)) if count.size else []
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
            "revision": segment.revision,
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
