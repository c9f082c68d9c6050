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
    NEW,
    RESULTS,
    SALE,
    WISHLIST,
)
from likelier.simulate.chance import begin, poisson, uniform
from likelier.simulate.kinds import Habits
from likelier.simulate.process import ENDED, FULL, SAME
from likelier.timespan import DAY_US

EVENT = np.dtype(
    [
        ("moment", "i8"),  # microseconds since the start of the history
        ("who", "i4"),
        ("number", "i4"),  # of the person's events
        ("kind", "i1"),
        ("device", "i1"),  # -1: none
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
INK = 1  # purpose of random numbers
MOST_IN_CART = 20
LATEST = 22.4  # hour at which a visit begins
CART_DAYS = 30  # after which a cart is cleared
ROOM = 128, 512  # events and items that one day may take at most


@numba.njit(cache=True)
def write(events: Any, used: Any, who: int, moment: int) -> Any:
    """Take the next empty row. What it tells is set by who asked: for every constant this would be compiled anew."""
    row = events[used[0]]
    row.moment, row.who, row.number = moment, who, used[2]
    row.device = row.referrer = row.page = row.keyword = row.campaign = row.order = -1
    row.kind = row.items = row.app = row.plan = row.plan_change = row.reason = 0
    row.plan_start = row.plan_end = 0
    row.total = 0.0
    used[0] += 1
    used[2] += 1
    return row


@numba.njit(cache=True)
def write_item(row: Any, items: Any, used: Any, product: int, quantity: int, price: float) -> None:
    """Add a product to the event just written."""
    item = items[used[1]]
    item.product, item.quantity, item.price = product, quantity, price * quantity
    row.items += 1
    row.total += price * quantity
    used[1] += 1


@numba.njit(cache=True)
def _choose(person: Any, first: Any, ink: Any) -> int:
    """Choose a product: usually of the favourite category, popular ones more often."""
    category = person.favourite if uniform(ink) < 0.6 else int((len(first) - 1) * uniform(ink))
    count = first[category + 1] - first[category]
    return first[category] + int(count * uniform(ink) ** 1.7)


@numba.njit(cache=True)
def _holds(cart: Any, product: int) -> bool:
    for place in range(1, cart[0] + 1):  # noqa: SIM110 - compiled as a loop
        if cart[place] == product:
            return True
    return False


@numba.njit(cache=True)
def pause(ink: Any) -> int:
    """Draw the time until the next click."""
    return int(SECOND * (4.0 - 35.0 * np.log(1.0 - uniform(ink))))


@numba.njit(cache=True)
def _session(
    who: int, person: Any, seen: Any, first: Any, prices: Any, hours: Any, habits: Habits, cart: Any, orders: int,
    ink: Any, events: Any, items: Any, used: Any,
) -> int:  # fmt: skip
    """Write the events of one visit; `cart` holds its count, then the products in it. Answers the orders so far."""
    hour = (person.hour + 2.2 * (uniform(ink) + uniform(ink) + uniform(ink) - 1.5) - hours[person.country]) % 24.0
    moment = seen.day * DAY_US + int(min(hour, 2 * LATEST - hour) * HOUR)  # a visit ends on the day it began
    if seen.campaign >= 0:  # the mail is out by eight
        moment = max(moment, seen.day * DAY_US + 8 * HOUR + pause(ink) * 10)
    app = int(seen.app > 0 and (seen.app == 2 or uniform(ink) < habits.app_share))
    device = 1 if app else 0
    if not app and uniform(ink) < person.mobile:
        device = 2 if uniform(ink) < 0.12 else 1
    if seen.app == 2:
        row = write(events, used, who, moment)
        row.kind, row.device, row.app, row.page = INSTALL, device, 1, -1
        moment += pause(ink)
    if app:
        row = write(events, used, who, moment)
        row.kind, row.device, row.app, row.page = LAUNCH, device, 1, -1
        moment += pause(ink) // 8
    _land(who, person, seen.campaign, moment, device, app, ink, events, used)
    wanted = _choose(person, first, ink)
    if seen.views > 0 and uniform(ink) < habits.search:
        moment += pause(ink)
        row = write(events, used, who, moment)
        row.kind, row.device, row.app, row.page = SEARCH, device, app, RESULTS
        row.keyword = wanted
    pages_at = CATEGORIES + len(first) - 1
    for view in range(seen.views):
        moment += pause(ink)
        product = wanted if view == 0 else _choose(person, first, ink)
        if view > 0 and product == wanted:
            product = _choose(person, first, ink)
        row = write(events, used, who, moment)
        row.kind, row.device, row.app, row.page = VIEW, device, app, pages_at + product
        write_item(row, items, used, product, 1, prices[product])
        wants = seen.adds > view or (seen.bought and (cart[0] == 0 or uniform(ink) < habits.basket))
        if wants and cart[0] < MOST_IN_CART and not _holds(cart, product):
            moment += pause(ink) // 2
            row = write(events, used, who, moment)
            row.kind, row.device, row.app, row.page = ADD, device, app, pages_at + product
            write_item(row, items, used, product, 1, prices[product])
            cart[0] += 1
            cart[cart[0]] = product
        elif uniform(ink) < 0.03:
            moment += pause(ink)
            row = write(events, used, who, moment)
            row.kind, row.device, row.app, row.page = SAVE, device, app, pages_at + product
            write_item(row, items, used, product, 1, prices[product])
    if seen.bought:
        orders += 1
        moment = _buy(who, person, device, app, moment, prices, habits, cart, orders, ink, events, items, used)
    elif cart[0] > 0:
        moment = _leave_cart(who, seen.removed, device, app, moment, prices, cart, ink, events, items, used)
    _end(who, seen.crashed, moment + pause(ink), device, app, ink, events, used)
    return orders


@numba.njit(cache=True)
def _land(
    who: int, person: Any, campaign: int, moment: int, device: int, app: int, ink: Any, events: Any, used: Any
) -> None:
    start = uniform(ink)
    if campaign >= 0 and uniform(ink) < 0.75:
        row = write(events, used, who, moment)
        row.kind, row.device, row.app, row.page = LINK, device, app, SALE if start < 0.5 else NEW
        row.campaign = campaign
        return
    page = HOME if start < 0.6 else (CATEGORIES + person.favourite if start < 0.85 else NEW)
    row = write(events, used, who, moment)
    row.kind, row.device, row.app, row.page = PAGE, device, app, page
    if not app and uniform(ink) < 0.4:
        row.referrer = int(4.0 * uniform(ink) ** 2)


@numba.njit(cache=True)
def _buy(
    who: int, person: Any, device: int, app: int, moment: int, prices: Any, habits: Habits, cart: Any, order: int,
    ink: Any, events: Any, items: Any, used: Any,
) -> int:  # fmt: skip
    """Check out with what is in the cart, and buy it. Answers when."""
    start = used[1]
    moment += pause(ink) + 20 * SECOND
    row = write(events, used, who, moment)
    row.kind, row.device, row.app, row.page = CHECK_OUT, device, app, CHECKOUT
    for place in range(1, cart[0] + 1):
        pieces = 1 + poisson(ink, habits.quantity * person.spend)
        write_item(row, items, used, cart[place], pieces, prices[cart[place]])
    moment += pause(ink) + 20 * SECOND
    row = write(events, used, who, moment)
    row.kind, row.device, row.app, row.page = PURCHASE, device, app, CONFIRMATION
    row.order = order
    for place in range(cart[0]):
        product, pieces = int(items[start + place].product), int(items[start + place].quantity)
        write_item(row, items, used, product, pieces, prices[product])
    cart[0] = 0
    return moment


@numba.njit(cache=True)
def _leave_cart(
    who: int, removed: int, device: int, app: int, moment: int, prices: Any, cart: Any, ink: Any, events: Any,
    items: Any, used: Any,
) -> int:  # fmt: skip
    """Empty the cart, or look into it, or do nothing with it. Answers when."""
    if removed:
        for place in range(1, cart[0] + 1):
            moment += pause(ink) // 4
            row = write(events, used, who, moment)
            row.kind, row.device, row.app, row.page = REMOVE, device, app, CART
            write_item(row, items, used, cart[place], 1, prices[cart[place]])
        cart[0] = 0
    elif uniform(ink) < 0.3:
        moment += pause(ink)
        row = write(events, used, who, moment)
        row.kind, row.device, row.app, row.page = OPEN, device, app, CART
        for place in range(1, cart[0] + 1):
            write_item(row, items, used, cart[place], 1, prices[cart[place]])
        if uniform(ink) < 0.25:
            moment += pause(ink)
            row = write(events, used, who, moment)
            row.kind, row.device, row.app, row.page = CHECK_OUT, device, app, CHECKOUT
    return moment


@numba.njit(cache=True)
def _end(who: int, crashed: int, moment: int, device: int, app: int, ink: Any, events: Any, used: Any) -> None:
    if uniform(ink) < 0.1:
        other = uniform(ink)
        page = ACCOUNT if other < 0.6 else (HELP if other < 0.85 else WISHLIST)
        row = write(events, used, who, moment)
        row.kind, row.device, row.app, row.page = PAGE, device, app, page
    if app and uniform(ink) < 0.15:
        row = write(events, used, who, moment + pause(ink))
        row.kind, row.device, row.app, row.page = FEATURE, device, 1, -1
    if crashed:
        row = write(events, used, who, moment + 2 * pause(ink))
        row.kind, row.device, row.app, row.page = CRASH, 1, 1, -1


@numba.njit(cache=True)
def tell(
    seed: int, first_profile: int, days: int, persons: Any, rows: Any, first: Any, prices: Any, hours: Any,
    habits: Habits, events: Any, items: Any, used: Any,
) -> int:  # fmt: skip
    """Write the events of the rows of :func:`live` that lie within the first `days` days.

    `used` counts events and items. Answers FULL when the room for either did not suffice, else the number of events.
    """
    ink, cart = np.zeros(1, np.uint64), np.zeros(MOST_IN_CART + 1, np.int64)
    used[:] = 0
    orders: Any = np.int64(0)  # a constant 0 would have a visit compiled for it, and for any other number
    last, filled = -1, 0
    for at in range(len(rows)):
        seen = rows[at]
        who = seen.who
        if who != last:
            begin(ink, seed, first_profile + who, INK)
            orders, last, cart[0], used[2] = 0, who, 0, 0
        if seen.day < 0 or seen.day >= days:
            continue
        if used[0] + ROOM[0] > len(events) or used[1] + ROOM[1] > len(items):
            return FULL
        midnight = seen.day * DAY_US
        if seen.messaged:
            row = write(events, used, who, midnight + 6 * HOUR + int(2 * HOUR * uniform(ink)))
            row.kind, row.device, row.app, row.page = MESSAGE, -1, 0, -1
            row.campaign = seen.campaign
        if seen.visited:
            if seen.day - filled > CART_DAYS:
                cart[0] = 0
            orders = _session(
                who, persons[who], seen, first, prices, hours, habits, cart, orders, ink, events, items, used
            )
            if seen.adds:
                filled = seen.day
        if seen.plan_change not in (SAME, ENDED):
            row = write(events, used, who, midnight + 23 * HOUR + int(0.9 * HOUR * uniform(ink)))
            row.kind, row.device, row.app, row.page = PLAN, -1, 0, -1
            row.plan_change, row.plan, row.reason = seen.plan_change, seen.plan, int(4.0 * uniform(ink))
            row.plan_start, row.plan_end = seen.plan_start, seen.plan_end
    return used[0]
