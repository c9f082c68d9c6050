"""Which (profile, cut-off) rows exist, why, and what their label reads.

The only place that says so: training, judging, scoring, on-demand scores and realised performance all ask here.

* A feature at cut-off T reads events before T; the label reads ``[T, T + outcome window)``.
* The outcome window of the *judge* cut-off closes at the as-of instant: it is the latest one whose outcomes are known.
  Where too much of that window is silent, tracking being lost, an earlier cut-off judges, by thirds of the window.
* Cut-offs that train the judged model closed their outcome window before the judge cut-off, so nothing the judge
  is asked about was seen in training. Afterwards the model is fitted again with every cut-off up to the judge.
* Cut-offs lie a third of the outcome window apart: their windows overlap, which costs nothing and steadies the model.

* A cut-off of whose outcome window more than a fifth is silent is not learnt from.
* Shorter windows than the main one are asked about at the same cut-offs, and, because they close earlier, at some
  cut-offs after the judge that only they can learn from.

A surprising consequence: with little history no cut-off closes before the judge. Then the judge is a held-out part of
the profiles at the same cut-offs, which is a milder test, and says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np

from likelier.timespan import DAY, Span, after, before, to_us

MOST_CUT_OFFS = 24
MOST_RECENT = 24
CUT_OFFS_PER_WINDOW = 3
LONGEST_TRAINING = 365 * DAY
LEAST_LOOKBACK_DAYS = 30
MOST_SILENT = 0.2


@dataclass(frozen=True)
class Calendar:
    """The cut-offs of one run, oldest first in each list.

    In `silent` spans hardly anything of the goal came, in those that are `lost` hardly anything at all.
    """

    as_of: dt.datetime
    history_start: dt.datetime
    outcome_days: int
    lookback_days: int
    training: tuple[dt.datetime, ...]
    judge: dt.datetime
    judged_by: Literal["later cut-off", "held-out profiles"]
    shorter_days: tuple[int, ...] = ()
    silent: tuple[Span, ...] = ()
    lost: tuple[Span, ...] = ()

    @property
    def recent(self) -> tuple[dt.datetime, ...]:
        """Cut-offs after the judge at which at least the shortest window has closed, oldest first.

        >>> from likelier.timespan import parse_moment
        >>> start, end = parse_moment("2024-01-01"), parse_moment("2024-06-01")
        >>> calendar = plan(start, end, outcome_days=30, lookback_days=45, shorter_days=(3, 14))
        >>> [f"{cut_off:%m-%d %H}" for cut_off in calendar.recent][-3:], f"{calendar.judge:%m-%d}"
        (['05-26 18', '05-27 21', '05-29 00'], '05-02')
        """
        if not self.shorter_days:
            return ()
        last = self.as_of - self.shorter_days[0] * DAY
        step = max(cut_off_step(self.shorter_days[0]), (last - self.judge) / MOST_RECENT)
        back = (last - k * step for k in range(MOST_RECENT))
        days = self.shorter_days[0]
        seen = (cut_off for cut_off in back if not is_silent(after(cut_off, days), self.silent))
        return tuple(sorted(cut_off for cut_off in seen if cut_off > self.judge))

    @property
    def labelled(self) -> tuple[dt.datetime, ...]:
        """Every cut-off whose outcome is known at the as-of instant; the last is the judge."""
        later = tuple(self.judge - k * cut_off_step(self.outcome_days) for k in reversed(range(CUT_OFFS_PER_WINDOW)))
        least = self.history_start + least_history(self.lookback_days)
        known = (cut_off for cut_off in later if cut_off >= least)
        return (*self.training, *(each for each in known if each == self.judge or self._has_outcomes(each)))

    def _has_outcomes(self, cut_off: dt.datetime) -> bool:
        return not is_silent(self.outcome(cut_off), self.silent)

    @property
    def stands_still(self) -> tuple[tuple[int, int], ...]:
        """The spans in microseconds in which the clock of the features stands still."""
        return tuple((to_us(span.start), to_us(span.end)) for span in self.lost)

    @property
    def history_days(self) -> float:
        return Span(self.history_start, self.as_of).days

    @property
    def history_needed_days(self) -> int:
        return history_needed(self.lookback_days, self.outcome_days)

    def outcome(self, cut_off: dt.datetime) -> Span:
        return after(cut_off, self.outcome_days)

    def eligibility(self, cut_off: dt.datetime) -> Span:
        return before(cut_off, self.lookback_days)


def history_needed(lookback_days: int, outcome_days: int) -> int:
    """Days of events a run needs.

    >>> history_needed(60, 30), history_needed(45, 7), history_needed(7, 7)
    (90, 52, 37)
    """
    return max(LEAST_LOOKBACK_DAYS, lookback_days) + outcome_days


def plan(
    history_start: dt.datetime,
    as_of: dt.datetime,
    *,
    outcome_days: int,
    lookback_days: int,
    shorter_days: tuple[int, ...] = (),
    silent: tuple[Span, ...] = (),
    lost: tuple[Span, ...] = (),
) -> Calendar:
    """Lay out the cut-offs of a run as of an instant.

    >>> from likelier.timespan import parse_moment
    >>> calendar = plan(parse_moment("2024-01-01"), parse_moment("2024-06-01"), outcome_days=30, lookback_days=45)
    >>> f"{calendar.judge:%m-%d}", [f"{cut_off:%m-%d}" for cut_off in calendar.training]
    ('05-02', ['02-02', '02-12', '02-22', '03-03', '03-13', '03-23', '04-02'])
    """
    judge, training = _judge_and_training(history_start, as_of, outcome_days, lookback_days, silent)
    judged_by: Literal["later cut-off", "held-out profiles"] = "later cut-off" if training else "held-out profiles"
    return Calendar(
        as_of, history_start, outcome_days, lookback_days, training, judge, judged_by, shorter_days, silent, lost
    )


def _judge_and_training(
    history_start: dt.datetime, as_of: dt.datetime, outcome_days: int, lookback_days: int, silent: Sequence[Span]
) -> tuple[dt.datetime, tuple[dt.datetime, ...]]:
    """Take the latest judge whose outcomes and those of its training were seen; where there is none, the latest."""
    latest = as_of - outcome_days * DAY
    for steps in range(MOST_CUT_OFFS):
        judge = latest - steps * cut_off_step(outcome_days)
        possible = every_cut_off(history_start, as_of, outcome_days, lookback_days, judge)
        training = tuple(each for each in possible if not is_silent(after(each, outcome_days), silent))
        if training and not is_silent(after(judge, outcome_days), silent):
            return judge, training
    return latest, every_cut_off(history_start, as_of, outcome_days, lookback_days, latest)


def is_silent(window: Span, silent: Sequence[Span]) -> bool:
    """Say whether too much of a window lies in silence to tell what came of people.

    >>> from likelier.timespan import parse_moment
    >>> lost = [before(parse_moment("2024-03-08"), 7)]
    >>> [is_silent(after(parse_moment(day), 14), lost) for day in ("2024-02-10", "2024-02-20", "2024-03-05")]
    [False, True, True]
    """
    spans = (Span(max(window.start, each.start), min(window.end, each.end)) for each in silent)
    return sum(each.days for each in spans if each.end > each.start) > MOST_SILENT * window.days


def every_cut_off(
    history_start: dt.datetime, as_of: dt.datetime, outcome_days: int, lookback_days: int, closed_by: dt.datetime
) -> tuple[dt.datetime, ...]:
    """Cut-offs with enough history whose outcome window closes by an instant, oldest first."""
    last = closed_by - outcome_days * DAY
    first = max(history_start + least_history(lookback_days), as_of - LONGEST_TRAINING)
    back = (last - k * cut_off_step(outcome_days) for k in range(MOST_CUT_OFFS))
    return tuple(sorted(cut_off for cut_off in back if cut_off >= first))


def observed_cut_offs(known_until: dt.datetime, outcome_days: int, count: int) -> tuple[dt.datetime, ...]:
    """Cut-offs whose outcomes are all known by an instant, oldest first, an outcome window apart.

    >>> from likelier.timespan import parse_moment
    >>> [f"{cut_off:%m-%d}" for cut_off in observed_cut_offs(parse_moment("2024-03-31"), 30, 2)]
    ['01-31', '03-01']
    """
    return tuple(known_until - steps * outcome_days * DAY for steps in range(count, 0, -1))


def cut_off_step(outcome_days: int) -> dt.timedelta:
    return outcome_days * DAY / CUT_OFFS_PER_WINDOW


def least_history(lookback_days: int) -> dt.timedelta:
    """History a cut-off needs before it to train on: a shorter past would teach what short pasts look like."""
    return min(LEAST_LOOKBACK_DAYS, lookback_days) * DAY


@dataclass(frozen=True)
class Rules:
    """Event rules as numbers for the kernel: which bit of an event's words says that a rule's condition holds."""

    bits: np.ndarray  # int64
    at_least: np.ndarray  # int64
    match_all: bool

    @classmethod
    def of(cls, bits: Sequence[int], at_least: Sequence[int], match: str) -> Rules:
        return cls(np.asarray(bits, np.int64), np.asarray(at_least, np.int64), match == "all")


@dataclass(frozen=True)
class Row:
    """Who is asked about, and when: profile index and cut-off in microseconds, one entry a row."""

    profile: np.ndarray  # int64
    cut_off: np.ndarray  # int64


def eligible_and_labels(
    times: np.ndarray,
    words: np.ndarray,
    starts: np.ndarray,
    cut_offs: Sequence[dt.datetime],
    *,
    goal: Rules,
    occurs: bool,
    include: Rules,
    exclude: Rules,
    outcome_days: float,
    lookback_days: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Say for every profile at every cut-off whether it is eligible and whether it reaches the goal.

    `times` (microseconds, ascending within a profile) and `words` (events x words of signal bits) hold the events of
    profile p at ``starts[p]:starts[p + 1]``. Returns two boolean arrays of shape (profiles, cut-offs). Labels of
    outcome windows that are still open mean nothing.
    """
    day = DAY // dt.timedelta(microseconds=1)
    return _eligible_and_labels(
        read_only(times),
        read_only(words),
        starts,
        np.array([to_us(cut_off) for cut_off in cut_offs], np.int64),
        int(outcome_days * day),
        int(lookback_days * day),
        *_parts(goal),
        occurs,
        *_parts(include),
        *_parts(exclude),
    )


