"""From the lake to activities: bind the question, choose what to look for, reduce and sort the events."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr.types import StringValue

from likelier import windows
from likelier.activities import codes, discover, reduce, traits
from likelier.activities.consent import read_consents, said
from likelier.activities.merge import cut, merge
from likelier.backend import Engine
from likelier.conditions.algebra import any_of
from likelier.conditions.goals import EventRule
from likelier.datasets import Dataset, Field, open_dataset, read_dataset, read_files
from likelier.errors import RunError, UsageError
from likelier.events.schema import IDENTITY
from likelier.identity.cuts import CUTS, cut_links, without
from likelier.identity.links import links, person_of
from likelier.identity.persons import Persons, persons
from likelier.instance import Attribute, Instance, Question, ask, merged_fields
from likelier.lake import Lake
from likelier.phrases import say
from likelier.pipeline import days
from likelier.readings import Files, Readings, look, named, tally
from likelier.timespan import UTC, Span, to_us

Progress = Callable[[float, int], None]


@dataclass(frozen=True)
class Inputs:
    """All that decides a run's result: the same inputs give the same bytes."""

    instance: Instance
    as_of: dt.datetime
    seed: int
    versions: Mapping[str, int]
    champion: Champion | None = None


@dataclass(frozen=True)
class Champion:
    """A model of an earlier run, whose files are in the run's folder :data:`CHAMPION`; it learnt up to `as_of`.

    One that is `due` has to stand up to a new model; else it is kept as it is. A `stale` one loses in any case.
    """

    as_of: dt.datetime
    due: bool
    stale: bool = False


CHAMPION = "champion"
OTHER = "other"  # beside the run's model the one that lost
ALWAYS = dt.datetime(9999, 1, 1, tzinfo=UTC)
"""No event happens after it."""
OWN_ACTIVITIES = "read"  # of a model that reads by another codebook than the run does


def with_champion(inputs: Inputs, *, as_of: dt.datetime, due: bool, stale: bool) -> Inputs:
    return replace(inputs, champion=Champion(as_of, due, stale))


@dataclass(frozen=True)
class Source:
    """A bound question with the tables it reads; `events` has a column ``who`` and only usable rows before as-of."""

    question: Question
    events: ibis.Table
    all_events: ibis.Table
    fields: tuple[Field, ...]
    attributes: tuple[tuple[Attribute, ibis.Table], ...]
    rows: tuple[tuple[Dataset, ibis.Table], ...] = ()
    consents: ibis.Table | None = None
    """What people said about being looked at, when the population asks for it."""
    persons: Persons | None = None
    """Who is one person at which cut-off, once that was found out; before, ``who`` names the id a row counts for."""
    files: Files = frozenset()
    """The files that the events are in."""
    among: Callable[[Files], Source] | None = None
    """Gives the same of some of the files only, whenever their events happened; None where rows of others matter."""

    def of(self, files: Files | None) -> Source:
        """Give what is read of some files, or of all before as-of."""
        assert files is None or self.among is not None
        return self if files is None or self.among is None else self.among(files)


Instead = Mapping[str, Sequence[str]]
"""Files that are read in place of those of a dataset."""


def bind(inputs: Inputs, engine: Engine, lake: Lake, instead: Instead | None = None) -> Source:
    """Open the instance's datasets at their versions and bind its names to their fields."""
    datasets = [open_dataset(lake, name, inputs.versions.get(name)) for name in inputs.instance.datasets]
    files = {dataset.name: lake.files(dataset.table, dataset.version) for dataset in datasets} | dict(instead or {})
    schemas = {dataset.name: lake.schema(dataset.table, dataset.version) for dataset in datasets}

    def bound(some: Files | None, before: dt.datetime) -> Source:
        tables = {
            dataset.name: read_files(engine, _chosen(files[dataset.name], dataset, some), schemas[dataset.name])
            for dataset in datasets
        }
        return bind_tables(inputs.instance, datasets, tables, before)

    return replace(
        bound(None, inputs.as_of),
        files=frozenset(named(file) for one in datasets if one.kind == "events" for file in files[one.name]),
        among=None if inputs.instance.stitch else lambda some: bound(some, ALWAYS),
    )


