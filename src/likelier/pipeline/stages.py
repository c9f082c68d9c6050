"""The stages of a run, in order.

Each leaves its output as one folder, ``<run>/<stage>``, in one rename: a killed run goes on at the first stage that is
not there, and nothing half-written is ever seen.

A stage gives the same bytes on any number of cores, so that another machine can carry a run on. Matrix products are
therefore left to one thread: several share out the terms of a sum by how many they are, and each way rounds
differently. LightGBM's sums do not depend on its threads, and rows that are computed apart need not care.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from likelier.backend import Engine
from likelier.datasets import open_dataset
from likelier.errors import RunError
from likelier.explanations.factors import shown_factors
from likelier.insights import summary
from likelier.instance import Question, ask
from likelier.lake import Lake
from likelier.model import artifact
from likelier.model.evaluate import POOR_AUC
from likelier.phrases import number, say
from likelier.pipeline import asking, keeping, learning, reading, scoring, watching
from likelier.pipeline.reading import Inputs, Progress
from likelier.readings import Readings
from likelier.windows import Calendar

SAID = "said.json"


@dataclass(frozen=True)
class Run:
    """One run's inputs, the engine and lake it reads with, and the folder its stages leave their output in.

    `readings` holds what earlier runs have read, so that it need not be read again.
    """

    inputs: Inputs
    engine: Engine
    lake: Lake
    folder: Path
    readings: Readings | None = None

    def said(self, stage: str) -> dict[str, Any]:
        """Give what a finished stage said."""
        return json.loads((self.folder / stage / SAID).read_text())

    @cached_property
    def question(self) -> Question:
        names = self.inputs.instance.datasets
        return ask(
            self.inputs.instance, [open_dataset(self.lake, name, self.inputs.versions.get(name)) for name in names]
        )

    @cached_property
    def calendar(self) -> Calendar:
        return reading.calendar_of(self.inputs, self.said("read"), self.question)


def run_stage(
    name: str,
    inputs: Inputs,
    *,
    engine: Engine,
    lake: Lake,
    folder: Path,
    progress: Progress = lambda *_: None,
    readings: Readings | None = None,
) -> dict[str, Any]:
    """Do one stage, or give what it said when it is already done. Raises RunError."""
    run = Run(inputs, engine, lake, folder, readings)
    if not (folder / name / SAID).exists():
        with threadpool_limits(1, user_api="blas"):
            leave(name, folder, lambda work: _STAGES[name](run, work, progress))
    return run.said(name)


def leave(name: str, folder: Path, fill: Callable[[Path], dict[str, Any]]) -> None:
    """Leave a stage's output, and what it said, in one rename."""
    work = folder / f".{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / SAID).write_text(json.dumps(fill(work)))
    work.rename(folder / name)


def scores_file(folder: Path) -> Path:
    """Where the stage "score" leaves the scores: Parquet, sorted by id."""
    return folder / "score" / "scores.parquet"


def other_scores_file(folder: Path) -> Path | None:
    """Where the scores of the model that lost are, when two stood up to each other."""
    found = folder / "score" / scoring.OTHER_SCORES
    return found if found.exists() else None


def scorer_files(folder: Path) -> list[Path]:
    """List what a later score of one person takes: the model, and whom it was scored among."""
    model = sorted(path for path in (folder / "train").iterdir() if path.is_file())
    return [*model, folder / "score" / scoring.POPULATION]


def insights_of(folder: Path) -> dict[str, Any]:
    """Give what the stage "insights" said: everything a report shows."""
    return json.loads((folder / "insights" / SAID).read_text())


def _read(run: Run, out: Path, progress: Progress) -> dict[str, Any]:
    plan = planned(run.inputs, run.engine, run.lake, run.folder, run.readings)
    return reading.read(plan, run.engine, run.lake, out, progress, run.readings)


def planned(
    inputs: Inputs,
    engine: Engine,
    lake: Lake,
    folder: Path,
    readings: Readings | None = None,
    others: Collection[dt.datetime] = (),
) -> reading.Plan:
    """Choose what a run is to read; one that keeps its model reads as that does. Raises RunError 411 and 412."""
    champion = inputs.champion
    kept = champion and not champion.due and artifact.load(folder / reading.CHAMPION).codebook
    return reading.planned(inputs, engine, lake, kept or None, readings, others)


def _check(run: Run, out: Path, _: Progress) -> dict[str, Any]:
    return asking.check(run.calendar, run.question, run.engine, run.folder, out)


