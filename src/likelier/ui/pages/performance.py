"""Did it come true? What each run expected against what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from likelier.insights import charts, performance_words, words
from likelier.insights.reports import Page
from likelier.phrases import day, join
from likelier.service.overview import Overview, in_words
from likelier.timespan import parse_moment
from likelier.ui.figures import figure
from likelier.ui.language import _, count
from likelier.ui.language import figure as written
from likelier.ui.pages.instances import instance_of
from likelier.ui.parts import block, card, empty, later, state_mark, text
from likelier.ui.site import Site
from likelier.ui.table import Column, Table

Run = Mapping[str, Any]


class Performance:
    """The tab: it looks at what has happened since when it is opened, and shows the runs between two days."""

    def __init__(self, site: Site, row: Overview, page: Page | None) -> None:
        self._site, self._row = site, row
        self._since = self._until = ""
        if page and page.changed:
            _changes(page)
        with block("div", "row end"):
            for name, title in (("_since", _("Runs from")), ("_until", _("Runs before"))):
                box = ui.input(title).props("outlined dense type=date stack-label")
                box.on_value_change(partial(self._between, name))
        self._place = block("div", "stack wide-gap")
        self._show()

    def _between(self, name: str, change: Any) -> None:
        setattr(self, name, change.value or "")
        self._show()

    def _show(self) -> None:
        self._place.clear()
        with self._place:
            later(self._look, self._draw, waiting=_("Looking at what happened …"))

    def _look(self) -> tuple[dict[str, Any], dict[str, str]]:
        from likelier.service.performance import attributes, performance  # noqa: PLC0415 - loads the model libraries

        since, until = (parse_moment(each) if each else None for each in (self._since, self._until))
        found = performance(self._site.workspace, self._row.id, since=since, until=until)
        return found, attributes(self._site.workspace, self._row.id)

    def _draw(self, looked: tuple[dict[str, Any], dict[str, str]]) -> None:
        found, attributes = looked
        runs: Sequence[Run] = found["runs"]
        closed = [run for run in runs if run["state"] != "open"]
        if not closed:
            about = performance_words.headline(runs, "")[0]
            with empty(_("Did it come true?"), about, "query_stats"):
                pass
            if not runs:
                return
        else:
            asked = in_words(self._site.workspace, instance_of(self._row))
            text(join(performance_words.headline(runs, asked.deed or found["goal_deed"])), "p", "headline")
            text(join(performance_words.judgement(runs)), "p", "soft")
        if closed or len(runs) > 1:  # one expectation alone is no line
            with card():
                self._over_time(runs)
        with card():
            _table(runs)
        if closed:
            self._one_run(closed, attributes)

    def _over_time(self, runs: Sequence[Run]) -> None:
        points = [
            {"at": run["cut_off"], "buckets": run["buckets"], "provisional": run["state"] == "provisional"}
            for run in performance_words.newest_of_each_moment(runs)
        ]
        figure(
            _("Expected and actual"),
            lambda look: charts.over_time(points, self._row.propensity_type, look),
            about=_(
                "What each run said of its high, medium and low customers (dotted), and how many then met the goal "
                "(solid, with the 95% interval that chance alone would give). Hollow: late events may still come."
            ),
            kind="tall",
            heads=[_("Scored as of"), _("High"), _("Medium"), _("Low")],
            rows=[
                [
                    run["cut_off"][:10],
                    *(performance_words.rates(run["buckets"][each]) for each in reversed(charts.BUCKETS)),
                ]
                for run in runs
            ],
        )

    def _one_run(self, closed: Sequence[Run], attributes: Mapping[str, str]) -> None:
        names = {run["run"]: f"{_(day(run['cut_off']))} · {run['run'][:8]}" for run in closed}
        with block("div", "row"):
            run = _choice(_("Run"), names, closed[-1]["run"])
            by = _choice(_("By attribute"), {"": "–", **attributes}, "") if attributes else None
        parts, place = block("div"), block("div", "stack")

        def show() -> None:
            place.clear()
            with place:
                _details(next(each for each in closed if each["run"] == run.value))

        def tell_apart() -> None:
            parts.clear()
            if by and by.value:
                with parts, card():
                    later(partial(self._slices, run.value, by.value), partial(_slices, attributes[by.value]))

        run.on_value_change(show)
        run.on_value_change(tell_apart)
        if by:
            by.on_value_change(tell_apart)
        show()

    def _slices(self, run: str, path: str) -> dict[str, Any]:
        from likelier.service.performance import performance  # noqa: PLC0415 - loads the model libraries

        return performance(self._site.workspace, self._row.id, by=path, run_id=run, look=False)["slices"]


def _choice(title: str, names: Mapping[str, str], chosen: str) -> ui.select:
    return ui.select(dict(names), value=chosen, label=title).props("outlined dense options-dense").classes("choice")


def _changes(page: Page) -> None:
    with card():
        text(_("What has changed"), "h2")
        about = _(
            "Between the customers the model was judged on and those scored now, what matters most to the scores first."
        )
        text(about, "p", "soft small")
        with block("ul", "not"):
            for each in page.changed:
                text(each, "li")
        if page.estimate:
            text(page.estimate, "p", "soft")


def _table(runs: Sequence[Run]) -> None:
    table: Table[Run] = Table(
        _("Runs and what came of them"),
        [
            Column(_("Scored as of"), lambda run: text(day(run["cut_off"]), "span"), lambda run: run["cut_off"]),
            Column("", _state, shown=False),
            Column(_("Scored"), lambda run: text(count(run["scored"]), "span"), lambda run: run["scored"], number=True),
            Column(_("Expected → actual"), lambda run: text(performance_words.rates(run["all"]), "span"), number=True),
            Column(_("AUC promised"), lambda run: _figure(run["promised"]["auc"]), number=True),
            Column(
                _("AUC estimated"),
                lambda run: _figure((run["estimated"] or {}).get("auc")),
                number=True,
                about=_("From the probabilities, before outcomes are known."),
            ),
            Column(_("AUC that came true"), lambda run: _figure(run["auc"]), number=True),
            Column(
                _("Lift in the top 10%"),
                lambda run: text(charts.times(run["lift"]["value"]) if run["lift"] else "–", "span"),
                number=True,
            ),
        ],
        sort=0,
        descending=True,
    )
    table.show(runs)


def _slices(attribute: str, told: Mapping[str, Any]) -> None:
    table: Table[Mapping[str, Any]] = Table(
        _("Expected and actual by {attribute}", attribute=attribute),
        [
            Column(attribute, lambda part: text(part["value"], "span")),
            Column(_("Scored"), lambda part: text(count(part["profiles"]), "span"), number=True),
            Column(_("Expected → actual"), lambda part: text(performance_words.rates(part), "span"), number=True),
            Column("AUC", lambda part: _figure(part["auc"]), number=True),
        ],
    )
    table.show(told["values"])


def _state(run: Run) -> None:
    signs = {"open": "schedule", "provisional": "hourglass_top", "settled": "check_circle"}
    named = {"open": _("Open"), "provisional": _("Provisional"), "settled": _("Settled")}
    with block("div"):
        state_mark(signs[run["state"]], named[run["state"]], {"settled": "success"}.get(run["state"], "queued"))
        if run["state"] != "settled" or run["corrections"]:
            text(performance_words.state(run), "span", "under")


def _figure(auc: Mapping[str, Any] | None) -> None:
    with block("div"):
        text(written(auc["value"] if auc else None, ".2f"), "span")
        if auc and auc.get("low") is not None:
            text(f"{written(auc['low'], '.2f')} – {written(auc['high'], '.2f')}", "span", "under")


def _details(run: Run) -> None:
    histograms, promised = run["histograms"], run["promised"]
    with block("div", "two"):
        with card():
            figure(
                _("The scores of those who did, and of those who did not"),
                lambda look: charts.did_and_did_not(histograms, look),
                about=_("A model that told nothing would give both the same scores."),
                heads=[_("Bucket"), _("Did"), _("Did not")],
                rows=[
                    [charts.NAMES[each], count(told["qualifying"]), count(told["profiles"] - told["qualifying"])]
                    for each, told in run["buckets"].items()
                ],
            )
        if run["gains"]:
            with card():
                figure(
                    _("Whom a campaign would have reached"),
                    lambda look: charts.promised_and_came_true(promised["gains"] or [], run["gains"], look),
                    about=join([performance_words.order(run), *filter(None, [performance_words.foretold(run)])]),
                )
        if run["calibration"]:
            with card():
                figure(
                    _("Did the probabilities come true?"),
                    lambda look: charts.calibration(run["calibration"], look),
                    about=words.calibration_words(run),
                    heads=[_("Predicted"), _("Came true"), _("95% interval"), _("Customers")],
                    rows=[
                        [
                            charts.percent(point["mean_probability"]),
                            charts.percent(point["rate"]),
                            join([charts.percent(point["low"]), "–", charts.percent(point["high"])]),
                            count(point["profiles"]),
                        ]
                        for point in run["calibration"]
                    ],
                )
