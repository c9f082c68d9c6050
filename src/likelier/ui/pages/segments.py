"""Segments: people picked by their scores, factors, attributes and deeds."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from nicegui import context, ui

from likelier.phrases import day
from likelier.service.segments import (
    Wanted,
    create_segment,
    delete_segment,
    estimate_segment,
    export_segment,
    get_segment,
    list_segments,
    segment_members,
)
from likelier.ui import frame
from likelier.ui.figures import numbers
from likelier.ui.language import _, count
from likelier.ui.parts import (
    action,
    answer_of,
    block,
    card,
    complain,
    confirmed,
    empty,
    heading,
    icon,
    later,
    link,
    text,
    toast,
    tool,
)
from likelier.ui.site import Site, Visitor
from likelier.ui.table import Column, Table

Found = dict[str, Any]


def register(site: Site) -> None:
    @ui.page("/segments")
    async def segments(name: str = "") -> None:
        with frame.page(site, name or _("Segments"), at="/segments") as visitor:
            if name:
                later(partial(get_segment, site.workspace, name), partial(_one, site, visitor))
                return
            with block("div", "page-head"):
                with block("div", "grow"):
                    heading(
                        _("Segments"), _("Groups of people to act on, picked by scores, reasons and what they did.")
                    )
                if visitor.may_manage:
                    action(_("New segment"), lambda: segment_dialog(site, visitor), "group_add", kind="main")
            later(partial(list_segments, site.workspace), partial(_list, site, visitor))


def _list(site: Site, visitor: Visitor, found: list[Found]) -> None:
    if not found:
        about = _("Open the insights of an instance and choose a bucket, or write a rule here.")
        with empty(_("No segments yet"), about, "groups"):
            if visitor.may_manage:
                action(_("New segment"), lambda: segment_dialog(site, visitor), "group_add", kind="main")
        return
    with card():
        table: Table[Found] = Table(
            _("Segments"),
            [
                Column(_("Name"), _name, lambda row: row["name"].casefold()),
                Column(_("People"), lambda row: text(count(row["size"]), "span"), lambda row: row["size"], number=True),
                Column(_("Identity"), lambda row: text(row["namespace"], "span"), lambda row: row["namespace"]),
                Column(_("Counted"), lambda row: text(day(row["as_of"]), "span"), lambda row: row["as_of"]),
            ],
            sort=0,
            open_row=lambda row: ui.navigate.to(_address(row["name"])),
        )
        table.show(found)


def _name(row: Found) -> None:
    with block("div"):
        link(row["name"], _address(row["name"]), "name")
        text(row["words"], "span", "under")


def _address(name: str) -> str:
    return "/segments?" + urlencode({"name": name})


def _one(site: Site, visitor: Visitor, found: Found) -> None:
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
                        said = _("Members as {format}").format(format=kind)
                        ui.menu_item(said, partial(_download, site, found["name"], suffix))
                if visitor.may_manage:
                    action(_("Delete"), partial(_delete, site, found["name"]), "delete", kind="bad")
    with block("div", "tiles"):
        for value, label in (
            (count(found["size"]), _("people")),
            (found["namespace"], _("identity")),
            (day(found["as_of"]), _("as of")),
        ):
            with block("div", "tile"):
                text(value, "b")
                text(label, "span", "soft")
    with card():
        text(_("Who belongs to it"), "h2")
        text(_("People {rule}.").format(rule=found["words"]))
        text(found["text"], "pre", "soft")
    with block("div", "two"):
        with card():
            text(_("Members"), "h2")
            later(partial(segment_members, site.workspace, found["name"], limit=20), partial(_members, found))
        with card():
            text(_("Size over time"), "h2")
            rows = [[day(each["at"]), count(each["size"])] for each in found["counts"]]
            numbers([_("Counted"), _("People")], rows)


def _members(found: Found, page: Found) -> None:
    if not page["items"]:
        text(_("Nobody belongs to it now."), "p", "soft")
    with block("ul", "members"):
        for each in page["items"]:
            with block("li"):
                link(each["id"], "/profiles?" + urlencode({"namespace": found["namespace"], "id": each["id"]}))
    if page["next"]:
        text(_("The first {shown} of {all}.").format(shown=len(page["items"]), all=count(found["size"])), "p", "soft")


async def _download(site: Site, name: str, suffix: str) -> None:
    file = Path(tempfile.mkdtemp(prefix="likelier-")) / f"members.{suffix}"
    actor = site.who().actor
    if await answer_of(lambda: export_segment(site.workspace, actor, name, file)) is not None:
        ui.download.file(file, f"{name}.{suffix}")


async def _delete(site: Site, name: str) -> None:
    consequence = _("Its members and its counts over time go with it. This cannot be undone.")
    if not await confirmed(_("Delete '{name}'?").format(name=name), consequence, _("Delete")):
        return

    actor = site.who().actor

    def delete() -> bool:
        delete_segment(site.workspace, actor, name)
        return True

    if await answer_of(delete):
        ui.navigate.to("/segments")


def segment_dialog(site: Site, visitor: Visitor, *, instance: str = "", bucket: str = "") -> None:
    """Make a segment of a bucket of an instance, or of a rule."""
    suggested = f"{instance}: {bucket}" if instance else ""
    with (
        context.client.content,
        ui.dialog() as dialog,
        block("div", "card dialog wide-dialog", aria_label=_("New segment")),
    ):
        with block("div", "row between nowrap"):
            text(_("New segment"), "h2")
            tool("close", _("Close"), dialog.close)
        name = ui.input(_("Name"), value=suggested).props("outlined dense autofocus")
        rule = None
        if instance:
            said = _("Everybody whose latest score of '{instance}' is {bucket}. It follows each new run.")
            text(said.format(instance=instance, bucket=bucket))
        else:
            rule = ui.textarea(
                _("Who belongs to it"), placeholder='score of "Buy again" >= 75 and loyalty.tier = "gold"'
            )
            rule.props("outlined autogrow input-class=mono")
            with block("details"):
                text(_("How to write it"), "summary")
                for example in (
                    'score of "Buy again" >= 75',
                    'factor "Days since webVisit" of "Buy again" raises',
                    "did (commerce.purchases.value exists) at least 2 times in the last 30 days",
                    'loyalty.tier = "gold" and not in segment "Staff"',
                ):
                    text(example, "pre", "soft")
        size = text("", "p", "good", aria_live="polite")

        def wanted() -> Wanted:
            return Wanted(text=rule.value or "") if rule else Wanted(instance=instance, bucket=bucket)

        async def estimate() -> None:
            found = await answer_of(lambda: estimate_segment(site.workspace, wanted()))
            size.set_text(
                _("{number} people, {words}.").format(number=count(found["size"]), words=found["words"])
                if found
                else ""
            )

        async def create() -> None:
            chosen = (name.value or "").strip()
            if not chosen:
                complain(_("Give it a name first."))
                return
            made = await answer_of(lambda: create_segment(site.workspace, visitor.actor, chosen, wanted()))
            if made:
                toast(_("'{name}' has {number} people.").format(name=made["name"], number=count(made["size"])))
                ui.navigate.to(_address(made["name"]))

        with block("div", "row end"):
            action(_("How many are they?"), estimate, "calculate")
            action(_("Create"), create, "check", kind="main")
    dialog.on("hide", dialog.delete)
    dialog.open()
