"""Rules of segments put together by hand: facts about people, joined by all or any.

What is built is a plain document, edited in place; :func:`rule_of` makes of it the keys of a rule file and leaves out
what is not written to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nicegui import ui

from likelier.profiles.rules import EFFECTS, NUMERIC_VALUE, SCORE_FIELDS
from likelier.service.suggest import RuleChoices
from likelier.ui.builder import Builder, Document, Suggest, complete, is_complete, plain
from likelier.ui.language import _, factor
from likelier.ui.parts import action, block, card, text, tool

BUCKETS = ("high", "medium", "low")


def blank_rule() -> Document:
    return {"match": "all", "facts": []}


def rule_of(document: Mapping[str, Any]) -> Document | None:
    """Give the keys of the rule that was built; None while nothing is complete.

    >>> scored = {"kind": "score", "of": "Buy", "condition": {"field": "score", "operator": "less_than", "value": 5}}
    >>> rule_of({"match": "any", "facts": [scored | {"denied": True}, {"kind": "segment", "name": None}]})
    {'any': [{'not': {'score': {'of': 'Buy', 'operator': 'less_than', 'value': 5}}}]}
    >>> rule_of(blank_rule())
    """
    parts = [{"not": part} if fact.get("denied") else part for fact in document["facts"] if (part := _part(fact))]
    return {document["match"]: parts} if parts else None


def _part(fact: Document) -> Document | None:
    match fact["kind"]:
        case "score" if fact.get("of") and is_complete(fact["condition"]):
            asked = plain(fact["condition"])
            return {asked.pop("field"): {"of": fact["of"], **asked}}
        case "factor" if fact.get("of") and fact.get("name"):
            asked = plain(fact["condition"]) if is_complete(fact["condition"]) else {}
            asked.pop("field", None)
            effect = {"effect": fact["effect"]} if fact.get("effect") else {}
            return {"factor": {"name": fact["name"], "of": fact["of"], **effect, **asked}}
        case "attribute" if is_complete(fact["condition"]):
            return {"attribute": plain(fact["condition"])}
        case "did" if events := complete([fact["event"]]):
            last = {"last_days": fact["last_days"]} if fact.get("last_days") else {}
            return {
                "did": {key: events[0][key] for key in ("conditions", "match", "at_least") if key in events[0]} | last
            }
        case "segment" if fact.get("name"):
            return {"segment": fact["name"]}
    return None


def range_rule(instance: str, name: str, start: float | None, end: float | None, *, last: bool = False) -> Document:
    """Make the rule of those for whom a factor has a value from `start` to below `end`, or up to the `last`.

    >>> range_rule("Buy", "Count of visits", 2, None)
    {'all': [{'factor': {'name': 'Count of visits', 'of': 'Buy', 'operator': 'greater_or_equal', 'value': 2}}]}
    """
    bounds = [("greater_or_equal", start), ("less_or_equal" if last else "less_than", end)]
    return {
        "all": [
            {"factor": {"name": name, "of": instance, "operator": operator, "value": value}}
            for operator, value in bounds
            if value is not None
        ]
    }


class RuleBuilder:
    """Editors for facts about people; `changed` hears of every change."""

    def __init__(self, choices: RuleChoices, changed: Callable[[], None], suggest: Suggest) -> None:
        self._choices, self._changed, self._suggest = choices, changed, suggest

    def draw(self, document: Document) -> None:
        """Edit a rule."""
        facts: list[Document] = document["facts"]
        with block("div", "sentence"):
            text(_("People for whom"), "span")
            every = {"all": _("all of"), "any": _("any of")}
            match = ui.select(every, value=document["match"]).props("outlined dense options-dense")
            match.props["aria-label"] = _("All or any")
            match.on_value_change(lambda change: self._set(document, "match", change.value))
            text(_("these hold:"), "span")
        place = block("div", "stack")

        def redraw() -> None:
            place.clear()
            with place:
                for fact in facts:
                    self._fact(fact, partial(remove, fact))

        def add(kind: str) -> None:
            facts.append(new_fact(kind, self._choices))
            redraw()
            self._changed()

        def remove(fact: Document) -> None:
            facts[:] = [each for each in facts if each is not fact]
            redraw()
            self._changed()

        redraw()
        with block("div", "row"):
            for kind, title in self._kinds().items():
                action(title, partial(add, kind), "add", kind="quiet")

    def _kinds(self) -> dict[str, str]:
        """Offer what there is something of."""
        offered = {
            "score": (_("A score"), self._choices.factors),
            "factor": (_("A factor"), any(self._choices.factors.values())),
            "attribute": (_("An attribute"), self._choices.attributes),
            "did": (_("What they did"), self._choices.events),
            "segment": (_("Another segment"), self._choices.segments),
        }
        return {kind: title for kind, (title, there) in offered.items() if there}

    def _fact(self, fact: Document, remove: Callable[[], None]) -> None:
        with card("event", tag="div"):
            with block("div", "row between nowrap"):
                with block("div", "row"):
                    text(self._kinds()[fact["kind"]], "b")
                    denied = ui.checkbox(_("must not hold"), value=bool(fact.get("denied"))).props("dense")
                    denied.on_value_change(lambda change: self._set(fact, "denied", bool(change.value)))
                tool("delete", _("Take this out"), remove)
            getattr(self, f"_{fact['kind']}")(fact)

    def _score(self, fact: Document) -> None:
        self._instance(fact)
        names = {
            "score": _("score"),
            "probability": _("probability"),
            "percentile": _("percentile"),
            "bucket": _("bucket"),
        }
        Builder(SCORE_FIELDS, self._changed, _buckets, names).condition(fact["condition"])

    def _factor(self, fact: Document) -> None:
        self._instance(fact, lambda: draw())  # noqa: PLW0108 - it is made below
        place = block("div", "stack tight")

        def draw() -> None:
            place.clear()
            with place, block("div", "pair"):
                names = {name: factor(name) for name in self._choices.factors.get(fact["of"], ())}
                if fact.get("name") not in names:
                    fact["name"] = None
                box = ui.select(names, label=_("Factor"), value=fact["name"], with_input=True)
                box.props("outlined dense options-dense")
                box.on_value_change(lambda change: self._set(fact, "name", change.value))
                effects = {"": _("moves the score either way"), "raises": _("raises the score")}
                effects |= {"lowers": _("lowers the score")}
                assert set(EFFECTS) < set(effects)
                way = ui.select(effects, label=_("Effect"), value=fact.get("effect", ""))
                way.props("outlined dense options-dense")
                way.on_value_change(lambda change: self._set(fact, "effect", change.value))

        draw()
        fields = {"value": NUMERIC_VALUE}
        label = _("Its value (if you like)")
        Builder(fields, self._changed, _nothing, {"value": _("value")}, label).condition(fact["condition"])

    def _attribute(self, fact: Document) -> None:
        Builder(self._choices.attributes, self._changed, self._suggest).condition(fact["condition"])

    def _did(self, fact: Document) -> None:
        Builder(self._choices.events, self._changed, self._suggest).conditions(fact["event"])
        with block("div", "row"):
            times = ui.number(_("At least so often"), value=fact["event"].get("at_least", 1), min=1, precision=0)
            times.props("outlined dense").classes("narrow")
            times.on_value_change(lambda change: self._set(fact["event"], "at_least", int(change.value or 1)))
            last = ui.number(_("In the last days (empty: ever)"), value=fact.get("last_days"), min=1, precision=0)
            last.props("outlined dense")
            last.on_value_change(
                lambda change: self._set(fact, "last_days", int(change.value) if change.value else None)
            )

    def _segment(self, fact: Document) -> None:
        box = ui.select(list(self._choices.segments), label=_("Segment"), value=fact["name"]).props("outlined dense")
        box.on_value_change(lambda change: self._set(fact, "name", change.value))

    def _instance(self, fact: Document, then: Callable[[], None] = lambda: None) -> None:
        box = ui.select(list(self._choices.factors), label=_("Instance"), value=fact["of"]).props("outlined dense")

        def choose(name: str) -> None:
            fact["of"] = name
            then()
            self._changed()

        box.on_value_change(lambda change: choose(change.value))

    def _set(self, document: Document, key: str, value: Any) -> None:
        document[key] = value
        self._changed()


def new_fact(kind: str, choices: RuleChoices) -> Document:
    """Begin a fact with what is most often meant."""
    first = next(iter(choices.factors), None)
    begun: dict[str, Document] = {
        "score": {"of": first, "condition": {"field": "score", "operator": "greater_or_equal", "value": 75}},
        "factor": {"of": first, "name": None, "effect": "raises", "condition": {}},
        "attribute": {"condition": {}},
        "did": {"event": {"match": "all", "conditions": [{}]}, "last_days": 30},
        "segment": {"name": next(iter(choices.segments), None)},
    }
    return {"kind": kind, **begun[kind]}


async def _buckets(path: str) -> list[str]:
    return list(BUCKETS) if path == "bucket" else []


async def _nothing(_path: str) -> list[str]:
    return []
