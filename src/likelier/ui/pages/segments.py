"""Segments: people picked by their scores, factors, attributes and deeds."""

from __future__ import annotations

import tempfile
from asyncio import to_thread
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from nicegui import context, ui

from likelier.errors import LikelierError
from likelier.phrases import day
from likelier.service.deleted import name_of_deleted
from likelier.service.segments import (
    Wanted,
    create_segment,
    delete_segment,
    estimate_segment,
    export_segment,
    get_segment,
    list_segments,
    restore_segment,
    segment_members,
)
from likelier.service.suggest import RuleChoices, common_values, rule_choices
from likelier.ui import frame
from likelier.ui.figures import numbers
from likelier.ui.language import _, count, said
from likelier.ui.pages.deliveries import deliveries
from likelier.ui.parts import (
    action,
    answer_of,
    block,
    card,
    complain,
    empty,
    heading,
    icon,
    later,
    link,
    offer_undo,
    text,
    toast,
    tool,
)
from likelier.ui.rules import RuleBuilder, blank_rule, rule_of
from likelier.ui.site import Site, Visitor, address
from likelier.ui.table import Column, Table

SETTLED_SECONDS = 0.7
Found = dict[str, Any]


def register(site: Site) -> None:
    @address("/segments")
    async def segments(name: str = "", deleted: str = "") -> None:
        gone = await to_thread(name_of_deleted, site.workspace, deleted) if deleted else None
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
        if gone and visitor.may_manage:
            offer_undo(_("The segment '{name}' is deleted.", name=gone), partial(_put_back, site, visitor, deleted))


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
                        said = _("Members as {format}", format=kind)
                        ui.menu_item(said, partial(_download, site, found["name"], suffix))
                if visitor.may_manage:
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
    with card():
        text(_("Who belongs to it"), "h2")
        text(_("People {rule}.", rule=found["words"]))
        text(found["text"], "pre", "soft")
    with block("div", "two"):
        with card():
            text(_("Members"), "h2")
            later(partial(segment_members, site.workspace, found["name"], limit=20), partial(_members, found))
        with card():
            text(_("Size over time"), "h2")
            rows = [[day(each["at"]), count(each["size"])] for each in found["counts"]]
            numbers([_("Counted"), _("People")], rows)
    deliveries(site, visitor, found)


def _members(found: Found, page: Found) -> None:
    if not page["items"]:
        text(_("Nobody belongs to it now."), "p", "soft")
    with block("ul", "members"):
        for each in page["items"]:
            with block("li"):
                link(each["id"], "/profiles?" + urlencode({"namespace": found["namespace"], "id": each["id"]}))
    if page["next"]:
        text(_("The first {shown} of {all}.", shown=len(page["items"]), all=count(found["size"])), "p", "soft")


async def _download(site: Site, name: str, suffix: str) -> None:
    file = Path(tempfile.mkdtemp(prefix="likelier-")) / f"members.{suffix}"
    actor = site.who().actor
    if await answer_of(lambda: export_segment(site.workspace, actor, name, file)) is not None:
        ui.download.file(file, f"{name}.{suffix}")


async def _delete(site: Site, found: Found) -> None:
    actor = site.who().actor

    def delete() -> bool:
        delete_segment(site.workspace, actor, found["id"])
        return True

    if await answer_of(delete):
        ui.navigate.to(f"/segments?deleted={found['id']}")


async def _put_back(site: Site, visitor: Visitor, segment_id: str) -> None:
    if back := await answer_of(partial(restore_segment, site.workspace, visitor.actor, segment_id)):
        ui.navigate.to(_address(back["name"]))


def segment_dialog(
    site: Site, visitor: Visitor, *, instance: str = "", bucket: str = "", rule: Found | None = None, name: str = ""
) -> None:
    """Make a segment of a bucket of an instance, of a rule that is given, or of one that is built here."""
    with (
        context.client.content,
        ui.dialog() as dialog,
        block("div", "card dialog wide-dialog"),
    ):
        dialog.props["aria-label"] = _("New segment")
        with block("div", "row between nowrap"):
            text(_("New segment"), "h2")
            tool("close", _("Close"), dialog.close)
        _Making(site, visitor, _wish(site, instance, bucket, rule), name or _suggested(instance, bucket))
    dialog.on("hide", dialog.delete)
    dialog.open()


def _suggested(instance: str, bucket: str) -> str:
    return f"{instance}: {_bucket_word(bucket)}" if instance else ""


def _bucket_word(bucket: str) -> str:
    return {"low": _("low"), "medium": _("medium"), "high": _("high")}[bucket]


def _wish(site: Site, instance: str, bucket: str, rule: Found | None) -> Wish:
    if instance and bucket:
        return _OfBucket(instance, bucket)
    return _OfRule(rule) if rule else _Built(site)


class Wish(Protocol):
    """Who is wanted in a segment; `changed` is set by whoever wants to hear of changes."""

    changed: Callable[[], None]

    def draw(self) -> None: ...

    def wanted(self) -> Wanted | None: ...


