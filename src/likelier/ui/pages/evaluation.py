"""How good a model is, and what it learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from likelier.insights import charts, words
from likelier.insights.reports import TARGETED, Page
from likelier.phrases import day, join
from likelier.ui.figures import figure
from likelier.ui.language import _, count, said
from likelier.ui.language import figure as written
from likelier.ui.parts import block, card, text

READ_AT = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def draw(page: Page) -> None:
    """Draw the tab."""
    if not page.metrics:
        text(_("This run came to no model that could be judged."), "p", "soft nothing")
        return
    text(_judged(page), "p", "soft")
    _auc(page)
    with block("div", "two"):
        if page.metrics.get("gains"):
            with card():
                _gains(page, page.metrics["gains"])
        if page.metrics.get("deciles"):
            with card():
                _lift(page.metrics["deciles"])
        if page.metrics.get("calibration"):
            with card():
                _calibration(page.metrics)
        with card():
            _figures(page)
    _data(page)


def _judged(page: Page) -> str:
    held_out = page.windows.get("judge") == "held-out profiles"
    on = _("customers it had not seen") if held_out else _("a later period than any it learnt from")
    said = _("Judged on {on}", on=on)
    if not page.windows.get("judge_cut_off"):
        return said + "."
    return said + _(
        ": what it would have said on {day}, against what happened in the {days} days after.",
        day=day(page.windows["judge_cut_off"]),
        days=page.windows.get("outcome_days"),
    )


def _auc(page: Page) -> None:
    auc = page.auc
    with card("auc"):
        if auc["value"] is None:
            text(words.auc_words({}))
            return
        with block("p", "figure"):
            text("AUC", "span", "soft")
            text(written(auc["value"], ".2f"), "b")
            if auc["low"] is not None and auc["high"] is not None:
                text(f"{written(auc['low'], '.2f')} – {written(auc['high'], '.2f')}", "span", "soft")
            text(words.quality(auc["value"]), "span", "badge")
        with block("div", "scale", aria_hidden="true"):
            for name, left, width in (
                (_("poor"), 0, 30),
                (_("fair"), 30, 20),
                (_("good"), 50, 20),
                (_("very good"), 70, 30),
            ):
                text(name, "span", "band").style(f"left: {left}%; width: {width}%")
            if auc["low"] is not None and auc["high"] is not None:
                low, high = page.on_auc_scale(auc["low"]), page.on_auc_scale(auc["high"])
                block("span", "range").style(f"left: {low}%; width: {high - low}%")
            block("span", "dot").style(f"left: {page.on_auc_scale(auc['value'])}%")
        text(words.auc_words(auc))


def _gains(page: Page, points: Sequence[Mapping[str, Any]]) -> None:
    at = TARGETED
    drawn = figure(
        _("Whom a campaign reaches"),
        lambda look: charts.gains(points, at, look),
        label=_("Curve of cumulative gains"),
        heads=[_("Customers targeted"), _("Reached"), _("Times random")],
        rows=[
            [_("top {part}", part=charts.percent(part)), charts.percent(got), charts.times(got / part)]
            for part in READ_AT
            if (got := words.reached(points, part)) is not None
        ],
    )
    sentence = text(words.gains_words(points, at, page.deed), "p", "target", aria_live="polite")

    def aim(percent: float) -> None:
        nonlocal at
        at = percent / 100
        sentence.set_text(said(words.gains_words(points, at, page.deed)))
        drawn.options["series"][0]["markLine"]["data"] = [{"xAxis": percent}]
        drawn.update()

    slider = block("input", "aim", type="range", min="1", max="100", value=f"{100 * TARGETED:.0f}")
    slider.props["aria-label"] = _("Share of customers to target, in percent")
    slider.on("input", lambda event: aim(float(event.args)), js_handler="(e) => emit(e.target.value)", throttle=0.05)


def _lift(deciles: Sequence[Mapping[str, Any]]) -> None:
    figure(
        _("Lift by decile"),
        lambda look: charts.lift(deciles, look),
        about=words.lift_words(deciles),
        label=_("Bars of lift for each tenth of the ranking, best first"),
        heads=[_("Tenth"), _("Customers"), _("Met the goal"), _("Rate"), _("Lift")],
        rows=[
            [
                charts.decile_name(tenth["decile"]),
                count(tenth["profiles"]),
                count(tenth["qualifying"]),
                charts.percent(tenth["rate"]),
                charts.times(tenth["lift"]),
            ]
            for tenth in deciles
        ],
    )


def _calibration(metrics: Mapping[str, Any]) -> None:
    points = metrics["calibration"]
    figure(
        _("Do the probabilities come true?"),
        lambda look: charts.calibration(points, look),
        about=words.calibration_words(metrics),
        label=_("Predicted probability against what came true"),
        heads=[_("Predicted"), _("Came true"), _("95% interval"), _("Customers")],
        rows=[
            [
                charts.percent(point["mean_probability"]),
                charts.percent(point["rate"]),
                join([charts.percent(point["low"]), "–", charts.percent(point["high"])]),
                count(point["profiles"]),
            ]
            for point in points
        ],
    )


def _figures(page: Page) -> None:
    text(_("In figures"), "h3")
    with block("dl", "figures"):
        for label, value, meaning in page.figures:
            with block("div"):
                text(label, "dt")
                text(value, "dd", "n")
                text(meaning, "dd", "soft small")


def _data(page: Page) -> None:
    with block("section", "stack"):
        text(_("Data and windows"), "h2")
        with block("div", "tiles"):
            for label, value in page.tiles:
                with block("div", "tile"):
                    text(value, "b")
                    text(label, "span", "soft")
        if page.cut_offs:
            with card():
                text(_("What the model looked at, and when"), "h3")
                _timeline(page)
        if notes := page.insights.get("notes"):
            with card():
                text(_("Notes"), "h3")
                with block("ul", "not"):
                    for note in notes:
                        text(_(str(note)), "li")
        with block("div", "two"):
            with card():
                text(_("Run"), "h3")
                with block("dl", "facts"):
                    for label, value in page.details:
                        with block("div"):
                            text(label, "dt")
                            text(value, "dd")
            if page.settings:
                with card():
                    text(_("Settings"), "h3")
                    with block("details"):
                        text(_("Show the instance as a file"), "summary")
                        text(page.settings, "pre", tabindex="0")


def _timeline(page: Page) -> None:
    roles = {
        "train": _("learn"),
        "judge": _("judge"),
        "refit": _("learn at the end"),
        "score": _("score"),
    }
    about = _(
        "At each cut-off only what was known before it counts. Grey: the {lookback} days that decide who is eligible. "
        "Blue: the {outcome} days watched for the goal."
    )
    text(
        about.format(lookback=page.windows.get("lookback_days"), outcome=page.windows.get("outcome_days")),
        "p",
        "soft small",
    )
    with block("div", "timeline"):
        for line in page.timeline:
            with block("div", f"moment {line.role}"):
                with block("div"):
                    text(roles.get(line.role, line.role).capitalize(), "b")
                    text(f" {line.when}", "span", "soft")
                with block("div", "line", aria_hidden="true"):
                    for kind, (start, end) in (("look", line.look), ("outcome", line.outcome)):
                        block("span", kind).style(f"left: {start}%; width: {end - start}%")
                said = _("{eligible} eligible, {qualifying} met the goal ({rate})")
                if line.role == "score":
                    said = _("{eligible} eligible")
                text(
                    said.format(eligible=line.eligible, qualifying=line.qualifying, rate=line.base_rate),
                    "span",
                    "soft small",
                )