def _train(run: Run, out: Path, progress: Progress) -> dict[str, Any]:
    champion, inputs = run.inputs.champion, run.inputs

    def anew(place: Path) -> dict[str, Any]:
        return learning.train(
            run.calendar,
            inputs.seed,
            run.folder,
            place,
            progress,
            occurs=run.question.goal.occurs,
            trusted=inputs.instance.trusted,
        )

    def kept(activities: Path) -> keeping.Kept:
        assert champion is not None
        place = run.folder / reading.CHAMPION
        occurs = run.question.goal.occurs
        return keeping.Kept.of(champion, run.calendar, inputs.seed, place, run.folder, activities, occurs=occurs)

    if champion is None:
        return anew(out)
    if not champion.due:
        return keeping.keep(kept(run.folder / "read"), out)
    own = out / reading.OWN_ACTIVITIES
    codebook = artifact.load(run.folder / reading.CHAMPION).codebook
    reading.read_again(inputs, codebook, run.calendar, run.engine, run.lake, own, run.readings)
    return keeping.challenge(kept(own), anew, out)


def _score(run: Run, out: Path, progress: Progress) -> dict[str, Any]:
    trust = run.said("train")["trust"]
    said = scoring.score(run.question, run.inputs.as_of, run.inputs.seed, trust, run.engine, run.folder, out, progress)
    return {**said, "other": scoring.score_other(run.question, run.inputs.as_of, run.folder, out)}


def _insights(run: Run, _: Path, __: Progress) -> dict[str, Any]:
    read, checked, trained, scored = (run.said(stage) for stage in ("read", "check", "train", "score"))
    model = artifact.load(run.folder / "train")
    shown = shown_factors(model.features, np.array(model.strength))
    sample = scoring.load_sample(run.folder)
    factors = summary.factors_by_bucket(sample, shown)
    told = sorted({factor["code"] for bucket in factors.values() for factor in bucket})
    if not told:
        raise RunError(
            414,
            say(
                "None of the model's {factors} factors moves any of the {scores:,} scores.",
                factors=len(shown),
                scores=scored["scored"],
            ),
            [say("Add events or attributes that tell people apart.")],
        )
    source = reading.bind(run.inputs, run.engine, run.lake)
    return {
        "instance": run.inputs.instance.dump(),
        "goal_words": read["goal_words"],
        "goal_deed": read["goal_deed"],
        "population_words": read["population_words"],
        "propensity_type": run.question.propensity_type,
        "as_of": run.inputs.as_of.isoformat(),
        "seed": run.inputs.seed,
        "data_versions": dict(run.inputs.versions),
        "windows": checked["windows"],
        "counts": {
            "events": read["events"],
            "profiles": read["profiles"],
            **checked["counts"],
            "scored": scored["scored"],
            "training_rows": trained["training_rows"],
        },
        "metrics": trained["metrics"],
        "by_window": [
            one | {"expected": expected}
            for one, expected in zip(trained["by_window"], scored["by_window"], strict=True)
        ],
        "calibrated": trained["calibrated"],
        "scores": scored["scores"],
        "factors": factors,
        "spreads": summary.spreads(sample, shown, told),
        "estimate": scored["estimate"],
        "champion": _compared(trained.get("champion"), scored.get("other")),
        "drift": watching.watch(run.calendar, run.inputs.seed, source, run.engine, run.folder, run.readings),
        "notes": [*notes(run.question, checked, trained, scored), *read["odd"]],
    }


def _compared(champion: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**champion, "scores": other} if champion and other else champion


def notes(question: Question, checked: dict[str, Any], trained: dict[str, Any], scored: dict[str, Any]) -> list[str]:
    """Say what a reader must know to take the figures rightly."""
    found = []
    if question.exploratory:
        found.append(
            say(
                "Exploratory: only {qualifying:,} of {examples:,} past examples met the goal. The intervals are wide, "
                "and the scores are to be looked at, not acted on.",
                qualifying=checked["counts"]["qualifying_examples"],
                examples=checked["counts"]["examples"],
            )
        )
    if checked["windows"]["judge"] == "held-out profiles":
        found.append(
            say(
                "There is too little history for a later cut-off, so the model was judged on people it did not see at "
                "the same cut-offs. That is a milder test than the future."
            )
        )
    if trained["metrics"]["auc"]["low"] < POOR_AUC <= trained["metrics"]["auc"]["value"]:
        found.append(say("The interval of the AUC reaches below 0.65: on other data the model may be poor."))
    low, high = scored["scores"]["mean_interval"]
    found.append(
        say(
            "{share} of the scored are expected to meet the goal. Base rates drift: in 95 of 100 cases it is between "
            "{low} and {high}.",
            share=number(scored["scores"]["mean_probability"], ".1%"),
            low=number(low, ".1%"),
            high=number(high, ".1%"),
        )
    )
    return found


_STAGES: dict[str, Callable[[Run, Path, Progress], dict[str, Any]]] = {
    "read": _read,
    "check": _check,
    "train": _train,
    "score": _score,
    "insights": _insights,
}
STAGES = tuple(_STAGES)
