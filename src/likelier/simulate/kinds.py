"""The kinds of shops that can be simulated: one frozen set of parameters each.

Hazards are log-odds per day (of a visit, of a cancellation) or per visit (of a purchase, of adding to a cart); each
coefficient says how far one covariate moves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from likelier.errors import UnknownNameError


class Habits(NamedTuple):
    """How the customers of a kind of shop behave; a tuple of floats, so that the compiled process reads it by name."""

    # a visit on a day
    visit: float = -3.05
    visit_habit_sd: float = 0.3  # how much people differ for good
    visit_recency: float = -0.55  # times log(1 + days since the last visit / 4): people drift away
    visit_momentum: float = 0.3  # times log(1 + visits of the last weeks)
    visit_custom: float = 0.3  # times log(1 + visits of the last months): who comes, comes again
    visit_cart: float = 0.45  # per item left in the cart, at most two
    visit_message: float = 1.3  # on the day after a campaign, halving every two days
    visit_plan: float = 0.35  # while a membership runs
    visit_renewal: float = 0.5  # in the five days before it renews
    visit_crash: float = -0.9  # after a crash of the application
    visit_rhythm: float = 1.6  # around the time when a regular customer is due
    visit_season: float = 0.15
    # a purchase in a visit
    buy: float = -2.75
    buy_inclination_sd: float = 0.3
    buy_cart: float = 0.85  # per item left in the cart, at most two
    buy_views: float = 0.45  # times log(1 + products seen lately)
    buy_sated: float = -1.3  # right after a purchase, fading within two weeks
    buy_loyal: float = 0.6  # times log(1 + recent purchases)
    buy_tier: float = 0.3  # per step of the loyalty tier
    buy_message: float = 0.5
    buy_mobile: float = -0.5
    buy_plan: float = 0.4
    buy_season: float = 0.2
    # something put into the cart, in a visit without a purchase
    add: float = -1.5
    add_views: float = 0.35
    remove: float = 0.12  # chance that a visit with a filled cart empties it
    views: float = 2.0  # products seen in a visit
    # membership
    join_plan: float = 0.07  # chance to take a plan at a purchase
    short_days: float = 30.0  # a plan renews after so many days
    long_days: float = 90.0
    long_share: float = 0.25  # of the plans
    payment_fails: float = 0.03
    cancel: float = -6.6
    cancel_renewal: float = 2.4  # in the five days before renewal
    cancel_idle: float = 0.45  # times log(1 + days since the last visit / 4)
    cancel_failed: float = 1.8  # after a failed payment
    cancel_new: float = 0.6  # within the first period
    # who people are
    regular: float = 0.35  # share of people with a rhythm
    gap_days: float = 16.0  # their usual gap
    gap_spread: float = 0.5  # spread of the gaps, in log-days
    subscribed: float = 0.08  # share of people with a plan before the history begins
    reachable: float = 0.65  # share who take e-mail
    reach: float = 0.7  # chance that a campaign is sent to a reachable, recently seen person
    app: float = 0.3  # share who use the application
    crash: float = 0.03  # chance of a crash in a visit of someone with the application
    newcomers: float = 0.35  # share who join during the history
    mobile: float = 0.55
    # baskets
    basket: float = 1.6  # items bought beyond those in the cart
    spend: float = 1.0  # factor on all prices


@dataclass(frozen=True)
class Plan:
    """What the membership is called."""

    name: str = "Plus"
    category: str = "membership"
    short: str = "monthly"
    long: str = "quarterly"


@dataclass(frozen=True)
class Kind:
    """A kind of shop: what it sells, how its customers behave, when it writes to them."""

    name: str
    habits: Habits
    categories: tuple[tuple[str, tuple[str, ...], float], ...]  # category, product nouns, usual price
    styles: tuple[str, ...]  # words before the nouns
    plan: Plan = Plan()
    application: str = "Shop"
    campaign_gap_days: int = 9
    campaigns: tuple[tuple[str, str], ...] = (
        ("New arrivals", "newsletter"),
        ("Weekend sale", "promotion"),
        ("Editor's picks", "newsletter"),
        ("Free delivery", "promotion"),
        ("Back in stock", "service"),
        ("Members only", "loyalty"),
    )


SHOP = Kind(
    name="shop",
    habits=Habits(),
    categories=(
        ("Knitwear", ("crew sweater", "cardigan", "turtleneck", "knitted vest", "hoodie"), 59.0),
        ("Shirts", ("oxford shirt", "linen shirt", "T-shirt", "polo", "flannel shirt"), 34.0),
        ("Trousers", ("chinos", "straight jeans", "slim jeans", "joggers", "shorts"), 54.0),
        ("Dresses", ("wrap dress", "midi dress", "summer dress", "jersey dress"), 69.0),
        ("Outerwear", ("rain jacket", "parka", "trench coat", "down vest", "wool coat"), 129.0),
        ("Shoes", ("sneakers", "ankle boots", "loafers", "sandals", "running shoes"), 89.0),
        ("Bags", ("tote bag", "backpack", "crossbody bag", "weekender"), 64.0),
        ("Accessories", ("belt", "scarf", "beanie", "socks, 3 pairs", "sunglasses", "gloves"), 22.0),
        ("Home", ("throw blanket", "linen bedding", "bath towel", "scented candle", "cushion cover"), 29.0),
        ("Sports", ("yoga leggings", "training top", "swimsuit", "cycling jacket"), 49.0),
    ),
    styles=("Merino", "Organic cotton", "Navy", "Sand", "Striped", "Recycled", "Classic", "Relaxed", "Black", "Olive"),
)

KINDS = {kind.name: kind for kind in (SHOP,)}


def find_kind(name: str) -> Kind:
    """Find a kind of shop by its name.

    >>> find_kind("shop").application
    'Shop'
    """
    if name not in KINDS:
        raise UnknownNameError("kind of shop", name, KINDS)
    return KINDS[name]
