"""What the runs of an instance found: who, why, how sure, and how it went."""

from __future__ import annotations

import tempfile
from asyncio import to_thread
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from nicegui import ui

from likelier.insights import charts, words
from likelier.insights.matters import FAILED, POOR
from likelier.insights.reports import Page
from likelier.instance import make_instance
from likelier.phrases import day, join, say
from likelier.runs.records import Run, State
from likelier.service.instances import undo_edit
from likelier.service.overview import Overview, Words, in_words, overview, runs_of
from likelier.service.reports import insights_of, write_report
from likelier.service.runs import cancel_run, details
from likelier.service.scores import export_scores
from likelier.store import alerts as stored_alerts
from likelier.store.alerts import Alert
from likelier.ui import frame
from likelier.ui.figures import chart, figure, folded
from likelier.ui.language import _, count
from likelier.ui.language import factor as factor_name
from likelier.ui.language import figure as figure_of
from likelier.ui.pages import compared_runs, evaluation, model_in_use
from likelier.ui.pages.alerts import kind_word as alert_word
from likelier.ui.pages.instances import LOOK_AGAIN_SECONDS, instance_of, kind_word, problem, run_now, seconds_word
from likelier.ui.pages.performance import Performance
from likelier.ui.pages.segment_dialog import segment_dialog
from likelier.ui.parts import (
    action,
    ago,
    answer_of,
    block,
    card,
    empty,
    hint,
    icon,
    link,
    offer_undo,
    progress,
    state,
    text,
    toast,
    tool,
    value_word,
)
from likelier.ui.rules import range_rule
from likelier.ui.site import Site, Visitor, address
from likelier.ui.table import Column, Table


@dataclass(frozen=True)
class Shown:
    """An instance with the run whose insights are looked at, and all its runs."""

    row: Overview
    runs: list[Run]
    run: Run | None
    insights: Mapping[str, Any] | None
    asked: Words
    alerts: list[Alert]


def register(site: Site) -> None:
    @address("/instances/{instance_id}")
    async def page(instance_id: str, run: str = "", tab: str = "scores", edited: int = 0) -> None:
        shown = await to_thread(_find, site, instance_id, run)
        with frame.page(site, shown.row.name if shown else _("Instance"), at="/") as visitor:
            if shown is None:
                _lost()
            else:
                _Insights(site, visitor, shown, tab)
        if shown and visitor.may_manage and edited == shown.row.revision:
            offer_undo(_("'{name}' is saved.", name=shown.row.name), partial(_undo, site, visitor, shown.row))


def _find(site: Site, instance_id: str, run_id: str) -> Shown | None:
    row = overview(site.workspace, instance_id)
    if row is None:
        return None
    runs = runs_of(site.workspace, instance_id)
    chosen = next((each for each in runs if run_id and each.id.startswith(run_id)), None)
    run = chosen or row.published or next((each for each in runs if not each.state.active), None)
    asked = Words() if row.is_draft else in_words(site.workspace, instance_of(row))
    with site.workspace.store.read() as connection:
        alerts = [each for each in stored_alerts.lasting(connection, instance_id) if each.kind not in (FAILED, POOR)]
    return Shown(row, runs, run, _retold(site, insights_of(site.workspace, run)) if run else None, asked, alerts)


