"""Model cards, drawn up from the record of a run."""

from __future__ import annotations

from pathlib import Path

from likelier.errors import UsageError
from likelier.insights.cards import Card, card, card_page, markdown
from likelier.phrases import say
from likelier.runs.records import Run
from likelier.service.files import whole_file
from likelier.service.performance import by_every_attribute, performance
from likelier.service.reports import told_run
from likelier.service.runs import details
from likelier.service.workspace import Workspace
from likelier.store import runs as records

WRITTEN = {".html": card_page, ".md": markdown}


def write_card(workspace: Workspace, name: str, run_id: str | None, path: Path) -> Run:
    """Write the card of a run's model: of the run named, else of the latest that gave scores; `.html` or `.md`."""
    write = WRITTEN.get(path.suffix.lower())
    if write is None:
        raise UsageError(
            say("'{name}' names no form of a card. End it in {known}.", name=path.name, known=" or ".join(WRITTEN))
        )
    run, drawn = model_card(workspace, name, run_id)
    with whole_file(path) as file:
        file.write(write(drawn).encode())
    return run


def model_card(workspace: Workspace, name: str, run_id: str | None = None) -> tuple[Run, Card]:
    """Draw up the card; what came of the scored is told by every attribute that the model may use."""
    with workspace.store.read() as connection:
        run = told_run(connection, name, run_id)
        insights = records.read_insights(connection, run.id)
    if insights is None:
        raise UsageError(say("Run {id} came to no model.", id=run.id[:8]))
    found = performance(workspace, run.instance_id)["runs"]
    came = next((each for each in found if each["run"] == run.id), None)
    return run, card(insights, details(run), came, by_every_attribute(workspace, run.instance_id, run.id))
