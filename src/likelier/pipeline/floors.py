"""What a run needs at least, and what it says when there is less: codes, numbers, dates, and what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from likelier.errors import RunError
from likelier.instance import Question
from likelier.phrases import say
from likelier.windows import LEAST_LOOKBACK_DAYS, Calendar

LEAST_QUALIFYING = 500
LEAST_OTHERS = 500
LEAST_EXPLORATORY = 20  # of each, where wide intervals are asked for instead of a refusal


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

    def scaled(self, by: float) -> Counts:
        """Give the counts of all, from those of a part of the people."""
        return Counts(
            tuple(round(by * n) for n in self.eligible),
            tuple(round(by * n) for n in self.qualifying),
            round(by * self.to_score),
            round(by * self.recently_active),
            round(by * self.goal_events),
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
    suggestions = [
        say("Add {missing:.0f} days of older events, or wait until enough have come.", missing=needed - there)
    ]
    if (shorter := int(there - lookback)) >= 1:
        suggestions.insert(
            0,
            say(
                "Predict {shorter} days ahead instead of {outcome} (goal.window_days).",
                shorter=shorter,
                outcome=calendar.outcome_days,
            ),
        )
    if calendar.lookback_days > LEAST_LOOKBACK_DAYS and there - calendar.outcome_days >= LEAST_LOOKBACK_DAYS:
        fitting = int(there - calendar.outcome_days)
        suggestions.insert(
            0,
            say(
                "Look back {fitting} days for eligible people instead of {lookback} (lookback_days).",
                fitting=fitting,
                lookback=calendar.lookback_days,
            ),
        )
    raise RunError(
        407,
        say(
            "The events cover {there:.1f} days, from {first} to {last}. "
            "Looking back {lookback} days and ahead {outcome} needs {needed}.",
            there=there,
            first=f"{calendar.history_start:%Y-%m-%d}",
            last=f"{calendar.as_of:%Y-%m-%d}",
            lookback=lookback,
            outcome=calendar.outcome_days,
            needed=needed,
        ),
        suggestions,
    )


def check_counts(counts: Counts, calendar: Calendar, question: Question, suggestions: Sequence[str] = ()) -> None:
    """Raise the RunError of the first floor that is missed."""
    least = LEAST_EXPLORATORY if question.exploratory else LEAST_QUALIFYING
    least_others = LEAST_EXPLORATORY if question.exploratory else LEAST_OTHERS
    span = say("{first} to {last}", first=f"{calendar.labelled[0]:%Y-%m-%d}", last=f"{calendar.judge:%Y-%m-%d}")
    goal = question.goal.words()
    if not counts.examples:
        raise RunError(
            410,
            say(
                "Nobody was eligible (who {population}) at any past cut-off from {span}.",
                population=question.population.words(),
                span=span,
            ),
            suggestions or [say("Look back further (eligible_population.lookback_days) or loosen its events.")],
        )
    if not counts.goal_events:
        raise RunError(
            409,
            say(
                "The goal's events never happened before {as_of}: "
                "what has never happened cannot be predicted ({goal}).",
                as_of=f"{calendar.as_of:%Y-%m-%d}",
                goal=goal,
            ),
            [say("Check the goal's conditions against the data: likelier datasets DATASET.")],
        )
    if not counts.positives:
        raise RunError(
            413,
            say(
                "None of the {examples:,} past examples from {span} met the goal ({goal}): "
                "there is nothing to tell apart.",
                examples=counts.examples,
                span=span,
                goal=goal,
            ),
            suggestions or [say("Lengthen the outcome window (goal.window_days) or widen the population.")],
        )
    if counts.positives == counts.examples:
        raise RunError(
            413,
            say(
                "All {examples:,} past examples from {span} met the goal ({goal}): there is nothing to tell apart.",
                examples=counts.examples,
                span=span,
                goal=goal,
            ),
            suggestions or [say("Shorten the outcome window, ask for more (at_least), or widen the population.")],
        )
    if counts.examples < least + least_others:
        raise RunError(
            401,
            say(
                "The past holds {examples:,} eligible examples from {span}; {needed:,} are needed.",
                examples=counts.examples,
                span=span,
                needed=least + least_others,
            ),
            suggestions
            or [
                say("Look back further (eligible_population.lookback_days) or add older events."),
                *_explore(counts, question),
            ],
        )
    if counts.positives < least or counts.examples - counts.positives < least_others:
        others = counts.examples - counts.positives
        raise RunError(
            400,
            say(
                "Of {examples:,} past examples from {span}, {positives:,} met the goal ({goal}) and "
                "{others:,} did not; {needed} of each are needed.",
                examples=counts.examples,
                span=span,
                positives=counts.positives,
                goal=goal,
                others=others,
                needed=least,
            ),
            suggestions
            or [
                say("Change the outcome window (goal.window_days) or widen the population."),
                *_explore(counts, question),
            ],
        )


def check_windows(by_window: Sequence[Mapping[str, int]], question: Question) -> None:
    """Raise RunError 400 when a shorter outcome window holds too few of either outcome to tell anything."""
    for found in by_window:
        few = min(found["qualifying"], found["examples"] - found["qualifying"])
        if few < LEAST_EXPLORATORY:
            raise RunError(
                400,
                say(
                    "Within {days} days {positives:,} of {examples:,} past examples met the goal ({goal}) and "
                    "{others:,} did not; {needed} of each are needed.",
                    days=found["days"],
                    positives=found["qualifying"],
                    others=found["examples"] - found["qualifying"],
                    examples=found["examples"],
                    goal=question.goal.words(),
                    needed=LEAST_EXPLORATORY,
                ),
                [say("Leave out the window of {days} days (goal.window_days).", days=found["days"])],
            )


def _explore(counts: Counts, question: Question) -> Sequence[str]:
    """Offer to go on with less, where there is enough for that."""
    if question.exploratory or min(counts.positives, counts.examples - counts.positives) < LEAST_EXPLORATORY:
        return []
    return [say("Look at it all the same, with wide intervals and nothing on the profiles (exploratory: true).")]


def check_scoring(counts: Counts, calendar: Calendar, question: Question) -> None:
    """Raise RunError 405 when there is nobody to score, 408 when those there are have long been silent."""
    if not counts.to_score:
        raise RunError(
            405,
            say(
                "As of {as_of} nobody is eligible: who {population}.",
                as_of=f"{calendar.as_of:%Y-%m-%d}",
                population=question.population.words(),
            ),
            [say("Ingest the newest events."), say("Run as of a date within the data: --as-of.")],
        )
    if not counts.recently_active:
        raise RunError(
            408,
            say(
                "None of the {people:,} eligible people has any event in the {days} days before {as_of}.",
                people=counts.to_score,
                days=LEAST_LOOKBACK_DAYS,
                as_of=f"{calendar.as_of:%Y-%m-%d}",
            ),
            [say("Ingest the newest events."), say("Run as of a date within the data: --as-of.")],
        )
