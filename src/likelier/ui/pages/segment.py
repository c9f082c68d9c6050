"""One segment: who belongs to it, what sets them apart, whom it shares with another, what acting on them did."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from likelier.insights import charts
from likelier.insights.charts import percent
from likelier.phrases import day
from likelier.service.comparisons import overlap, what_differs
from likelier.service.segments import delete_segment, export_segment, list_segments, segment_members
from likelier.ui.figures import figure, folded
from likelier.ui.language import _, count
from likelier.ui.language import figure as written
from likelier.ui.pages import hold_out
from likelier.ui.pages.deliveries import deliveries
from likelier.ui.pages.insights import tabbed
from likelier.ui.pages.segment_dialog import edit_dialog, segment_dialog
from likelier.ui.parts import action, answer_of, block, card, empty, heading, icon, later, link, text, toast
from likelier.ui.site import Site, Visitor

SHOWN = 20
STRIKING = 0.005
"""An effect smaller than this is none."""
Found = dict[str, Any]


def draw(site: Site, visitor: Visitor, tab: str, edited: str, found: Found) -> None:
    """Draw the page; `edited` is the revision that was just saved."""
    _head(site, visitor, found)
    places = {
        "members": (_("Members"), partial(_members, site, visitor, found)),
        "differences": (_("What sets them apart"), partial(_differences, site, found)),
        "overlap": (_("Overlap"), partial(_overlap, site, visitor, found)),
        "hold-out": (_("Does acting help?"), partial(hold_out.draw, site, visitor, found)),
    }
    tabbed(places, tab if tab in places else "members")
    if visitor.may_manage and edited == found["revision"]:
        toast(_("'{name}' is saved.", name=found["name"]))


def _head(site: Site, visitor: Visitor, found: Found) -> None:
    with block("div"):
        with block("nav", "crumbs", aria_label=_("Where you are")):
            link(_("Segments"), "/segments")
            icon("chevron_right")
            text(found["name"], "span", aria_current="page")
        with block("div", "page-head"):
            with block("div", "grow"):
                heading(found["name"], found["description"])
            with block("div", "row"):
                with action(_("Download"), None, "download"), ui.menu().props("auto-close"):
                    for suffix, kind in (("csv", "CSV"), ("parquet", "Parquet"), ("jsonl", "JSON lines")):
                        said = _("Members as {format}", format=kind)
                        ui.menu_item(said, partial(download, site, found["name"], suffix))
                if visitor.may_manage:
                    action(_("Edit"), lambda: edit_dialog(site, visitor, found), "edit")
                    action(_("Delete"), partial(_delete, site, found), "delete", kind="bad")
    with block("div", "tiles"):
        for value, label in (
            (count(found["size"]), _("people")),
            (found["namespace"], _("identity")),
            (day(found["as_of"]), _("as of")),
        ):
            with block("div", "tile"):
                text(value, "b")
                text(label, "span", "soft")


async def download(site: Site, name: str, suffix: str, *, kept_back: bool = False) -> None:
    """Have the browser save the members, or those kept back."""
    file = Path(tempfile.mkdtemp(prefix="likelier-")) / f"members.{suffix}"
    actor = site.who().actor
    if await answer_of(lambda: export_segment(site.workspace, actor, name, file, kept_back=kept_back)) is not None:
        ui.download.file(file, f"{name}.{suffix}")


async def _delete(site: Site, found: Found) -> None:
    actor = site.who().actor

    def delete() -> bool:
        delete_segment(site.workspace, actor, found["id"])
        return True

    if await answer_of(delete):
        ui.navigate.to(f"/segments?deleted={found['id']}")


# Who belongs


def _members(site: Site, visitor: Visitor, found: Found) -> None:
    with card():
        text(_("Who belongs to it"), "h2")
        text(_("People who {rule}.", rule=found["words"]))
        text(found["text"], "pre", "soft")
    with block("div", "two"):
        with card():
            _sizes(found["counts"])
        with card():
            text(_("Some of the members"), "h3")
            later(partial(segment_members, site.workspace, found["name"], limit=SHOWN), partial(_some, found))
    deliveries(site, visitor, found)


def _sizes(counts: list[Found]) -> None:
    points = [(each["at"], each["size"]) for each in reversed(counts)]
    if len(points) < 2:  # one point is no line
        text(_("Size over time"), "h3")
        text(_("It was counted once so far. Each run and each change of the data adds a point here."), "p", "soft")
        return
    figure(
        _("Size over time"),
        lambda look: charts.sizes(points, look),
        about=_("How many belonged each time it was counted."),
        kind="low-chart",
        heads=[_("Counted"), _("People")],
        rows=[[day(at), count(size)] for at, size in reversed(points)],
    )


def _some(found: Found, page: Found) -> None:
    if not page["items"]:
        text(_("Nobody belongs to it now."), "p", "soft")
    with block("ul", "members"):
        for each in page["items"]:
            with block("li"):
                link(each["id"], "/profiles?" + urlencode({"namespace": found["namespace"], "id": each["id"]}))
    if page["next"]:
        text(_("The first {shown} of {all}.", shown=len(page["items"]), all=count(found["size"])), "p", "soft small")


# What sets them apart


def _differences(site: Site, found: Found) -> None:
    later(partial(what_differs, site.workspace, found["name"]), _apart, waiting=_("Comparing …"))


def _apart(found: Found) -> None:
    striking = [one for one in found["differences"] if one["effect"] is None or abs(one["effect"]) >= STRIKING][:SHOWN]
    if not (found["members"] and found["others"] and striking):
        about = _("Everybody is a member, or nobody is, or the members are like all the others.")
        with empty(_("Nothing sets them apart"), about, "balance"):
            pass
        return
    widest = max(abs(one["effect"] or 0) for one in striking) or 1
    with card():
        text(_("Members and everybody else"), "h2")
        about = _(
            "{members} members against {others} others, the greatest differences first. A bar to the right: more among "
            "the members.",
            members=count(found["members"]),
            others=count(found["others"]),
        )
        text(about, "p", "soft")
        with block("ol", "reasons apart"):
            for one in striking:
                effect = one["effect"] if one["effect"] is not None else widest
                with block("li", "up" if effect >= 0 else "down"):
                    text(one["what"], "span", "reason")
                    with block("span", "pull", aria_hidden="true"):
                        block("span").style(f"width: {50 * min(abs(effect) / widest, 1):.1f}%")
                    told = {side: _mean(one[side], one["kind"]) for side in ("members", "others")}
                    text(_("{members} against {others}", **told), "span", "effect")
        folded(
            _("Members and everybody else"),
            [_("What"), _("Members"), _("Others"), _("Standard deviations")],
            [
                [
                    one["what"],
                    _mean(one["members"], one["kind"]),
                    _mean(one["others"], one["kind"]),
                    written(one["effect"], "+.2f"),
                ]
                for one in striking
            ],
        )
    text(_("What goes together with being a member need not be its cause."), "p", "soft small")


def _mean(value: float | None, kind: str) -> str:
    if value is None:
        return "–"
    return _(percent(value)) if kind == "share" else written(value, ",.1f")


# Whom it shares with another


def _overlap(site: Site, visitor: Visitor, found: Found) -> None:
    later(partial(list_segments, site.workspace), partial(_choose_other, site, visitor, found))


def _choose_other(site: Site, visitor: Visitor, found: Found, every: list[Found]) -> None:
    others = [one["name"] for one in every if one["id"] != found["id"] and one["namespace"] == found["namespace"]]
    if not others:
        about = _("Once there is another segment of the same people, you see here how many belong to both.")
        with empty(_("No other segment"), about, "join_inner"):
            pass
        return
    with card():
        box = ui.select(others, value=others[0], label=_("Compared with")).props("outlined dense options-dense")
        box.classes("search")
        place = block("div", "below")

        def compare(other: str) -> None:
            place.clear()
            with place:
                later(
                    partial(overlap, site.workspace, found["name"], other),
                    partial(_shared, site, visitor),
                    waiting=_("Counting …"),
                )

        box.on_value_change(lambda change: compare(change.value))
        compare(others[0])


def _shared(site: Site, visitor: Visitor, told: Found) -> None:
    first, second = told["first"], told["second"]
    text(
        _(
            "{both} people belong to both: {of_first} of '{first}' and {of_second} of '{second}'.",
            both=count(told["both"]),
            of_first=_(percent(told["share_of_first"])),
            of_second=_(percent(told["share_of_second"])),
            first=first["name"],
            second=second["name"],
        ),
        "p",
        "headline",
    )
    parts = [
        ("alone", first["alone"], _("only '{name}'", name=first["name"])),
        ("both", told["both"], _("both")),
        ("other", second["alone"], _("only '{name}'", name=second["name"])),
    ]
    with block("div", "overlap", aria_hidden="true"):
        for kind, people, _label in parts:
            if people:
                block("span", kind).style(f"flex-grow: {people}")
    with block("ul", "overlap-key"):
        for kind, people, label in parts:
            with block("li"):
                block("span", f"swatch {kind}", aria_hidden="true")
                text(count(people), "b", "n")
                text(label, "span")
    if not visitor.may_manage:
        return
    mine, theirs = {"segment": first["name"]}, {"segment": second["name"]}
    make = partial(segment_dialog, site, visitor)
    both = _("{first} and {second}", first=first["name"], second=second["name"])
    without = _("{first} without {second}", first=first["name"], second=second["name"])
    with block("div", "row below"):
        action(_("Segment of both"), partial(make, rule={"all": [mine, theirs]}, name=both), "join_inner")
        action(
            _("Segment of the first alone"),
            partial(make, rule={"all": [mine, {"not": theirs}]}, name=without),
            "join_left",
        )
