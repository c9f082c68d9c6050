"""Two runs of an instance beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from likelier.insights import charts
from likelier.insights.reports import Page
from likelier.phrases import day, join
from likelier.runs.records import Run, State
from likelier.service.reports import insights_of
from likelier.service.runs import details
from likelier.ui.figures import numbers
from likelier.ui.language import _, count, factor, figure
from likelier.ui.parts import block, card, later, text
from likelier.ui.site import Site


def draw(site: Site, runs: Sequence[Run]) -> None:
    """Draw a choice of two runs that gave scores, and what tells them apart; nothing where there are fewer."""
    scored = {run.id: run for run in runs if run.state is State.SUCCESS}
    if len(scored) < 2:
        return
    with card():
        text(_("Compare two runs"), "h2")
        names = {key: f"{_(day(run.as_of))} · {key[:8]}" for key, run in scored.items()}
        newest, before, *_rest = names
        with block("div", "row below"):
            boxes = [
                ui.select(names, value=value, label=label).props("outlined dense options-dense")
                for value, label in ((newest, _("Run")), (before, _("Compared with")))
            ]
        place = block("div", "below")

        def compare() -> None:
            chosen = [scored[box.value] for box in boxes]
            place.clear()
            with place:
                later(partial(_pages, site, chosen), _told)

        for box in boxes:
            box.on_value_change(compare)
        compare()


def _pages(site: Site, runs: Sequence[Run]) -> list[Page]:
    return [Page(insights_of(site.workspace, run) or {}, details(run)) for run in runs]


def _told(pages: Sequence[Page]) -> None:
    one, other = pages
    lines: list[tuple[str, Callable[[Page], str]]] = [
        (_("Scored as of"), lambda page: day(page.run["as_of"])),
        (_("Profiles scored"), lambda page: count(page.scored)),
        *((_(charts.NAMES[bucket]), partial(_bucket, bucket)) for bucket in reversed(charts.BUCKETS)),
        ("AUC", _auc),
        (_("Base rate"), lambda page: _(charts.percent(page.metrics.get("base_rate")))),
        (_("Calibration error"), lambda page: figure(page.metrics.get("calibration_error"), ".4f")),
        (_("Model"), lambda page: page.run.get("decision") or "–"),
    ]
    with block("div", "scroll", tabindex="0", role="region", aria_label=_("Compare two runs")):
        numbers(["", _("Run"), _("Compared with")], [[name, said(one), said(other)] for name, said in lines])
    for bucket in reversed(charts.BUCKETS):
        _factors(bucket, one, other)


def _bucket(bucket: str, page: Page) -> str:
    if not page.scores:
        return "–"
    expected = (page.scores.get("expected") or {}).get(bucket)
    share = charts.share(page.scores[bucket], page.scored)
    return _(
        "{number} ({share}), expected {rate}",
        number=count(page.scores[bucket]),
        share=_(share),
        rate=_(charts.percent(expected)),
    )


def _auc(page: Page) -> str:
    auc: Mapping[str, Any] = page.auc
    if auc["low"] is None:
        return figure(auc["value"], ".3f")
    return f"{figure(auc['value'], '.3f')} ({figure(auc['low'], '.2f')} – {figure(auc['high'], '.2f')})"


def _factors(bucket: str, one: Page, other: Page) -> None:
    """Say which factors came among the strongest of a bucket, and which left."""
    now, then = ([each.code for each in page.factors(bucket)] for page in (one, other))
    came, left = [code for code in now if code not in then], [code for code in then if code not in now]
    if came or left:
        parts = [_("new: {factors}", factors=_named(came))] if came else []
        parts += [_("no more: {factors}", factors=_named(left))] if left else []
        name = _(charts.NAMES[bucket])
        text(join([_("Strongest factors, {bucket}", bucket=name), ": ", "; ".join(parts)], ""), "p", "small")


def _named(codes: Sequence[str]) -> str:
    return ", ".join(factor(code) for code in codes)
