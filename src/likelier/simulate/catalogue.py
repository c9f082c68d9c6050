"""What a simulated shop shows: products with prices, pages, search words, campaigns, devices, countries."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from likelier.simulate.kinds import Kind
from likelier.simulate.process import CALENDAR

FIXED_PAGES = (
    "home", "search results", "cart", "checkout", "order confirmation", "account", "account: membership", "wishlist",
    "help", "stores", "sale", "new in",
)  # fmt: skip
HOME, RESULTS, CART, CHECKOUT, CONFIRMATION, ACCOUNT, MEMBERSHIP, WISHLIST, HELP, STORES, SALE, NEW = range(12)
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


@dataclass(frozen=True)
class Catalogue:
    """The products of a kind of shop; a product's number orders them by category, the most popular first."""

    kind: Kind

    @cached_property
    def _products(self) -> list[tuple[int, str, str, float]]:
        rng = np.random.default_rng(20_240_501)
        products = []
        for category, (_, nouns, price) in enumerate(self.kind.categories):
            pairs = [(style, noun) for noun in nouns for style in self.kind.styles]
            for number in rng.permutation(len(pairs)):
                style, noun = pairs[number]
                amount = np.floor(price * np.exp(0.35 * rng.standard_normal())) + 0.95
                products.append((category, style, noun, float(amount)))
        return products

    @property
    def names(self) -> list[str]:
        return [f"{style} {noun}" for _, style, noun, _ in self._products]

    @property
    def skus(self) -> list[str]:
        sections = [name[:3].upper() for name, _, _ in self.kind.categories]
        return [f"{sections[category]}-{number:04d}" for number, (category, _, _, _) in enumerate(self._products)]

    @property
    def prices(self) -> np.ndarray:
        """Price of each product."""
        return np.array([price * self.kind.habits.spend for _, _, _, price in self._products])

    @cached_property
    def first(self) -> np.ndarray:
        """First product of each category, and the number of products at the end."""
        sections = np.array([category for category, _, _, _ in self._products])
        return np.searchsorted(sections, np.arange(len(self.kind.categories) + 1))

    @property
    def keywords(self) -> list[str]:
        """What people type to find each product: now the noun, now the whole name."""
        return [
            noun if number % 3 else f"{style} {noun}".lower()
            for number, (_, style, noun, _) in enumerate(self._products)
        ]

    @property
    def pages(self) -> list[str]:
        """Names of all pages: fixed ones, one per category, one per product."""
        sections = [name.lower() for name, _, _ in self.kind.categories]
        products = [f"{sections[category]}: {style} {noun}".lower() for category, style, noun, _ in self._products]
        return [*FIXED_PAGES, *sections, *products]

    @property
    def sections(self) -> list[str | None]:
        """Site section of each page."""
        names = [name.lower() for name, _, _ in self.kind.categories]
        service = [
            "home",
            "search",
            "order",
            "order",
            "order",
            "account",
            "account",
            "account",
            "service",
            "service",
            "sale",
            "new in",
        ]
        return [*service, *names, *(names[category] for category, _, _, _ in self._products)]


@dataclass(frozen=True)
class Campaign:
    """One mailing: what it is called and when it goes out."""

    name: str
    group: str
    code: str


def season(kind: Kind, day: dt.date) -> float:
    """Say how lively the time of year is, about -1 to 1.5: quiet in February and August, busy before Christmas."""
    del kind
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
        weekday = day.weekday()
        rows[number]["visit"] = (
            kind.habits.visit_season * season(kind, day) + (0.06, 0.03, 0, -0.03, -0.1, -0.05, 0.1)[weekday]
        )
        rows[number]["buy"] = kind.habits.buy_season * season(kind, day) + (0.05, 0, 0, 0, 0, -0.05, 0.05)[weekday]
        rows[number]["weekend"] = 1.0 if weekday >= 5 else -0.4
        rows[number]["campaign"] = -1
        if day.toordinal() % kind.campaign_gap_days == 0:
            name, group = kind.campaigns[(day.toordinal() // kind.campaign_gap_days) % len(kind.campaigns)]
            rows[number]["campaign"] = len(campaigns)
            campaigns.append(Campaign(name, group, f"em_{day:%Y%m%d}_{name.lower().replace(' ', '_')}"))
    return rows, campaigns
