"""What of a segment is delivered outside: where to, when, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from likelier.phrases import day, join
from likelier.service.exports import (
    Asked,
    Destination,
    list_deliveries,
    list_exports,
    remove_export,
    start_export,
    start_sending,
)
from likelier.ui.figures import numbers
from likelier.ui.language import _, count
from likelier.ui.parts import action, answer_of, block, card, complain, confirmed, later, opened, text, toast, tool
from likelier.ui.site import Site, Visitor

SHOWN = 20
Found = dict[str, Any]


def deliveries(site: Site, visitor: Visitor, segment: Found) -> None:
    """Draw the card: what is repeated after runs, the newest deliveries, and a button for another."""

    def found() -> tuple[list[Found], list[Found]]:
        kept = [one for one in list_exports(site.workspace) if one["segment_id"] == segment["id"]]
        return kept, list_deliveries(site.workspace, SHOWN, segment=segment["name"])

    with card():
        with block("div", "row between"):
            text(_("Delivered outside"), "h2")
            if visitor.may_administer:
                action(_("Deliver"), partial(_dialog, site, visitor, segment), "outbox")
        later(found, partial(_told, site, visitor))


def _told(site: Site, visitor: Visitor, found: tuple[list[Found], list[Found]]) -> None:
    kept, newest = found
    for one in kept:
        with block("div", "row between"):
            text(_("'{name}' goes to {place} after each run.", name=one["name"], place=one["to"]))
            if visitor.may_manage:
                with block("div", "row nowrap"):
                    tool("send", _("Send '{name}' now", name=one["name"]), partial(_send, site, one))
                    tool("cancel_schedule_send", _("Stop '{name}'", name=one["name"]), partial(_stop, site, one))
    if not newest:
        text(_("Nothing was delivered yet."), "p", "soft")
        return
    with block("div", "scroll", tabindex="0", role="region", aria_label=_("Deliveries")):
        numbers(
            [_("To"), _("When"), _("State"), _("Rows")],
            [[one["destination"], day(one["started_at"]), _state(one), _rows(one)] for one in newest],
            words=[_("When"), _("State")],
        )


def _state(delivery: Found) -> str:
    words = {"under way": _("under way"), "delivered": _("delivered"), "failed": _("failed")}[delivery["state"]]
    return join([words, delivery["error"]], ": ") if delivery["error"] else words


def _rows(delivery: Found) -> str:
    return "" if delivery["rows"] is None else count(delivery["rows"])


async def _send(site: Site, export: Found) -> None:
    await _began(lambda: start_sending(site.workspace, site.who().actor, export["id"]))


async def _stop(site: Site, export: Found) -> None:
    consequence = _("It is not delivered after runs any more. What was delivered stays where it is.")
    if await confirmed(_("Stop '{name}'?", name=export["name"]), consequence, _("Stop it")):
        actor = site.who().actor

        def stop() -> bool:
            remove_export(site.workspace, actor, export["id"])
            return True

        if await answer_of(stop):
            ui.navigate.reload()


async def _began(begin: Callable[[], Found]) -> None:
    if await answer_of(begin):
        toast(_("The delivery has begun."))
        ui.navigate.reload()


def _dialog(site: Site, visitor: Visitor, segment: Found) -> None:
    with opened(_("Deliver the members")):
        _Wish(site, visitor, segment).draw()


class _Wish:
    """Where members are to go, and how often."""

    def __init__(self, site: Site, visitor: Visitor, segment: Found) -> None:
        self._site, self._visitor, self._segment = site, visitor, segment

    def draw(self) -> None:
        self._to = ui.input(_("Where to"), placeholder="https://crm.example.com/hook").props("outlined dense autofocus")
        about = _(
            "A file such as members.csv, an object store such as s3://bucket/members.parquet, a database "
            "(postgresql://…) or a program (https://…). Passwords stand in variables of the server: {variable}.",
            variable="${EXPORT_PASSWORD}",
        )
        text(about, "p", "soft small")
        with block("div", "stack") as database:
            self._table = ui.input(_("Table")).props("outlined dense")
            ways = {"replace": _("replace what is there"), "upsert": _("add and change rows")}
            self._mode = ui.select(ways, value="replace", label=_("How the table is filled")).props("outlined dense")
        database.bind_visibility_from(self._to, "value", lambda url: (url or "").startswith("postgres"))
        self._again = ui.checkbox(_("After each run, too")).props("dense")
        self._name = ui.input(_("Name of the delivery")).props("outlined dense")
        self._name.bind_visibility_from(self._again, "value")
        with block("div", "row end"):
            action(_("Deliver now"), self._deliver, "outbox", kind="main")

    async def _deliver(self) -> None:
        to, name = (self._to.value or "").strip(), (self._name.value or "").strip()
        if not to:
            complain(_("Say where to first."))
        elif self._again.value and not name:
            complain(_("Give it a name first."))
        else:
            await _began(lambda: self._begin(to, name if self._again.value else None))

    def _begin(self, to: str, name: str | None) -> Found:
        destination = Destination(to, (self._table.value or "").strip() or None, self._mode.value)
        asked = Asked(segment=self._segment["id"])
        return start_export(self._site.workspace, self._visitor.actor, name, asked, destination)
