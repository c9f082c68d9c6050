"""The datasets: what is in each, how complete it is, what was set aside; and the way in for files."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import Any
from urllib.parse import quote

from nicegui import ui

from likelier.insights import charts
from likelier.phrases import day
from likelier.service.data import dataset_list, days_of, describe_dataset
from likelier.ui import frame
from likelier.ui.figures import figure as drawn_figure
from likelier.ui.figures import numbers
from likelier.ui.language import _, count, date, figure, plural
from likelier.ui.pages.insights import tabbed
from likelier.ui.pages.upload import upload_dialog
from likelier.ui.parts import action, bar, block, card, empty, heading, icon, later, link, text
from likelier.ui.site import Site, Visitor, address
from likelier.ui.table import Column, Table

Described = dict[str, Any]
GLANCED = 10


def register(site: Site) -> None:
    @address("/datasets")
    async def datasets() -> None:
        with frame.page(site, _("Datasets"), at="/datasets") as visitor:
            with block("div", "page-head"):
                with block("div", "grow"):
                    heading(
                        _("Datasets"), _("What people did, and what is known of them: all that scores are made of.")
                    )
                if visitor.may_manage:
                    action(_("Upload a file"), lambda: upload_dialog(site), "upload", kind="main")
            later(partial(dataset_list, site.workspace), partial(_list, site, visitor), waiting=_("Counting …"))

    @address("/datasets/{name}")
    async def dataset(name: str) -> None:
        with frame.page(site, name, at="/datasets") as visitor:
            with block("div"):
                with block("nav", "crumbs", aria_label=_("Where you are")):
                    link(_("Datasets"), "/datasets")
                    icon("chevron_right")
                    text(name, "span", aria_current="page")
                with block("div", "page-head"):
                    text(name, "h1")
                    if visitor.may_manage:
                        action(_("Add a file"), lambda: upload_dialog(site, name), "upload")
            found = partial(describe_dataset, site.workspace, name)
            later(found, partial(_describe, site), waiting=_("Looking through the rows …"))


def _list(site: Site, visitor: Visitor, found: list[Described]) -> None:
    if not found:
        about = _(
            "Bring a file of timestamped events: CSV, Parquet or JSON. The mapping is guessed, and yours to change."
        )
        with empty(_("No data yet"), about, "storage"):
            if visitor.may_manage:
                action(_("Upload a file"), lambda: upload_dialog(site), "upload", kind="main")
        return
    with card():
        table: Table[Described] = Table(
            _("Datasets"),
            [
                Column(_("Name"), _name, lambda row: row["name"].casefold()),
                Column(_("Holds"), lambda row: text(kind_word(row["kind"]), "span"), lambda row: row["kind"]),
                Column(_("Rows"), lambda row: text(count(row["rows"]), "span"), lambda row: row["rows"], number=True),
                Column(_("From"), lambda row: text(date(_known(row["first"])), "span"), lambda row: row["first"]),
                Column(_("To"), lambda row: text(date(_known(row["last"])), "span"), lambda row: row["last"]),
                Column(_("Identities"), lambda row: text(", ".join(row["namespaces"]) or "–", "span")),
            ],
            sort=0,
            open_row=lambda row: ui.navigate.to(_address(row["name"])),
        )
        table.show(found)


def _name(row: Described) -> None:
    link(row["name"], _address(row["name"]), "name")


def _address(name: str) -> str:
    return f"/datasets/{quote(name)}"


def _known(moment: str | None) -> str | None:
    """Leave out the date of attributes that were always known."""
    return None if moment and moment.startswith("1970-01-01") else moment


def kind_word(kind: str) -> str:
    return _("Events") if kind == "events" else _("Profile attributes")


def _describe(site: Site, found: Described) -> None:
    with block("div", "tiles"):
        for value, label in (
            (count(found["rows"]), _("events") if found["kind"] == "events" else _("rows")),
            (_people(found), _("people")),
            (count(len(found["fields"])), _("fields")),
            (date(_known(found["first"])), _("first")),
            (date(_known(found["last"])), _("last")),
            (count(found["rejected"]), _("rows set aside")),
        ):
            with block("div", "tile"):
                text(value, "b")
                text(label, "span", "soft")
    days = {"days": (_("Days"), partial(_days, site, found["name"]))} if found["kind"] == "events" else {}
    tabbed(
        {
            "fields": (_("Fields"), partial(_fields, found)),
            **days,
            "preview": (_("Preview"), partial(_preview, found)),
            "rejects": (_("Set aside"), partial(_rejects, found)),
            "batches": (_("Batches"), partial(_batches, found["batches"])),
        },
        "fields",
    )


def _people(found: Described) -> str:
    most = max((each["profiles"] for each in found["identities"]), default=0)
    return _about(most, estimated=any(each["estimated"] for each in found["identities"]))


def _about(people: int, *, estimated: bool) -> str:
    return _("about {number}", number=count(round(people, 3 - len(str(people))))) if estimated else count(people)


def _fields(found: Described) -> None:
    types = {"text": _("text"), "number": _("number"), "flag": _("yes or no"), "moment": _("date and time")}
    with card():
        text(_("Identities"), "h3")
        with block("dl", "facts"):
            for each in found["identities"]:
                with block("div"):
                    text(each["namespace"], "dt", "mono")
                    part = figure(each["complete"], ".0%")
                    people = _about(each["profiles"], estimated=each["estimated"])
                    text(_("{people} people, on {part} of the rows", people=people, part=part), "dd")
    with card():
        search = ui.input(placeholder=_("Search the fields")).props("outlined dense clearable").classes("search")
        search.props["aria-label"] = _("Search the fields")
        table: Table[Described] = Table(
            _("Fields"),
            [
                Column(_("Field"), lambda row: text(row["path"], "span", "mono"), lambda row: row["path"].casefold()),
                Column(
                    _("Type"),
                    lambda row: text(
                        _("list of {type}", type=types[row["type"]]) if row["array"] else types[row["type"]],
                        "span",
                    ),
                    lambda row: row["type"],
                ),
                Column(
                    _("Filled in the last year"),
                    lambda row: bar(row["complete"], _(charts.percent(row["complete"]))),
                    lambda row: row["complete"],
                ),
            ],
            sort=0,
            size=50,
        )
        table.show(found["fields"])
        search.on_value_change(
            lambda change: table.show(
                [row for row in found["fields"] if (change.value or "").casefold() in row["path"].casefold()]
            )
        )


def _days(site: Site, name: str) -> None:
    """Show on which days events came, and where none did."""
    with card():
        later(partial(days_of, site.workspace, name), _calendar, waiting=_("Counting …"))


def _calendar(days: list[tuple[str, int]]) -> None:
    if not days:
        text(_("Nothing to show."), "p", "soft")
        return
    gaps = silences(days)
    drawn_figure(
        _("Events of each day"),
        partial(charts.calendar, days),
        about=_("The year up to the newest event, in UTC. Crossed out: a day without any event."),
        kind="calendar",
        heads=[_("Without an event from"), _("Days")],
        rows=[[date(first), count(number)] for first, number in gaps],
    )
    text(_("No day is without an event.") if not gaps else plural("{n} gap.", "{n} gaps.", len(gaps)), "p", "soft")


def silences(days: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Give each run of days without an event: its first day and its length.

    >>> silences([("2024-01-01", 3), ("2024-01-02", 0), ("2024-01-03", 0), ("2024-01-04", 1), ("2024-01-05", 0)])
    [('2024-01-02', 2), ('2024-01-05', 1)]
    """
    groups = (list(group) for silent, group in groupby(days, key=lambda each: not each[1]) if silent)
    return [(group[0][0], len(group)) for group in groups]


