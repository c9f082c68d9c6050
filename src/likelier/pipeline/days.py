"""What came on each day, and what is odd about it: silence, floods, strays, robots, the same rows twice.

Silence is what a week without tracking looks like: for days hardly anything comes, of all events or of the goal's,
where the same weekdays of the weeks around bring plenty; or, right before the run's moment, nothing at all. A cut-off
whose outcome window is silent would teach that nobody comes any more, so it is not learnt from
(:mod:`likelier.windows`), and the clock by which features tell ages stands still while everything is silent. Strays, a
few events years before all others, come from clocks that were wrong; they do not begin the history. The rest is told
and left as it is: what robots and floods do to features is bounded, as trees ask for thresholds and curves are level
beyond what most people show.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pyarrow as pa

from likelier.backend import Engine
from likelier.conditions.algebra import any_of
from likelier.conditions.goals import EventRule
from likelier.datasets import Field
from likelier.phrases import day as written
from likelier.phrases import number, say, say_many
from likelier.timespan import DAY, UTC, Span

SILENT = 0.1
"""A day with less than this part of what is expected is silent."""
MISSED = 30
"""So many events must be missing before silence is told."""
LEAST_DAYS = 2
WEEKS = 6
"""Expected of a day is the median of its weekday in so many weeks before and after."""
BESIDE, STEADY = 14, 0.25
"""Silence lies between days that bring at least so much of what is expected."""
FLOOD, LEAST_FLOOD = 5.0, 200
STRAY, STRAY_BEFORE, STRAY_AFTER = 0.001, 365, 60
ROBOT, LEAST_ROBOT = 20, 500
"""A robot has so many times the events a day of all but the busiest thousandth, and at least so many."""
TWICE, LEAST_TWICE = 0.005, 30
MOST_TOLD = 5


@dataclass(frozen=True)
class Days:
    """The counts of each day from the first to the last: of all events and of the goal's."""

    first: dt.date
    events: np.ndarray
    goal: np.ndarray

    @classmethod
    def of(cls, found: pa.Table) -> Days:
        """Take the answer of :func:`by_day`, of at least one day, without days of which everything is excluded."""
        days = found["day"].to_numpy().astype("datetime64[D]").astype(np.int64)
        counts = np.zeros((2, days.max() - days.min() + 1), np.int64)
        for row, name in enumerate(("n", "goal")):
            counts[row, days - days.min()] = found[name].to_numpy()
        return cls(dt.date(1970, 1, 1) + dt.timedelta(days=int(days.min())), counts[0], counts[1])

    def date(self, place: int) -> dt.date:
        return self.first + dt.timedelta(days=int(place))

    @property
    def usual(self) -> tuple[int, int]:
        """The places of the first and last day that are no strays."""
        reached = np.cumsum(self.events) / max(self.events.sum(), 1)
        early = int(np.searchsorted(reached, STRAY)) - STRAY_BEFORE
        late = int(np.searchsorted(reached, 1 - STRAY)) + STRAY_AFTER
        came = np.flatnonzero(self.events)
        return int(came[came >= early][0]), int(came[came <= late][-1])


@dataclass(frozen=True)
class Silence:
    """Days on which hardly anything came."""

    first: dt.date
    days: int
    of_goal: bool

    @property
    def span(self) -> Span:
        start = dt.datetime.combine(self.first, dt.time(), UTC)
        return Span(start, start + self.days * DAY)

    @property
    def written(self) -> list[str]:
        return [self.span.start.isoformat(), self.span.end.isoformat()]


def by_day(events: ibis.Table, goal_events: Sequence[EventRule], exclusions: Sequence[EventRule]) -> ibis.Table:
    """Count the events of each day: ``every``, those that are not excluded (``n``) and the goal's of these.

    Of those that are not excluded it also says when the ``first`` and the ``last`` of the day happened.
    """
    goal = any_of(rule.condition for rule in goal_events).holds(events)
    kept = ~any_of(rule.condition for rule in exclusions).holds(events) if exclusions else None
    counted = events.group_by(day=events.timestamp.truncate("D")).aggregate(
        every=events.count(),
        n=events.count(where=kept),
        goal=goal.sum(where=kept),
        first=events.timestamp.min(where=kept),
        last=events.timestamp.max(where=kept),
    )
    return counted.order_by("day")


