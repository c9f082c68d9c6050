"""Who is asked about at which cut-off, and whether there is enough to learn from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from likelier.activities.codes import BITS, Codebook, Source
from likelier.activities.reduce import Activities, load
from likelier.backend import Engine
from likelier.instance import Question
from likelier.pipeline import floors
from likelier.pipeline.reading import labels
from likelier.timespan import DAY, to_us
from likelier.windows import LEAST_LOOKBACK_DAYS, Calendar

PART = 1 << 20  # profiles that are decided as one task


@dataclass(frozen=True)
class Asked:
    """Boolean arrays (profiles, cut-offs) over the labelled cut-offs, oldest first, and the as-of instant last."""

    eligible: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Soon:
    """What came of people within the shorter outcome windows: over the labelled and then the recent cut-offs.

    `eligible` has the shape (profiles, cut-offs), `labels` (windows, profiles, cut-offs). Labels of windows that are
    still open mean nothing.
    """

    cut_offs: tuple[dt.datetime, ...]
    eligible: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Decided:
    """What is known of some profiles before anything is learnt; of `recent` ones the last event is not too old."""

    asked: Asked
    soon: Soon
    recent: np.ndarray
    goal_events: int

    @classmethod
    def of(cls, activities: Activities, codebook: Codebook, question: Question, calendar: Calendar) -> Decided:
        return cls(
            ask_all(activities, codebook, question, calendar),
            ask_soon(activities, codebook, question, calendar),
            recently_active(activities, calendar),
            goal_events(activities, codebook),
        )

    @classmethod
    def together(cls, parts: Sequence[Decided]) -> Decided:
        """Put parts of the profiles together, in their order."""
        asked, soon = [part.asked for part in parts], [part.soon for part in parts]
        return cls(
            Asked(np.concatenate([each.eligible for each in asked]), np.concatenate([each.labels for each in asked])),
            Soon(
                soon[0].cut_offs,
                np.concatenate([each.eligible for each in soon]),
                np.concatenate([each.labels for each in soon], axis=1),
            ),
            np.concatenate([part.recent for part in parts]),
            sum(part.goal_events for part in parts),
        )

    @property
    def counts(self) -> floors.Counts:
        return floors.Counts.of(self.asked.eligible, self.asked.labels, self.recent, self.goal_events)


@dataclass(frozen=True)
class Deciding:
    """Decides every example of some profiles, from the run's folder; the same wherever that is done."""

    calendar: Calendar
    question: Question
    folder: Path

    def __call__(self, part: tuple[int, int]) -> Decided:
        """Take in the places of the first profile and of the one after the last."""
        activities, codebook = self._read
        decided = Decided.of(activities.part(*part), codebook, self.question, self.calendar)
        activities.let_go()
        return decided

    @cached_property
    def _read(self) -> tuple[Activities, Codebook]:
        return load(self.folder / "read")


def check(calendar: Calendar, question: Question, engine: Engine, folder: Path, out: Path) -> dict[str, Any]:
    """Decide every example and hold the counts against the floors; raises RunError where one is missed."""
    floors.check_history(calendar)
    deciding = Deciding(calendar, question, folder)
    decided = Decided.together(list(engine.each(deciding, _parts(load(folder / "read")[0].profiles))))
    counts = decided.counts
    floors.check_counts(counts, calendar, question)
    floors.check_scoring(counts, calendar, question)
    by_window = count_soon(decided.soon, calendar)
    floors.check_windows(by_window, question)
    np.savez(out / "asked.npz", eligible=decided.asked.eligible, labels=decided.asked.labels)
    np.savez(out / "soon.npz", eligible=decided.soon.eligible, labels=decided.soon.labels)
    return {"counts": describe(counts, calendar) | {"by_window": by_window}, "windows": windows_of(calendar)}


def _parts(profiles: int) -> list[tuple[int, int]]:
    return [(first, min(first + PART, profiles)) for first in range(0, max(profiles, 1), PART)]


def ask_all(activities: Activities, codebook: Codebook, question: Question, calendar: Calendar) -> Asked:
    cut_offs = (*calendar.labelled, calendar.as_of)
    return Asked(*labels(activities, codebook, question, cut_offs))


