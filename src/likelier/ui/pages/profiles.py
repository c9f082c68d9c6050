"""One person: how they score and why, what is known of them, what they did."""

from __future__ import annotations

from asyncio import to_thread
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from likelier.insights import words
from likelier.insights.charts import SIGNS, percent
from likelier.phrases import day, join, say
from likelier.service.profiles import find_profile
from likelier.service.suggest import datasets_to_choose
from likelier.ui import frame
from likelier.ui.language import _, count, date, factor, figure
from likelier.ui.parts import action, block, card, empty, heading, later, link, text, value_word
from likelier.ui.site import Site, address

Person = dict[str, Any]
GLANCED = 4
"""Facts of an event that are told at once."""


def register(site: Site) -> None:
    @address("/profiles")
    async def profiles(namespace: str = "", id: str = "") -> None:  # noqa: A002 - the address says ?id=
        datasets = await to_thread(datasets_to_choose, site.workspace)
        known = sorted({name for each in datasets for name in each.namespaces})
        with frame.page(site, _("Profiles"), at="/profiles"):
            heading(_("Profiles"), _("Find a person by any of their ids: how they score, and the reasons."))
            if not known:
                with empty(_("No data yet"), _("People appear here once a dataset holds them."), "person_search"):
                    action(_("Look at the datasets"), lambda: ui.navigate.to("/datasets"), "storage")
                return
            _search(known, namespace if namespace in known else known[0], id)
            if id:
                work = partial(find_profile, site.workspace, namespace or known[0], id)
                later(work, _show, waiting=_("Looking for {id} …", id=id))


def _search(known: list[str], namespace: str, identity: str) -> None:
    def find() -> None:
        wanted = (who.value or "").strip()
        if wanted:
            ui.navigate.to("/profiles?" + urlencode({"namespace": kind.value, "id": wanted}))

    with block("form", "row find", role="search") as form:
        kind = ui.select(known, value=namespace, label=_("Kind of id")).props("outlined dense")
        who = ui.input(_("Id"), value=identity).props("outlined dense autofocus").classes("grow")
        who.on("keydown.enter", find)
        action(_("Find"), find, "search", kind="main")
    form.on("submit", js_handler="(e) => e.preventDefault()")


def _show(person: Person) -> None:
    with block("div", "row"):
        text(person["id"], "h2")
        for each in person.get("identities") or ():
            if each["id"] != person["id"]:
                text(f"{each['namespace']}: {each['id']}", "span", "badge")
    if not person["scores"]:
        text(_("No instance has scored this person, or their scores are not shown in profiles."), "p", "note")
    with block("div", "two"):
        for score in person["scores"]:
            with card():
                _score(score)
    with block("div", "two"):
        with card():
            _attributes(person)
        with card():
            _segments(person)
    if person.get("events"):
        with card():
            _timeline(person)


def _score(score: Person) -> None:
    bucket, kind = score["bucket"], score["propensity_type"]
    names = {"low": _("Low"), "medium": _("Medium"), "high": _("High")}
    with block("h3"):
        link(score["instance"], f"/instances/{score['instance_id']}")
    with block("div", f"row gauge-head {kind}"):
        with block("span", f"row nowrap {bucket}"):
            text(SIGNS[bucket], "span", "sign", aria_hidden="true")
            text(count(score["score"]), "b", "huge")
        text(
            _(
                "{bucket}: {part} will, by what people like them did; ahead of about {percentile} of 100.",
                bucket=names[bucket],
                part=words.out_of(score["probability"]),
                percentile=score["percentile"],
            ),
            "p",
            "grow",
        )
    with block("div", f"gauge {kind}", aria_hidden="true"):
        for each in ("low", "medium", "high"):
            block("span", each)
        block("span", "needle").style(f"left: {score['score']:.1f}%")
    said = say(
        "Scored as of {day}, probability {part}", day=day(score["score_date"]), part=percent(score["probability"])
    )
    text(said, "p", "soft small")
    _reasons(score["factors"])


def _reasons(factors: list[Person]) -> None:
    """Draw each reason to the side it pulls."""
    text(_("Why"), "h3")
    widest = max((abs(each["contribution"]) for each in factors), default=0) or 1
    with block("ol", "reasons"):
        for each in factors:
            up = each["contribution"] >= 0
            with block("li", "up" if up else "down"):
                with block("span", "reason"):
                    text(_("everything else") if each["code"] == "other" else factor(each["code"]), "span")
                    if each["value"]:
                        text(f" = {value_word(each['value'])}", "span", "soft")
                with block("span", "pull", aria_hidden="true"):
                    block("span").style(f"width: {50 * abs(each['contribution']) / widest:.1f}%")
                text(join(["▲" if up else "▼", words.effect(each["contribution"])]), "span", "effect")
    text(_("▲ makes it likelier, ▼ less likely; the bars show by how much."), "p", "soft small")


def _attributes(person: Person) -> None:
    text(_("What is known"), "h3")
    with block("dl", "facts"):
        for each in person["attributes"]:
            with block("div"):
                text(each["name"], "dt")
                text(", ".join(each["value"]) if isinstance(each["value"], list) else str(each["value"]), "dd")
        for each in person["activity"]:
            with block("div"):
                text(each["dataset"], "dt")
                text(
                    _(
                        "{number} events, {first} – {last}",
                        number=count(each["events"]),
                        first=date(each["first"]),
                        last=date(each["last"]),
                    ),
                    "dd",
                )
    if not (person["attributes"] or person["activity"]):
        text(_("Nothing but the scores."), "p", "soft")


def _segments(person: Person) -> None:
    text(_("Segments"), "h3")
    found = person.get("segments") or []
    if not found:
        text(_("In none."), "p", "soft")
    with block("div", "row"):
        for each in found:
            link(each["name"], "/segments?" + urlencode({"name": each["name"]}), "badge")


def _timeline(person: Person) -> None:
    text(_("What they did last"), "h3")
    with block("ol", "events"):
        for event in person["events"]:
            fields = dict(event["fields"])
            with block("li"):
                text(day(event["timestamp"]), "span", "soft small when")
                with block("div", "grow"):
                    text(str(fields.pop("eventType", "") or _("event")), "b")
                    facts = [
                        f"{path.rpartition('.')[2]} {_plain(value)}"
                        for path, value in fields.items()
                        if not (path.endswith(".value") and value == 1)  # which says no more than the event's type
                    ]
                    if facts:
                        text(" · ".join(facts[:GLANCED]), "p", "soft small")
                    if len(facts) > GLANCED:
                        with block("details"):
                            text(_("What is known of it"), "summary", "small")
                            text(" · ".join(facts[GLANCED:]), "p", "soft small")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value)
    return figure(value, ",.10g") if isinstance(value, float) else str(value)
