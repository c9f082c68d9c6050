"""What a run needs at least, and what it says when there is less: codes, numbers, dates, and what would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likelier.errors import RunError
from likelier.instance import Question
from likelier.windows import LEAST_LOOKBACK_DAYS, Calendar

LEAST_QUALIFYING = 500
LEAST_OTHERS = 500


@dataclass(frozen=True)
class Counts:
    """People counted at each labelled cut-off, oldest first, and at the as-of instant.

    Someone eligible at several cut-offs is an example at each: the floors count examples.
    """

    eligible: tuple[int, ...]
    qualifying: tuple[int, ...]
    to_score: int
    recently_active: int
    goal_events: int

    @classmethod
    def of(cls, eligible: np.ndarray, labels: np.ndarray, recent: np.ndarray, goal_events: int) -> Counts:
        """Count from arrays (profiles, cut-offs) whose last column is the as-of instant."""
        past, done = eligible[:, :-1], labels[:, :-1]
        return cls(
            tuple(past.sum(axis=0).tolist()),
            tuple((past & done).sum(axis=0).tolist()),
            int(eligible[:, -1].sum()),
            int((eligible[:, -1] & recent).sum()),
            goal_events,
        )

    @property
    def examples(self) -> int:
        return sum(self.eligible)

    @property
    def positives(self) -> int:
        return sum(self.qualifying)


def check_history(calendar: Calendar) -> None:
    """Raise RunError 407 when the events cover fewer days than the windows need."""
    needed, there = calendar.history_needed_days, calendar.history_days
    if there >= needed:
        return
    lookback = max(LEAST_LOOKBACK_DAYS, calendar.lookback_days)
    suggestions = [f"Add {needed - there:.0f} days of older events, or wait until enough have come."]
    if (shorter := int(there - lookback)) >= 1:
        suggestions.insert(0, f"Predict {shorter} days ahead instead of {calendar.outcome_days} (goal.window_days).")
    if calendar.lookback_days > LEAST_LOOKBACK_DAYS and there - calendar.outcome_days >= LEAST_LOOKBACK_DAYS:
        fitting = int(there - calendar.outcome_days)
        suggestions.insert(
            0, f"Look back {fitting} days for eligible people instead of {calendar.lookback_days} (lookback_days)."
        )
    raise RunError(
        407,
        f"The events cover {there:.1f} days, from {calendar.history_start:%Y-%m-%d} to {calendar.as_of:%Y-%m-%d}. "
        f"Looking back {lookback} days and ahead {calendar.outcome_days} needs {needed}.",
        suggestions,
    )


def check_counts(counts: Counts, calendar: Calendar, question: Question, suggestions: Sequence[str] = ()) -> None:
    """Raise the RunError of the first floor that is missed."""
    span = f"{calendar.labelled[0]:%Y-%m-%d} to {calendar.judge:%Y-%m-%d}"
    goal = question.goal.words()
    if not counts.examples:
        raise RunError(
            410,
            f"Nobody was eligible (who {question.population.words()}) at any past cut-off from {span}.",
            suggestions or ["Look back further (eligible_population.lookback_days) or loosen its events."],
        )
    if not counts.goal_events:
        raise RunError(
            409,
            f"The goal's events never happened before {calendar.as_of:%Y-%m-%d}: what has never happened cannot be "
            f"predicted ({goal}).",
            ["Check the goal's conditions against the data: likelier datasets DATASET."],
        )
    if not counts.positives:
        raise RunError(
            413,
            f"None of the {counts.examples:,} past examples from {span} met the goal ({goal}): "
            "there is nothing to tell apart.",
            suggestions or ["Lengthen the outcome window (goal.window_days) or widen the population."],
        )
    if counts.positives == counts.examples:
        raise RunError(
            413,
            f"All {counts.examples:,} past examples from {span} met the goal ({goal}): there is nothing to tell apart.",
            suggestions or ["Shorten the outcome window, ask for more (at_least), or widen the population."],
        )
    if counts.examples < LEAST_QUALIFYING + LEAST_OTHERS:
        raise RunError(
            401,
            f"The past holds {counts.examples:,} eligible examples from {span}; "
            f"{LEAST_QUALIFYING + LEAST_OTHERS:,} are needed.",
            suggestions or ["Look back further (eligible_population.lookback_days) or add older events."],
        )
    if counts.positives < LEAST_QUALIFYING or counts.examples - counts.positives < LEAST_OTHERS:
        others = counts.examples - counts.positives
        raise RunError(
            400,
            f"Of {counts.examples:,} past examples from {span}, {counts.positives:,} met the goal ({goal}) and "
            f"{others:,} did not; {LEAST_QUALIFYING} of each are needed.",
            suggestions or ["Change the outcome window (goal.window_days) or widen the population."],
        )


def check_scoring(counts: Counts, calendar: Calendar, question: Question) -> None:
    """Raise RunError 405 when there is nobody to score, 408 when those there are have long been silent."""
    if not counts.to_score:
        raise RunError(
            405,
            f"As of {calendar.as_of:%Y-%m-%d} nobody is eligible: who {question.population.words()}.",
            ["Ingest the newest events.", "Run as of a date within the data: --as-of."],
        )
    if not counts.recently_active:
        raise RunError(
            408,
            f"None of the {counts.to_score:,} eligible people has any event in the {LEAST_LOOKBACK_DAYS} days "
            f"before {calendar.as_of:%Y-%m-%d}.",
            ["Ingest the newest events.", "Run as of a date within the data: --as-of."],
        )
