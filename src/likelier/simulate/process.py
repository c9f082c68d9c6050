"""How one person's days go: the hazards, and the step from one day to the next.

The process is Markov in :data:`STATE`, which holds nothing that the events do not show, given :data:`PERSON`, who the
person is. There is no hidden death: people drop out because each day away makes the next visit less likely. So the
probability of an outcome given the state at a cut-off follows from walking this same step forward, and the truth and
the events cannot drift apart.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from likelier.simulate.chance import begin, normal, poisson, uniform
from likelier.simulate.goals import CANCELLATION, NOTHING, PURCHASE, VISIT
from likelier.simulate.kinds import Habits

NEVER = -100_000  # a day long ago
BURN_IN = 60  # days lived before the history begins, so that it does not begin on the same day for everybody
FULL = -1

PERSON = np.dtype(
    [
        ("join", "i4"),  # day of the first visit, 0 = first day of the history
        ("habit", "f8"),  # lasting inclination to visit, log-odds
        ("inclination", "f8"),  # lasting inclination to buy, log-odds
        ("age_lift", "f8"),  # what age and country add to the log-odds of a visit
        ("country_lift", "f8"),
        ("gap", "f8"),  # usual days between visits of a regular customer
        ("regularity", "f8"),  # 0: no rhythm
        ("response", "f8"),  # to campaigns, 0: takes no e-mail
        ("weekend", "f8"),  # more (or less) at week-ends, log-odds
        ("mobile", "f8"),  # share of visits by telephone
        ("spend", "f8"),  # factor on the number of items
        ("age", "i1"),
        ("country", "i1"),
        ("hour", "f4"),  # usual hour of visits
        ("favourite", "i2"),  # category
        ("phone", "i1"),
        ("desktop", "i1"),
    ],
    align=True,
)

STATE = np.dtype(
    [
        ("last_visit", "i4"),
        ("last_message", "i4"),
        ("visits", "f8"),  # sums that fade: with a time constant of 14 days
        ("custom", "f8"),  # visits again, 60 days
        ("views", "f8"),  # 7 days
        ("cart", "f8"),  # 5 days, emptied by a purchase
        ("sated", "f8"),  # 7 days, 1 after each purchase
        ("purchases", "f8"),  # 60 days
        ("mail", "f8"),  # 3 days, 1 after each message
        ("crashes", "f8"),  # 5 days
        ("failures", "f8"),  # 7 days, of payment
        ("tier", "i1"),
        ("app", "i1"),
        ("plan", "i1"),  # NO_PLAN, SHORT, LONG
        ("cancelled", "i1"),  # the plan runs out at plan_end
        ("plan_start", "i4"),
        ("plan_end", "i4"),
    ],
    align=True,
)

DAY = np.dtype(
    [
        ("who", "i4"),
        ("day", "i4"),
        ("visited", "i1"),
        ("bought", "i1"),
        ("views", "i1"),
        ("adds", "i1"),
        ("removed", "i1"),
        ("messaged", "i1"),
        ("crashed", "i1"),
        ("promoted", "i1"),  # to the next loyalty tier
        ("plan_change", "i1"),
        ("plan", "i1"),
        ("tier", "i1"),
        ("app", "i1"),  # uses the application; 2: from today on
        ("campaign", "i4"),  # that was mailed today or in the two days before, else -1
        ("plan_start", "i4"),
        ("plan_end", "i4"),
    ],
    align=True,
)

CALENDAR = np.dtype([("visit", "f8"), ("buy", "f8"), ("weekend", "f8"), ("campaign", "i4")], align=True)

NO_PLAN, SHORT, LONG = 0, 1, 2
SAME, STARTED, RENEWED, FAILED, CANCELLED, ENDED = 0, 1, 2, 3, 4, 5  # changes of a plan

FADE_VISITS, FADE_CUSTOM, FADE_VIEWS, FADE_CART = (float(np.exp(-1 / days)) for days in (14, 60, 7, 5))
FADE_SATED, FADE_PURCHASES, FADE_MAIL = (float(np.exp(-1 / days)) for days in (7, 60, 3))
FADE_CRASHES, FADE_FAILURES = (float(np.exp(-1 / days)) for days in (5, 7))
LONG_AWAY = 400
AWAY = np.log1p(np.arange(LONG_AWAY + 1) / 4.0)  # how far away a person is who has not come for so many days
CONTACT_DAYS = 60  # campaigns go to people seen in this many days


@numba.njit(cache=True)
def chance(log_odds: float) -> float:
    """Turn log-odds into a probability."""
    return 1.0 / (1.0 + np.exp(-log_odds))


@numba.njit(cache=True)
def _much(amount: float, half: float) -> float:
    """Say how much an amount is, from 0 to 1; `half` gives 0.5."""
    return amount / (amount + half)


@numba.njit(cache=True)
def visit_chance(person: Any, state: Any, today: Any, day: int, habits: Habits) -> float:
    """Give the probability of a visit today."""
    away = day - state.last_visit
    odds = habits.visit + person.habit + person.age_lift + person.country_lift + today.visit
    odds += habits.visit_recency * AWAY[min(away, LONG_AWAY)] + habits.visit_momentum * _much(state.visits, 1.0)
    odds += habits.visit_custom * _much(state.custom, 4.0)
    odds += habits.visit_cart * min(state.cart, 2.0) + habits.visit_crash * min(state.crashes, 1.0)
    odds += person.weekend * today.weekend
    if person.response > 0.0:
        odds += habits.visit_message * person.response * state.mail
    if person.regularity > 0.0:
        late = (away - person.gap) / (0.12 * person.gap + 1.0)
        odds += habits.visit_rhythm * person.regularity * (1.0 / (1.0 + late * late) - 0.35)
    if state.plan != NO_PLAN:
        odds += habits.visit_plan
        if state.plan_end - day <= 5:
            odds += habits.visit_renewal
    return chance(odds)


@numba.njit(cache=True)
def buy_chance(person: Any, state: Any, today: Any, habits: Habits) -> float:
    """Give the probability that a visit of today buys."""
    odds = habits.buy + person.inclination + today.buy + habits.buy_mobile * person.mobile
    odds += habits.buy_cart * min(state.cart, 2.0) + habits.buy_views * _much(state.views, 4.0)
    odds += habits.buy_sated * state.sated
    odds += habits.buy_loyal * _much(state.purchases, 2.0) + habits.buy_tier * state.tier
    if person.response > 0.0:
        odds += habits.buy_message * person.response * state.mail
    if state.plan != NO_PLAN:
        odds += habits.buy_plan
    return chance(odds)


@numba.njit(cache=True)
def term_days(state: Any, habits: Habits) -> int:
    """Give the days of a period of the plan."""
    return int(habits.long_days) if state.plan == LONG else int(habits.short_days)


@numba.njit(cache=True)
def cancel_chance(state: Any, day: int, habits: Habits) -> float:
    """Give the probability that a running plan is cancelled today."""
    if state.plan == NO_PLAN or state.cancelled or day >= state.plan_end:
        return 0.0
    odds = habits.cancel + habits.cancel_idle * AWAY[min(day - state.last_visit, LONG_AWAY)]
    odds += habits.cancel_used * _much(state.custom, 4.0)
    odds += habits.cancel_failed * min(state.failures, 1.0) + habits.cancel_crash * min(state.crashes, 1.0)
    if state.plan_end - day <= 5:
        odds += habits.cancel_renewal
    if day - state.plan_start <= term_days(state, habits):
        odds += habits.cancel_new
    return chance(odds)


@numba.njit(cache=True)
def take_plan(state: Any, day: int, habits: Habits, rng: Any) -> None:
    """Begin a plan today."""
    state.plan = LONG if uniform(rng) < habits.long_share else SHORT
    state.plan_start, state.plan_end, state.cancelled = day, day + term_days(state, habits), 0


@numba.njit(cache=True)
def advance(
    person: Any, state: Any, today: Any, day: int, habits: Habits, barred: int, luck: float, rng: Any, seen: Any
) -> float:  # fmt: skip
    """Live one day: change `state`, say in `seen` what happened, and answer the probability of what is `barred`.

    What is barred (a goal that has not been met yet) is kept from happening, so that a path can be weighed by the
    probabilities of its days instead of counted by its outcome. `luck`, a number from [0, 1), decides about a visit.
    """
    seen.visited = seen.bought = seen.views = seen.adds = seen.removed = seen.messaged = 0
    seen.crashed = seen.promoted = 0
    seen.plan_change = SAME
    hazard = 0.0
    if state.last_visit == NEVER:  # the first visit ever, on the day of joining
        visit = 1.0
        state.last_visit = day
    else:
        mailed = today.campaign >= 0 and person.response > 0.0 and day - state.last_visit <= CONTACT_DAYS
        if mailed and uniform(rng) < habits.reach:
            seen.messaged = 1
            state.last_message = day
            state.mail = 1.0
        visit = visit_chance(person, state, today, day, habits)
    if state.plan != NO_PLAN:
        cancel = cancel_chance(state, day, habits)
        if barred == CANCELLATION:
            hazard, cancel = cancel, 0.0
        _renew(state, day, cancel, habits, rng, seen)
    buy = 0.0
    if barred == VISIT:
        hazard, visit = visit, 0.0
    elif barred == PURCHASE:
        hazard = visit * buy_chance(person, state, today, habits)
        visit = (visit - hazard) / (1.0 - hazard)
    visited = luck < visit
    if visited and barred != PURCHASE:
        buy = buy_chance(person, state, today, habits)
    _fade(state)
    if visited:
        _visit(state, day, buy, habits, rng, seen)
    return hazard


@numba.njit(cache=True)
def _fade(state: Any) -> None:
    state.visits *= FADE_VISITS
    state.custom *= FADE_CUSTOM
    state.views *= FADE_VIEWS
    state.cart *= FADE_CART
    state.sated *= FADE_SATED
    state.purchases *= FADE_PURCHASES
    state.mail *= FADE_MAIL
    state.crashes *= FADE_CRASHES
    state.failures *= FADE_FAILURES


@numba.njit(cache=True)
def _visit(state: Any, day: int, buy: float, habits: Habits, rng: Any, seen: Any) -> None:
    seen.visited = 1
    seen.views = min(poisson(rng, habits.views), 12)
    if uniform(rng) < buy:
        seen.bought = 1
        seen.views = max(seen.views, 1)
        state.cart = 0.0
        state.purchases += 1.0
        state.sated = 1.0
        if state.tier < 2 and state.purchases > (habits.gold if state.tier else habits.silver):
            state.tier += 1
            seen.promoted = 1
        if state.plan == NO_PLAN and uniform(rng) < habits.plan_at_purchase:
            take_plan(state, day, habits, rng)
            seen.plan_change = STARTED
    elif seen.views > 0 and uniform(rng) < chance(habits.add + habits.add_views * _much(state.views + seen.views, 4.0)):
        seen.adds = 1 + min(poisson(rng, 0.4), 4)
        state.cart += seen.adds
    elif state.cart > 0.3 and uniform(rng) < habits.remove:
        seen.removed = 1
        state.cart = 0.0
    if habits.plan_at_visit > 0.0 and state.plan == NO_PLAN and uniform(rng) < habits.plan_at_visit:
        take_plan(state, day, habits, rng)
        seen.plan_change = STARTED
    if state.app and uniform(rng) < habits.crash:
        seen.crashed = 1
        state.crashes += 1.0
    state.views += seen.views
    state.visits += 1.0
    state.custom += 1.0
    state.last_visit = day


@numba.njit(cache=True)
def _renew(state: Any, day: int, cancel: float, habits: Habits, rng: Any, seen: Any) -> None:
    if day >= state.plan_end:
        if state.cancelled:
            state.plan = NO_PLAN
            seen.plan_change = ENDED
            return
        state.plan_end += term_days(state, habits)
        seen.plan_change = RENEWED
        if uniform(rng) < habits.payment_fails:
            state.failures += 1.0
            seen.plan_change = FAILED
    elif cancel > 0.0 and uniform(rng) < cancel:
        state.cancelled = 1
        seen.plan_change = CANCELLED


AGE_SHARES = (0.12, 0.27, 0.24, 0.18, 0.12, 0.07)
AGE_LIFTS = (0.15, 0.25, 0.05, -0.1, -0.25, -0.45)
COUNTRY_SHARES = (0.34, 0.22, 0.16, 0.1, 0.08, 0.06, 0.04)
COUNTRY_LIFTS = (0.1, 0.0, -0.2, 0.05, -0.1, 0.3, -0.4)
_AGE_STEPS, _COUNTRY_STEPS = np.cumsum(AGE_SHARES), np.cumsum(COUNTRY_SHARES)
_AGE_LIFTS, _COUNTRY_LIFTS = np.array(AGE_LIFTS), np.array(COUNTRY_LIFTS)


@numba.njit(cache=True)
def meet(person: Any, state: Any, days: int, categories: int, habits: Habits, rng: Any) -> None:
    """Draw who a person is and how they stand on their first day."""
    newcomer = uniform(rng) < habits.newcomers
    person.join = int(days * uniform(rng)) if newcomer else -BURN_IN - int(700 * uniform(rng))
    person.habit = habits.visit_habit_sd * normal(rng)
    person.inclination = habits.buy_inclination_sd * normal(rng)
    person.regularity = 0.6 + 0.4 * uniform(rng) if uniform(rng) < habits.regular else 0.0
    person.gap = min(max(habits.gap_days * np.exp(habits.gap_spread * normal(rng)), 3.0), 60.0)
    person.response = 0.4 + 0.8 * uniform(rng) if uniform(rng) < habits.reachable else 0.0
    person.weekend = 0.4 * normal(rng)
    person.mobile = 0.95 if uniform(rng) < habits.mobile else 0.15
    person.spend = np.exp(0.35 * normal(rng))
    person.age = min(np.searchsorted(_AGE_STEPS, uniform(rng), side="right"), len(_AGE_LIFTS) - 1)
    person.country = min(np.searchsorted(_COUNTRY_STEPS, uniform(rng), side="right"), len(_COUNTRY_LIFTS) - 1)
    person.age_lift, person.country_lift = _AGE_LIFTS[person.age], _COUNTRY_LIFTS[person.country]
    person.hour = 11.0 + 9.5 * np.sqrt(uniform(rng))
    person.favourite = int(categories * uniform(rng) ** 1.3)
    person.phone, person.desktop = uniform(rng) < 0.55, uniform(rng) < 0.3
    state.app = uniform(rng) < habits.app
    state.tier = 0
    state.plan, state.cancelled, state.plan_start, state.plan_end = NO_PLAN, 0, NEVER, NEVER
    state.last_message = state.last_visit = NEVER
    state.sated = state.mail = 0.0
    state.visits = state.custom = state.views = state.cart = state.purchases = state.crashes = state.failures = 0.0
    if not newcomer:
        state.last_visit = -BURN_IN - 1 - int(60 * uniform(rng) ** 2)
        state.custom = 5.0 * uniform(rng) ** 2
        state.visits = 0.3 * state.custom
        rank = uniform(rng)
        state.tier = 2 if rank < 0.07 else (1 if rank < 0.28 else 0)
        if uniform(rng) < habits.subscribed:
            take_plan(state, -BURN_IN, habits, rng)
            term = term_days(state, habits)
            state.plan_end = -BURN_IN + int(term * uniform(rng)) + 1
            state.plan_start = state.plan_end - term * (1 + int(6 * uniform(rng) ** 2))


LIFE, FIRST_PATH = 0, 16  # purposes of random numbers: what happens, what might


@numba.njit(cache=True)
def live(
    seed: int, first_profile: int, history: int, cut_off: int, categories: int, calendar: Any, habits: Habits,
    persons: Any, states: Any, active: Any, happened: Any, rows: Any,
) -> int:  # fmt: skip
    """Let people live from before the history to the end of the calendar, and write down the days worth telling.

    At the start of the day `cut_off` each person's state is kept in `states`, the last day with an event in `active`;
    `happened[:, goal]` becomes the first day from then on on which it happens. Answers the number of rows
    written, FULL when they did not suffice.
    """
    rng = np.zeros(1, np.uint64)
    state_row, seen_row = states[:1].copy(), np.zeros(1, DAY)
    state, seen, used = state_row[0], seen_row[0], 0
    for who in range(len(persons)):
        person = persons[who]
        begin(rng, seed, first_profile + who, LIFE)
        meet(person, state, history, categories, habits, rng)
        happened[who, :] = len(calendar)
        active[who], last_told, mailed = NEVER, NEVER, -1
        if used + len(calendar) > len(rows):
            return FULL
        seen.who = who
        if person.join <= -BURN_IN:  # how they stood when they joined is told; they enter later
            seen.visited = seen.messaged = seen.promoted = 0
            seen.plan_change, seen.day, seen.tier = SAME, person.join, state.tier
            rows[used] = seen_row[0]
            used += 1
        for day in range(max(person.join, -BURN_IN), len(calendar) - BURN_IN):
            if day == cut_off:
                states[who], active[who] = state_row[0], last_told
            today = calendar[day + BURN_IN]
            newly = state.last_visit == NEVER
            advance(person, state, today, day, habits, NOTHING, uniform(rng), rng, seen)
            if seen.messaged:
                mailed = today.campaign
            told = newly or seen.visited or seen.messaged or seen.promoted or seen.plan_change != SAME
            if not told:
                continue
            if day >= cut_off:
                if seen.visited:
                    happened[who, VISIT] = min(happened[who, VISIT], day)
                if seen.bought:
                    happened[who, PURCHASE] = min(happened[who, PURCHASE], day)
                if seen.plan_change == CANCELLED:
                    happened[who, CANCELLATION] = min(happened[who, CANCELLATION], day)
            if day >= 0 and (seen.visited or seen.messaged or seen.plan_change not in (SAME, ENDED)):
                last_told = day
            seen.day, seen.tier, seen.plan, seen.app = day, state.tier, state.plan, state.app * (1 + newly)
            seen.plan_start, seen.plan_end = state.plan_start, state.plan_end
            seen.campaign = mailed if day - state.last_message <= 2 else -1
            rows[used] = seen_row[0]
            used += 1
    return used


@numba.njit(cache=True)
def survive(
    seed: int, profiles: Any, persons: Any, states: Any, cut_off: int, window: int, calendar: Any, habits: Habits,
    barred: int, strata: Any, answer: Any,
) -> None:  # fmt: skip
    """Answer for each profile the probability that what is barred does not happen in the window, over many paths.

    The luck of a day is spread evenly over the paths: `strata[day, path]` are permutations of the paths (Latin
    hypercube sampling), turned by a random step per profile and day, so that each path by itself is as random as ever.
    """
    rng, seen_row, state_row = np.zeros(1, np.uint64), np.zeros(1, DAY), states[:1].copy()
    paths = strata.shape[1]
    turns = np.zeros(window, np.int64)
    for who in range(len(states)):
        total = 0.0
        begin(rng, seed, profiles[who], FIRST_PATH + barred)
        for ahead in range(window):
            turns[ahead] = int(paths * uniform(rng))
        for path in range(paths):
            state_row[0] = states[who]
            weight = 1.0
            for ahead in range(window):
                day = cut_off + ahead
                luck = ((strata[ahead, path] + turns[ahead]) % paths + uniform(rng)) / paths
                today = calendar[day + BURN_IN]
                weight *= 1.0 - advance(persons[who], state_row[0], today, day, habits, barred, luck, rng, seen_row[0])
            total += weight
        answer[who] = total / paths
