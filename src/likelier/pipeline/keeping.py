"""A model of an earlier run: used on while it is not due, and made to stand up to a new one when it is.

A kept model is judged anew at the run's judge cut-off once that lies where it had learnt nothing yet; until then what
was found when it was made stands. Only its level follows the latest outcomes, as that of a new model would: no rank
changes by it. When it is due, a new model is made as always and both are asked about the same people at that same
cut-off. The new one replaces it when it is better beyond chance, or when the old one is stale. Whichever loses scores
everybody once more beside the other, for whoever wants to compare.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from likelier.activities.reduce import load
from likelier.activities.traits import load_traits
from likelier.errors import RunError
from likelier.insights.estimate import trust
from likelier.model import artifact, calibrate
from likelier.model.calibrate import Calibration, Line, raw_of
from likelier.model.evaluate import POOR_AUC, auc, auc_gain, metrics
from likelier.model.train import log_odds
from likelier.pipeline import learning, soon
from likelier.pipeline.asking import load_asked, load_soon
from likelier.pipeline.learning import MOST_JUDGED_ROWS, MOST_TRAINING_ROWS, Examples, Past, judged_buckets
from likelier.pipeline.reading import OTHER, OWN_ACTIVITIES, Champion
from likelier.timespan import DAY, to_us
from likelier.windows import CUT_OFFS_PER_WINDOW, Calendar, Row

SURE = float(norm.ppf(0.99))
SAID = "said.json"
MOST_FOLLOWED_ROWS = 20_000


@dataclass(frozen=True)
class Kept:
    """A champion with what it reads: the calendar and people are the run's, the codebook and features its own."""

    champion: Champion
    model: artifact.Model
    said: dict[str, Any]
    past: Past
    occurs: bool

    @classmethod
    def of(
        cls,
        champion: Champion,
        calendar: Calendar,
        seed: int,
        kept: Path,
        folder: Path,
        activities_of_it: Path,
        *,
        occurs: bool,
    ) -> Kept:
        made = artifact.load(kept)
        # It may have been made before tracking was lost.
        model = replace(made, features=replace(made.features, silent=calendar.stands_still))
        activities, _ = load(activities_of_it)
        traits = load_traits(activities_of_it)
        soon_asked = load_soon(folder, calendar)
        past = Past(activities, traits, model.codebook, model.features, load_asked(folder), calendar, seed, soon_asked)
        return cls(champion, model, json.loads((kept / SAID).read_text()), past, occurs)

    @property
    def calendar(self) -> Calendar:
        return self.past.calendar

    def raw(self, rows: Row) -> np.ndarray:
        return log_odds(self.model.learnt, self.past.matrix(rows))

    def corrected(self, closed: tuple[Any, ...]) -> Calibration:
        """Give its correction as the outcome windows of some cut-offs have it, with the level that the last foretells.

        It is learnt anew each time, of all windows since the model was made, which had no part in it.
        """
        correction, (told, raw) = self.as_made, self._followed(closed)
        if told.tells_apart:
            correction = calibrate.learn_on(correction, raw, told.labels, shared=CUT_OFFS_PER_WINDOW)
        examples = self.past.examples(closed, MOST_TRAINING_ROWS)
        latest = np.unique(examples.rows.cut_off)[-CUT_OFFS_PER_WINDOW:]
        some = examples.where(np.isin(examples.rows.cut_off, latest))
        shift = learning.shift(self.model.learnt, correction, some, self.past.matrix(some.rows))
        return replace(correction, shift=shift)

    def _followed(self, closed: tuple[Any, ...]) -> tuple[Examples, np.ndarray]:
        """Give what came since it was made at some cut-offs, with its raw log-odds."""
        told, raw = self._all_followed
        mine = np.isin(told.rows.cut_off, [to_us(each) for each in closed])
        return told.where(mine), raw[mine]

    @cached_property
    def _all_followed(self) -> tuple[Examples, np.ndarray]:
        since = [each for each in self.calendar.labelled if each >= self.champion.as_of]
        told = self.past.examples(since, MOST_FOLLOWED_ROWS)
        return told, self.raw(told.rows) if len(told) else np.zeros(0)

    @property
    def as_made(self) -> Calibration:
        return self.model.as_made or self.model.calibration

    @property
    def _closed_by_judge(self) -> tuple[Any, ...]:
        """Cut-offs whose outcomes were known at the judge cut-off."""
        return tuple(each for each in self.calendar.labelled if each + self.window <= self.calendar.judge)

    @cached_property
    def _by_judge(self) -> Calibration:
        """Its correction as it could be known at the judge cut-off."""
        return self.corrected(self._closed_by_judge) if self._closed_by_judge else self.as_made

    def asked(self, people: Examples) -> np.ndarray:
        """Ask it about people at the judge cut-off, with what could be known of their level by then."""
        return self._by_judge.probability(self.raw(people.rows))

    def judged(self, people: Examples, probability: np.ndarray) -> dict[str, Any]:
        """Say how good it is on people of the judge cut-off."""
        labels = people.labels
        found = metrics(probability, labels, seed=self.past.seed) | {"buckets": judged_buckets(probability, labels)}
        judged = calibrate.line(raw_of(probability), labels)
        made_with = [Line(**each) for each in self.said["trust"].get("windows", ())]
        said = {"metrics": found, "trust": trust([judged, *self._earlier()], made_with), "judged_rows": len(labels)}
        return {**said, "by_window": self._by_window(people, probability)}

    def _earlier(self) -> list[Line]:
        """Hold the windows since it was made, up to the judge cut-off, against what it said of them then."""
        told, raw = self._followed(self._closed_by_judge)
        return learning.windows(told, replace(self._by_judge, shift=0.0).corrected(raw))

    def _by_window(self, people: Examples, probability: np.ndarray) -> list[dict[str, Any]]:
        sooner, past, matrix = self.model.sooner, self.past, self.past.matrix(people.rows)
        if not sooner:
            return []
        every = soon.probabilities(sooner, probability, matrix, occurs=self.occurs)
        came = [soon.labels_of(past.soon, place, people.rows) for place in range(len(sooner))]
        return soon.judged((*self.calendar.shorter_days, self.calendar.outcome_days), every, [*came, people.labels])

    @property
    def window(self) -> Any:
        return self.calendar.outcome_days * DAY

    def leave(self, out: Path) -> dict[str, Any]:
        """Leave it in a folder as it is used now; say what was said of it."""
        calibration = self.corrected(self.calendar.labelled)
        artifact.save(replace(self.model, calibration=calibration, as_made=self.as_made), out)
        told = {key: value for key, value in self.said.items() if key != "champion"}
        return {**told, "calibrated": calibration.words}


