"""The audit log: who did what to which object, when."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from nicegui import ui

from likelier.phrases import day
from likelier.service.auditing import export_audit
from likelier.service.workspace import Workspace
from likelier.store import audit
from likelier.store.audit import Entry
from likelier.ui import frame
from likelier.ui.language import _
from likelier.ui.parts import action, answer_of, block, card, empty, heading, later, text
from likelier.ui.site import Site, address
from likelier.ui.table import Column, Table

SHOWN = 1000


def register(site: Site) -> None:
    @address("/audit")
    async def audit_log() -> None:
        with frame.page(site, _("Audit"), at="/audit") as visitor:
            with block("div", "page-head"):
                with block("div", "grow"):
                    heading(_("Audit"), _("Who did what to which object, and when. Nothing here can be changed."))
                if visitor.may_audit:
                    action(_("Download"), partial(_download, site), "download")
            if not visitor.may_audit:
                with empty(_("Access restricted"), _("Reading the audit log needs its own permission."), "lock"):
                    pass
                return
            later(partial(_newest, site.workspace), _show)


async def _download(site: Site) -> None:
    file = Path(tempfile.mkdtemp(prefix="likelier-")) / "audit.csv"
    actor = site.who().actor
    if await answer_of(lambda: export_audit(site.workspace, actor, file)) is not None:
        ui.download.file(file, "audit.csv")


def _newest(workspace: Workspace) -> list[Entry]:
    with workspace.store.read() as connection:
        return audit.page(connection, audit.Filter(), limit=SHOWN)


def _show(found: list[Entry]) -> None:
    if not found:
        with empty(_("Nothing was done yet"), _("Every change appears here."), "history"):
            pass
        return
    with card():
        search = ui.input(placeholder=_("Search by person, action or object")).props("outlined dense clearable")
        search.classes("search").props["aria-label"] = _("Search the log")
        with block("div", "table-place"):
            table: Table[Entry] = Table(
                _("Audit log"),
                [
                    Column(_("When"), lambda entry: text(day(entry.at), "span"), lambda entry: entry.id),
                    Column(_("Who"), lambda entry: text(entry.actor, "span"), lambda entry: entry.actor),
                    Column(_("Did"), lambda entry: text(entry.action, "span", "mono"), lambda entry: entry.action),
                    Column(_("To"), lambda entry: text(entry.object_name, "span"), lambda entry: entry.object_name),
                ],
                sort=0,
                descending=True,
            )
            table.show(found)
        search.on_value_change(
            lambda change: table.show([entry for entry in found if _matches(entry, change.value or "")])
        )


def _matches(entry: Entry, wanted: str) -> bool:
    return wanted.casefold() in f"{entry.actor} {entry.action} {entry.object_name}".casefold()
