"""Rows that every real set of events holds and no customer made: bots that read the catalogue, accounts of testers."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from likelier.simulate.catalogue import CATEGORIES, CHECKOUT, CONFIRMATION
from likelier.simulate.chance import begin, uniform
from likelier.simulate.process import FULL
from likelier.simulate.sessions import (
    ADD,
    CHECK_OUT,
    HOUR,
    PAGE,
    PURCHASE,
    ROOM,
    SECOND,
    VIEW,
    pause,
    write,
    write_item,
)
from likelier.timespan import DAY_US

PROFILES_PER_BOT, PROFILES_PER_TESTER = 2_000, 10_000
STRANGE = 2  # purpose of random numbers
RAIDS, PAGES = 6, 150  # of a bot, pages on average


def strangers(profiles: int) -> tuple[int, int]:
    """Say how many bots and testers a shop of so many customers has.

    >>> strangers(50), strangers(25_000)
    ((0, 0), (12, 3))
    """
    return profiles // PROFILES_PER_BOT, -(-profiles // PROFILES_PER_TESTER) if profiles >= PROFILES_PER_BOT else 0


@numba.njit(cache=True)
def intrude(
    seed: int, first_profile: int, bots: int, days: int, persons: Any, first: Any, prices: Any, events: Any,
    items: Any, used: Any,
) -> int:  # fmt: skip
    """Write the events of `bots` bots and after them of testers, one per person. `used` counts events and items."""
    rng, pages_at, test = np.zeros(1, np.uint64), CATEGORIES + len(first) - 1, first[-1]
    used[:] = 0
    for who in range(len(persons)):
        begin(rng, seed, first_profile + who, STRANGE)
        persons[who].country, persons[who].desktop = int(7 * uniform(rng)), 0
        used[2] = 0
        for day in range(days):
            if who < bots and uniform(rng) * days < RAIDS:
                moment = day * DAY_US + 2 * HOUR + int(HOUR * uniform(rng))
                for _ in range(int(PAGES * (0.5 + uniform(rng)))):
                    if used[0] + ROOM[0] > len(events) or used[1] + ROOM[1] > len(items):
                        return FULL
                    product = int(first[-1] * uniform(rng))
                    row = write(events, used, who, moment)
                    row.kind, row.device, row.app, row.page = VIEW, 0, 0, pages_at + product
                    write_item(row, items, used, product, 1, prices[product])
                    moment += 2 * SECOND
            elif who >= bots and uniform(rng) < 0.2:
                if used[0] + ROOM[0] > len(events) or used[1] + ROOM[1] > len(items):
                    return FULL
                moment = day * DAY_US + 8 * HOUR + int(8 * HOUR * uniform(rng))
                row = write(events, used, who, moment)
                row.kind, row.device, row.app, row.page = PAGE, 0, 0, pages_at + test
                for kind, page in ((VIEW, pages_at + test), (ADD, pages_at + test), (CHECK_OUT, CHECKOUT)):
                    moment += pause(rng)
                    row = write(events, used, who, moment)
                    row.kind, row.device, row.app, row.page = kind, 0, 0, page
                    write_item(row, items, used, test, 1, prices[test])
                row = write(events, used, who, moment + pause(rng))
                row.kind, row.device, row.app, row.page = PURCHASE, 0, 0, CONFIRMATION
                row.order = day
                write_item(row, items, used, test, 1, prices[test])
    return used[0]
