"""The stage "read" of several runs in one pass over the events.

Runs that look at the same rows (the same datasets, namespace, exclusions and instant) differ in what they look for
only. All of it is looked for at once, sorted once, and each run gets its own part: byte for byte what it would have
read by itself (:mod:`likelier.activities.narrow`). Whoever carries the run on finds the stage done.

A run that cannot be read so, because ids are stitched as its own cut-offs have it or because something is wrong with
it, is left alone: it reads by itself and says what is wrong.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from likelier.activities.codes import Category, Codebook, Signal, Source
from likelier.activities.narrow import Choice, narrow
from likelier.backend import Engine, Remembering
from likelier.conditions.goals import EventRule
from likelier.errors import LikelierError
from likelier.instance import Question
from likelier.lake import Lake
from likelier.pipeline.reading import Inputs, Plan, Progress, describe, keep_standing, looked_over, said_of, sort
from likelier.pipeline.stages import leave, planned

log = logging.getLogger(__name__)

Found = TypeVar("Found")


def read_together(
    wanted: Sequence[tuple[Inputs, Path]], *, engine: Engine, lake: Lake, progress: Progress = lambda *_: None
) -> int:
    """Leave the stage "read" in the folders of those runs that can share it; say how many did."""
    engine = Remembering(engine)
    plans = [_planned(group, engine, lake) for group in _alike(wanted, engine, lake)]
    shared = [group for group in plans if len(group) > 1]
    for group in shared:
        _read(group, engine, progress)
    return sum(map(len, shared))


def _alike(wanted: Sequence[tuple[Inputs, Path]], engine: Engine, lake: Lake) -> list[list[tuple[Inputs, Path]]]:
    """Gather the runs that look at the same rows, where there are several."""
    groups: dict[Any, list[tuple[Inputs, Path]]] = {}
    for inputs, folder in wanted:
        for source, _, _ in _tried(inputs, partial(looked_over, inputs, engine, lake)):
            groups.setdefault(source.events.op(), []).append((inputs, folder))
    return [group for group in groups.values() if len(group) > 1]


def _planned(group: Sequence[tuple[Inputs, Path]], engine: Engine, lake: Lake) -> list[tuple[Plan, Path]]:
    """Choose what each is to look for; the events before the judges of all are looked through once."""
    judges = {looked_over(inputs, engine, lake)[2].judge for inputs, _ in group}
    return [
        (plan, folder)
        for inputs, folder in group
        for plan in _tried(inputs, partial(planned, inputs, engine, lake, folder, others=judges))
    ]


def _tried(inputs: Inputs, ask: Callable[[], Found]) -> list[Found]:
    """Ask, and give nothing where a run cannot be read with others."""
    if inputs.instance.stitch:
        return []
    try:
        return [ask()]
    except LikelierError as error:
        log.info("'%s' is not read together with others: %s", inputs.instance.name, error)
        return []


def _read(group: Sequence[tuple[Plan, Path]], engine: Engine, progress: Progress) -> None:
    first, folder = group[0]
    wish = Wish.of([plan for plan, _ in group])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".together-", dir=folder) as place:
        common = Path(place)
        source = replace(first.source, question=wish.question, consents=None)
        sort(source, wish.codebook, engine, first.inputs.as_of, common, first.extent["events"], progress)
        for plan, out in group:
            leave("read", out, lambda work, plan=plan: _take(plan, wish, common, engine, work))  # type: ignore[misc]


def _take(plan: Plan, wish: Wish, common: Path, engine: Engine, out: Path) -> dict[str, Any]:
    narrow(common, wish.choice(plan), out)
    keep_standing(plan.source, engine, plan.inputs.as_of, out)
    describe(plan.source, plan.codebook, engine, plan.inputs.as_of, out)
    return said_of(plan, out)


@dataclass(frozen=True)
class Wish:
    """What any of several runs looks for, each thing once; the rules of all are a question's custom events."""

    question: Question
    codebook: Codebook
    places: dict[Any, int]
    """Where what a signal means stands among the common signals."""

    @classmethod
    def of(cls, plans: Sequence[Plan]) -> Wish:
        meanings = {
            _meaning(signal, plan.source.question): signal for plan in plans for signal in plan.codebook.signals
        }
        rules: list[EventRule] = []
        signals: list[Signal] = []
        for meaning, signal in meanings.items():
            if isinstance(meaning, EventRule):
                signals.append(Signal(meaning.name, Source.CUSTOM, place=len(rules)))
                rules.append(meaning)
            else:
                signals.append(signal)
        measures = dict.fromkeys(measure for plan in plans for measure in plan.codebook.measures)
        categories = dict.fromkeys(category for plan in plans for category in plan.codebook.categories)
        return cls(
            replace(plans[0].source.question, custom_events=tuple(rules)),
            Codebook(tuple(signals), tuple(measures), tuple(categories)),
            {meaning: place for place, meaning in enumerate(meanings)},
        )

    def choice(self, plan: Plan) -> Choice:
        """Say where what one run looks for stands."""
        codebook, question = plan.codebook, plan.source.question
        slots = _slots(self.codebook.categories)
        return Choice(
            codebook,
            [self.places[_meaning(signal, question)] for signal in codebook.signals],
            [self.codebook.measures.index(measure) for measure in codebook.measures],
            [slot for category in codebook.categories for slot in slots[category]],
        )


def _meaning(signal: Signal, question: Question) -> Any:
    """Say what decides a signal: a question's rule, however it is called and counted, or the signal by itself."""
    rules = {
        Source.GOAL: question.goal.events,
        Source.INCLUDE: question.population.events,
        Source.EXCLUDE: question.population.exclude,
        Source.CUSTOM: question.custom_events,
    }
    if signal.source in rules:
        return EventRule("rule", rules[signal.source][signal.place].condition)
    return replace(signal, name="value") if signal.source == Source.VALUE else signal


def _slots(categories: Sequence[Category]) -> dict[Category, range]:
    found, first = {}, 0
    for category in categories:
        found[category] = range(first, first + category.slots)
        first += category.slots
    return found