def _chosen(files: Sequence[str], dataset: Dataset, some: Files | None) -> list[str]:
    return [file for file in files if some is None or dataset.kind != "events" or named(file) in some]


def bind_tables(
    instance: Instance, datasets: Sequence[Dataset], rows: Mapping[str, ibis.Table], as_of: dt.datetime
) -> Source:
    """Bind an instance to its datasets, whose rows are given by name."""
    question = ask(instance, datasets)
    events = [dataset for dataset in datasets if dataset.kind == "events"]
    # A path with another type in another dataset has no common column; a question that uses it was refused above.
    fields = {path: found[0] for path, found in merged_fields(events).items() if len(found) == 1}
    who = {dataset.name: _who(instance, dataset, rows[dataset.name]) for dataset in datasets}
    tables = [_aligned(rows[dataset.name], fields, who[dataset.name]) for dataset in events]
    every = ibis.union(*tables) if len(tables) > 1 else tables[0]
    known = every.filter(every.who.notnull() & (every.timestamp < ibis.literal(as_of)))
    kept = known
    if question.exclusions:
        kept = known.filter(~any_of(rule.condition for rule in question.exclusions).holds(known))
    attributes = [_attribute(attribute, datasets, rows, who) for attribute in question.attributes]
    return Source(
        question,
        kept,
        known,
        tuple(fields[path] for path in sorted(fields)),
        tuple(attributes),
        tuple((dataset, rows[dataset.name]) for dataset in datasets),
        _consents(question, datasets, rows, who),
    )


def _who(instance: Instance, dataset: Dataset, rows: ibis.Table) -> StringValue:
    """Say whose a row is: its id's in the namespace or, where ids are stitched, which id it counts for."""
    return person_of(rows, dataset, instance.namespace) if instance.stitch else rows[f"{IDENTITY}{instance.namespace}"]


def stitched(
    source: Source, inputs: Inputs, engine: Engine, lake: Lake, cut_offs: Sequence[dt.datetime], folder: Path
) -> Source:
    """Gather the rows by person as the links known before each of some cut-offs have it, oldest cut-off first."""
    if not inputs.instance.stitch:
        return source
    known = links(source.rows)
    if known is None:
        raise StitchError(inputs.instance.name)
    counting = without(engine, known, cut_links(lake, inputs.versions.get(CUTS)))
    found = persons(engine, counting, source.question.namespace, cut_offs, folder)
    return replace(
        source,
        events=found.by_person(source.events),
        attributes=tuple((attribute, found.by_person(rows)) for attribute, rows in source.attributes),
        consents=None if source.consents is None else found.by_person(source.consents),
        persons=found,
    )


class StitchError(UsageError):
    """There is nothing to stitch."""

    def __init__(self, name: str) -> None:
        super().__init__(
            say(
                "'{name}' is to be stitched, and its datasets hold ids of one namespace only. Take `stitch` out, or "
                "add a dataset whose rows hold ids of several.",
                name=name,
            )
        )


def _aligned(table: ibis.Table, fields: Mapping[str, Field], who: StringValue) -> ibis.Table:
    """Give every dataset the same columns, so that they can stand in one table."""
    missing = {path: ibis.null(ibis.dtype(field.arrow)) for path, field in fields.items() if path not in table.columns}
    columns = {path: table[path] for path in fields if path in table.columns} | missing
    return table.select(table["_id"], who=who, **{path: columns[path] for path in sorted(fields)})


def _attribute(
    attribute: Attribute,
    datasets: Sequence[Dataset],
    rows: Mapping[str, ibis.Table],
    who: Mapping[str, StringValue],
) -> tuple[Attribute, ibis.Table]:
    holder = holder_of(attribute.field.path, datasets).name
    return attribute, rows[holder].select("timestamp", attribute.field.path, who=who[holder])


def _consents(
    question: Question, datasets: Sequence[Dataset], rows: Mapping[str, ibis.Table], who: Mapping[str, StringValue]
) -> ibis.Table | None:
    condition = question.population.consent
    if condition is None:
        return None
    (path,) = condition.fields
    holder = holder_of(path, datasets).name
    return said(condition, path, rows[holder].select("timestamp", path, who=who[holder]))


def holder_of(path: str, datasets: Sequence[Dataset]) -> Dataset:
    """Give the dataset that an attribute is read from."""
    return next(dataset for dataset in datasets if dataset.kind == "profiles" and path in dataset.fields)


