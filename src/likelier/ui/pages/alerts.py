"""The alerts: what was noticed of the instances, whether it lasts, and whether somebody was told."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from likelier.phrases import day
from likelier.service.alerts import KINDS, named, send_test, state, wanted_channels
from likelier.store import alerts as stored
from likelier.store.alerts import Alert
from likelier.ui import frame
from likelier.ui.language import _, count, said
from likelier.ui.parts import action, answer_of, block, card, empty, heading, icon, later, link, state_mark, text, toast
from likelier.ui.site import Site, Visitor, address
from likelier.ui.table import Column, Table

SHOWN = 1000


def register(site: Site) -> None:
    @address("/alerts")
    async def alerts() -> None:
        with frame.page(site, _("Alerts"), at="/alerts") as visitor:
            _Alerts(site, visitor)


class _Alerts:
    """The newest alerts of the instances that are looked for."""

    def __init__(self, site: Site, visitor: Visitor) -> None:
        self._site, self._visitor, self._wanted = site, visitor, ""
        with block("div", "page-head"):
            with block("div", "grow"):
                heading(
                    _("Alerts"), _("What was noticed without being asked for. Each matter is told once while it lasts.")
                )
            if visitor.may_administer:
                self._test = action(_("Send a test"), self._send_test, "send")
        self._place = block("div", "stack")
        with self._place:
            later(self._find, self._draw)

    def _find(self) -> list[Alert]:
        with self._site.workspace.store.read() as connection:
            return stored.newest(connection, SHOWN, instance=self._wanted)

    def _draw(self, found: list[Alert]) -> None:
        channels = wanted_channels(self._site.workspace.settings)
        by = _("Alerts are told by {channels}.", channels=named(channels)) if channels else _how()
        if not found:
            with empty(_("Nothing was noticed yet"), by, "notifications_none"):
                pass
            return
        text(by, "p", "soft" if channels else "note")
        with card():
            self._search()
            self._rows = block("div", "table-place")
        self._show(found)

    def _search(self) -> None:
        search = ui.input(placeholder=_("Search by instance")).props("outlined dense clearable debounce=300")
        search.classes("search").props["aria-label"] = _("Search the alerts")
        with search.add_slot("prepend"):
            icon("search")
        search.on_value_change(lambda change: self._look(change.value or ""))

    def _look(self, wanted: str) -> None:
        self._wanted = wanted.strip()
        self._rows.clear()
        with self._rows:
            later(self._find, self._show)

    def _show(self, found: list[Alert]) -> None:
        with self._rows:
            table: Table[Alert] = Table(
                _("Alerts"),
                [
                    Column(_("What"), _matter, lambda alert: alert.kind),
                    Column(
                        _("Noticed"), lambda alert: text(day(alert.noticed_at), "span"), lambda alert: alert.noticed_at
                    ),
                    Column(_("Instance"), _instance, lambda alert: alert.instance.casefold()),
                    Column(_("State"), _over, lambda alert: alert.over_at),
                    Column(_("Told"), lambda alert: text(state(alert), "span", "soft")),
                ],
                sort=1,
                descending=True,
                nothing=_("No alert matches. Clear the search to see all."),
            )
            table.show(found)
            if len(found) == SHOWN:
                text(_("The newest {n}. Search for others.", n=count(SHOWN)), "p", "soft small")

    async def _send_test(self) -> None:
        self._test.props("loading")
        if told := await answer_of(partial(send_test, self._site.workspace, self._visitor.actor)):
            toast(_("A test was sent by {channels}.", channels=named(told)))
        self._test.props(remove="loading")


def kind_word(kind: str) -> str:
    """Name a kind of matter, as a line begins."""
    word = said(KINDS.get(kind, kind))
    return word[:1].upper() + word[1:]


def _how() -> str:
    return _(
        "Nobody is told of alerts. To have them sent, set LIKELIER_ALERT_WEBHOOK to an address, or "
        "LIKELIER_ALERT_EMAIL to those of people and LIKELIER_SMTP_URL to a mail server, and start the server again."
    )


def _matter(alert: Alert) -> None:
    with block("div"):
        text(kind_word(alert.kind), "b")
        text(alert.words, "span", "under")


def _instance(alert: Alert) -> None:
    link(alert.instance, f"/instances/{alert.instance_id}", "name")


def _over(alert: Alert) -> None:
    if alert.over_at is None:
        state_mark("notifications_active", _("Lasts"), "training_issue")
        return
    with block("div"):
        state_mark("check_circle", _("Over"), "success")
        text(_("since {day}", day=day(alert.over_at)), "span", "under")
