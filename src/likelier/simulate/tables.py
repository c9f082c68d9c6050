"""Turn the walked events into Arrow tables of XDM leaf paths."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from likelier.simulate import sessions as w
from likelier.simulate.catalogue import (
    AGES,
    COUNTRIES,
    CURRENCIES,
    DESKTOPS,
    DEVICES,
    PHONES,
    REASONS,
    REFERRERS,
    TIERS,
    Campaign,
    Catalogue,
)
from likelier.simulate.kinds import Sign
from likelier.simulate.process import CANCELLED, ENDED, FAILED, LONG, RENEWED, STARTED
from likelier.timespan import DAY_US, to_us

MOMENT = pa.timestamp("us", tz="UTC")
COOKIE_DAYS = 60
"""A device's cookie lives so long."""

SIGNS: dict[str, tuple[int, Sign]] = {
    "page": (w.PAGE, ("web.webpagedetails.pageViews", "web.webPageDetails.pageViews.value")),
    "search": (w.SEARCH, ("web.webpagedetails.pageViews", "web.webPageDetails.pageViews.value")),
    "link": (w.LINK, ("web.webinteraction.linkClicks", "web.webInteraction.linkClicks.value")),
    "view": (w.VIEW, ("commerce.productViews", "commerce.productViews.value")),
    "add": (w.ADD, ("commerce.productListAdds", "commerce.productListAdds.value")),
    "remove": (w.REMOVE, ("commerce.productListRemovals", "commerce.productListRemovals.value")),
    "save": (w.SAVE, ("commerce.saveForLaters", "commerce.saveForLaters.value")),
    "open": (w.OPEN, ("commerce.productListViews", "commerce.productListViews.value")),
    "checkout": (w.CHECK_OUT, ("commerce.checkouts", "commerce.checkouts.value")),
    "purchase": (w.PURCHASE, ("commerce.purchases", "commerce.purchases.value")),
    "message": (w.MESSAGE, ("message.tracking", "")),
    "launch": (w.LAUNCH, ("application.launch", "application.launches.value")),
    "install": (w.INSTALL, ("application.install", "application.installs.value")),
    "crash": (w.CRASH, ("application.crash", "application.crashes.value")),
    "feature": (w.FEATURE, ("application.featureUsage", "application.featureUsages.value")),
}
PLAN_TYPES = {STARTED: "start", RENEWED: "renewal", FAILED: "paymentFailed", CANCELLED: "cancellation", ENDED: "end"}
PLAN_STATUSES = {STARTED: "active", RENEWED: "active", FAILED: "pastDue", CANCELLED: "cancelled", ENDED: "ended"}


def profile_ids(profiles: np.ndarray) -> pa.Array:
    """Name profiles: a letter and nine digits."""
    return _numbered("C", profiles, 9)


