"""Which model an instance uses, and the way back to the one before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from nicegui import ui

from likelier.phrases import day
from likelier.runs.records import Run
from likelier.service.overview import Overview
from likelier.service.retraining import model_before, roll_back
from likelier.ui.language import _, figure
from likelier.ui.pages.instances import fact
from likelier.ui.parts import action, ago, answer_of, block, card, confirmed, later, link, text
from likelier.ui.site import Site, Visitor


def draw(site: Site, visitor: Visitor, row: Overview, runs: Sequence[Run]) -> None:
    """Draw the model that gave the latest scores; nothing where there are none."""
    used = row.published
    made = next((run for run in runs if used and run.id == used.model_run), None)
    if used is None or made is None:
        return

    def told(before: Run | None) -> None:
        with block("div", "page-head"):
            with block("div", "grow"):
                text(_("The model in use"), "h2")
                _facts(site, row, used, made)
            if before:
                action(_("Go back to the model before"), partial(_go_back, site, visitor, row), "undo")

    with card():
        if visitor.may_manage and not (row.state and row.state.active):
            later(partial(model_before, site.workspace, row.id), told)
        else:
            told(None)


def _facts(site: Site, row: Overview, used: Run, made: Run) -> None:
    with block("dl", "asked"):
        fact(_("As of"), day(made.as_of))
        with block("div"):
            text(_("Made"), "dt")
            with block("dd"):
                when = ago(made.finished_at, site.workspace.clock())
                said = _("{when}, by {who}", when=when, who=made.started_by)
                link(said, f"/instances/{row.id}?run={made.id[:12]}")
        if made.auc is not None:
            fact("AUC", figure(made.auc, ".2f"))
        if used.decision:
            fact(_("Why this one"), used.decision)


async def _go_back(site: Site, visitor: Visitor, row: Overview) -> None:
    before = await answer_of(partial(model_before, site.workspace, row.id))  # another, maybe, than when this was drawn
    if before:
        consequence = _(
            "Everybody is scored again with the model of {day}, which was made on {made}. Scheduled runs keep it until "
            "it is due. Going back once more leads forward again, to the model in use now.",
            day=day(before.as_of),
            made=day(before.finished_at),
        )
        question = _("Go back to the model of {day}?", day=day(before.as_of))
        if not await confirmed(question, consequence, _("Go back"), stay=_("Cancel"), sign="undo", kind="main"):
            return
    if await answer_of(partial(_rolled_back, site, visitor, row.id)):
        ui.navigate.to(f"/instances/{row.id}")


def _rolled_back(site: Site, visitor: Visitor, instance_id: str) -> bool:
    site.begin(roll_back(site.workspace, visitor.actor, instance_id))
    return True
