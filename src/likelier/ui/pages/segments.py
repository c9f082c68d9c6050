"""Segments: people picked by their scores, factors, attributes and deeds."""

from __future__ import annotations

from asyncio import to_thread
from functools import partial
from typing import Any

from nicegui import ui

from likelier.phrases import day
from likelier.service.deleted import name_of_deleted
from likelier.service.segments import get_segment, list_segments, restore_segment, sizes_over_time
from likelier.ui import frame
from likelier.ui.figures import trend
from likelier.ui.language import _, count
from likelier.ui.pages import segment
from likelier.ui.pages.segment_dialog import segment_address, segment_dialog
from likelier.ui.parts import action, answer_of, block, card, empty, heading, later, link, offer_undo, text
from likelier.ui.site import Site, Visitor, address
from likelier.ui.table import Column, Table

Found = dict[str, Any]


def register(site: Site) -> None:
    @address("/segments")
    async def segments(name: str = "", tab: str = "members", deleted: str = "", edited: str = "") -> None:
        gone = await to_thread(name_of_deleted, site.workspace, deleted) if deleted else None
        with frame.page(site, name or _("Segments"), at="/segments") as visitor:
            if name:
                later(partial(get_segment, site.workspace, name), partial(segment.draw, site, visitor, tab, edited))
                return
            with block("div", "page-head"):
                with block("div", "grow"):
                    heading(
                        _("Segments"), _("Groups of people to act on, picked by scores, reasons and what they did.")
                    )
                if visitor.may_manage:
                    action(_("New segment"), lambda: segment_dialog(site, visitor), "group_add", kind="main")
            later(partial(_find, site), partial(_list, site, visitor))
        if gone and visitor.may_manage:
            offer_undo(_("The segment '{name}' is deleted.", name=gone), partial(_put_back, site, visitor, deleted))


def _find(site: Site) -> list[Found]:
    sizes = sizes_over_time(site.workspace)
    return [{**each, "sizes": sizes.get(each["id"], [])} for each in list_segments(site.workspace)]


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
                Column(_("Over time"), lambda row: trend(row["sizes"])),
                Column(_("Identity"), lambda row: text(row["namespace"], "span"), lambda row: row["namespace"]),
                Column(_("Counted"), lambda row: text(day(row["as_of"]), "span"), lambda row: row["as_of"]),
            ],
            sort=0,
            open_row=lambda row: ui.navigate.to(segment_address(row["name"])),
        )
        table.show(found)


def _name(row: Found) -> None:
    with block("div"):
        link(row["name"], segment_address(row["name"]), "name")
        text(row["words"], "span", "under")


async def _put_back(site: Site, visitor: Visitor, segment_id: str) -> None:
    if back := await answer_of(partial(restore_segment, site.workspace, visitor.actor, segment_id)):
        ui.navigate.to(segment_address(back["name"]))
