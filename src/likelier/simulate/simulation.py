"""Simulate a shop into a folder: its events, its profiles, the true probabilities and what drives them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from likelier.errors import UsageError
from likelier.simulate import sessions
from likelier.simulate.catalogue import UTC_HOURS, Catalogue, calendar
from likelier.simulate.files import ENDINGS, Format, write_table
from likelier.simulate.goals import TrueGoal
from likelier.simulate.kinds import Kind, find_kind
from likelier.simulate.process import BURN_IN, FULL, PERSON, STATE, live
from likelier.simulate.process import DAY as DAY_ROW
from likelier.simulate.strangers import intrude, strangers
from likelier.simulate.tables import MOMENT, Scribe, profile_ids
from likelier.simulate.truth import document, drivers, eligible, probabilities
from likelier.timespan import DAY, to_us

PROFILES_PER_FILE = 25_000
PROFILES_FOR_DRIVERS = 2_000
DEFAULT_END = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
Filled = TypeVar("Filled")
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Simulation:
    """What was simulated, and where it lies."""

    folder: Path
    event_files: tuple[Path, ...]
    profile_files: tuple[Path, ...]
    truth: Path
    drivers: Path
    goals: tuple[TrueGoal, ...]
    end: dt.datetime
    profiles: int  # customers; bots and testers come on top
    events: int
    orders: int  # of customers


def simulate(
    folder: Path,
    *,
    profiles: int,
    days: int = 365,
    seed: int = 1,
    end: dt.datetime = DEFAULT_END,
    format: Format = "parquet",  # noqa: A002
    kind: str = "shop",
    goals: Sequence[TrueGoal] = (),
    after_days: int = 0,
    anonymous: float = 0.0,
    progress: Progress = lambda _done, _what: None,
    profiles_per_file: int = PROFILES_PER_FILE,
) -> Simulation:
    """Simulate `profiles` people over the `days` before `end`, the cut-off of all goals (the usual ones of its kind).

    Beside the events and profiles stand `truth.parquet` (namespace, id, goal, cut_off, probability, happened; for each
    goal the customers whom it asks about) and `drivers.json` (per goal its instance and true drivers, strongest first).
    On a share `anonymous` of their days people do not sign in and are known by a cookie only. Events of the
    `after_days` from `end` on are written as well: the outcomes, which a run at `end` must not see.

    The same arguments give the same bytes, and the same people whatever the number of profiles per file.
    """
    shop_kind = find_kind(kind)
    shop = _Shop(shop_kind, days, seed, end, goals=tuple(goals) or shop_kind.goals, after_days=after_days)
    shop.scribe = replace(shop.scribe, anonymous=anonymous)
    _check(shop, profiles, days)
    folder.mkdir(parents=True, exist_ok=True)
    return _Writing(shop, folder, profiles, format, progress).write(profiles_per_file)


def _check(shop: _Shop, profiles: int, days: int) -> None:
    if profiles < 1 or days < 1:
        raise UsageError(f"There must be at least one profile and one day, not {profiles} and {days}.")
    if shop.end.time() != dt.time():
        raise UsageError(f"The simulation lives in whole days: end at a midnight UTC, not at {shop.end.isoformat()}.")


@dataclass(frozen=True)
class _Told:
    """Some consecutive people and their events."""

    first: int
    persons: np.ndarray
    events: np.ndarray
    items: np.ndarray


@dataclass(frozen=True)
class _People(_Told):
    """Some consecutive customers and what they did."""

    states: np.ndarray  # at the cut-off
    happened: np.ndarray  # per outcome, the first day from the cut-off on
    active: np.ndarray  # last day with an event before the cut-off
    days: np.ndarray


def _with_room(attempt: Callable[[int], tuple[int, Filled]], room: int) -> Filled:
    """Try with more and more room until it suffices."""
    while True:
        done, filled = attempt(room)
        if done != FULL:
            return filled
        room *= 2


class _Shop:
    """A shop over its days: day 0 is the first of the history, day `cut_off` the first after it."""

    def __init__(
        self, kind: Kind, days: int, seed: int, end: dt.datetime, *, goals: tuple[TrueGoal, ...], after_days: int
    ) -> None:
        self.kind, self.seed, self.end, self.goals = kind, seed, end, goals
        self.cut_off, self.written = days, days + after_days
        self.lived = days + max([after_days, 1, *(goal.window_days for goal in goals)])
        self.start = end - days * DAY
        self.catalogue = Catalogue(kind)
        first = (self.start - BURN_IN * DAY).date()
        self.calendar, self.campaigns = calendar(kind, first, BURN_IN + self.lived)
        self.scribe = Scribe(self.catalogue, self.campaigns, self.start)

    def people(self, first: int, count: int) -> _People:
        """Let some people live their days, and tell them."""
        persons, states = np.zeros(count, PERSON), np.zeros(count, STATE)
        active, happened = np.zeros(count, np.int32), np.zeros((count, 4), np.int32)

        def lived(room: int) -> tuple[int, np.ndarray]:
            rows = np.empty(room, DAY_ROW)
            used = live(
                self.seed, first, self.cut_off, self.cut_off, len(self.kind.categories), self.calendar,
                self.kind.habits, persons, states, active, happened, rows,
            )  # fmt: skip
            return used, rows[:used]

        days = _with_room(lived, count * 30 + len(self.calendar))

        def told(room: int) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
            events, items, used = np.empty(room, sessions.EVENT), np.empty(room, sessions.ITEM), np.zeros(3, np.int64)
            done = sessions.tell(
                self.seed, first, self.written, persons, days, self.catalogue.first, self.catalogue.prices,
                np.array(UTC_HOURS, float), self.kind.habits, events, items, used,
            )  # fmt: skip
            return done, (events[: used[0]], items[: used[1]])

        events, items = _with_room(told, len(days) * 5 + 1_000)
        days = days[days["day"] < self.written]
        return _People(first, persons, events, items, states, happened, active, days)

    def strangers(self, profiles: int) -> _Told | None:
        """Let bots and testers in, numbered after the customers."""
        bots, testers = strangers(profiles)
        persons = np.zeros(bots + testers, PERSON)
        if not len(persons):
            return None

        def told(room: int) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
            events, items, used = np.empty(room, sessions.EVENT), np.empty(room, sessions.ITEM), np.zeros(3, np.int64)
            done = intrude(
                self.seed, profiles, bots, self.written, persons, self.catalogue.first, self.catalogue.prices, events,
                items, used,
            )  # fmt: skip
            return done, (events[: used[0]], items[: used[1]])

        return _Told(profiles, persons, *_with_room(told, len(persons) * 1_200))

    def asked(self, goal: TrueGoal, people: _People) -> np.ndarray:
        return eligible(goal, people.states, people.active, self.cut_off)

    def truth(self, people: _People) -> Iterator[pa.Table]:
        """Give for each goal the true probabilities of the people it asks about."""
        for goal in self.goals:
            asked = np.flatnonzero(self.asked(goal, people))
            by_then = people.happened[asked, goal.outcome] < self.cut_off + goal.window_days
            moments = pa.array(np.full(len(asked), to_us(self.end)), pa.int64()).cast(MOMENT)
            yield pa.table(
                {
                    "namespace": pa.array(["CRMID"] * len(asked), pa.string()),
                    "id": profile_ids(people.first + asked),
                    "goal": pa.array([goal.name] * len(asked), pa.string()),
                    "cut_off": moments,
                    "probability": self._probabilities(goal, people, asked),
                    "happened": by_then == goal.occurs,
                }
            )

    def _probabilities(self, goal: TrueGoal, people: _People, asked: np.ndarray) -> np.ndarray:
        return probabilities(
            goal, seed=self.seed, profiles=people.first + asked, persons=people.persons[asked],
            states=people.states[asked], cut_off=self.cut_off, calendar=self.calendar, habits=self.kind.habits,
        )  # fmt: skip

    def drivers(self, people: _People) -> list[dict[str, Any]]:
        """Name the drivers of each goal, found on some of the people."""
        answers = []
        for goal in self.goals:
            asked = np.flatnonzero(self.asked(goal, people))[:PROFILES_FOR_DRIVERS]
            ranked = drivers(
                goal, seed=self.seed, profiles=people.first + asked, persons=people.persons[asked],
                states=people.states[asked], cut_off=self.cut_off, calendar=self.calendar, habits=self.kind.habits,
            ) if len(asked) else []  # fmt: skip
            answers.append({"goal": goal.name, "instance": document(goal, self.kind), "drivers": ranked})
        return answers


class _Writing:
    """Writes a shop's files, some people at a time."""

    def __init__(self, shop: _Shop, folder: Path, profiles: int, file_format: Format, progress: Progress) -> None:
        self.shop, self.folder, self.profiles = shop, folder, profiles
        self.format, self.progress = file_format, progress

    def write(self, per_file: int) -> Simulation:
        files: list[Path] = []
        profile_files: list[Path] = []
        events = orders = 0
        truth = self.folder / "truth.parquet"
        with pq.ParquetWriter(truth, TRUTH, compression="zstd") as truths:
            for first in range(0, self.profiles, per_file):
                people = self.shop.people(first, min(per_file, self.profiles - first))
                files.append(self._events(people, len(files)))
                profile_files.append(self._profiles(people, len(profile_files)))
                for rows in self.shop.truth(people):
                    truths.write_table(rows)
                events, orders = events + len(people.events), orders + int((people.events["order"] >= 0).sum())
                done = first + len(people.persons)
                self.progress(done / self.profiles, f"{done:,} profiles, {events:,} events")
        if strange := self.shop.strangers(self.profiles):
            files.append(self._events(strange, len(files)))
            events += len(strange.events)
        some = self.shop.people(0, min(self.profiles, 3 * PROFILES_FOR_DRIVERS))
        named = self.folder / "drivers.json"
        named.write_bytes(orjson.dumps(self.shop.drivers(some), option=orjson.OPT_INDENT_2))
        return Simulation(
            self.folder, tuple(files), tuple(profile_files), truth, named, self.shop.goals, self.shop.end,
            self.profiles, events, orders,
        )  # fmt: skip

    def _events(self, people: _Told, number: int) -> Path:
        path = self._path("events", number)
        table = self.shop.scribe.events(people.first, people.persons, people.events, people.items)
        write_table(table, path, self.format)
        return path

    def _profiles(self, people: _People, number: int) -> Path:
        path = self._path("profiles", number)
        write_table(self.shop.scribe.profiles(people.first, people.persons, people.days), path, self.format)
        return path

    def _path(self, what: str, number: int) -> Path:
        return self.folder / f"{what}-{number:05d}.{ENDINGS[self.format]}"


TRUTH = pa.schema(
    [
        ("namespace", pa.string()),
        ("id", pa.string()),
        ("goal", pa.string()),
        ("cut_off", MOMENT),
        ("probability", pa.float64()),
        ("happened", pa.bool_()),
    ]
)
