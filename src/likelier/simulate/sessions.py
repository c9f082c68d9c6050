"""Tell people's days as events: the pages, products, carts and orders of each visit, the mails, the plans."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from likelier.simulate.catalogue import (
    ACCOUNT,
    CART,
    CATEGORIES,
    CHECKOUT,
    CONFIRMATION,
    HELP,
    HOME,
    MEMBERSHIP,
    NEW,
    RESULTS,
    SALE,
    WISHLIST,
)
from likelier.simulate.chance import begin, uniform
from likelier.simulate.process import CANCELLED, ENDED, FULL, SAME

EVENT = np.dtype(
    [
        ("moment", "i8"),  # microseconds since the start of the history
        ("who", "i4"),
        ("number", "i4"),  # of the person's events
        ("kind", "i1"),
        ("device", "i1"),
        ("referrer", "i1"),  # -1: none
        ("items", "i1"),
        ("app", "i1"),
        ("plan", "i1"),
        ("plan_change", "i1"),
        ("reason", "i1"),
        ("page", "i2"),  # -1: none
        ("keyword", "i2"),  # product searched for, -1: none
        ("campaign", "i2"),  # -1: none
        ("order", "i4"),  # of the person, -1: none
        ("plan_start", "i4"),
        ("plan_end", "i4"),
        ("total", "f8"),
    ],
    align=True,
)
ITEM = np.dtype([("product", "i4"), ("quantity", "i4"), ("price", "f8")], align=True)

(PAGE, SEARCH, LINK, VIEW, ADD, REMOVE, SAVE, OPEN, CHECK_OUT, PURCHASE, MESSAGE, LAUNCH, INSTALL, CRASH, FEATURE,
 PLAN) = range(16)  # fmt: skip

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY_US = 24 * HOUR
INK = 1  # purpose of random numbers
MOST_IN_CART = 8


@numba.njit(cache=True)
def _write(events: Any, used: Any, who: int, kind: int, moment: int) -> Any:
    """Take the next empty row."""
    row = events[used[0]]
    row.moment, row.who, row.kind, row.number = moment, who, kind, used[2]
    row.device = row.referrer = row.page = row.keyword = row.campaign = row.order = -1
    row.items = row.app = row.plan = row.plan_change = row.reason = 0
    row.plan_start = row.plan_end = 0
    row.total = 0.0
    used[0] += 1
    used[2] += 1
    return row


@numba.njit(cache=True)
def _write_item(items: Any, used: Any, product: int, quantity: int, price: float) -> float:
    item = items[used[1]]
    item.product, item.quantity, item.price = product, quantity, price * quantity
    used[1] += 1
    return price * quantity


@numba.njit(cache=True)
def _choose(person: Any, first: Any, ink: Any) -> int:
    """Choose a product: usually of the favourite category, popular ones more often."""
    category = person.favourite if uniform(ink) < 0.6 else int((len(first) - 1) * uniform(ink))
    count = first[category + 1] - first[category]
    return first[category] + int(count * uniform(ink) ** 2)


@numba.njit(cache=True)
def _pause(ink: Any) -> int:
    return int(SECOND * (4.0 - 35.0 * np.log(1.0 - uniform(ink))))


@numba.njit(cache=True)
def _session(
    who: int, person: Any, seen: Any, midnight: int, first: Any, prices: Any, hours: Any, cart: Any, orders: int,
    ink: Any, events: Any, items: Any, used: Any,
) -> int:  # fmt: skip
    """Write the events of one visit; `cart` holds its count, then the products in it. Answers the orders so far."""
    pages_at = CATEGORIES + len(first) - 1
    hour = (person.hour + 2.2 * (uniform(ink) + uniform(ink) + uniform(ink) - 1.5) - hours[person.country]) % 24.0
    moment = midnight + min(int(hour * HOUR), DAY_US - 3 * HOUR // 2)
    campaign = seen.campaign
    if campaign >= 0:  # the mail is out by eight
        moment = max(moment, midnight + 8 * HOUR + _pause(ink) * 10)
    app = seen.app > 0 and (seen.app == 2 or uniform(ink) < 0.6)
    device = 1 if app else 0
    if not app and uniform(ink) < person.mobile:
        device = 2 if uniform(ink) < 0.12 else 1
    if seen.app == 2:
        row = _write(events, used, who, INSTALL, moment)
        row.device, row.app = device, 1
        moment += _pause(ink)
    if app:
        row = _write(events, used, who, LAUNCH, moment)
        row.device, row.app = device, 1
        moment += _pause(ink) // 8
    clicked = campaign >= 0 and uniform(ink) < 0.75
    row = _write(events, used, who, LINK if clicked else PAGE, moment)
    row.device, row.app = device, app
    start = uniform(ink)
    row.page = HOME if start < 0.6 else (CATEGORIES + person.favourite if start < 0.85 else NEW)
    if clicked:
        row.campaign = campaign
        row.page = SALE if start < 0.5 else NEW
    elif not app and uniform(ink) < 0.4:
        row.referrer = int(4.0 * uniform(ink) ** 2)
    wanted = _choose(person, first, ink)
    if seen.views > 0 and uniform(ink) < 0.35:
        moment += _pause(ink)
        row = _write(events, used, who, SEARCH, moment)
        row.device, row.app, row.page, row.keyword = device, app, RESULTS, wanted
    for view in range(seen.views):
        moment += _pause(ink)
        product = wanted if view == 0 else _choose(person, first, ink)
        row = _write(events, used, who, VIEW, moment)
        row.device, row.app, row.page, row.items = device, app, pages_at + product, 1
        row.total = _write_item(items, used, product, 1, prices[product])
        wants = seen.adds > view or (seen.bought and (cart[0] == 0 or uniform(ink) < 0.45))
        if wants and cart[0] < MOST_IN_CART:
            moment += _pause(ink) // 2
            row = _write(events, used, who, ADD, moment)
            row.device, row.app, row.page, row.items = device, app, pages_at + product, 1
            row.total = _write_item(items, used, product, 1, prices[product])
            cart[0] += 1
            cart[cart[0]] = product
        elif uniform(ink) < 0.03:
            moment += _pause(ink)
            row = _write(events, used, who, SAVE, moment)
            row.device, row.app, row.page, row.items = device, app, pages_at + product, 1
            row.total = _write_item(items, used, product, 1, prices[product])
    if seen.removed and cart[0] > 0:
        for place in range(cart[0]):
            moment += _pause(ink) // 4
            row = _write(events, used, who, REMOVE, moment)
            row.device, row.app, row.page, row.items = device, app, CART, 1
            row.total = _write_item(items, used, cart[place + 1], 1, prices[cart[place + 1]])
        cart[0] = 0
    if seen.bought:
        orders += 1
        _buy(who, person, device, app, moment, prices, cart, orders, ink, events, items, used)
    elif cart[0] > 0 and uniform(ink) < 0.3:
        moment += _pause(ink)
        row = _write(events, used, who, OPEN, moment)
        row.device, row.app, row.page, row.items = device, app, CART, cart[0]
        for place in range(cart[0]):
            row.total += _write_item(items, used, cart[place + 1], 1, prices[cart[place + 1]])
        if uniform(ink) < 0.25:
            moment += _pause(ink)
            row = _write(events, used, who, CHECK_OUT, moment)
            row.device, row.app, row.page = device, app, CHECKOUT
    if uniform(ink) < 0.1:
        moment += _pause(ink) * 2
        row = _write(events, used, who, PAGE, moment)
        other = uniform(ink)
        row.device, row.app = device, app
        row.page = ACCOUNT if other < 0.6 else (HELP if other < 0.85 else WISHLIST)
    if app and uniform(ink) < 0.15:
        row = _write(events, used, who, FEATURE, moment + _pause(ink))
        row.device, row.app = device, 1
    if seen.crashed:
        row = _write(events, used, who, CRASH, moment + _pause(ink))
        row.device, row.app = 1, 1
    return orders


@numba.njit(cache=True)
def _buy(
    who: int, person: Any, device: int, app: int, moment: int, prices: Any, cart: Any, order: int, ink: Any,
    events: Any, items: Any, used: Any,
) -> None:  # fmt: skip
    """Check out with what is in the cart."""
    for kind in (CHECK_OUT, PURCHASE):
        moment += _pause(ink) + 20 * SECOND
        row = _write(events, used, who, kind, moment)
        row.device, row.app, row.page, row.items = device, app, CHECKOUT, cart[0]
        for place in range(cart[0]):
            quantity = 1 + (uniform(ink) < 0.12 * person.spend)
            row.total += _write_item(items, used, cart[place + 1], quantity, prices[cart[place + 1]])
    row.page, row.order = CONFIRMATION, order
    cart[0] = 0


@numba.njit(cache=True)
def tell(
    seed: int, first_profile: int, days: int, persons: Any, rows: Any, first: Any, prices: Any, hours: Any,
    events: Any, items: Any, used: Any,
) -> int:  # fmt: skip
    """Write the events of the rows of :func:`live` that lie within the first `days` days.

    `used` counts events and items. Answers FULL when the room for either did not suffice, else the number of events.
    """
    ink, cart = np.zeros(1, np.uint64), np.zeros(MOST_IN_CART + 1, np.int64)
    used[:] = 0
    orders, last = 0, -1
    for at in range(len(rows)):
        seen = rows[at]
        who = seen.who
        if who != last:
            begin(ink, seed, first_profile + who, INK)
            orders, last, cart[0], used[2] = 0, who, 0, 0
        if seen.day < 0 or seen.day >= days:
            continue
        if used[0] + 80 > len(events) or used[1] + 300 > len(items):
            return FULL
        midnight = seen.day * DAY_US
        if seen.messaged:
            row = _write(events, used, who, MESSAGE, midnight + 6 * HOUR + int(2 * HOUR * uniform(ink)))
            row.campaign = seen.campaign
        if seen.visited:
            orders = _session(
                who, persons[who], seen, midnight, first, prices, hours, cart, orders, ink, events, items, used
            )
        if seen.plan_change not in (SAME, ENDED):
            row = _write(events, used, who, PLAN, midnight + 23 * HOUR + int(0.9 * HOUR * uniform(ink)))
            row.plan_change, row.plan, row.reason = seen.plan_change, seen.plan, int(4.0 * uniform(ink))
            row.plan_start, row.plan_end = seen.plan_start, seen.plan_end
            if seen.plan_change == CANCELLED:
                row.page, row.device = MEMBERSHIP, 0
    return used[0]