def read_only(array: np.ndarray) -> np.ndarray:
    """Give an array in the one form that compiled loops take: each other one would be compiled anew, for seconds."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _parts(rules: Rules) -> tuple[Any, ...]:
    return rules.bits, rules.at_least, rules.match_all


@numba.njit(nogil=True, cache=True)
def _eligible_and_labels(
    times, words, starts, cut_offs, outcome, lookback,
    goal_bits, goal_least, goal_all, occurs, in_bits, in_least, in_all, out_bits, out_least, out_all,
):  # fmt: skip
    profiles, moments = len(starts) - 1, len(cut_offs)
    eligible = np.zeros((profiles, moments), np.bool_)
    labels = np.zeros((profiles, moments), np.bool_)
    for profile in range(profiles):
        start, end = starts[profile], starts[profile + 1]
        for moment in range(moments):
            cut_off = cut_offs[moment]
            middle = start + np.searchsorted(times[start:end], cut_off)
            first = start + np.searchsorted(times[start:end], cut_off - lookback)
            if first == middle or not _met(words, first, middle, in_bits, in_least, in_all):
                continue
            if len(out_bits) and _met(words, first, middle, out_bits, out_least, out_all):
                continue
            eligible[profile, moment] = True
            last = start + np.searchsorted(times[start:end], cut_off + outcome)
            labels[profile, moment] = _met(words, middle, last, goal_bits, goal_least, goal_all) == occurs
    return eligible, labels


@numba.njit(nogil=True, cache=True)
def _met(words, first, last, bits, at_least, match_all):
    for rule in range(len(bits)):
        word, mask = bits[rule] // 62, np.int64(1) << (bits[rule] % 62)
        left = at_least[rule]
        for event in range(first, last):
            if words[event, word] & mask:
                left -= 1
                if left <= 0:
                    break
        if (left <= 0) != match_all:
            return not match_all
    return match_all