@dataclass(frozen=True)
class Plan:
    """What a run is to read, and what is to be looked for in it."""

    inputs: Inputs
    source: Source
    extent: Mapping[str, Any]
    calendar: windows.Calendar
    codebook: codes.Codebook

    @property
    def cut_offs(self) -> tuple[dt.datetime, ...]:
        return (*self.calendar.labelled, self.calendar.as_of)


def planned(
    inputs: Inputs,
    engine: Engine,
    lake: Lake,
    kept: codes.Codebook | None = None,
    readings: Readings | None = None,
    others: Collection[dt.datetime] = (),
) -> Plan:
    """Look over the events, and choose what to look for. Raises RunError 411 and 412.

    A model that is kept reads by the codebook it was made with. At `others` runs are judged that look at the same.
    """
    source, extent, calendar = looked_over(inputs, engine, lake, readings)
    return Plan(inputs, source, extent, calendar, kept or _proposed(source, engine, calendar, others))


def looked_over(
    inputs: Inputs, engine: Engine, lake: Lake, readings: Readings | None = None
) -> tuple[Source, dict[str, Any], windows.Calendar]:
    """Say what is read, what is there of it, and which cut-offs that leaves. Raises RunError 411 and 412."""
    source = bind(inputs, engine, lake)
    extent = measure(source, engine, inputs, readings)
    return source, extent, calendar_of(inputs, extent, source.question)


def read(
    plan: Plan, engine: Engine, lake: Lake, out: Path, progress: Progress, readings: Readings | None = None
) -> dict[str, Any]:
    """Leave the activities of all profiles in a folder; say what was read."""
    events = plan.extent["events"]
    gather(plan.source, plan.codebook, plan.inputs, engine, lake, plan.cut_offs, out, events, progress, readings)
    return said_of(plan, out)


def said_of(plan: Plan, out: Path) -> dict[str, Any]:
    """Say what was read into a folder."""
    activities, _ = reduce.load(out)
    question = plan.source.question
    return {
        **plan.extent,
        "profiles": int(standing(activities, len(plan.cut_offs) - 1).sum()),
        "goal_words": question.goal.words(),
        "goal_deed": question.goal.deed(),
        "population_words": question.population.words(),
    }


def _proposed(
    source: Source, engine: Engine, calendar: windows.Calendar, others: Collection[dt.datetime]
) -> codes.Codebook:
    fields = [field for field in source.fields if field.path not in source.question.ignored_fields]
    return discover.propose(engine, source.events, source.attributes, source.question, fields, calendar.judge, others)


def read_again(
    inputs: Inputs,
    codebook: codes.Codebook,
    calendar: windows.Calendar,
    engine: Engine,
    lake: Lake,
    folder: Path,
    readings: Readings | None = None,
) -> None:
    """Leave the activities of the same people in a folder once more, as another codebook says."""
    cut_offs = (*calendar.labelled, calendar.as_of)
    source = bind(inputs, engine, lake)
    gather(source, codebook, inputs, engine, lake, cut_offs, folder, 0, lambda *_: None, readings)


def gather(
    source: Source,
    codebook: codes.Codebook,
    inputs: Inputs,
    engine: Engine,
    lake: Lake,
    cut_offs: tuple[dt.datetime, ...],
    out: Path,
    events: int,
    progress: Progress,
    readings: Readings | None = None,
) -> None:
    """Leave everybody's activities and attributes in a folder, as a codebook says."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=out) as work:
        if readings is None or source.among is None:
            source = stitched(source, inputs, engine, lake, cut_offs, Path(work))
            sort(source, codebook, engine, inputs.as_of, out, events, progress)
        else:
            extend(source, codebook, engine, inputs.as_of, out, events, progress, readings, Path(work))
        describe(source, codebook, engine, inputs.as_of, out)


def describe(source: Source, codebook: codes.Codebook, engine: Engine, as_of: dt.datetime, folder: Path) -> None:
    """Leave beside the activities the attributes of their people."""
    activities, _ = reduce.load(folder)
    traits.save(traits.read_traits(engine, source.attributes, codebook.traits, activities.ids, as_of), folder)


def activities_of(folder: Path, model: str = "train") -> Path:
    """Say where in a run's folder the activities are that a model reads: a champion has its own beside a new one."""
    own = folder / model / OWN_ACTIVITIES
    return own if own.exists() else folder / "read"


