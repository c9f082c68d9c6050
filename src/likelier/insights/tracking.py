"""Whether events arrive as they used to: kinds of events that are new, that ceased, that paused, or that changed.

Each kind is a row of daily counts. *Ceased* and *paused* are abrupt: from one day to the next hardly anything comes for
everybody, while people go on with the rest. People do not behave so; tracking that broke does. *Changed* is by degrees:
the last two weeks hold clearly more or less than the two weeks before ever did. What is expected of a day is the median
of that weekday before.
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
    return [found for row in rows[1:] for found in _of_row(row, first_day, recent_days)]


def _of_row(row: Daily, first_day: dt.date, recent_days: int) -> Iterator[dict[str, Any]]:
    if new := _first_seen(row, first_day, recent_days):
        yield new
        return
    silent = list(_silences(row, first_day, recent_days))
    for each in silent:
        yield _finding("tracking", row, each["words"], each["since"])
    if not silent and row.of == "event":
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


def _changed(row: Daily, first_day: dt.date) -> Iterator[dict[str, Any]]:
    """Compare the last two weeks with the two before; usual are the like changes in the half year before."""
    totals = [row.counts[end - FORTNIGHT : end].sum() for end in range(len(row.counts), FORTNIGHT - 1, -FORTNIGHT)][:14]
    if len(totals) < 5 or min(totals) < 100:
        return
    logs = np.log(np.array(totals[::-1], float))
    changes = np.diff(logs)
    change, usual = changes[-1], np.abs(changes[:-1]).max()
    if abs(change) <= GREAT or abs(change) <= USUAL_TIMES * usual:
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