@dataclass(frozen=True)
class Scribe:
    """Writes tables of one simulation: what its codes mean, and when its history starts."""

    catalogue: Catalogue
    campaigns: Sequence[Campaign]
    start: dt.datetime
    anonymous: float = 0.0
    """Share of the days on which somebody is there and does not sign in; a day with an order is none of them."""

    def events(self, first_profile: int, persons: np.ndarray, events: np.ndarray, items: np.ndarray) -> pa.Table:
        """Give one row per event and one column per leaf path."""
        who = events["who"]
        person = persons[who]
        profiles = first_profile + np.arange(len(persons))
        columns: dict[str, pa.Array] = {
            "_id": _event_ids(profiles, who, events["number"]),
            "timestamp": self._moments(events["moment"]),
            **self._identities(profiles, events),
            "eventType": self._event_types(events),
        }
        columns |= self._pages(events) if self.catalogue.kind.web else {}
        columns |= self._measures(events) | self._orders(first_profile, person, events)
        columns |= self._content(events, items) if self.catalogue.kind.content else self._items(person, events, items)
        return pa.table(columns | self._marketing(events) | self._devices(person, events) | self._plans(events))

    def _identities(self, profiles: np.ndarray, events: np.ndarray) -> dict[str, pa.Array]:
        """Say who each event tells it is: where people may be anonymous, also the cookie of their device."""
        who, day = events["who"], events["moment"] // DAY_US
        known = pa.DictionaryArray.from_arrays(pa.array(who), profile_ids(profiles))
        if not self.anonymous:
            return {"identityMap.CRMID": known}
        _, visit = np.unique(np.stack([who, day], axis=1), axis=0, return_inverse=True)
        orders = np.bincount(visit, np.isin(events["kind"], (w.CHECK_OUT, w.PURCHASE)))
        drawn = _drawn(profiles[who], day)
        away = events["device"] < 0  # mails and plans know whom they are for
        unknown = (drawn < self.anonymous) & (orders[visit] == 0) & ~away
        era = (day + profiles[who] * 7) // COOKIE_DAYS % 1000
        cookie = (profiles[who] * 10 + np.maximum(events["device"], 0)) * 1000 + era
        return {
            "identityMap.CRMID": pa.DictionaryArray.from_arrays(pa.array(who, mask=unknown), known.dictionary),
            "identityMap.ECID": _texts_where(_numbered("K", cookie, 13), ~away),
        }

    def profiles(self, first_profile: int, persons: np.ndarray, days: np.ndarray) -> pa.Table:
        """Give one row per person and time at which something about them became known: joining, a new loyalty tier."""
        joined = np.concatenate([[True], days["who"][1:] != days["who"][:-1]]) if len(days) else np.zeros(0, bool)
        known = days[joined | (days["promoted"] == 1)]
        who, since = known["who"], known["day"].astype("i8") * DAY_US
        return pa.table(
            {
                "identityMap.CRMID": profile_ids(first_profile + who),
                "timestamp": self._moments(since),
                "person.ageBand": _words(persons["age"][who], AGES),
                "homeAddress.countryCode": _words(persons["country"][who], COUNTRIES),
                "loyalty.tier": _words(known["tier"], TIERS),
            }
        )

    def _moments(self, since_start: np.ndarray, mask: np.ndarray | None = None) -> pa.Array:
        return pa.array(to_us(self.start) + since_start, pa.int64(), mask=mask).cast(MOMENT)

    @property
    def _signs(self) -> list[Sign]:
        """How each kind of event but PLAN shows."""
        return [self.catalogue.kind.shows.get(name, sign) for name, (_, sign) in sorted(SIGNS.items(), key=_by_code)]

    def _event_types(self, events: np.ndarray) -> pa.Array:
        changes = [f"subscription.{PLAN_TYPES.get(change, '')}" for change in range(ENDED + 1)]
        names = [*(event_type for event_type, _ in self._signs), *changes]
        return _words(np.where(events["kind"] == w.PLAN, w.PLAN + events["plan_change"], events["kind"]), names)

    def _measures(self, events: np.ndarray) -> dict[str, pa.Array]:
        ones, kind = pa.py_buffer(np.ones(len(events))), np.ascontiguousarray(events["kind"])
        paths = [path for _, path in self._signs]
        columns = {}
        for path in dict.fromkeys(path for path in paths if path and not self._hidden(path)):
            holds = np.array([path == other for other in [*paths, ""]])[kind]
            valid = pa.py_buffer(np.packbits(holds, bitorder="little"))
            columns[path] = pa.Array.from_buffers(pa.float64(), len(events), [valid, ones])
        return columns

    def _hidden(self, path: str) -> bool:
        return path.startswith("web.") and not self.catalogue.kind.web

    def _pages(self, events: np.ndarray) -> dict[str, pa.Array]:
        return {
            "web.webPageDetails.name": _words(events["page"], self.catalogue.pages),
            "web.webPageDetails.siteSection": _words(events["page"], self.catalogue.sections),
            "web.webReferrer.URL": _words(events["referrer"], REFERRERS),
            "search.keywords": _words(events["keyword"], self.catalogue.keywords),
        }

    def _devices(self, person: np.ndarray, events: np.ndarray) -> dict[str, pa.Array]:
        device, in_app = events["device"], events["app"] == 1
        systems = PHONES + DESKTOPS
        system = np.where(device > 0, person["phone"], len(PHONES) + person["desktop"])
        return {
            "application.name": _words(np.where(in_app, 0, -1), [self.catalogue.kind.application]),
            "device.type": _words(device, DEVICES),
            "environment.operatingSystem": _words(np.where(device < 0, -1, system), [name for name, _ in systems]),
            "environment.browserDetails.name": _words(
                np.where((device < 0) | in_app, -1, system), [browser for _, browser in systems]
            ),
            "placeContext.geo.countryCode": _words(np.where(device < 0, -1, person["country"]), COUNTRIES),
        }

    def _orders(self, first_profile: int, person: np.ndarray, events: np.ndarray) -> dict[str, pa.Array]:
        bought = np.flatnonzero(events["order"] >= 0)
        order = np.full(len(events), -1, np.int32)
        order[bought] = np.arange(len(bought), dtype=np.int32)
        number = (first_profile + events["who"][bought]).astype("i8") * 10_000 + events["order"][bought]
        return {
            "commerce.order.purchaseID": _words(order, _numbered("O", number, 13)),
            "commerce.order.priceTotal": pa.array(events["total"], mask=order < 0),
            "commerce.order.currencyCode": _words(np.where(order >= 0, person["country"], -1), CURRENCIES),
        }

    def _items(self, person: np.ndarray, events: np.ndarray, items: np.ndarray) -> dict[str, pa.Array]:
        counts = events["items"].astype("i4")
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype("i4")
        none = counts == 0

        def lists(values: pa.Array) -> pa.Array:
            return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(none))

        return {
            "productListItems.SKU": lists(
                _words(items["product"], [product.sku for product in self.catalogue.products])
            ),
            "productListItems.name": lists(
                _words(items["product"], [product.name for product in self.catalogue.products])
            ),
            "productListItems.quantity": lists(pa.array(items["quantity"].astype("f8"))),
            "productListItems.priceTotal": lists(pa.array(np.round(items["price"], 2))),
            "productListItems.currencyCode": lists(_words(np.repeat(person["country"], counts), CURRENCIES)),
        }

    def _content(self, events: np.ndarray, items: np.ndarray) -> dict[str, pa.Array]:
        """Name the first thing of each event, which is a title or a level rather than a product."""
        starts = np.cumsum(events["items"], dtype="i8") - events["items"]
        shown = np.full(len(events), -1, np.int64)
        some = events["items"] > 0
        shown[some] = items["product"][starts[some]]
        return {
            "content.name": _words(shown, [product.name for product in self.catalogue.products]),
            "content.genre": _words(shown, [product.section for product in self.catalogue.products]),
        }

    def _marketing(self, events: np.ndarray) -> dict[str, pa.Array]:
        campaign = events["campaign"]
        channels = ("email", "mobile-app", "web")
        channel = np.where(campaign >= 0, 0, np.where(events["app"] == 1, 1, np.where(events["device"] >= 0, 2, -1)))
        return {
            "marketing.campaignName": _words(campaign, [each.name for each in self.campaigns]),
            "marketing.campaignGroup": _words(campaign, [each.group for each in self.campaigns]),
            "marketing.trackingCode": _words(campaign, [each.code for each in self.campaigns]),
            "channel._type": _words(channel, channels),
        }

    def _plans(self, events: np.ndarray) -> dict[str, pa.Array]:
        plan = events["kind"] == w.PLAN
        change, long, habits = events["plan_change"], events["plan"] == LONG, self.catalogue.kind.habits
        words = self.catalogue.kind.plan
        days = np.where(long, habits.long_days, habits.short_days)

        def texts(codes: np.ndarray, names: Sequence[str | None]) -> pa.Array:
            return _words(np.where(plan, codes, -1), names)

        return {
            "subscription.planName": texts(long, [f"{words.name} {words.short}", f"{words.name} {words.long}"]),
            "subscription.category": texts(np.zeros(len(plan), int), [words.category]),
            "subscription.status": texts(change, [PLAN_STATUSES.get(each) for each in range(ENDED + 1)]),
            "subscription.startDate": self._moments(events["plan_start"].astype("i8") * DAY_US, ~plan),
            "subscription.endDate": self._moments(events["plan_end"].astype("i8") * DAY_US, ~plan),
            "subscription.term": pa.array(days, mask=~plan),
            "subscription.termUnitOfTime": texts(np.zeros(len(plan), int), ["day"]),
            "subscription.paymentStatus": texts(change == FAILED, ["paid", "failed"]),
            "subscription.renew": texts(change == CANCELLED, ["automatic", "none"]),
            "subscription.reason": texts(np.where(change == CANCELLED, events["reason"], -1), REASONS),
        }


