"""Whether events arrive as they used to: kinds of events that are new, that ceased, that paused, or that changed.

Each kind is a row of daily counts. *Ceased* and *paused* are abrupt: from one day to the next hardly anything comes for
everybody, while people go on with the rest. People do not behave so; tracking that broke does. *Changed* is by degrees:
the last two weeks hold clearly more or less than the two weeks before ever did. Where all kinds do so alike it is a
*season* (or a campaign), told once, and not another behaviour. What is expected of a day is the median of that weekday
before.

Beside the counts, the *values* of a number may change: prices, for one. Their mean logarithm over two weeks is compared
with the two weeks before, and with what was usual.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from likelier.phrases import day as written
from likelier.phrases import number, say

SILENT = 0.1
"""A day with less than this part of what is expected is silent."""
MISSED = 30
"""So many events must be missing before silence is told."""
LEAST_DAYS = 2
LEAST_NEW = 25
WEEKS_BEFORE = 8
FORTNIGHT = 14
GREAT = np.log(1.5)
USUAL_TIMES = 2.0
ALIKE = np.log(1.3)
CLEAR = np.log(1.15)
SURE = 5.0  # standard errors: a price is looked at every week
LEAST_VALUES = 30


@dataclass(frozen=True)
class Daily:
    """The daily counts of one kind of event, or of the filled values of one field, up to now; the last day is whole."""

    name: str
    counts: np.ndarray
    of: str = "event"


def findings(rows: Sequence[Daily], first_day: dt.date, recent_days: int) -> list[dict[str, Any]]:
    """Tell what is unusual in the last days; the first row counts all events."""
    every = rows[0]
    if total := next(_silences(every, first_day, recent_days), None):
        return [_finding("delivery", every, total["words_all"], total["since"])]
    season = list(_season(rows, first_day))
    told = [found for row in rows[1:] for found in _of_row(row, first_day, recent_days, in_season=bool(season))]
    return [*season, *told]


def _of_row(row: Daily, first_day: dt.date, recent_days: int, *, in_season: bool) -> Iterator[dict[str, Any]]:
    if new := _first_seen(row, first_day, recent_days):
        yield new
        return
    silent = list(_silences(row, first_day, recent_days))
    for each in silent:
        yield _finding("tracking", row, each["words"], each["since"])
    if not silent and row.of == "event" and not in_season:
        yield from _changed(row, first_day)


def _first_seen(row: Daily, first_day: dt.date, recent_days: int) -> dict[str, Any] | None:
    before, after = row.counts[:-recent_days], row.counts[-recent_days:]
    if len(before) < recent_days or before.any() or after.sum() < LEAST_NEW:
        return None
    since = first_day + dt.timedelta(days=int(len(before) + np.flatnonzero(after)[0]))
    words = say(
        "{name} is new: first seen on {day}, {count:,} since.", name=row.name, day=_day(since), count=int(after.sum())
    )
    return _finding("new", row, words, since)


def _silences(row: Daily, first_day: dt.date, recent_days: int) -> Iterator[dict[str, Any]]:
    """Find runs of days in the recent past on which hardly anything came though much was expected."""
    counts = row.counts.astype(float)
    expected = _expected(counts, recent_days)
    recent = max(len(counts) - recent_days, 0)
    start = None
    for place in range(recent, len(counts) + 1):
        # A day on which nothing is expected neither begins a silence nor ends one.
        if place < len(counts) and counts[place] <= SILENT * expected[place]:
            start = place if start is None and expected[place] > 0 else start
        elif start is not None:
            awaited = expected[start:place]
            missed = awaited.sum() - counts[start:place].sum()
            if (awaited > 0).sum() >= LEAST_DAYS and missed >= MISSED:
                yield _silence(row, first_day, start, place, len(counts), missed)
            start = None


def _silence(row: Daily, first_day: dt.date, start: int, end: int, days: int, missed: float) -> dict[str, Any]:
    since, last = first_day + dt.timedelta(days=start), first_day + dt.timedelta(days=end - 1)
    told = {"name": row.name, "since": _day(since), "last": _day(last), "missed": number(missed, ",.0f")}
    if end == days:
        one = say(
            "{name} stopped on {since}, for everybody at once ({missed} fewer than usual): broken tracking.", **told
        )
        everything = say("Hardly any event of any kind has come since {since}: the delivery broke.", **told)
    else:
        one = say("Hardly any {name} from {since} to {last}, then as before: tracking was lost for that time.", **told)
        everything = say(
            "Hardly any event of any kind from {since} to {last}: the delivery broke for that time.", **told
        )
    return {"since": since, "words": one, "words_all": everything}


def _expected(counts: np.ndarray, recent_days: int) -> np.ndarray:
    """What each recent day should bring: the median of its weekday in the weeks before the recent days."""
    expected = np.zeros(len(counts))
    settled = max(len(counts) - recent_days, 0)
    for place in range(settled, len(counts)):
        weeks = [place - 7 * back for back in range(1, (place // 7) + 1)]
        same = [counts[at] for at in weeks if at < settled][:WEEKS_BEFORE]
        expected[place] = float(np.median(same)) if len(same) >= 3 else 0.0
    return expected


def _season(rows: Sequence[Daily], first_day: dt.date) -> Iterator[dict[str, Any]]:
    """Say that all kinds of events came more often, or less, by much the same."""
    change = _change(rows[0])
    kinds = [each for row in rows[1:] if row.of == "event" if (each := _last_change(row)) is not None]
    if change is None or len(kinds) < 2 or any(abs(each - change) > ALIKE for each in kinds):
        return
    times = float(np.exp(abs(change)))
    words = (
        say(
            "Events of all kinds came {times:.1f} times as often in the last two weeks as in the two before.",
            times=times,
        )
        if change > 0
        else say(
            "Events of all kinds came {times:.1f} times less often in the last two weeks than in the two before.",
            times=times,
        )
    )
    yield _finding("season", rows[0], words, first_day + dt.timedelta(days=len(rows[0].counts) - FORTNIGHT))


def fortnights(daily: np.ndarray) -> np.ndarray:
    """Sum whole fortnights up to the last day, oldest first, of half a year at most.

    >>> fortnights(np.ones(40)).tolist()
    [14.0, 14.0]
    """
    ends = range(len(daily), FORTNIGHT - 1, -FORTNIGHT)
    return np.array([daily[end - FORTNIGHT : end].sum() for end in ends][:14][::-1])


def _changes(row: Daily) -> np.ndarray | None:
    totals = fortnights(row.counts)
    return None if len(totals) < 5 or totals.min() < 100 else np.diff(np.log(totals.astype(float)))


def _last_change(row: Daily) -> float | None:
    changes = _changes(row)
    return None if changes is None else float(changes[-1])


def _change(row: Daily) -> float | None:
    """Compare the last two weeks with the two before, in logarithms; None when that is nothing great or unusual."""
    changes = _changes(row)
    return None if changes is None else unusual(changes, GREAT)


def unusual(changes: np.ndarray, great: float) -> float | None:
    """Give the last change when it is great, and greater than the like changes before.

    >>> unusual(np.array([0.1, -0.1, 0.5]), 0.4), unusual(np.array([0.1, -0.3, 0.5]), 0.4)
    (0.5, None)
    """
    change, usual = float(changes[-1]), float(np.abs(changes[:-1]).max())
    return None if abs(change) <= great or abs(change) <= USUAL_TIMES * usual else change


@dataclass(frozen=True)
class Values:
    """The values of a number by day: how many were above zero, and the sums of their logarithms and of the squares."""

    name: str
    count: np.ndarray
    logs: np.ndarray
    squares: np.ndarray


def other_values(values: Values, first_day: dt.date) -> Iterator[dict[str, Any]]:
    """Tell that a number's values changed: clearly, beyond chance and more than usual."""
    counts, logs, squares = (fortnights(each) for each in (values.count, values.logs, values.squares))
    if len(counts) < 5 or counts.min() < LEAST_VALUES:
        return
    means = logs / counts
    error = np.sqrt((np.maximum(squares / counts - means**2, 0) / counts)[-2:].sum())
    change = unusual(np.diff(means), CLEAR)
    if change is None or abs(change) <= SURE * error:
        return
    since = first_day + dt.timedelta(days=len(values.count) - FORTNIGHT)
    words = say(
        "The values of {name} are {times:.2f} times what they were: {here:,.3g} in the last two weeks, {was:,.3g} in "
        "the two before.",
        name=values.name,
        times=float(np.exp(change)),
        here=float(np.exp(means[-1])),
        was=float(np.exp(means[-2])),
    )
    yield _finding("values", Daily(values.name, values.count, "field"), words, since)


