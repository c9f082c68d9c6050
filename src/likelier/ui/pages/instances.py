"""The instances: what is asked of the future, how often, and how it went."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from nicegui import ui
from nicegui.element import Element

from likelier.access.identity import Actor
from likelier.insights.words import quality
from likelier.instance import Instance, make_instance
from likelier.phrases import join, say
from likelier.runs.records import State
from likelier.service.deleted import name_of_deleted
from likelier.service.instances import clone_instance, delete_instance, restore_instance, set_status, undo_edit
from likelier.service.overview import Overview, Words, in_words, overviews
from likelier.service.runs import cancel_run, start_run
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store.instances import Status
from likelier.ui import frame
from likelier.ui.language import _, count, date, figure
from likelier.ui.parts import (
    action,
    ago,
    answer_of,
    block,
    card,
    confirmed,
    empty,
    heading,
    icon,
    link,
    offer_undo,
    progress,
    state,
    text,
    toast,
    tool,
)
from likelier.ui.site import Site, Visitor, address
from likelier.ui.table import Column, Table

LOOK_AGAIN_SECONDS = 1.0


def register(site: Site) -> None:
    @address("/")
    async def page(deleted: str = "") -> None:
        rows = await to_thread(overviews, site.workspace)
        gone = await to_thread(name_of_deleted, site.workspace, deleted) if deleted else None
        with frame.page(site, _("Instances"), at="/") as visitor:
            made = _Page(site, visitor, rows)
        if gone and visitor.may_manage:
            made.offer_to_put_back(deleted, gone)


class _Page:
    def __init__(self, site: Site, visitor: Visitor, rows: list[Overview]) -> None:
        self._site, self._visitor, self._rows = site, visitor, rows
        self._wanted, self._kind = "", "all"
        self._opened: Overview | None = None
        self._words: Words | None = None
        with block("div", "page-head"):
            with block("div", "grow"):
                heading(_("Instances"), _("Each one asks who will do something, scores everybody and says why."))
            if visitor.may_manage and rows:
                action(_("New instance"), lambda: ui.navigate.to("/instances/new"), "add", kind="main")
        if not rows:
            self._welcome()
            return
        self._tiles = block("div", "tiles")
        with card():
            self._tools()
            self._table = self._make_table()
        with ui.dialog().props("position=right maximized=false full-height") as self._panel:
            self._inside = block("aside", "card panel", aria_label=_("Details"))
        self._panel.props["aria-label"] = _("Details")
        self._panel.on("hide", self._closed)
        self._show()
        ui.timer(LOOK_AGAIN_SECONDS, self._look_again)

    def _welcome(self) -> None:
        about = _("An instance asks one question, such as who will buy in the next 30 days. Four steps make one.")
        with empty(_("Nothing is asked yet"), about, "insights"):
            if self._visitor.may_manage:
                action(_("New instance"), lambda: ui.navigate.to("/instances/new"), "add", kind="main")
                action(_("Look at the datasets"), lambda: ui.navigate.to("/datasets"), "storage")

    def _tools(self) -> None:
        with block("div", "row between"):
            search = ui.input(placeholder=_("Search by name, goal or dataset")).props("outlined dense clearable")
            search.classes("search").props["aria-label"] = _("Search the instances")
            with search.add_slot("prepend"):
                icon("search")
            search.on_value_change(lambda change: self._search(change.value or ""))
            kinds = {
                "all": _("All"),
                "conversion": _("Conversion"),
                "churn": _("Churn"),
                "trouble": _("With a problem"),
                "draft": _("Drafts"),
            }
            chosen = ui.select(kinds, value="all").props("outlined dense options-dense")
            chosen.props["aria-label"] = _("Show")
            chosen.on_value_change(lambda change: self._filter(change.value))

    def _make_table(self) -> Table[Overview]:
        now = self._site.workspace.clock()
        return Table(
            _("Instances"),
            [
                Column(
                    _("Name"),
                    self._name,
                    lambda row: row.name.casefold(),
                    needs=lambda row: (row.name, row.description, row.status),
                ),
                Column(_("Type"), lambda row: text(kind_word(row), "span"), lambda row: row.propensity_type),
                Column(_("Schedule"), lambda row: text(schedule_word(row.schedule), "span"), lambda row: row.schedule),
                Column(
                    _("Last run"),
                    self._last,
                    lambda row: row.last and (now - row.last.queued_at).total_seconds(),
                ),
                Column(
                    "AUC",
                    _auc,
                    lambda row: row.last and row.last.auc,
                    number=True,
                    about=_(
                        "How well the model puts people in order: of a person who met the goal and one who did not, "
                        "how often the first has the higher score. 0.5 is a coin toss, 1 perfect."
                    ),
                ),
                Column(_("Scored"), _scored, lambda row: row.published and row.published.scored, number=True),
                Column(_("Details"), self._open_button, shown=False, needs=lambda row: row.name),
            ],
            sort=0,
            open_row=self._open,
            identity=lambda row: row.id,
            nothing=_("No instance matches. Clear the search to see all."),
        )

    # The rows

    def _name(self, row: Overview) -> None:
        with block("div"):
            address = f"/instances/new?draft={row.id}" if row.is_draft else f"/instances/{row.id}"
            link(row.name, address, "name")
            if row.status is not Status.ENABLED:
                text(_("Draft") if row.is_draft else _("Switched off"), "span", "badge")
            if row.description:
                text(row.description, "span", "under")

    def _last(self, row: Overview) -> None:
        if row.last is None:
            text(_("never run"), "span", "soft")
        elif row.last.state.active:
            progress(row.last)
        else:
            with block("div"):
                state(row.last.state)
                text(ago(row.last.finished_at, self._site.workspace.clock()), "span", "under")

    def _open_button(self, row: Overview) -> None:
        tool("chevron_right", _("Details of {name}", name=row.name), lambda: self._open(self._newest(row)))

    def _newest(self, row: Overview) -> Overview:
        return next((each for each in self._rows if each.id == row.id), row)

    # What is shown

    def _search(self, wanted: str) -> None:
        self._wanted = wanted.casefold().strip()
        self._show()

    def _filter(self, kind: str) -> None:
        self._kind = kind
        self._show()

    def _show(self) -> None:
        self._table.show([row for row in self._rows if self._matches(row)])
        self._tiles.clear()
        with self._tiles:
            year = self._site.workspace.clock().year
            for number, label in (
                (sum(not row.is_draft for row in self._rows), _("instances")),
                (sum(row.scored_this_year for row in self._rows), _("profiles scored in {year}", year=year)),
                (sum(row.state is not None and row.state.active for row in self._rows), _("running now")),
                (sum(_in_trouble(row) for row in self._rows), _("with a problem")),
            ):
                with block("div", "tile"):
                    text(count(number), "b")
                    text(label, "span", "soft")

    def _matches(self, row: Overview) -> bool:
        kinds = {
            "all": True,
            "trouble": _in_trouble(row),
            "draft": row.is_draft,
            "conversion": row.propensity_type == "conversion",
            "churn": row.propensity_type == "churn",
        }
        said = " ".join([row.name, row.description, *row.asked.get("datasets", ()), str(row.asked.get("goal") or "")])
        return kinds[self._kind] and self._wanted in said.casefold()

    async def _look_again(self) -> None:
        rows = await to_thread(overviews, self._site.workspace)
        if rows == self._rows:
            return
        if bool(rows) != bool(self._rows):
            ui.navigate.reload()
            return
        self._rows = rows
        self._show()
        if self._opened and (row := self._newest(self._opened)) != self._opened:
            self._update_panel(row)

    # The side panel

    def _open(self, row: Overview) -> None:
        self._words = None if row.is_draft else self._asked(row)
        self._fill_panel(row)
        self._panel.open()

    def _closed(self) -> None:
        self._opened = None

    def _asked(self, row: Overview) -> Words:
        return in_words(self._site.workspace, instance_of(row))

    def _update_panel(self, row: Overview) -> None:
        """Draw what has changed; buttons stay where they are while a run goes on."""
        if self._opened and _but_for_the_run(self._opened) != _but_for_the_run(row):
            self._fill_panel(row)
            return
        self._opened = row
        self._news.clear()
        with self._news:
            self._last_run(row)

    def _fill_panel(self, row: Overview) -> None:
        self._opened = row
        self._inside.clear()
        with self._inside:
            with block("div", "row between"):
                text(row.name, "h2")
                tool("close", _("Close"), self._panel.close)
            if row.description:
                text(row.description, "p", "soft")
            self._actions(row)
            self._question(row)
            self._news = block("div")
            with self._news:
                self._last_run(row)

    def _actions(self, row: Overview) -> None:
        with block("div", "row"):
            if row.is_draft:
                action(
                    _("Go on with it"),
                    lambda: ui.navigate.to(f"/instances/new?draft={row.id}"),
                    "edit",
                    kind="main",
                )
            elif row.published:
                action(_("Insights"), lambda: ui.navigate.to(f"/instances/{row.id}"), "insights", kind="main")
            if not self._visitor.may_manage:
                return
            if not row.is_draft:
                if row.last and row.last.state.active:
                    action(_("Stop the run"), partial(self._stop, row), "stop")
                else:
                    action(_("Run now"), partial(self._run, row), "play_arrow")
                action(_("Edit"), lambda: ui.navigate.to(f"/instances/new?edit={row.id}"), "edit")
                action(_("Clone"), partial(self._clone, row), "content_copy")
                if row.status is Status.ENABLED:
                    action(_("Switch off"), partial(self._switch, row, Status.DISABLED), "pause")
                else:
                    action(_("Switch on"), partial(self._switch, row, Status.ENABLED), "play_circle")
            action(_("Delete"), partial(self._delete, row), "delete", kind="bad")

    def _question(self, row: Overview) -> None:
        words = self._words
        with block("section"):
            text(_("Goal"), "h3")
            if words and words.goal:
                text(_("A customer who {goal}.", goal=words.goal))
            else:
                text(words.problem if words else _("Not settled yet."), "p", "soft")
        if words and words.population:
            with block("section"):
                text(_("Who is scored"), "h3")
                text(_("Customers who {population}.", population=words.population))
        with block("section"):
            text(_("Made of"), "h3")
            with block("dl", "facts"):
                fact(_("Datasets"), ", ".join(row.asked.get("datasets") or ()) or "–")
                fact(_("Identity"), str(row.asked.get("namespace") or "–"))
                fact(_("Type"), kind_word(row))
                fact(_("Schedule"), schedule_word(row.schedule))
                fact(_("Scores go to the profiles"), _("yes") if row.asked.get("profile_enabled", True) else _("no"))

    def _last_run(self, row: Overview) -> None:
        last = row.last
        if last is None:
            return
        with block("section"):
            text(_("Last run"), "h3")
            state(last.state)
            if last.state.active:
                progress(last)
            if last.error:
                problem(last.error.code, last.error.title, last.error.message, last.error.suggestions)
            with block("dl", "facts"):
                fact(_("Started"), ago(last.started_at or last.queued_at, self._site.workspace.clock()))
                fact(_("By"), last.started_by)
                if last.as_of:
                    fact(_("As of"), date(last.as_of))
                if last.finished_at and last.started_at:
                    fact(_("Took"), seconds_word((last.finished_at - last.started_at).total_seconds()))
                if last.scored is not None:
                    fact(_("Profiles scored"), count(last.scored))
                if last.auc is not None:
                    fact("AUC", f"{figure(last.auc, '.2f')} ({_(quality(last.auc))})")

    # What may be done

    async def _run(self, row: Overview) -> None:
        started = await answer_of(partial(run_now, self._site, self._visitor, row.id))
        if started is not None:
            toast(_("'{name}' is being run.", name=row.name))
            await self._look_again()

    async def _stop(self, row: Overview) -> None:
        if row.last:
            await answer_of(partial(cancel_run, self._site.workspace, self._visitor.actor, row.last))
            toast(_("'{name}' is being stopped.", name=row.name))

    async def _clone(self, row: Overview) -> None:
        work, actor = self._site.workspace, self._visitor.actor
        if copy := await answer_of(partial(clone_instance, work, actor, row.id)):
            self._panel.close()
            toast(_("'{name}' asks the same now.", name=copy.name))
            await self._look_again()

    async def _switch(self, row: Overview, status: Status) -> None:
        done = await answer_of(partial(set_status, self._site.workspace, self._visitor.actor, row.id, status))
        if done:
            words = {
                Status.ENABLED: _("'{name}' is on.", name=row.name),
                Status.DISABLED: _("'{name}' is off: it runs only by hand.", name=row.name),
            }
            offer_undo(words[status], partial(self._undo, done))
            await self._look_again()

    async def _undo(self, edited: stored.Instance) -> None:
        work, actor = self._site.workspace, self._visitor.actor
        if earlier := await answer_of(partial(undo_edit, work, actor, edited.id, was=edited.revision)):
            toast(_("'{name}' is as it was.", name=earlier.name))
            await self._look_again()

    async def _delete(self, row: Overview) -> None:
        if row.state and row.state.active:
            consequence = _("Its run is stopped, and does not go on when you undo this.")
            if not await confirmed(_("Delete '{name}'?", name=row.name), consequence, _("Delete")):
                return
        work, actor = self._site.workspace, self._visitor.actor
        if not await answer_of(partial(_deleted, work, actor, row)):
            return
        self._panel.close()
        if self._rows == [row]:
            ui.navigate.to(f"/?deleted={row.id}")
        else:
            self.offer_to_put_back(row.id, row.name)
            await self._look_again()

    def offer_to_put_back(self, instance_id: str, name: str) -> None:
        offer_undo(_("'{name}' is deleted.", name=name), partial(self._put_back, instance_id))

    async def _put_back(self, instance_id: str) -> None:
        work, actor = self._site.workspace, self._visitor.actor
        if back := await answer_of(partial(restore_instance, work, actor, instance_id)):
            if self._rows:
                toast(_("'{name}' is back.", name=back.name))
                await self._look_again()
            else:
                ui.navigate.to("/")


def _deleted(workspace: Workspace, actor: Actor, row: Overview) -> bool:
    delete_instance(workspace, actor, row.id)
    return True


def run_now(site: Site, visitor: Visitor, instance_id: str) -> bool:
    """Queue a run and have it carried on."""
    with site.workspace.store.read() as connection:
        instance = stored.find(connection, instance_id)
    assert instance is not None
    site.begin(start_run(site.workspace, visitor.actor, instance, as_of=None, seed=None))
    return True


def _but_for_the_run(row: Overview) -> tuple[Overview, State | None]:
    return replace(row, last=None), row.state


def kind_word(row: Overview) -> str:
    return _("Churn") if row.propensity_type == "churn" else _("Conversion")


def schedule_word(schedule: str) -> str:
    return {"weekly": _("Weekly"), "monthly": _("Monthly")}.get(schedule, _("By hand"))


def seconds_word(seconds: float | None) -> str:
    """Write how long something took."""
    if seconds is None:
        return "–"
    return f"{figure(seconds, ',.0f')} s" if seconds < 120 else f"{figure(seconds / 60, ',.1f')} min"


def fact(name: str, value: str) -> None:
    with block("div"):
        text(name, "dt")
        text(value, "dd")


def problem(code: int | None, title: str, message: str, suggestions: Sequence[str]) -> Element:
    """Draw why a run gave no scores, and what would help."""
    with block("div", "card problem", role="note") as place:
        text(join([str(part) for part in (code, title) if part]), "h3")
        text(message)
        if suggestions:
            text(_("What would help"), "b")
            with block("ul"):
                for each in suggestions:
                    text(each, "li")
    return place


def instance_of(row: Overview) -> Instance:
    return make_instance(dict(row.asked), say("instance '{name}'", name=row.name))


def _in_trouble(row: Overview) -> bool:
    return row.last is not None and row.last.error is not None


def _auc(row: Overview) -> None:
    auc = row.last.auc if row.last else None
    text(figure(auc, ".2f"), "span")


def _scored(row: Overview) -> None:
    text(count(row.published.scored if row.published else None), "span")