def keep(kept: Kept, out: Path) -> dict[str, Any]:
    """Use the champion on: leave it as the run's model, and say how good it is."""
    said, calendar = kept.leave(out), kept.calendar
    anew = kept.champion.as_of <= calendar.judge
    told = {"kept": True, "as_of": kept.champion.as_of.isoformat(), "judged_anew": anew}
    if not anew:
        return {**said, "champion": told}
    people = kept.past.examples([calendar.judge], MOST_JUDGED_ROWS)
    if not people.tells_apart:
        return {**said, "champion": {**told, "judged_anew": False}}
    return {**said, **kept.judged(people, kept.asked(people)), "champion": told}


def challenge(kept: Kept, train: Callable[[Path], dict[str, Any]], out: Path) -> dict[str, Any]:
    """Have a new model made and compare it with the champion, whose activities are in `out`; leave the one that wins.

    Where no new model can be made, the champion stays unless it is stale.
    """
    other = out / OTHER
    try:
        trained = train(other)
    except RunError as error:
        if kept.champion.stale:
            raise
        shutil.rmtree(other, ignore_errors=True)
        said = keep(kept, out)
        return {**said, "champion": {**said["champion"], "challenger_problem": str(error.message)}}
    people, rival = _people(kept, other)
    probability = kept.asked(people)
    gained, error_of_it = auc_gain(rival, probability, people.labels)
    here, there = auc(probability, people.labels), auc(rival, people.labels)
    told = {
        "as_of": kept.champion.as_of.isoformat(),
        "judged_anew": True,
        "judge_cut_off": kept.calendar.judge.isoformat(),
        "auc": here,
        "challenger_auc": there,
        "gained": gained,
        "error": error_of_it,
        "stale": kept.champion.stale,
    }
    if kept.champion.stale or gained > SURE * error_of_it or here["value"] < POOR_AUC <= there["value"]:
        _swap(out)
        kept.leave(other)
        return {**trained, "champion": {**told, "kept": False}}
    said = kept.leave(out)
    return {**said, **kept.judged(people, probability), "champion": {**told, "kept": True}}


def _people(kept: Kept, other: Path) -> tuple[Examples, np.ndarray]:
    """Give whom the new model was judged on, and what it said of them."""
    profiles, probability = learning.load_judged(other)
    judge = kept.calendar.judge
    labels = kept.past.asked.labels[profiles, kept.calendar.labelled.index(judge)]
    return Examples(Row(profiles, np.full(len(profiles), to_us(judge), np.int64)), labels), probability


def _swap(out: Path) -> None:
    """Let the new model stand where the winner stands, and the champion's activities beside the champion."""
    other, aside = out / OTHER, out.with_name(f"{out.name}.{OTHER}")
    shutil.rmtree(aside, ignore_errors=True)
    other.rename(aside)
    other.mkdir()
    (out / OWN_ACTIVITIES).rename(other / OWN_ACTIVITIES)
    for path in aside.iterdir():
        path.rename(out / path.name)
    aside.rmdir()