def _retold(site: Site, insights: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Say the goal of a run anew, in words that know other languages than those that were stored."""
    if insights is None:
        return None
    asked = in_words(site.workspace, make_instance(dict(insights["instance"]), say("the run's instance")))
    return {**insights, "goal_deed": asked.deed or insights.get("goal_deed")}


async def _undo(site: Site, visitor: Visitor, row: Overview) -> None:
    if await answer_of(partial(undo_edit, site.workspace, visitor.actor, row.id, was=row.revision)):
        ui.navigate.to(f"/instances/{row.id}")


def _lost() -> None:
    with empty(
        _("There is no such instance"), _("It may have been deleted, or the address is not whole."), "search_off"
    ):
        action(_("All instances"), lambda: ui.navigate.to("/"), "arrow_back", kind="main")


class _Insights:
    def __init__(self, site: Site, visitor: Visitor, shown: Shown, tab: str) -> None:
        self._site, self._visitor, self._shown = site, visitor, shown
        self._row, self._run = shown.row, shown.run
        self._page = Page(shown.insights, details(shown.run)) if shown.run and shown.insights else None
        self._active = self._row.last if self._row.last and self._row.last.state.active else None
        self._is_latest = shown.run is not None and shown.row.published is not None and shown.run == shown.row.published
        self._head()
        self._now()
        places = {
            "scores": (_("Latest scores"), self._scores),
            "evaluation": (_("Model evaluation"), self._evaluation),
            "runs": (_("Run history"), self._history),
            "performance": (_("Performance summary"), self._performance),
        }
        tabbed(places, tab if tab in places else "scores")

    def _head(self) -> None:
        row, run = self._row, self._run
        with block("div"):
            with block("nav", "crumbs", aria_label=_("Where you are")):
                link(_("Instances"), "/")
                icon("chevron_right")
                text(row.name, "span", aria_current="page")
            with block("div", "page-head"):
                with block("div", "grow"):
                    text(row.name, "h1")
                    if row.description:
                        text(row.description, "p", "lead")
                    with block("div", "row badges"):
                        text(kind_word(row), "span", "badge")
                        if run and run.as_of:
                            text(_("Scored as of {day}", day=day(run.as_of)), "span", "badge")
                        if run and row.published and run.id != row.published.id:
                            text(_("An earlier run"), "span", "badge")
                self._actions()
            with block("dl", "asked"):
                if goal := self._shown.asked.goal:
                    _asked(_("Goal"), goal)
                if population := self._shown.asked.population:
                    _asked(_("Who is scored"), _("customers who {population}", population=population))

    def _actions(self) -> None:
        with block("div", "row"):
            if self._run and self._run.state is State.SUCCESS:
                with action(_("Download"), None, "download"), ui.menu().props("auto-close"):
                    for suffix, name in (("csv", "CSV"), ("parquet", "Parquet"), ("jsonl", "JSON lines")):
                        ui.menu_item(_("Scores as {format}", format=name), partial(self._download_scores, suffix))
                    ui.menu_item(_("Report as a page"), self._download_report)
                    ui.menu_item(_("Model card"), self._download_card)
            if self._visitor.may_manage:
                action(_("Edit"), lambda: ui.navigate.to(f"/instances/new?edit={self._row.id}"), "edit")
                if not self._active:
                    action(_("Run now"), self._start, "play_arrow", kind="main")

    def _now(self) -> None:
        """Tell of a run that is under way, or that ended badly after the one that is shown."""
        last = self._row.last
        if self._active:
            with card("now"), block("div", "row between"):
                self._bar = block("div", "grow")
                if self._visitor.may_manage:
                    action(_("Stop the run"), self._stop, "stop")
            with self._bar:
                progress(self._active)
            ui.timer(LOOK_AGAIN_SECONDS, self._look_again)
        elif last and last.error and (self._run is None or last.id != self._run.id or self._page is None):
            text(_("The last run gave no scores."), "p", "away")
            problem(last.error.code, last.error.title, last.error.message, last.error.suggestions)

    async def _look_again(self) -> None:
        found = await to_thread(overview, self._site.workspace, self._row.id)
        if found is None or found.last is None or not found.last.state.active:
            ui.navigate.to(f"/instances/{self._row.id}")
            return
        self._bar.clear()
        with self._bar:
            progress(found.last)

    async def _start(self) -> None:
        if await answer_of(partial(run_now, self._site, self._visitor, self._row.id)):
            ui.navigate.to(f"/instances/{self._row.id}")

    async def _stop(self) -> None:
        if self._active:
            await answer_of(partial(cancel_run, self._site.workspace, self._visitor.actor, self._active))
            toast(_("The run is being stopped."))

    async def _download_scores(self, suffix: str) -> None:
        run = self._run
        assert run is not None
        file = _room() / f"scores.{suffix}"
        if await answer_of(lambda: export_scores(self._site.workspace, self._visitor.actor, run, file)) is not None:
            ui.download.file(file, f"Scores - {self._row.name}.{suffix}")

    async def _download_report(self) -> None:
        run = self._run
        assert run is not None
        file = _room() / "report.html"
        if await answer_of(lambda: write_report(self._site.workspace, self._row.name, run.id, file)):
            ui.download.file(file, f"{self._row.name}.html")

    async def _download_card(self) -> None:
        from likelier.service.cards import write_card  # noqa: PLC0415 - loads the model libraries

        run = self._run
        assert run is not None
        file = _room() / "card.html"
        if await answer_of(lambda: write_card(self._site.workspace, self._row.name, run.id, file)):
            ui.download.file(file, f"{self._row.name} - model card.html")

    # Latest scores

    def _scores(self) -> None:
        if self._is_latest or self._row.published is None:
            self._noticed()
        if self._page is None or not self._page.scores:
            self._no_scores()
            return
        page = self._page
        if page.problem:
            problem(None, page.problem["title"], page.problem["message"], page.problem["suggestions"])
        said = words.headline(page.insights)
        with block("p", "headline"):
            text(said[0], "strong")
            text(join(["", *said[1:]]), "span")
        with block("div", "two"):
            with card():
                self._ring(page)
            with card():
                self._distribution(page)
        if page.insights.get("factors"):
            self._factors(page)
        _meaning(page)

    def _noticed(self) -> None:
        """Tell what was noticed and lasts; what a run failed of is told beside it."""
        if not self._shown.alerts:
            return
        with block("section", "note", aria_label=_("Alerts")), block("ul", "not"):
            for each in self._shown.alerts:
                with block("li"):
                    text(f"{alert_word(each.kind)}: ", "b")
                    text(each.words, "span")
                    text(f" {ago(each.noticed_at, self._site.workspace.clock())}", "span", "soft small")

    def _no_scores(self) -> None:
        if self._active:
            with empty(_("The scores are being made"), _("You may leave this page: the run goes on."), "autorenew"):
                pass
        elif self._row.last and self._row.last.error:
            with empty(_("No scores yet"), _("The last run gave none. What would help stands above."), "insights"):
                pass
        else:
            with empty(_("No scores yet"), _("A run learns from the past and scores everybody."), "insights"):
                if self._visitor.may_manage and not self._row.is_draft:
                    action(_("Run now"), self._start, "play_arrow", kind="main")

    @staticmethod
    def _ring(page: Page) -> None:
        kind = page.propensity_type
        names = {"low": _("Low"), "medium": _("Medium"), "high": _("High")}
        expected = page.scores.get("expected") or {}
        with block("figure"):
            with block("figcaption"):
                text(_("Low, medium, high"), "h3")
            with block("div", "ring-and-list"):
                said = ", ".join(f"{count(page.scores[each])} {names[each]}" for each in reversed(charts.BUCKETS))
                chart(partial(_draw_ring, page.scores, kind), said, "ring")
                with block("ul", f"buckets {kind}"):
                    for each in reversed(charts.BUCKETS):
                        with block("li", each):
                            text(charts.SIGNS[each], "span", "sign", aria_hidden="true")
                            with block("div"):
                                text(names[each], "b")
                                share = _(charts.share(page.scores[each], page.scored))
                                text(f" {count(page.scores[each])} ({share})", "span")
                                if page.scores[each] and expected.get(each) is not None:
                                    text(
                                        _("expect {part} {to_do}", part=words.out_of(expected[each]), to_do=page.to_do),
                                        "div",
                                        "soft small",
                                    )
            folded(
                _("Low, medium, high"),
                [_("Bucket"), _("Score"), _("Customers"), _("Share"), _("Expected to meet the goal")],
                [
                    [
                        names[each],
                        span,
                        count(page.scores[each]),
                        charts.share(page.scores[each], page.scored),
                        charts.percent(expected.get(each)),
                    ]
                    for each, span in (("high", "75 – 100"), ("medium", "25 – 75"), ("low", "0 – 25"))
                ],
            )

    @staticmethod
    def _distribution(page: Page) -> None:
        histogram, kind = page.scores["histogram"], page.propensity_type
        figure(
            _("Distribution of the scores"),
            lambda look: charts.distribution(histogram, kind, look),
            about=_("How many customers have each score; 50 is average."),
            kind="tall",
            heads=[_("Score"), _("Customers")],
            rows=[[name, count(number)] for name, number in page.histogram_rows],
        )

    def _factors(self, page: Page) -> None:
        names = {"low": _("Low"), "medium": _("Medium"), "high": _("High")}
        with block("section", "stack"):
            with block("div"):
                with block("div", "row tight"):
                    text(_("Why: the most influential factors"), "h2")
                    hint(
                        _("Odds"),
                        _(
                            "How often something happens for each time it does not: 20 of 100 are odds of 1 to 4. "
                            "Odds × 2 means twice as often for each time it does not."
                        ),
                    )
                about = say(
                    "The ten that moved the scores of each bucket most. ▲ raises the likelihood {to_do}, ▼ lowers it, "
                    "◆ does either, depending on the value. Choose one to see how its values are spread. "
                    "Factors go together with the outcome; they need not cause it.",
                    to_do=page.to_do_in_time,
                )
                text(about, "p", "soft")
            with block("div", f"three buckets-of {page.propensity_type}"):
                for bucket in reversed(charts.BUCKETS):
                    with card(bucket):
                        with block("h3", "row"):
                            text(charts.SIGNS[bucket], "span", "sign", aria_hidden="true")
                            text(names[bucket], "span")
                        self._bucket_factors(page, bucket)
                        if self._is_latest and self._visitor.may_manage and page.scores[bucket]:
                            make = partial(segment_dialog, self._site, self._visitor)
                            action(
                                _("Create segment"),
                                partial(make, instance=self._row.name, bucket=bucket),
                                "group_add",
                            ).classes("below")

    def _bucket_factors(self, page: Page, bucket: str) -> None:
        found = page.factors(bucket)
        if not page.scores[bucket]:
            text(_("Nobody is in this bucket."), "p", "soft nothing")
        elif not found:
            text(_("No factor stands out here."), "p", "soft nothing")
        with block("ol", "factors"):
            for factor in found:
                with block("li"):
                    line = block("button" if factor.anchor else "div", "factor")
                    if factor.anchor:
                        line.props["type"] = "button"
                        line.on("click", partial(self._drill, page, factor.code))
                    with line:
                        text(factor_name(factor.code), "span", "factor-name")
                        text(
                            join([factor.sign, factor.effect]), "span", "effect", title=direction_word(factor.direction)
                        )
                        with block("span", "factor-bar", aria_hidden="true"):
                            block("span").style(f"width: {factor.width}%")

    def _drill(self, page: Page, code: str) -> None:
        drill = next(each for each in page.drill_downs if each.code == code)
        spread, kind = page.insights["spreads"][code], page.propensity_type
        name = factor_name(code)
        with ui.dialog() as dialog, block("div", "card drill"):
            dialog.props["aria-label"] = name
            with block("div", "row between nowrap"):
                text(name, "h2")
                tool("close", _("Close"), dialog.close)
            about = _("How its values are spread among the customers of each bucket")
            shown = "" if drill.feature == code else f" ({factor_name(drill.feature)})"
            text(f"{about}{shown}.", "p", "soft")
            chart(lambda look: charts.spread(spread, kind, look), name, "spread")
            folded(
                name,
                [_("Value"), _("High"), _("Medium"), _("Low")],
                [[value_word(value), *cells] for value, cells in drill.rows],
            )
            if self._is_latest and self._visitor.may_manage:
                self._segment_of_range(code, name, spread, dialog.close)
        dialog.on("hide", dialog.delete)
        dialog.open()

    def _segment_of_range(self, code: str, name: str, spread: Mapping[str, Any], close: Callable[[], Any]) -> None:
        ranges = value_ranges(self._row.name, code, spread)
        if not ranges:
            return
        with block("div", "row"):
            box = ui.select(list(ranges), value=next(iter(ranges)), label=_("Value")).props("outlined dense")

            def make() -> None:
                close()
                suggested = f"{name}: {box.value}"
                about = _(
                    "A person's scores keep the ten factors that matter most for them; others are not in this segment."
                )
                segment_dialog(self._site, self._visitor, rule=ranges[box.value], about=about, name=suggested)

            action(_("Create segment"), make, "group_add")

    # The other tabs

    def _evaluation(self) -> None:
        if self._page is None:
            self._no_scores()
        else:
            evaluation.draw(self._page)

    def _performance(self) -> None:
        Performance(self._site, self._row, self._page)

    def _history(self) -> None:
        now = self._site.workspace.clock()
        if not self._shown.runs:
            with empty(_("Never run"), _("Each run appears here, with how it ended."), "history"):
                pass
            return
        model_in_use.draw(self._site, self._visitor, self._row, self._shown.runs)
        with card():
            table: Table[Run] = Table(
                _("Runs"),
                [
                    Column(_("Started"), lambda run: _run_link(self._row.id, run, ago(run.queued_at, now)), _when),
                    Column(_("Outcome"), _outcome, lambda run: str(run.state)),
                    Column(_("As of"), lambda run: text(day(run.as_of), "span"), lambda run: run.as_of),
                    Column(_("By"), lambda run: text(run.started_by, "span"), lambda run: run.started_by),
                    Column(_("Took"), lambda run: text(seconds_word(_seconds(run)), "span"), _seconds, number=True),
                    Column(
                        _("Scored"), lambda run: text(count(run.scored), "span"), lambda run: run.scored, number=True
                    ),
                    Column(
                        "AUC",
                        lambda run: text(figure_of(run.auc, ".2f"), "span"),
                        lambda run: run.auc,
                        number=True,
                    ),
                    Column(_("Model"), lambda run: text(run.decision, "span", "soft")),
                ],
                sort=0,
                descending=True,
            )
            table.show(self._shown.runs)
        compared_runs.draw(self._site, self._shown.runs)


def tabbed(places: Mapping[str, tuple[str, Callable[[], None]]], chosen: str) -> None:
    """Draw tabs; what is in one is drawn when it is first opened."""
    drawn: set[str] = set()
    with ui.tabs().props("no-caps align=left inline-label outside-arrows mobile-arrows") as tabs:
        for name, (title, _draw) in places.items():
            ui.tab(name, title)
    with ui.tab_panels(tabs, value=chosen, animated=False, keep_alive=True) as panels:
        rooms = {}
        for name in places:
            with ui.tab_panel(name):
                rooms[name] = block("div", "stack wide-gap")

    def fill(name: str) -> None:
        if name not in drawn:
            drawn.add(name)
            with rooms[name]:
                places[name][1]()

    def turn(name: str) -> None:
        fill(name)
        ui.run_javascript(f"keepTab('{name}')")

    fill(chosen)
    panels.on_value_change(lambda change: turn(change.value))


def _draw_ring(scores: Mapping[str, Any], kind: str, look: charts.Look) -> charts.Option:
    return charts.ring(scores, kind, look)


def _asked(name: str, said: str) -> None:
    with block("div"):
        text(name, "dt")
        text(said, "dd")


def _meaning(page: Page) -> None:
    with block("section", "two"):
        with card():
            text(_("What the score means"), "h2")
            with block("dl", "terms"):
                for term, meaning in (
                    (
                        _("Score, 0 to 100"),
                        _(
                            "How likely a customer is {to_do}, compared with everybody scored here. 50 is average "
                            "odds, 75 three times and 25 a third of them. It is not a probability.",
                            to_do=page.to_do_in_time,
                        ),
                    ),
                    (
                        _("Probability"),
                        _(
                            "How many of 100 such customers will {deed}. It can be compared between goals.",
                            deed=page.deed,
                        ),
                    ),
                    (
                        _("Percentile, 1 to 100"),
                        _("The place in the ranking: 90 means ahead of about 90 of 100 customers scored."),
                    ),
                    (
                        _("Low, medium, high"),
                        _("Scores below 25, from 25 to below 75, and from 75.")
                        + (
                            " " + _("High is red here: these are the customers about to leave.")
                            if page.propensity_type == "churn"
                            else ""
                        ),
                    ),
                ):
                    text(term, "dt")
                    text(meaning, "dd")
        with card():
            text(_("What this model may not be used for"), "h2")
            with block("ul", "not"):
                for each in words.NOT_FOR:
                    text(_(each), "li")


def value_ranges(instance: str, code: str, spread: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the rule of a segment for each range of a factor's values, by what the range is called.

    >>> list(value_ranges("Buy", "Visits", {"kind": "number", "edges": [0, 2, 30]}))
    ['0 – 2', '2 – 30']
    >>> value_ranges("Buy", "tier", {"kind": "category", "labels": ["gold"]})
    {'gold': {'factor': {'name': 'tier', 'of': 'Buy', 'operator': 'equals', 'value': 'gold'}}}
    """
    asked = {"name": code, "of": instance, "operator": "equals"}
    if spread.get("labels") is not None:
        is_number = spread["kind"] == "number"
        return {
            str(label): {"factor": {**asked, "value": float(label) if is_number else label}}
            for label in spread["labels"]
        }
    edges = spread.get("edges") or []
    names = charts.bin_names(spread)
    return {
        name: range_rule(instance, code, start, end, last=end == edges[-1])
        for name, (start, end) in zip(names, pairwise(edges), strict=True)
    }


def direction_word(direction: str) -> str:
    return {"raises": _("raises"), "lowers": _("lowers")}.get(direction, _("both ways"))


def _run_link(instance_id: str, run: Run, words_: str) -> None:
    if run.state.active:
        text(words_, "span")
    else:
        link(words_, f"/instances/{instance_id}?run={run.id[:12]}", "name")


def _outcome(run: Run) -> None:
    with block("div"):
        state(run.state)
        if run.state.active:
            progress(run)
        if run.error:
            text(join([str(run.error.code or ""), " ", run.error.title, ". ", run.error.message], ""), "span", "under")


def _when(run: Run) -> Any:
    return run.queued_at


def _seconds(run: Run) -> float | None:
    ended = run.finished_at and run.started_at
    return (run.finished_at - run.started_at).total_seconds() if ended and run.finished_at and run.started_at else None


def _room() -> Path:
    """Find room for a file on its way to a browser."""
    return Path(tempfile.mkdtemp(prefix="likelier-"))
