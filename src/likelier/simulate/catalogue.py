"""What a simulated shop shows: products with prices, pages, search words, campaigns, devices, countries."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from likelier.simulate.kinds import Kind
from likelier.simulate.process import CALENDAR

FIXED_PAGES = (
    "home", "search results", "cart", "checkout", "order confirmation", "account", "privacy", "wishlist",
    "help", "stores", "sale", "new in",
)  # fmt: skip
HOME, RESULTS, CART, CHECKOUT, CONFIRMATION, ACCOUNT, PRIVACY, WISHLIST, HELP, STORES, SALE, NEW = range(12)
FIXED_SECTIONS = (
    "home", "search", "order", "order", "order", "account", "account", "account", "service", "service", "sale",
    "new in",
)  # fmt: skip
CATEGORIES = 12  # page of the first category
REFERRERS = ("https://www.google.com/", "https://www.instagram.com/", "https://www.bing.com/", "https://blog.example/")
COUNTRIES = ("DE", "GB", "FR", "NL", "AT", "US", "SE")
CURRENCIES = ("EUR", "GBP", "EUR", "EUR", "EUR", "USD", "SEK")
UTC_HOURS = (1, 0, 1, 1, 1, -6, 1)  # local time ahead of UTC
AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
TIERS = ("basic", "silver", "gold")
DEVICES = ("desktop", "mobile", "tablet")
PHONES = (("Android", "Chrome"), ("iOS", "Safari"))
DESKTOPS = (("Windows", "Edge"), ("macOS", "Safari"))
REASONS = ("too expensive", "not used enough", "found another shop", "no reason given")


TEST = "test"


@dataclass(frozen=True)
class Product:
    """A product of the catalogue."""

    section: str
    name: str
    noun: str
    sku: str
    price: float


@dataclass(frozen=True)
class Catalogue:
    """What a kind of shop shows; its products stand by category, the most popular first, and last a test product."""

    kind: Kind

    @cached_property
    def products(self) -> list[Product]:
        rng = np.random.default_rng(20_240_501)
        products: list[Product] = []
        for category, nouns, price in self.kind.categories:
            pairs = [(style, noun) for noun in nouns for style in self.kind.styles]
            for place in rng.permutation(len(pairs)):
                style, noun = pairs[place]
                sku = f"{category[:3].upper()}-{len(products):04d}"
                amount = float(np.floor(price * np.exp(0.35 * rng.standard_normal())) + 0.95)
                products.append(Product(category.lower(), f"{style} {noun}", noun, sku, amount))
        return [*products, Product(TEST, "Test product, do not ship", TEST, "TEST-0001", 0.01)]

    @property
    def prices(self) -> np.ndarray:
        """Price of each product."""
        return np.array([product.price for product in self.products])

    @property
    def first(self) -> np.ndarray:
        """First product of each category, and that after the last."""
        counts = [len(nouns) * len(self.kind.styles) for _, nouns, _ in self.kind.categories]
        return np.concatenate([[0], np.cumsum(counts)])

    @property
    def keywords(self) -> list[str]:
        """What people type to find each product: now the kind of thing, now its name."""
        return [each.noun if place % 3 else each.name.lower() for place, each in enumerate(self.products)]

    @property
    def pages(self) -> list[str]:
        """Names of all pages: fixed ones, one per category, one per product."""
        products = [f"{product.section}: {product.name}".lower() for product in self.products]
        fixed = [self.kind.pages.get(page, page) for page in FIXED_PAGES]
        return [*fixed, *self._sections, *products]

    @property
    def sections(self) -> list[str]:
        """Site section of each page."""
        return [*FIXED_SECTIONS, *self._sections, *(product.section for product in self.products)]

    @property
    def _sections(self) -> list[str]:
        return [category.lower() for category, _, _ in self.kind.categories]


@dataclass(frozen=True)
class Campaign:
    """One mailing: what it is called and when it goes out."""

    name: str
    group: str
    code: str


def season(day: dt.date) -> float:
    """Say how lively the time of year is, about -1 to 1.5: quiet in February and August, busy before Christmas."""
    position = (day - dt.date(day.year, 1, 1)).days / 365.25
    wave = 0.35 * np.cos(2 * np.pi * (position - 0.92)) + 0.3 * np.cos(4 * np.pi * (position - 0.44))
    rush = 1.2 * np.exp(-(((position - 0.91) / 0.02) ** 2))
    return float(wave + rush)


def calendar(kind: Kind, first: dt.date, days: int) -> tuple[np.ndarray, list[Campaign]]:
    """Lay out season, weekday rhythm and campaigns for some days from the first on."""
    rows = np.zeros(days, CALENDAR)
    campaigns: list[Campaign] = []
    for number in range(days):
        day = first + dt.timedelta(days=number)
        rows[number]["visit"] = kind.habits.visit_season * season(day) + kind.weekdays[day.weekday()]
        rows[number]["buy"] = kind.habits.buy_season * season(day)
        rows[number]["weekend"] = 1.0 if day.weekday() >= 5 else -0.4
        rows[number]["campaign"] = -1
        turn, wait = divmod(day.toordinal() - kind.campaign_offset, kind.campaign_gap_days)
        if wait == 0:
            name, group = kind.campaigns[turn % len(kind.campaigns)]
            rows[number]["campaign"] = len(campaigns)
            campaigns.append(Campaign(name, group, f"em_{day:%Y%m%d}_{name.lower().replace(' ', '_')}"))
    return rows, campaigns
