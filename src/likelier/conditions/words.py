"""What people do, in plain English: "makes a purchase", "has an event where search.keywords contains "shoes""."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from likelier.conditions.condition import Condition
from likelier.conditions.operations import Equals, Exists, GreaterOrEqual, GreaterThan
from likelier.phrases import Phrase, join, say_many

Tense = Literal["present", "past", "base"]


@dataclass(frozen=True)
class Deed:
    """Something a person does.

    >>> deed = Deed("make", "makes", "made", "a purchase")
    >>> deed.said("present"), deed.said("past"), deed.denied("present"), deed.denied("past")
    ('makes a purchase', 'made a purchase', 'does not make a purchase', 'did not make a purchase')
    >>> deed.said("base"), deed.denied("base")
    ('make a purchase', 'not make a purchase')
    """

    base: str
    present: str
    past: str
    rest: str
    what: str = ""

    def said(self, tense: Tense) -> str:
        verb = {"base": self.base, "present": self.present, "past": self.past}[tense]
        return self._phrase(verb)

    def denied(self, tense: Tense) -> str:
        helper = {"base": "", "present": "does ", "past": "did "}[tense]
        return self._phrase(f"{helper}not {self.base}")

    def templates(self) -> list[str]:
        """Give the texts it is said with; a translator needs each form whole."""
        forms = [
            self.present,
            self.past,
            self.base,
            f"does not {self.base}",
            f"did not {self.base}",
            f"not {self.base}",
        ]
        return [f"{form} {self.rest}" for form in forms]

    def _phrase(self, verb: str) -> str:
        values = {"what": self.what} if self.what else {}
        return Phrase(f"{verb} {self.rest}".format(**values), f"{verb} {self.rest}", values)


def _regular(base: str, rest: str) -> Deed:
    ending = "es" if base.endswith("ch") else "s"
    return Deed(base, base + ending, base.removesuffix("e") + "ed", rest)


ANYTHING = Deed("have", "has", "had", "any activity")
NAMED = Deed("do", "does", "did", '"{what}"')
DESCRIBED = Deed("have", "has", "had", "an event where {what}")
TYPED = Deed("have", "has", "had", 'a "{what}" event')

_COUNTED = {
    "commerce.productListViews.value": _regular("view", "a product list"),
    "commerce.checkouts.value": _regular("start", "a checkout"),
    "commerce.purchases.value": Deed("make", "makes", "made", "a purchase"),
    "commerce.productListRemovals.value": _regular("remove", "a product from the cart"),
    "commerce.productListOpens.value": _regular("open", "a cart"),
    "commerce.productListAdds.value": _regular("add", "a product to the cart"),
    "commerce.productViews.value": _regular("view", "a product"),
    "commerce.saveForLaters.value": _regular("save", "a product for later"),
    "web.webPageDetails.pageViews.value": _regular("visit", "a web page"),
    "web.webInteraction.linkClicks.value": _regular("click", "a link"),
    "application.applicationCloses.value": _regular("close", "the application"),
    "application.crashes.value": _regular("experience", "an application crash"),
    "application.featureUsages.value": _regular("use", "a feature of the application"),
    "application.firstLaunches.value": _regular("launch", "the application for the first time"),
    "application.installs.value": _regular("install", "the application"),
    "application.launches.value": _regular("launch", "the application"),
    "application.upgrades.value": _regular("upgrade", "the application"),
}
_PRESENT = {
    "commerce.order.purchaseID": _regular("place", "an order"),
    "web.webPageDetails.name": _regular("visit", "a web page"),
    "search.keywords": _regular("search", "for something"),
    "eventType": ANYTHING,
    "timestamp": ANYTHING,
}
_EVENT_TYPES = {
    "web.webpagedetails.pageViews": _PRESENT["web.webPageDetails.name"],
    "web.webinteraction.linkClicks": _COUNTED["web.webInteraction.linkClicks.value"],
    "advertising.impressions": _regular("view", "an advertisement"),
    "advertising.clicks": _regular("click", "an advertisement"),
}


def deed(condition: Condition, name: str) -> Deed:
    """Say what a person does whose event satisfies the condition.

    A standard event is recognised; another one goes by the name it was given, or by its condition when it has none.
    """
    if known := _standard(condition):
        return known
    if name != condition.words():
        return replace(NAMED, what=name)
    return replace(DESCRIBED, what=condition.words())


def _standard(condition: Condition) -> Deed | None:
    match condition:
        case Exists(field):
            return _COUNTED.get(field.path) or _PRESENT.get(field.path)
        case GreaterThan(field, 0.0) | GreaterOrEqual(field, 1.0):
            return _COUNTED.get(field.path)
        case Equals(field, str(value), False) if field.path == "eventType":
            return _EVENT_TYPES.get(value) or _COUNTED.get(f"{value}.value") or _event(value)
        case _:
            return None


def _event(event_type: str) -> Deed:
    return replace(TYPED, what=event_type)


def templates() -> list[str]:
    """Give every text that deeds are said with."""
    deeds = [ANYTHING, NAMED, DESCRIBED, TYPED, *_COUNTED.values(), *_PRESENT.values(), *_EVENT_TYPES.values()]
    return list(dict.fromkeys(text for deed in deeds for text in deed.templates()))


def listed(parts: list[str], word: str) -> str:
    """Join parts with a word: "a", "a and b", "a, b and c"."""
    return join([join(parts[:-1], ", "), word, parts[-1]]) if len(parts) > 1 else join(parts)


def days(count: int) -> str:
    return say_many("{n} day", "{n} days", count)