def ask_soon(activities: Activities, codebook: Codebook, question: Question, calendar: Calendar) -> Soon:
    cut_offs = (*calendar.labelled, *calendar.recent)
    found = [
        labels(activities, codebook, question, cut_offs, outcome_days=days) for days in question.goal.shorter_windows
    ]
    if not found:
        return Soon((), np.zeros((0, 0), bool), np.zeros((0, 0, 0), bool))
    eligible = found[0][0]
    if activities.spans is not None:  # whose ids belong together is known for the labelled cut-offs only
        eligible[:, len(calendar.labelled) :] = False
    return Soon(cut_offs, eligible, np.stack([reached for _, reached in found]))


def count_soon(soon: Soon, calendar: Calendar) -> list[dict[str, Any]]:
    """Tell of each shorter window how many past examples reached the goal within it, at the labelled cut-offs."""
    past = len(calendar.labelled)
    eligible = soon.eligible[:, :past]
    return [
        {
            "days": days,
            "examples": int(eligible.sum()),
            "qualifying": int((eligible & reached[:, :past]).sum()),
        }
        for days, reached in zip(calendar.shorter_days, soon.labels, strict=True)
    ]


def load_asked(folder: Path) -> Asked:
    with np.load(folder / "check" / "asked.npz") as kept:
        return Asked(kept["eligible"], kept["labels"])


def load_soon(folder: Path, calendar: Calendar) -> Soon:
    with np.load(folder / "check" / "soon.npz") as kept:
        return Soon((*calendar.labelled, *calendar.recent), kept["eligible"], kept["labels"])


def recently_active(activities: Activities, calendar: Calendar) -> np.ndarray:
    """Say of each profile whether its last event lies in the days before the as-of instant that must not be empty."""
    if not activities.events:
        return np.zeros(activities.profiles, bool)
    return activities.times[activities.starts[1:] - 1] >= to_us(calendar.as_of - LEAST_LOOKBACK_DAYS * DAY)


def goal_events(activities: Activities, codebook: Codebook, chunk: int = 200_000) -> int:
    """Count the events that satisfy any of the goal's rules."""
    bits = codebook.bits(Source.GOAL)
    masks = np.zeros(codebook.words, np.int64)
    for bit in bits:
        masks[bit // BITS] |= 1 << (bit % BITS)
    parts = (activities.words[first : first + chunk] for first in range(0, activities.events, chunk))
    return sum(int((part & masks).any(axis=1).sum()) for part in parts)


def describe(counts: floors.Counts, calendar: Calendar) -> dict[str, Any]:
    """Tell the counts of every cut-off."""
    training = set(calendar.training)
    rows = [
        {
            "cut_off": cut_off.isoformat(),
            "role": "train" if cut_off in training else "judge" if cut_off == calendar.judge else "refit",
            "eligible": eligible,
            "qualifying": qualifying,
            "base_rate": qualifying / eligible if eligible else None,
        }
        for cut_off, eligible, qualifying in zip(calendar.labelled, counts.eligible, counts.qualifying, strict=True)
    ]
    scored = {"cut_off": calendar.as_of.isoformat(), "role": "score", "eligible": counts.to_score}
    return {
        "examples": counts.examples,
        "qualifying_examples": counts.positives,
        "eligible": counts.to_score,
        "per_cut_off": [*rows, {**scored, "qualifying": None, "base_rate": None}],
    }


def windows_of(calendar: Calendar) -> dict[str, Any]:
    """Tell the windows."""
    return {
        "judge_cut_off": calendar.judge.isoformat(),
        "judge": calendar.judged_by,
        "training_cut_offs": _dates(calendar.training),
        "refit_cut_offs": _dates(calendar.labelled),
        "outcome_days": calendar.outcome_days,
        "shorter_days": list(calendar.shorter_days),
        "lookback_days": calendar.lookback_days,
        "history_start": calendar.history_start.isoformat(),
        "history_days": calendar.history_days,
        "history_needed_days": calendar.history_needed_days,
    }


def _dates(cut_offs: Sequence[Any]) -> list[str]:
    return [cut_off.isoformat() for cut_off in cut_offs]