def sort(
    source: Source,
    codebook: codes.Codebook,
    engine: Engine,
    as_of: dt.datetime,
    folder: Path,
    events: int,
    progress: Progress,
) -> None:
    """Leave the activities before a moment in a folder."""
    _sort(source, codebook, engine, as_of, folder, events, progress, without=["tie"])
    keep_standing(source, engine, as_of, folder)


def extend(
    source: Source,
    codebook: codes.Codebook,
    engine: Engine,
    as_of: dt.datetime,
    folder: Path,
    events: int,
    progress: Progress,
    readings: Readings,
    work: Path,
) -> None:
    """Leave in a folder what :func:`sort` would leave, and read only the files that nobody has read so before."""

    def read(files: Files, place: Path) -> None:
        _sort(source.of(files), codebook, engine, ALWAYS, place, events, progress)

    words = look("activities", *about(source), _rules_of(source.question), codebook.to_json())
    cut(readings.of(words, source.files, read, merge, work), to_us(as_of), folder)
    keep_standing(source, engine, as_of, folder)


def about(source: Source) -> tuple[Any, ...]:
    """Tell what decides which events are looked at, and what stands in them."""
    question = source.question
    return question.namespace, sorted(question.datasets), source.fields, _conditions(question.exclusions)


def _rules_of(question: Question) -> list[Any]:
    rules = (question.goal.events, question.population.events, question.population.exclude, question.custom_events)
    return [_conditions(each) for each in rules]


def _conditions(rules: Sequence[EventRule]) -> list[Any]:
    return [rule.condition for rule in rules]


def _sort(
    source: Source,
    codebook: codes.Codebook,
    engine: Engine,
    before: dt.datetime,
    folder: Path,
    events: int,
    progress: Progress,
    *,
    without: Sequence[str] = (),
) -> None:
    """Have the engine evaluate, code and sort, and stream what it gives to the folder."""
    expression = reduce.reduced(engine, source.events, source.question, codebook, source.fields, before)
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done / max(events, 1), done)

    folder.mkdir(parents=True, exist_ok=True)
    write = partial(reduce.write_part, codebook, folder)
    names = source.events.select("who")
    parts = engine.in_order(expression, reduce.ORDER, write, count, without=without, names=names)
    reduce.join(parts, codebook, folder)


def keep_standing(source: Source, engine: Engine, as_of: dt.datetime, folder: Path) -> None:
    """Leave beside the activities at which cut-offs their people stand for somebody, and what they consent to."""
    activities, _ = reduce.load(folder)
    if source.persons is not None:
        np.save(folder / reduce.SPANS, source.persons.spans(activities.ids))
    if source.consents is not None:
        read_consents(engine, source.consents, activities.ids, as_of).save(folder)


def measure(source: Source, engine: Engine, inputs: Inputs, readings: Readings | None = None) -> dict[str, Any]:
    """Count the usable events, say when they begin and end, and what is odd about their days.

    Raises RunError 411 when there is none, 412 when the exclusions leave none.
    """
    question, names = source.question, ", ".join(inputs.instance.datasets)

    def count(files: Files | None) -> pa.Table:
        some = source.of(files)
        return engine.table(days.by_day(some.all_events, question.goal.events, question.exclusions))

    words = look("days", *about(source), _conditions(question.goal.events))
    found = tally(readings, words, source.files, ["day"], count, inputs.as_of)
    before = sum(found["every"].to_pylist())
    if not before:
        raise RunError(
            411,
            say(
                "{names} holds no event of anyone with an identity '{namespace}' before {as_of}.",
                names=names,
                namespace=question.namespace,
                as_of=f"{inputs.as_of:%Y-%m-%d}",
            ),
            [
                say("Choose a later date with --as-of."),
                say("Choose the namespace that the events carry: likelier datasets."),
            ],
        )
    found = found.filter(pc.greater(found["n"], 0))
    if not len(found):
        raise RunError(
            412,
            say("The exclusions leave none of the {events:,} events of {names}.", events=before, names=names),
            [say("Loosen the exclusions: an event that matches any of them is not looked at.")],
        )
    by_day = days.Days.of(found)
    begins = dt.datetime.combine(by_day.date(by_day.usual[0]), dt.time(), UTC)
    steady = found.filter(pc.greater_equal(found["day"], pa.scalar(begins, found["day"].type)))
    silences = [*days.silences(by_day), *days.stopped(by_day, inputs.as_of)]
    return {
        "events": int(by_day.events.sum()),
        "excluded_events": before - int(by_day.events.sum()),
        "history_start": pc.min(steady["first"]).as_py().isoformat(),
        "newest_event": pc.max(steady["last"]).as_py().isoformat(),
        "silent": [each.written for each in silences],
        "lost": [each.written for each in silences if not each.of_goal],
        "gaps": [{"first": f"{each.first}", "days": each.days, "of_goal": each.of_goal} for each in silences],
        "odd": list(days.told(by_day, silences)),
    }


