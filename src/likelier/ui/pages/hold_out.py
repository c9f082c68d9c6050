"""A segment's hold-out: keep a share of the members back, and see what acting on the others did."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from likelier.insights.charts import percent
from likelier.phrases import day
from likelier.service.holdouts import begin_hold_out, end_hold_out, find_hold_out
from likelier.service.overview import overviews
from likelier.ui.figures import folded
from likelier.ui.language import _, count
from likelier.ui.language import figure as written
from likelier.ui.pages.segment_dialog import segment_address
from likelier.ui.parts import action, answer_of, block, card, complain, confirmed, empty, later, opened, text
from likelier.ui.site import Site, Visitor

Found = dict[str, Any]
WRITTEN = ""
"""Stands for an outcome that is written rather than an instance's goal."""


def draw(site: Site, visitor: Visitor, segment: Found) -> None:
    """Draw what came of a hold-out, or how to begin one."""
    later(partial(find_hold_out, site.workspace, segment["name"]), partial(_told, site, visitor, segment))


def _told(site: Site, visitor: Visitor, segment: Found, report: Found | None) -> None:
    if report is None:
        about = _(
            "Keep a random share of the members back and act on the others. After the outcome window the two are "
            "compared, and you learn what acting did rather than what would have happened anyway."
        )
        with empty(_("Nobody is kept back"), about, "science"):
            if visitor.may_manage:
                action(_("Keep some back"), partial(_dialog, site, visitor, segment), "science", kind="main")
        return
    with card():
        for sentence in report["words"][:-1]:
            text(sentence, "p", "target" if sentence is report["words"][0] else "")
        if report["treated"]["rate"] is not None and report["kept_back"]["rate"] is not None:
            _rates(report)
        text(report["words"][-1], "p", "soft small")
    with card():
        _facts(report)
        with block("div", "row below"):
            if visitor.may_manage:
                action(_("End the hold-out"), partial(_end, site, visitor, segment), "stop", kind="bad")


def _rates(report: Found) -> None:
    """Draw both rates, each with the interval that chance alone would give."""
    sides = [
        (_("Treated"), report["treated"], "treated"),
        (_("Kept back"), report["kept_back"], "kept-back"),
    ]
    end = max(side["high"] for _name, side, _kind in sides) * 1.1 or 1
    with block("div", "sides", aria_hidden="true"):
        for name, side, kind in sides:
            text(name, "b")
            with block("div", f"side {kind}"):
                block("span", "rate").style(f"width: {100 * side['rate'] / end:.2f}%")
                low, high = 100 * side["low"] / end, 100 * side["high"] / end
                block("span", "whisker").style(f"left: {low:.2f}%; width: {high - low:.2f}%")
            text(percent(side["rate"]), "span", "n")
    folded(
        _("Treated and kept back"),
        ["", _("People"), _("Had the outcome"), _("Rate"), _("95% interval")],
        [
            [
                name,
                count(side["people"]),
                count(side["outcomes"]),
                _(percent(side["rate"])),
                f"{_(percent(side['low']))} – {_(percent(side['high']))}",
            ]
            for name, side, _kind in sides
        ],
    )


def _facts(report: Found) -> None:
    effect = report["effect"]
    facts = [
        (_("Kept back"), f"{written(report['percent'], 'g')} %"),
        (_("Began"), day(report["started"])),
        (_("The outcome window ends"), day(report["ends"])),
        (_("Outcome"), report["outcome"]),
    ]
    if effect:
        points = _("{points} points", points=written(100 * effect["smallest_visible"], ".1f"))
        facts.append((_("Smallest difference so many people would show"), points))
        if effect["people_needed"]:
            facts.append((_("People needed to see this difference"), count(effect["people_needed"])))
    text(_("The hold-out"), "h3")
    with block("dl", "facts"):
        for name, value in facts:
            with block("div"):
                text(name, "dt")
                text(value, "dd")


async def _end(site: Site, visitor: Visitor, segment: Found) -> None:
    consequence = _("Nobody is kept back any more, and this comparison is forgotten.")
    if not await confirmed(_("End the hold-out of '{name}'?", name=segment["name"]), consequence, _("End it")):
        return

    def end() -> bool:
        end_hold_out(site.workspace, visitor.actor, segment["name"])
        return True

    if await answer_of(end):
        ui.navigate.to(segment_address(segment["name"], tab="hold-out"))


def _dialog(site: Site, visitor: Visitor, segment: Found) -> None:
    with opened(_("Keep some back")):
        later(partial(_goals, site), partial(_Wish(site, visitor, segment).draw))


def _goals(site: Site) -> list[str]:
    return [one.name for one in overviews(site.workspace) if not one.is_draft]


class _Wish:
    """How many are to be kept back, and what counts as the outcome."""

    def __init__(self, site: Site, visitor: Visitor, segment: Found) -> None:
        self._site, self._visitor, self._segment = site, visitor, segment

    def draw(self, goals: list[str]) -> None:
        about = _("Who is kept back is drawn at random and stays so. Downloads and deliveries leave them out.")
        text(about, "p", "soft")
        self._percent = ui.number(_("Share to keep back, in percent"), value=10, min=1, max=90).props("outlined dense")
        outcomes = {name: _("the goal of '{name}'", name=name) for name in goals} | {WRITTEN: _("something else")}
        self._goal = ui.select(outcomes, value=next(iter(outcomes)), label=_("Outcome")).props("outlined dense")
        with block("div", "stack") as other:
            self._rule = ui.input(_("What they do"), placeholder="did (commerce.purchases.value exists)")
            self._rule.props("outlined dense input-class=mono")
            self._days = ui.number(_("Within how many days"), value=30, min=1, precision=0).props("outlined dense")
        other.bind_visibility_from(self._goal, "value", lambda chosen: chosen == WRITTEN)
        with block("div", "row end"):
            action(_("Keep them back"), self._begin, "check", kind="main")

    async def _begin(self) -> None:
        goal, rule = self._goal.value, (self._rule.value or "").strip()
        if not self._percent.value:
            complain(_("Say how many are to be kept back first."))
        elif goal == WRITTEN and not rule:
            complain(_("Say what they do first."))
        elif await answer_of(partial(self._keep_back, goal, rule)):
            ui.navigate.to(segment_address(self._segment["name"], tab="hold-out"))

    def _keep_back(self, goal: str, rule: str) -> Found:
        asked = {"instance": goal} if goal else {"outcome": rule, "window_days": int(self._days.value or 0)}
        return begin_hold_out(
            self._site.workspace, self._visitor.actor, self._segment["name"], percent=self._percent.value, **asked
        )