def _by_code(entry: tuple[str, tuple[int, Sign]]) -> int:
    return entry[1][0]


def flattened(table: pa.Table) -> pa.Table:
    """Turn dictionary columns into plain ones."""
    return table.cast(pa.schema([pa.field(field.name, _plain(field.type)) for field in table.schema]))


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _words(codes: np.ndarray, words: Sequence[str | None] | pa.Array) -> pa.Array:
    """Write codes as words; a negative code, or one whose word is None, is null."""
    indices = np.asarray(codes, dtype=np.int32)
    if isinstance(words, pa.Array):
        return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), words)
    # Parquet falls back to plain text, in bytes that vary, when a word stands twice in a dictionary.
    places = {word: place for place, word in enumerate(dict.fromkeys(word for word in words if word is not None))}
    found = np.array([-1 if word is None else places[word] for word in words], dtype=np.int32)
    indices = np.where(indices < 0, np.int32(-1), found[indices])
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), pa.array(list(places), pa.string()))


def _drawn(profiles: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Draw from [0, 1) for each person and day, whatever the file they are in."""
    mixed = profiles.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + days.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(11)) / float(1 << 53)


def _texts_where(texts: pa.Array, there: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(there), texts, pa.scalar(None, texts.type))


def _numbered(letter: str, numbers: np.ndarray, digits: int) -> pa.Array:
    """Write numbers with leading zeros behind a letter.

    >>> _numbered("C", np.array([7, 12]), 3).to_pylist()
    ['C007', 'C012']
    """
    return _texts(np.concatenate([np.full((len(numbers), 1), ord(letter), np.uint8), _digits(numbers, digits)], axis=1))


def _event_ids(profiles: np.ndarray, who: np.ndarray, numbers: np.ndarray) -> pa.Array:
    """Join the number of a profile and of its event; digits are written once per profile and number, then copied."""
    dash = np.full((len(who), 1), ord("-"), np.uint8)
    of_profiles, of_numbers = _digits(profiles, 9), _digits(np.arange(numbers.max(initial=0) + 1), 6)
    return _texts(np.concatenate([of_profiles[who], dash, of_numbers[numbers]], axis=1))


def _digits(numbers: np.ndarray, count: int) -> np.ndarray:
    powers = 10 ** np.arange(count - 1, -1, -1, dtype=np.int64)
    return (numbers.astype(np.int64)[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _texts(characters: np.ndarray) -> pa.Array:
    rows, width = characters.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters)))