def silences(days: Days) -> list[Silence]:
    """Find runs of silent days, of all events, and of the goal's where the others went on; oldest first."""
    first, last = days.usual
    whole = _runs(days.events[first : last + 1])
    quiet = np.zeros(last + 1 - first, bool)
    for start, end in whole:
        quiet[start:end] = True
    goal = [run for run in _runs(days.goal[first : last + 1]) if not quiet[slice(*run)].any()]
    found = [
        Silence(days.date(first + start), end - start, of_goal)
        for runs, of_goal in ((whole, False), (goal, True))
        for start, end in runs
    ]
    return sorted(found, key=lambda silence: silence.first)


def stopped(days: Days, as_of: dt.datetime) -> Iterator[Silence]:
    """Find the days before an instant on which nothing at all came any more, though it was expected."""
    first, last = days.usual
    count = (as_of.date() - days.date(last)).days - 1
    if count < LEAST_DAYS or days.events[last + 1 :].any():
        return
    counts = np.append(days.events[first : last + 1], np.zeros(count, np.int64))
    awaited, came = expected(counts), slice(-count - BESIDE, -count)
    is_awaited = np.count_nonzero(awaited[-count:]) >= LEAST_DAYS and awaited[-count:].sum() >= MISSED
    if is_awaited and _flows(counts[came], awaited[came]):
        yield Silence(days.date(last + 1), count, of_goal=False)


def _runs(counts: np.ndarray) -> list[tuple[int, int]]:
    """Find runs of silent days inside a row of counts, half-open; a day of which nothing is expected parts none."""
    awaited = expected(counts)
    quiet = (counts <= SILENT * awaited) & (awaited > 0)
    open_ = quiet | (awaited == 0) & (counts == 0)
    found, start = [], None
    for place in range(len(counts) + 1):
        if place < len(counts) and open_[place]:
            start = place if start is None and quiet[place] else start
        elif start is not None:
            end = start + int(np.flatnonzero(quiet[start:place])[-1]) + 1
            missed = awaited[start:end].sum() - counts[start:end].sum()
            is_long = quiet[start:end].sum() >= LEAST_DAYS and missed >= MISSED
            if is_long and all(_flows(counts[part], awaited[part]) for part in _beside(start, end)):
                found.append((start, end))
            start = None
    return found


def _beside(start: int, end: int) -> tuple[slice, slice]:
    return slice(max(start - BESIDE, 0), start), slice(end, end + BESIDE)


def _flows(counts: np.ndarray, awaited: np.ndarray) -> bool:
    """Say whether events came: before data begins in earnest, and after it ends, there is nothing to lose."""
    return bool(counts.sum() > STEADY * awaited.sum())


def expected(counts: np.ndarray) -> np.ndarray:
    """Say what each day should bring: the median of its weekday in the weeks around it.

    >>> expected(np.array([10, 0, 0, 0, 0, 0, 0] * 5))[:3].tolist()
    [10.0, 0.0, 0.0]
    """
    around = np.full((2 * WEEKS, len(counts)), np.nan)
    for week in range(1, WEEKS + 1):
        if 7 * week < len(counts):
            around[week - 1, : -7 * week] = counts[7 * week :]
            around[WEEKS + week - 1, 7 * week :] = counts[: -7 * week]
    known = (~np.isnan(around)).sum(axis=0) >= 3
    found = np.zeros(len(counts))
    found[known] = np.nanmedian(around[:, known], axis=0)
    return found