def _changed(row: Daily, first_day: dt.date) -> Iterator[dict[str, Any]]:
    """Compare the last two weeks with the two before; usual are the like changes in the half year before."""
    change = _change(row)
    if change is None:
        return
    told = {"name": row.name, "times": float(np.exp(abs(change)))}
    words = (
        say("{name} came {times:.1f} times as often in the last two weeks as in the two before.", **told)
        if change > 0
        else say("{name} came {times:.1f} times less often in the last two weeks than in the two before.", **told)
    )
    yield _finding("behaviour", row, words, first_day + dt.timedelta(days=len(row.counts) - FORTNIGHT))


def _finding(kind: str, row: Daily, words: str, since: dt.date) -> dict[str, Any]:
    return {"kind": kind, "name": row.name, "of": row.of, "since": since.isoformat(), "words": words}


def _day(date: dt.date) -> str:
    return written(date.isoformat())


def weight_of(name: str, strengths: Mapping[str, float]) -> float:
    """Give the part of a model's strength that rests on the factors which speak of something.

    >>> weight_of("purchases", {"Count of purchases": 3.0, "Days since webVisit": 1.0})
    0.75
    """
    whole = sum(strengths.values()) or 1.0
    return sum(value for factor, value in strengths.items() if name in factor) / whole