def _preview(found: Described) -> None:
    with card():
        text(_("The newest rows; columns without a value in them are left out."), "p", "soft")
        _rows(found, found["preview"])


def _rows(found: Described, rows: list[Described]) -> None:
    """Show ten columns that have something to show; numbers to the right, as they are compared."""
    types = {each["path"]: each["type"] for each in found["fields"]}
    names = [name for name in (rows[0] if rows else ()) if any(row[name] not in (None, []) for row in rows)]
    with block("div", "scroll", tabindex="0", role="region", aria_label=_("Preview")):
        numbers(
            names,
            [[_value(row[name], types.get(name)) for name in names] for row in rows],
            words=[name for name in names if types.get(name) != "number"],
        )


def _value(value: Any, kind: str | None) -> str:
    return day(value) if kind == "moment" and isinstance(value, str) else _cell(value)


def glance(found: Described) -> None:
    """Show how complete the best filled fields are, and a few rows."""
    best = sorted(found["fields"], key=lambda each: (-(each["complete"] or 0), each["path"]))[:GLANCED]
    with block("div", "stack"):
        text(_("Filled in the last year"), "h3")
        with block("dl", "glance"):
            for each in best:
                with block("div"):
                    text(each["path"], "dt", "mono")
                    with block("dd"):
                        bar(each["complete"], _(charts.percent(each["complete"])))
        if len(best) < len(found["fields"]):
            link(_("All {n} fields", n=count(len(found["fields"]))), _address(found["name"]), "small").props(
                "target=_blank"
            )
        text(_("The newest rows"), "h3")
        _rows(found, found["preview"][:5])


def _cell(value: Any) -> str:
    said = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return said if len(said) <= 48 else said[:47] + "…"


def _rejects(found: Described) -> None:
    if not found["rejected"]:
        with empty(_("Nothing was set aside"), _("Every row that came could be used."), "task_alt"):
            pass
        return
    with card():
        said = _("{number} rows could not be used. The first of them:", number=count(found["rejected"]))
        text(said, "p", "soft")
        heads = [_("File"), _("Line"), _("Reason"), _("Row")]
        rows = [[row["file"], count(row["line"]), row["reason"], _cell(row["raw"])] for row in found["rejects"]]
        with block("div", "scroll", tabindex="0", role="region", aria_label=_("Rows set aside")):
            numbers(heads, rows, words=heads)


def _batches(found: list[Described]) -> None:
    with card():
        numbers(
            [_("Came on"), _("Rows"), _("Batch")],
            [[date(each["at"]), count(each["rows"]), each["batch"][:12]] for each in found],
        )