def told(days: Days, found: list[Silence]) -> Iterator[str]:
    """Say what is odd about the days."""
    for silence in found[:MOST_TOLD]:
        since = f"{silence.first}"
        if silence.of_goal:
            yield say(
                "Hardly any event of the goal on {n} days from {first}, while others came as usual: was tracking "
                "lost? Past cut-offs that would look there for outcomes are left out.",
                n=silence.days,
                first=since,
            )
        else:
            yield say(
                "Hardly any event on {n} days from {first}: was tracking lost? Past cut-offs that would look there "
                "for outcomes are left out.",
                n=silence.days,
                first=since,
            )
    first, last = days.usual
    if early := int(days.events[:first].sum()):
        yield say_many(
            "{n} event lies more than a year before nearly all others, the first on {day}: a clock that was wrong? "
            "The history is taken to begin on {begin}.",
            "{n} events lie more than a year before nearly all others, the first on {day}: a clock that was wrong? "
            "The history is taken to begin on {begin}.",
            early,
            day=written(days.date(0).isoformat()),
            begin=written(days.date(first).isoformat()),
        )
    if late := int(days.events[last + 1 :].sum()):
        yield say_many(
            "{n} event lies months after nearly all others, the last on {day}: a clock that was wrong? "
            "Leave it out (exclusions), or run as of {end} (--as-of).",
            "{n} events lie months after nearly all others, the last on {day}: a clock that was wrong? "
            "Leave them out (exclusions), or run as of {end} (--as-of).",
            late,
            day=written(days.date(len(days.events) - 1).isoformat()),
            end=f"{days.date(last + 1)}",
        )
    usual = expected(days.events)
    floods = np.flatnonzero((days.events > FLOOD * usual) & (days.events > LEAST_FLOOD) & (usual > 0))
    for place in floods[np.argsort(-days.events[floods] / usual[floods], kind="stable")][:MOST_TOLD]:
        yield say(
            "On {day} came {times} times the usual events: a campaign, a double import or robots?",
            day=written(days.date(int(place)).isoformat()),
            times=number(float(days.events[place] / usual[place]), ",.0f"),
        )


def rows_told(events: ibis.Table, fields: Sequence[Field], engine: Engine) -> Iterator[str]:
    """Say what is odd about the rows themselves: robots, and rows that are there under another id as well."""
    count = engine.table(events.aggregate(n=events.count()))["n"][0].as_py()
    if robots := _robots(events, engine):
        yield say_many(
            "{n} id has more than {limit:,} events on some day, {share} of all events: a robot? Leave its "
            "events out (exclusions).",
            "{n} ids have more than {limit:,} events on some day, {share} of all events: robots? Leave their "
            "events out (exclusions).",
            robots["people"],
            limit=robots["limit"],
            share=number(robots["events"] / max(count, 1), ".1%"),
        )
    twice = count - _different(events, fields, engine)
    if twice >= max(LEAST_TWICE, TWICE * count):
        yield say(
            "{count:,} events ({share}) are the same as another in all but their id: was a file imported twice?",
            count=twice,
            share=number(twice / count, ".1%"),
        )


def _robots(events: ibis.Table, engine: Engine) -> dict[str, int] | None:
    daily = events.group_by(events.who, day=events.timestamp.truncate("D")).aggregate(n=events.count())
    usual = engine.table(daily.aggregate(usual=daily.n.quantile(0.999)))["usual"][0].as_py()
    limit = max(LEAST_ROBOT, int(ROBOT * usual))
    # Robots may be the busiest thousandth themselves, so the bound is also held to the busiest hundredth.
    busy = engine.table(daily.aggregate(busy=daily.n.quantile(0.99)))["busy"][0].as_py()
    limit = max(LEAST_ROBOT, min(limit, int(10 * ROBOT * busy)))
    raids = daily.filter(daily.n > limit)
    if not engine.table(raids.limit(1)).num_rows:
        return None
    theirs = events.semi_join(raids, events.who == raids.who)
    found = engine.table(theirs.aggregate(people=theirs.who.nunique(), events=theirs.count())).to_pylist()[0]
    return {**found, "limit": limit}


def _different(events: ibis.Table, fields: Sequence[Field], engine: Engine) -> int:
    """Count the rows that differ in person, moment or any value."""
    # A weight for each column, so that two columns that change their values are not the same row.
    prints = [(events[field.path].hash().abs() % 2**31) * (2 * place + 3) for place, field in enumerate(fields)]
    row = sum((part.fill_null(1) for part in prints), ibis.literal(0, "int64"))
    rows = events.select(events.who, events.timestamp, row=row).distinct()
    return int(engine.table(rows.aggregate(n=rows.count()))["n"][0].as_py())
