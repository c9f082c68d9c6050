"""True probabilities of goals, and what truly drives them.

``P(goal in the window | state at the cut-off, who the person is)`` is averaged over many paths. On each path the goal
is kept from happening and the path is weighed by the product of ``1 - hazard`` over its days: the mean weight is the
probability that the goal does not happen, without bias and with far less noise than counting outcomes.

A driver's effect is the mean absolute change of the log-odds of the goal when that covariate is set to its mean over
the eligible people and all else stays: what the covariate truly does, not what it is associated with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from likelier.simulate.goals import CANCELLATION, PURCHASE, VISIT, TrueGoal
from likelier.simulate.kinds import Habits, Kind
from likelier.simulate.process import NEVER, NO_PLAN, survive

PATHS = {VISIT: 16, PURCHASE: 64, CANCELLATION: 32}  # a visit that is kept away leaves little to chance


def probabilities(
    goal: TrueGoal, *, seed: int, profiles: np.ndarray, persons: np.ndarray, states: np.ndarray, cut_off: int,
    calendar: np.ndarray, habits: Habits, paths: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Give each person's true probability of reaching the goal."""
    answer = np.empty(len(states))
    survive(
        seed, profiles, persons, states, cut_off, goal.window_days, calendar, habits, goal.outcome,
        _strata(goal.window_days, paths or PATHS[goal.outcome]), answer,
    )  # fmt: skip
    return 1.0 - answer if goal.occurs else answer


def _strata(days: int, paths: int) -> np.ndarray:
    return np.random.default_rng(paths).permuted(np.tile(np.arange(paths), (days, 1)), axis=1)


def eligible(goal: TrueGoal, states: np.ndarray, active: np.ndarray, cut_off: int) -> np.ndarray:
    """Say who is asked about: people with an event in the lookback; a goal to cancel asks about running plans."""
    known = (active >= cut_off - goal.lookback_days) & (states["last_visit"] > NEVER)
    return known & (states["plan"] != NO_PLAN) & (states["cancelled"] == 0) if goal.subscribers else known


@dataclass(frozen=True)
class Driver:
    """Something that moves the odds, the columns that hold it, and the factors in which it may show."""

    name: str
    factors: tuple[str, ...]
    state: tuple[str, ...] = ()
    person: tuple[str, ...] = ()


def _factors(words: tuple[str, ...], *events: str) -> tuple[str, ...]:
    return tuple(f"{word} {event}" for event in events for word in words)


SINCE, COUNT, RHYTHM = ("Days since",), ("Count of",), ("Rhythm of",)
EVERY = SINCE + COUNT + RHYTHM
VISITS = ("webVisit", "launches", "any event", "web.webpagedetails.pageViews", "application.launch", "game.login")
VIEWS = ("productViews", "media.play", "game.levelStart")
ADDS = ("productListAdds", "productListViews", "media.watchlistAdd", "game.shopVisit")
ORDERS = ("order", "purchases")
PLANS = ("subscription.start", "subscription.renewal")

DRIVERS = (
    Driver("recency of visits", _factors(SINCE, *VISITS), ("last_visit",)),
    Driver("frequency of visits", _factors(COUNT, *VISITS), ("visits", "custom"), ("habit",)),
    Driver("rhythm of visits", _factors(RHYTHM, *VISITS), person=("regularity", "gap")),
    Driver("things seen", _factors(EVERY, *VIEWS), ("views",)),
    Driver("things in the cart", _factors(EVERY, *ADDS), ("cart",)),
    Driver("recency of purchases", _factors(SINCE, *ORDERS), ("sated",)),
    Driver("frequency of purchases", _factors(COUNT + RHYTHM, *ORDERS), ("purchases",), ("inclination",)),
    Driver("loyalty tier", ("Loyalty tier",), ("tier",)),
    Driver("campaigns", _factors(EVERY, "message.tracking", "webInteraction"), ("mail",), ("response",)),
    Driver("crashes", _factors(EVERY, "crashes"), ("crashes",)),
    Driver("plan", ("Days to endDate", *_factors(EVERY, *PLANS, "status active")), ("plan", "plan_end")),
    Driver("failed payments", _factors(EVERY, "subscription.paymentFailed", "paymentStatus failed"), ("failures",)),
    Driver("tenure of the plan", ("Days to startDate",), ("plan_start",)),
    Driver("telephone", _factors(EVERY, "type mobile", "type desktop"), person=("mobile",)),
    Driver("age", ("Age band",), person=("age_lift",)),
    Driver("country", ("Country",), person=("country_lift",)),
)


def drivers(
    goal: TrueGoal, *, seed: int, profiles: np.ndarray, persons: np.ndarray, states: np.ndarray, cut_off: int,
    calendar: np.ndarray, habits: Habits, paths: int = 16,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rank the true drivers by their mean absolute effect on the log-odds of the goal."""

    def log_odds(some_persons: np.ndarray, some_states: np.ndarray) -> np.ndarray:
        chances = probabilities(
            goal, seed=seed, profiles=profiles, persons=some_persons, states=some_states, cut_off=cut_off,
            calendar=calendar, habits=habits, paths=paths,
        )  # fmt: skip
        chances = np.clip(chances, 1e-6, 1 - 1e-6)
        return np.log(chances / (1 - chances))

    actual, ranked = log_odds(persons, states), []
    for driver in DRIVERS:
        if goal.subscribers and driver.name == "plan":
            driver = Driver(driver.name, driver.factors, state=("plan_end",))  # noqa: PLW2901
        effect = actual - log_odds(_levelled(persons, driver.person), _levelled(states, driver.state))
        ranked.append({"driver": driver.name, "factors": list(driver.factors), "effect": float(np.abs(effect).mean())})
    return sorted(ranked, key=lambda row: -row["effect"])


def _levelled(rows: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """Set columns to what is usual: days and plans to their median, everything else to its mean."""
    level = rows.copy()
    for column in columns:
        values = rows[column]
        typical = values.mean() if values.dtype.kind == "f" else np.median(values)
        level[column] = typical if values.dtype.kind == "f" else int(typical)
    return level


ATTRIBUTES = {
    "Age band": "person.ageBand",
    "Country": "homeAddress.countryCode",
    "Loyalty tier": "loyalty.tier",
}


def document(goal: TrueGoal, kind: Kind, events: str = "events", profiles: str = "profiles") -> dict[str, Any]:
    """Write the goal as an instance file would, about datasets of these names."""
    names = {VISIT: "visit", PURCHASE: "purchase", CANCELLATION: "cancellation"}
    population: dict[str, Any] = {"lookback_days": goal.lookback_days}
    if goal.subscribers:
        running = {"field": "subscription.status", "operator": "in", "value": ["active", "pastDue"]}
        population["events"] = [{"conditions": [running]}]
        population["exclude"] = [{"conditions": [kind.condition(CANCELLATION)]}]
    return {
        "name": goal.name,
        "propensity_type": goal.propensity_type,
        "datasets": [events, profiles],
        "namespace": "CRMID",
        "goal": {
            "occurs": goal.occurs,
            "match": "all",
            "events": [{"name": names[goal.outcome], "conditions": [kind.condition(goal.outcome)]}],
            "window_days": goal.window_days,
        },
        "eligible_population": population,
        "profile_attributes": [{"name": name, "field": path} for name, path in ATTRIBUTES.items()],
    }