def calendar_of(inputs: Inputs, summary: Mapping[str, Any], question: Question) -> windows.Calendar:
    """Lay out the run's cut-offs from when its events begin."""
    return windows.plan(
        dt.datetime.fromisoformat(summary["history_start"]),
        inputs.as_of,
        outcome_days=question.goal.window_days,
        lookback_days=question.population.lookback_days,
        shorter_days=question.goal.shorter_windows,
        silent=_spans(summary, "silent"),
        lost=_spans(summary, "lost"),
    )


def _spans(summary: Mapping[str, Any], name: str) -> tuple[Span, ...]:
    return tuple(Span(*map(dt.datetime.fromisoformat, span)) for span in summary.get(name, ()))


def newest_event(engine: Engine, lake: Lake, datasets: tuple[str, ...]) -> dt.datetime:
    """Give the newest event's timestamp over some datasets; raises RunError 411 when they hold none."""
    found = []
    for name in datasets:
        dataset = open_dataset(lake, name)
        if dataset.kind == "events":
            table = read_dataset(engine, lake, dataset)
            found.append(engine.table(table.aggregate(newest=table.timestamp.max()))["newest"][0].as_py())
    times = [time for time in found if time is not None]
    if not times:
        raise RunError(
            411,
            say("{names} holds no events.", names=", ".join(datasets)),
            [say("Ingest events: likelier ingest DATASET FILE.")],
        )
    return max(times)


def labels(
    activities: reduce.Activities,
    codebook: codes.Codebook,
    question: Question,
    cut_offs: tuple[dt.datetime, ...],
    *,
    outcome_days: float | None = None,
    lookback_days: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Say who is eligible at each cut-off and who reaches the goal; other windows than the question's may be tried."""
    eligible, reached = _labels(activities, codebook, question, cut_offs, outcome_days, lookback_days)
    for place in range(len(cut_offs)):
        eligible[:, place] &= standing(activities, place)
    if activities.consents is not None:
        eligible &= activities.consents.at(cut_offs)
    return eligible, reached


def standing(activities: reduce.Activities, place: int) -> np.ndarray:
    """Say which profiles stand for a person at a cut-off, the others being that person at another cut-off."""
    if activities.spans is None:
        return np.ones(activities.profiles, bool)
    return (activities.spans[:, 0] <= place) & (place <= activities.spans[:, 1])


def _labels(
    activities: reduce.Activities,
    codebook: codes.Codebook,
    question: Question,
    cut_offs: tuple[dt.datetime, ...],
    outcome_days: float | None,
    lookback_days: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    population = question.population
    include = codebook.bits(codes.Source.INCLUDE) or codebook.bits(codes.Source.ANY)
    return windows.eligible_and_labels(
        activities.times,
        activities.words,
        activities.starts,
        cut_offs,
        goal=_rules(codebook.bits(codes.Source.GOAL), question.goal.events, question.goal.match),
        occurs=question.goal.occurs,
        include=_rules(include, population.events, population.match),
        exclude=_rules(codebook.bits(codes.Source.EXCLUDE), population.exclude, "any"),
        outcome_days=outcome_days or question.goal.window_days,
        lookback_days=lookback_days or population.lookback_days,
    )


def _rules(bits: list[int], events: Any, match: str) -> windows.Rules:
    return windows.Rules.of(bits, [rule.at_least for rule in events] or [1] * len(bits), match)
