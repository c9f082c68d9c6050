"""The audit log: who did what to which object, when, from where, and what it changed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from nicegui import ui

from likelier.phrases import day
from likelier.service.audits import export_log
from likelier.service.files import whole_file
from likelier.store import audit
from likelier.store.audit import Entry, Filter
from likelier.timespan import parse_moment
from likelier.ui import frame
from likelier.ui.language import _, count
from likelier.ui.parts import action, answer_of, block, card, empty, heading, later, opened, text, tool
from likelier.ui.site import Site, address
from likelier.ui.table import Column, Table

SHOWN = 1000


def register(site: Site) -> None:
    @address("/audit")
    async def audit_log() -> None:
        with frame.page(site, _("Audit"), at="/audit") as visitor:
            if visitor.may_audit:
                _Log(site)
                return
            heading(_("Audit"))
            with empty(_("Access restricted"), _("Reading the audit log needs its own permission."), "lock"):
                pass


class _Log:
    """The entries that are wanted, of the whole log; what is downloaded is what is wanted."""

    def __init__(self, site: Site) -> None:
        self._site, self._wanted = site, Filter()
        with block("div", "page-head"):
            with block("div", "grow"):
                heading(_("Audit"), _("Who did what to which object, and when. Nothing here can be changed."))
            action(_("Download"), self._download, "download")
        with card():
            with block("div", "row between"):
                search = ui.input(placeholder=_("Search by person, action or object")).props("outlined dense clearable")
                search.classes("search").props["aria-label"] = _("Search the log")
                search.props("debounce=300")
                with block("div", "row"):
                    days = [
                        ui.input(title).props("outlined dense type=date stack-label")
                        for title in (_("From day"), _("Before day"))
                    ]
            self._place = block("div", "table-place")

        def look() -> None:
            since, until = (parse_moment(box.value) if box.value else None for box in days)
            self._wanted = Filter(words=search.value or None, since=since, until=until)
            self._show()

        for box in (search, *days):
            box.on_value_change(look)
        self._show()

    def _show(self) -> None:
        self._place.clear()
        with self._place:
            later(partial(self._find, self._wanted), self._draw)

    def _find(self, wanted: Filter) -> list[Entry]:
        with self._site.workspace.store.read() as connection:
            return audit.page(connection, wanted, limit=SHOWN)

    def _draw(self, found: list[Entry]) -> None:
        if not found and self._wanted == Filter():
            text(_("Nothing was done yet: every change appears here."), "p", "nothing soft")
            return
        table: Table[Entry] = Table(
            _("Audit log"),
            [
                Column(_("When"), lambda entry: text(day(entry.at), "span"), lambda entry: entry.id),
                Column(_("Who"), lambda entry: text(entry.actor, "span"), lambda entry: entry.actor),
                Column(_("Did"), lambda entry: text(entry.action, "span", "mono"), lambda entry: entry.action),
                Column(_("To"), lambda entry: text(entry.object_name, "span"), lambda entry: entry.object_name),
                Column(
                    _("Details"), lambda entry: tool("chevron_right", _("Details"), partial(_tell, entry)), shown=False
                ),
            ],
            sort=0,
            descending=True,
            open_row=_tell,
            nothing=_("Nothing in the log matches."),
        )
        table.show(found)
        if len(found) == SHOWN:
            text(_("The newest {n}. Search, or choose days, for others.", n=count(SHOWN)), "p", "soft small")

    async def _download(self) -> None:
        file = Path(tempfile.mkdtemp(prefix="likelier-")) / "audit.csv"
        actor, wanted = self._site.who().actor, self._wanted

        def write() -> bool:
            with whole_file(file) as out:
                out.writelines(export_log(self._site.workspace, actor, wanted, "csv"))
            return True

        if await answer_of(write):
            ui.download.file(file, "audit.csv")


def _tell(entry: Entry) -> None:
    """Show all that is known of an entry, and what was changed."""
    with opened(entry.action, "wide-dialog"):
        facts = [
            (_("When"), day(entry.at)),
            (_("Who"), entry.actor),
            (_("From where"), entry.address or "–"),
            (_("To"), f"{entry.object_name} ({entry.object_type})"),
            (_("Its id"), entry.object_id or "–"),
        ]
        with block("dl", "facts"):
            for name, value in facts:
                with block("div"):
                    text(name, "dt")
                    text(value, "dd")
        sides = [(name, side) for name, side in ((_("Before"), entry.before), (_("After"), entry.after)) if side]
        with block("div", "two" if sides[1:] else "stack"):
            for name, side in sides:
                with block("section", "stack tight"):
                    text(name, "h3")
                    text(_written(side), "pre")


def _written(side: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(side), allow_unicode=True, sort_keys=False).rstrip()
