"""Count before a run is spent: windows, people, base rates, gaps, and what would meet a floor that is missed."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from likelier import phrases
from likelier.activities import codes, reduce
from likelier.activities.discover import rules_only
from likelier.activities.reduce import Activities
from likelier.backend import Engine
from likelier.datasets import open_dataset
from likelier.errors import RunError
from likelier.instance import Instance, Question
from likelier.lake import Lake
from likelier.phrases import say
from likelier.pipeline import asking, days, floors
from likelier.pipeline.drawing import draw
from likelier.pipeline.reading import Inputs, Instead, Source, about, bind, calendar_of, measure, sort, stitched
from likelier.readings import Files, Readings, look
from likelier.windows import Calendar, plan

OUTCOMES = (3, 7, 14, 30, 45, 60, 90, 180)
LOOKBACKS = (14, 30, 45, 60, 90, 120, 180, 365)
TRIED_PROFILES = 200_000
MOST_COMPARED = 2_000_000
THOUSANDTHS = 1000
ODD = "odd.json"


def preflight(
    instance: Instance,
    as_of: dt.datetime,
    *,
    engine: Engine,
    lake: Lake,
    most_events: int | None = None,
    folder: Path | None = None,
    readings: Readings | None = None,
) -> dict[str, Any]:
    """Tell what a run would find. Trains nothing; a missed floor is told, not raised.

    The answer holds `windows`, `counts`, `gaps`, `problem` (code, title, message, suggestions; absent when the run can
    go ahead) and `warnings`. With `most_events` people are drawn, with all of their events, so that about so many are
    looked at; `sampled` is then the part of the people that was, and the counts are scaled up to all. They are kept in
    `readings`, for the next question about the same datasets. The work is done in a new folder, which is removed
    again, in `folder` (a cluster's machines share it) or where the system has them.
    """
    inputs = Inputs(instance, as_of, 0, {})
    with tempfile.TemporaryDirectory(prefix="likelier-", dir=folder) as work:
        if most_events is None or instance.stitch:  # who is one person is not known before all links were looked at
            some: tuple[Instead, float] = {}, 1.0
        else:
            datasets = [open_dataset(lake, name) for name in instance.datasets]
            place = Path(work) / "drawn"
            some = draw(
                datasets,
                instance.namespace,
                engine,
                lake,
                most_events=most_events,
                folder=place,
                readings=readings,
            )
        return _looked_over(inputs, engine, lake, some, most_events, readings, Path(work))


def _looked_over(
    inputs: Inputs,
    engine: Engine,
    lake: Lake,
    drawn: tuple[Instead, float],
    most_events: int | None,
    readings: Readings | None,
    work: Path,
) -> dict[str, Any]:
    instead, part = drawn
    source = bind(inputs, engine, lake, instead)
    found: dict[str, Any] = {
        "goal_words": source.question.goal.words(),
        "population_words": source.question.population.words(),
        "as_of": inputs.as_of.isoformat(),
        "warnings": [],
    }
    try:
        extent = measure(source, engine, inputs)
        calendar = calendar_of(inputs, extent, source.question)
        found |= {"events": round(extent["events"] / part), "windows": asking.windows_of(calendar)}
        found["gaps"] = extent["gaps"]
        few, _ = some_people(source, extent["events"], MOST_COMPARED)
        found["odd"] = [*extent["odd"], *_odd_rows(few, engine, readings if instead else None, work)]
        floors.check_history(calendar)
        cut_offs = (*calendar.labelled, calendar.as_of)
        source = stitched(source, inputs, engine, lake, cut_offs, work / "persons")
        if inputs.instance.stitch:
            source, part = some_people(source, extent["events"], most_events)
        found["sampled"] = part
        found |= _count(source, engine, calendar, work / "read", extent["events"], 1 / part)
    except RunError as error:
        found["problem"] = told(error)
    found["warnings"] = warnings(found)
    return found


def _odd_rows(source: Source, engine: Engine, readings: Readings | None, work: Path) -> list[str]:
    """Say what is odd about the rows; of people who were drawn this is said once, whatever is asked about them."""
    if readings is None:
        return list(days.rows_told(source.events, source.fields, engine))

    def read(_: Files, out: Path) -> None:
        out.mkdir(parents=True)
        said = days.rows_told(source.events, source.fields, engine)
        (out / ODD).write_text(json.dumps([phrases.dump(each) for each in said]))

    # The rows of all files together are odd, or not: nothing is known of some of them.
    words = look("odd rows", *about(source), sorted(source.files))
    place = readings.of(words, source.files, read, _never, work / "odd")
    return [phrases.load(each) for each in json.loads((place / ODD).read_text())]


def _never(*_: Path) -> None:
    raise AssertionError("Of these files all were read at once.")


def told(error: RunError) -> dict[str, Any]:
    return {
        "code": error.code,
        "title": error.title,
        "message": error.message,
        "suggestions": list(error.suggestions),
    }


def some_people(source: Source, events: int, most_events: int | None) -> tuple[Source, float]:
    """Draw people by their ids, always the same ones; say which part of all that is."""
    kept = THOUSANDTHS if most_events is None else max(1, THOUSANDTHS * most_events // max(events, 1))
    if kept >= THOUSANDTHS:
        return source, 1.0
    drawn = source.events.filter(source.events.who.hash().abs() % THOUSANDTHS < kept)
    return replace(source, events=drawn), kept / THOUSANDTHS


def _count(
    source: Source, engine: Engine, calendar: Calendar, folder: Path, events: int, scale: float
) -> dict[str, Any]:
    codebook = rules_only(source.question)
    sort(source, codebook, engine, calendar.as_of, folder, events, lambda *_: None)
    activities, _ = reduce.load(folder)
    decided = asking.Decided.of(activities, codebook, source.question, calendar)
    counts, by_window = decided.counts.scaled(scale), asking.count_soon(decided.soon, calendar)
    found: dict[str, Any] = {
        "profiles": round(scale * activities.profiles),
        "counts": asking.describe(counts, calendar) | {"by_window": by_window},
    }
    try:
        floors.check_counts(counts, calendar, source.question)
        floors.check_scoring(counts, calendar, source.question)
        floors.check_windows(by_window, source.question)
    except RunError as error:
        # Who is one person was found out for these cut-offs alone, so stitched people cannot be asked at others.
        better = [] if source.persons else list(alternatives(activities, codebook, source.question, calendar, scale))
        found["problem"] = told(error) | {"alternatives": better}
        if better:
            found["problem"]["suggestions"] = [choice["words"] for choice in better]
    return found


def alternatives(
    activities: Activities, codebook: codes.Codebook, question: Question, calendar: Calendar, scale: float = 1.0
) -> Iterator[dict[str, Any]]:
    """Try other windows on the same events and give those that meet every floor, with their counts."""
    some = _sampled(activities)
    scale *= activities.profiles / max(some.profiles, 1)
    for outcome, lookback in _tries(calendar):
        other = plan(calendar.history_start, calendar.as_of, outcome_days=outcome, lookback_days=lookback)
        if other.history_days < other.history_needed_days:
            continue
        changed = replace(
            question,
            goal=replace(question.goal, window_days=outcome, shorter_windows=()),
            population=replace(question.population, lookback_days=lookback),
        )
        counts = asking.Decided.of(some, codebook, changed, other).counts.scaled(scale)
        try:
            floors.check_counts(counts, other, changed)
            floors.check_scoring(counts, other, changed)
        except RunError:
            continue
        yield _choice(outcome, lookback, calendar, counts)


def _tries(calendar: Calendar) -> Iterator[tuple[int, int]]:
    for outcome in sorted(OUTCOMES, key=lambda days: abs(days - calendar.outcome_days)):
        if outcome != calendar.outcome_days:
            yield outcome, calendar.lookback_days
    for lookback in sorted(LOOKBACKS, key=lambda days: abs(days - calendar.lookback_days)):
        if lookback != calendar.lookback_days:
            yield calendar.outcome_days, lookback


def _choice(outcome: int, lookback: int, calendar: Calendar, counts: floors.Counts) -> dict[str, Any]:
    changed = (
        say("Predict {n} days ahead (goal.window_days: {n})", n=outcome)
        if outcome != calendar.outcome_days
        else say("Look back {n} days (eligible_population.lookback_days: {n})", n=lookback)
    )
    return {
        "window_days": outcome,
        "lookback_days": lookback,
        "examples": counts.examples,
        "qualifying": counts.positives,
        "words": say(
            "{changed}: {positives:,} of {examples:,} past examples would meet the goal.",
            changed=changed,
            positives=counts.positives,
            examples=counts.examples,
        ),
    }


def _sampled(activities: Activities) -> Activities:
    """Take the first profiles: ids say nothing of behaviour, and they stand together in the files."""
    return activities.part(0, min(activities.profiles, TRIED_PROFILES))


def warnings(found: dict[str, Any]) -> list[str]:
    """Say what does not stop a run but may hurt it."""
    said = [*found.get("odd", ())]
    if found.get("windows", {}).get("judge") == "held-out profiles":
        said.append(say("Too little history for a later cut-off: the model would be judged on held-out people only."))
    rates = [row["base_rate"] for row in found.get("counts", {}).get("per_cut_off", []) if row["base_rate"] is not None]
    if len(rates) > 2 and min(rates) > 0 and max(rates) > 2 * min(rates):
        said.append(
            say(
                "The rate of those who met the goal moved from {low:.1%} to {high:.1%} over the past "
                "cut-offs: probabilities may be off when it moves again.",
                low=min(rates),
                high=max(rates),
            )
        )
    return said