class _OfBucket:
    def __init__(self, instance: str, bucket: str) -> None:
        self._instance, self._bucket = instance, bucket
        self.changed: Callable[[], None] = lambda: None

    def draw(self) -> None:
        said = _(
            "Everybody whose latest score of '{instance}' is {bucket}. It follows each new run.",
            instance=self._instance,
            bucket=_bucket_word(self._bucket),
        )
        text(said)

    def wanted(self) -> Wanted:
        return Wanted(instance=self._instance, bucket=self._bucket)


class _OfRule:
    def __init__(self, rule: Found) -> None:
        self._rule = rule
        self.changed: Callable[[], None] = lambda: None

    def draw(self) -> None:
        text(_("A person's scores keep the ten factors that matter most for them; others are not in this segment."))

    def wanted(self) -> Wanted:
        return Wanted(rule=self._rule)


class _Built:
    """A rule put together by hand, or written."""

    def __init__(self, site: Site) -> None:
        self._site, self._document, self._written = site, blank_rule(), ""
        self._by_hand = True
        self.changed: Callable[[], None] = lambda: None

    def draw(self) -> None:
        ways = {True: _("Put together"), False: _("Written")}
        way = ui.radio(ways, value=True).props("inline")
        way.props["aria-label"] = _("How the rule is made")
        built, written = block("div", "stack"), block("div", "stack")
        written.set_visibility(False)

        def turn(by_hand: bool) -> None:  # noqa: FBT001
            self._by_hand = by_hand
            built.set_visibility(by_hand)
            written.set_visibility(not by_hand)
            self.changed()

        way.on_value_change(lambda change: turn(change.value))
        with built:
            later(partial(rule_choices, self._site.workspace), self._draw_builder)
        with written:
            self._draw_text()

    def _draw_builder(self, found: RuleChoices) -> None:
        async def suggest(path: str) -> list[str]:
            return await to_thread(common_values, self._site.workspace, found.datasets, path)

        # Whoever hears of changes may come later than the builder.
        RuleBuilder(found, lambda: self.changed(), suggest).draw(self._document)  # noqa: PLW0108

    def _draw_text(self) -> None:
        rule = ui.textarea(_("Who belongs to it"), placeholder='score of "Buy again" >= 75 and loyalty.tier = "gold"')
        rule.props("outlined autogrow input-class=mono").on_value_change(lambda change: self._write(change.value or ""))
        with block("details"):
            text(_("How to write it"), "summary")
            for example in (
                'score of "Buy again" >= 75',
                'factor "Days since webVisit" of "Buy again" raises',
                "did (commerce.purchases.value exists) at least 2 times in the last 30 days",
                'loyalty.tier = "gold" and not in segment "Staff"',
            ):
                text(example, "pre", "soft")

    def _write(self, written: str) -> None:
        self._written = written
        self.changed()

    def wanted(self) -> Wanted | None:
        if self._by_hand:
            rule = rule_of(self._document)
            return Wanted(rule=rule) if rule else None
        return Wanted(text=self._written) if self._written.strip() else None


class _Making:
    """A segment in the making: its rule read back and counted when nothing has changed for a moment."""

    def __init__(self, site: Site, visitor: Visitor, wish: Wish, suggested: str) -> None:
        self._site, self._visitor, self._wish = site, visitor, wish
        self._newest = 0
        self._name = ui.input(_("Name"), value=suggested).props("outlined dense autofocus")
        wish.draw()
        self._size = text("", "p", "good", aria_live="polite")
        self._settled = ui.timer(SETTLED_SECONDS, self._estimate, active=False)
        wish.changed = self._wait
        self._wait()
        with block("div", "row end"):
            action(_("Create"), self._create, "check", kind="main")

    def _wait(self) -> None:
        self._settled.deactivate()
        self._settled = ui.timer(SETTLED_SECONDS, self._estimate, once=True)

    async def _estimate(self) -> None:
        wanted = self._wish.wanted()
        self._newest += 1
        mine = self._newest
        if wanted is None:
            self._size.set_text("")
            return
        self._size.set_text(_("Counting …"))
        try:
            found = await to_thread(estimate_segment, self._site.workspace, wanted)
        except LikelierError as error:
            told = said(str(error))
        else:
            told = _("{number} people, {words}.", number=count(found["size"]), words=found["words"])
        if mine == self._newest and not self._size.is_deleted:
            self._size.set_text(told)

    async def _create(self) -> None:
        chosen, wanted = (self._name.value or "").strip(), self._wish.wanted()
        if not chosen:
            complain(_("Give it a name first."))
            return
        if wanted is None:
            complain(_("Say who belongs to it first."))
            return
        made = await answer_of(lambda: create_segment(self._site.workspace, self._visitor.actor, chosen, wanted))
        if made:
            toast(_("'{name}' has {number} people.", name=made["name"], number=count(made["size"])))
            ui.navigate.to(_address(made["name"]))
