"""The kinds of shops that can be simulated: one frozen set of parameters each.

Hazards are log-odds per day (of a visit, of a cancellation) or per visit (of a purchase, of adding to a cart); each
coefficient says how far one covariate moves them. Covariates that say how much there was of something lately run from
0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from likelier.errors import UnknownNameError
from likelier.simulate.goals import BUY, CANCEL, CANCELLATION, LAPSE, PURCHASE, VISIT, TrueGoal


class Habits(NamedTuple):
    """How the customers of a kind of shop behave; a tuple of floats, so that the compiled process reads it by name."""

    # a visit on a day
    visit: float = -3.2
    visit_habit_sd: float = 0.25  # how much people differ for good
    visit_recency: float = -0.6  # times log(1 + days since the last visit / 4): people drift away
    visit_momentum: float = 0.6  # times visits in the last weeks
    visit_custom: float = 1.4  # times visits in the last months: who comes, comes again
    visit_cart: float = 0.45  # per item left in the cart, at most two
    visit_message: float = 1.3  # right after a campaign, fading in days
    visit_plan: float = 0.35  # while a plan runs
    visit_renewal: float = 0.5  # in the five days before it renews
    visit_crash: float = -0.9  # after a crash of the application
    visit_rhythm: float = 1.6  # around the time when a regular customer is due
    visit_season: float = 0.15
    # a purchase in a visit
    buy: float = -2.9
    buy_inclination_sd: float = 0.3
    buy_cart: float = 0.85  # per item left in the cart, at most two
    buy_views: float = 1.0  # times products seen lately
    buy_sated: float = -1.3  # right after a purchase, fading within two weeks
    buy_loyal: float = 1.5  # times purchases lately
    buy_tier: float = 0.3  # per step of the loyalty tier
    buy_message: float = 0.5
    buy_mobile: float = -0.5
    buy_plan: float = 0.4
    buy_season: float = 0.2
    # something put into the cart, in a visit without a purchase
    add: float = -1.5
    add_views: float = 0.8
    remove: float = 0.12  # chance that a visit with a filled cart empties it
    views: float = 2.0  # products seen in a visit
    # a plan: membership, subscription, contract
    plan_at_purchase: float = 0.07  # chance to take one
    plan_at_visit: float = 0.0
    short_days: float = 30.0  # it renews after so many days
    long_days: float = 90.0
    long_share: float = 0.25
    payment_fails: float = 0.06
    cancel: float = -7.2
    cancel_renewal: float = 2.4  # in the five days before renewal
    cancel_idle: float = 0.9  # times log(1 + days since the last visit / 4)
    cancel_used: float = 0.0  # times visits in the last months
    cancel_failed: float = 1.8  # after a failed payment
    cancel_crash: float = 0.0  # after a crash of the application
    cancel_new: float = 0.6  # within the first period
    # who people are
    regular: float = 0.35  # share of people with a rhythm
    gap_days: float = 16.0  # their usual gap
    gap_spread: float = 0.5  # spread of the gaps, in log-days
    subscribed: float = 0.08  # share of people with a plan before the history begins
    reachable: float = 0.65  # share who take e-mail
    reach: float = 0.7  # chance that a campaign is sent to a reachable, recently seen person
    newcomers: float = 0.3  # share who join during the history
    silver: float = 2.2  # purchases of the last months that lift to the next loyalty tier
    gold: float = 4.0
    mobile: float = 0.55
    app: float = 0.3  # share who have the application
    app_share: float = 0.6  # of their visits are in it
    crash: float = 0.03  # chance of a crash in a visit of someone with the application
    # how visits look
    search: float = 0.35  # share with a search
    basket: float = 0.45  # share of the products seen in a buying visit that are bought
    quantity: float = 0.12  # pieces beyond the first


Sign = tuple[str, str]  # how an event shows: its eventType, and the path of its measure
Categories = tuple[tuple[str, tuple[str, ...], float], ...]


@dataclass(frozen=True)
class Plan:
    """What the plan is called."""

    name: str = "Plus"
    category: str = "membership"
    short: str = "monthly"
    long: str = "quarterly"


@dataclass(frozen=True)
class Kind:
    """A kind of shop: what it sells, how its customers behave, when it writes to them."""

    name: str
    habits: Habits
    categories: Categories  # category, nouns of products, usual price
    styles: tuple[str, ...]  # words before the nouns
    plan: Plan = Plan()
    application: str = "Shop"
    web: bool = True  # visits are web pages
    content: bool = False  # what is seen is content rather than products
    weekdays: tuple[float, ...] = (0.06, 0.03, 0.0, -0.03, -0.1, -0.05, 0.1)  # log-odds of visits from Monday on
    shows: Mapping[str, Sign] = field(default_factory=dict)  # events that show in another way than in a web shop
    pages: Mapping[str, str] = field(default_factory=dict)  # fixed pages that go by another name
    campaign_gap_days: int = 9
    campaign_offset: int = 0  # with gaps of whole weeks, the days after Sunday
    campaigns: tuple[tuple[str, str], ...] = (
        ("New arrivals", "newsletter"),
        ("Weekend sale", "promotion"),
        ("Editors picks", "newsletter"),
        ("Free delivery", "promotion"),
        ("Back in stock", "service"),
        ("Members only", "loyalty"),
    )
    goals: tuple[TrueGoal, ...] = (BUY, LAPSE)

    def condition(self, outcome: int) -> dict[str, str]:
        """Write the condition of an outcome as an instance file does."""
        if outcome == CANCELLATION:
            return {"field": "eventType", "operator": "equals", "value": "subscription.cancellation"}
        visit = "web.webPageDetails.name" if self.web else "application.launches.value"
        return {"field": {VISIT: visit, PURCHASE: "commerce.purchases.value"}[outcome], "operator": "exists"}


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

GROCERY = Kind(  # the weekly shop: regular, most visits buy, full baskets
    name="grocery",
    habits=Habits(
        visit=-2.95, visit_recency=-0.5, visit_momentum=0.4, visit_custom=1.3, visit_cart=0.3, visit_message=0.7,
        visit_rhythm=2.6, visit_season=0.05, buy=-1.0, buy_cart=0.6, buy_sated=-0.9, buy_loyal=1.3, buy_tier=0.2,
        buy_mobile=-0.2, buy_season=0.05, add=-0.6, views=3.0, plan_at_purchase=0.015, regular=0.75, gap_days=8.0,
        gap_spread=0.35, silver=6.0, gold=9.0, app=0.45, search=0.4, basket=0.9, quantity=0.7,
    ),
    categories=(
        ("Fruit and vegetables", ("apples", "bananas", "tomatoes", "carrots", "salad", "potatoes", "onions"), 2.6),
        ("Dairy", ("milk", "butter", "yoghurt", "cheddar", "eggs", "cream"), 2.3),
        ("Bakery", ("bread", "rolls", "croissants", "bagels"), 2.1),
        ("Meat and fish", ("chicken breast", "minced beef", "salmon", "sausages", "ham"), 6.4),
        ("Pantry", ("pasta", "rice", "olive oil", "tomato sauce", "flour", "cereal", "coffee"), 3.4),
        ("Drinks", ("sparkling water", "orange juice", "cola", "beer", "red wine"), 4.2),
        ("Household", ("toilet paper", "dish soap", "detergent", "bin bags"), 5.1),
        ("Baby and pet", ("nappies", "baby food", "cat food", "dog food"), 8.0),
    ),
    styles=("Organic", "Own-brand", "Premium", "Family-pack", "Regional"),
    plan=Plan(name="Delivery pass", category="delivery"),
    application="Groceries",
    weekdays=(0.05, -0.1, -0.1, 0.0, 0.15, 0.2, -0.2),
    campaign_gap_days=7,
    campaigns=(("Offers of the week", "promotion"), ("Recipes", "newsletter"), ("Coupons for you", "loyalty")),
    goals=(
        TrueGoal("Purchase in 7 days", "conversion", PURCHASE, occurs=True, window_days=7),
        TrueGoal("No purchase in 28 days", "churn", PURCHASE, occurs=False, window_days=28),
    ),
)  # fmt: skip

MEDIA = Kind(  # a streaming service: a subscription, titles that are played, few purchases
    name="media",
    habits=Habits(
        visit=-3.75, visit_recency=-0.45, visit_momentum=0.7, visit_custom=1.4, visit_cart=0.15, visit_message=0.7,
        visit_plan=0.8, visit_renewal=0.2, visit_crash=-0.7, visit_rhythm=0.6, visit_season=0.1, buy=-3.6,
        buy_plan=-0.3, buy_tier=0.4, views=1.2, remove=0.05, plan_at_visit=0.08, subscribed=0.8, long_share=0.15,
        payment_fails=0.06, cancel=-6.5, cancel_renewal=2.2, cancel_idle=1.0, cancel_used=-2.2, cancel_failed=2.2,
        cancel_crash=1.2, cancel_new=0.8, regular=0.3, gap_days=7.0, silver=1.6, gold=3.0, app=0.65, app_share=0.75,
        search=0.25, basket=0.3, quantity=0.0,
    ),
    categories=(
        ("Drama", ("harbour", "verdict", "winter", "inheritance", "silence"), 4.99),
        ("Comedy", ("neighbours", "wedding", "office", "road trip"), 3.99),
        ("Crime", ("witness", "coast", "detective", "cold case", "alibi"), 4.99),
        ("Documentary", ("oceans", "empires", "kitchens", "mountains"), 2.99),
        ("Children", ("dragons", "robots", "farm", "pirates"), 3.49),
        ("Science fiction", ("colony", "signal", "orbit", "machines"), 4.99),
    ),
    styles=("The last", "Midnight", "The other", "Our", "Beyond the", "Return to the", "Secret", "A year of"),
    plan=Plan(name="Stream", category="streaming", short="monthly", long="quarterly"),
    application="Stream",
    content=True,
    weekdays=(-0.1, -0.1, -0.05, 0.0, 0.15, 0.2, 0.15),
    shows={
        "view": ("media.play", "media.plays.value"),
        "add": ("media.watchlistAdd", "media.watchlistAdds.value"),
        "remove": ("media.watchlistRemove", "media.watchlistRemovals.value"),
        "save": ("media.like", "media.likes.value"),
        "open": ("media.watchlistView", "media.watchlistViews.value"),
    },
    pages={"cart": "watchlist", "wishlist": "likes", "sale": "trending"},
    campaigns=(("New this week", "newsletter"), ("Because you watched", "recommendation"), ("Season finale", "event")),
    goals=(
        CANCEL,
        TrueGoal("No visit in 14 days", "churn", VISIT, occurs=False, window_days=14),
    ),
)  # fmt: skip

GAME = Kind(  # a telephone game: all in the application, no web page, small purchases
    name="game",
    habits=Habits(
        visit=-2.95, visit_recency=-0.75, visit_momentum=0.9, visit_custom=1.2, visit_cart=0.2, visit_message=0.8,
        visit_crash=-1.2, visit_rhythm=0.5, visit_season=0.1, buy=-4.6, buy_cart=0.6, buy_views=1.4, buy_sated=0.4,
        buy_loyal=2.2, buy_tier=0.5, buy_mobile=0.0, views=2.6, add=-2.0, plan_at_purchase=0.1, subscribed=0.04,
        newcomers=0.5, silver=1.5, gold=4.0, regular=0.2, gap_days=5.0, mobile=1.0, app=1.0, app_share=1.0, crash=0.05,
        search=0.0, basket=0.2, quantity=0.0,
    ),
    categories=(
        ("Forest", ("bridge", "cave", "clearing", "river"), 2.99),
        ("Desert", ("oasis", "canyon", "temple", "dunes"), 3.99),
        ("Ice", ("glacier", "fjord", "summit"), 4.99),
        ("City", ("market", "rooftops", "tower", "harbour"), 6.99),
    ),
    styles=("First", "Hidden", "Burning", "Sunken", "Golden", "Final"),
    plan=Plan(name="Season pass", category="pass"),
    application="Quest",
    web=False,
    content=True,
    weekdays=(-0.05, -0.05, -0.05, 0.0, 0.05, 0.1, 0.1),
    shows={
        "page": ("game.login", "game.logins.value"),
        "link": ("game.pushOpened", "game.pushesOpened.value"),
        "view": ("game.levelStart", "game.levels.value"),
        "add": ("game.shopVisit", "game.shopVisits.value"),
        "remove": ("game.shopLeave", "game.shopLeaves.value"),
        "save": ("game.levelShared", "game.levelsShared.value"),
        "open": ("game.chestOpened", "game.chests.value"),
        "checkout": ("commerce.checkouts", "commerce.checkouts.value"),
    },
    campaign_gap_days=6,
    campaigns=(("Double rewards", "event"), ("New world", "release"), ("Your team waits", "reminder")),
    goals=(
        TrueGoal("Purchase in 14 days", "conversion", PURCHASE, occurs=True, window_days=14),
        TrueGoal("No launch in 14 days", "churn", VISIT, occurs=False, window_days=14),
    ),
)  # fmt: skip

WHOLESALE = Kind(  # business customers: weekdays only, few and large orders, contracts
    name="wholesale",
    habits=Habits(
        visit=-3.0, visit_recency=-0.45, visit_momentum=0.5, visit_custom=1.5, visit_message=0.6, visit_plan=0.5,
        visit_rhythm=2.2, visit_season=0.1, buy=-1.6, buy_inclination_sd=0.25, buy_cart=0.6, buy_sated=-0.8,
        buy_loyal=1.4, buy_mobile=-0.3, add=-1.0, views=3.0, plan_at_purchase=0.04, long_share=0.7, subscribed=0.25,
        regular=0.6, gap_days=21.0, gap_spread=0.4, newcomers=0.15, silver=2.5, gold=5.0, mobile=0.15, app=0.05,
        search=0.6, basket=0.7, quantity=9.0,
    ),
    categories=(
        ("Paper", ("copy paper", "envelopes", "notebooks", "labels"), 18.0),
        ("Writing", ("ballpoint pens", "markers", "pencils", "highlighters"), 12.0),
        ("Filing", ("ring binders", "folders", "archive boxes", "hanging files"), 22.0),
        ("Technology", ("toner", "keyboards", "monitors", "headsets", "batteries"), 64.0),
        ("Furniture", ("desk chairs", "desks", "shelves", "lamps"), 149.0),
        ("Catering", ("coffee beans", "paper cups", "mineral water", "biscuits"), 24.0),
        ("Cleaning", ("hand soap", "paper towels", "bin liners", "disinfectant"), 19.0),
    ),
    styles=("Standard", "Recycled", "Premium", "Bulk", "A4", "Professional"),
    plan=Plan(name="Frame contract", category="contract"),
    application="Office supply",
    weekdays=(0.1, 0.15, 0.1, 0.05, -0.15, -3.0, -3.5),
    campaign_gap_days=14,
    campaign_offset=2,
    campaigns=(("Price list", "newsletter"), ("Bulk discount", "promotion"), ("Your account manager", "service")),
    goals=(
        TrueGoal("Purchase in 30 days", "conversion", PURCHASE, occurs=True, window_days=30),
        TrueGoal("No purchase in 60 days", "churn", PURCHASE, occurs=False, window_days=60, lookback_days=90),
    ),
)  # fmt: skip

KINDS = {kind.name: kind for kind in (SHOP, GROCERY, MEDIA, GAME, WHOLESALE)}


def find_kind(name: str) -> Kind:
    """Find a kind of shop by its name.

    >>> find_kind("shop").application
    'Shop'
    """
    if name not in KINDS:
        raise UnknownNameError("kind of shop", name, KINDS)
    return KINDS[name]
