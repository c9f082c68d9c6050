"""What past runs would have said, and what then happened."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from likelier import pipeline
from likelier.datasets import open_dataset
from likelier.insights.backtests import backtest_page
from likelier.instance import Instance
from likelier.pipeline.backtest import Watch
from likelier.service.files import whole_file
from likelier.service.outcomes import room
from likelier.service.workspace import Workspace
from likelier.timespan import next_midnight


def backtest(
    workspace: Workspace,
    instance: Instance,
    count: int,
    *,
    as_of: dt.datetime | None,
    seed: int | None,
    watch: Watch = lambda *_: None,
) -> dict[str, Any]:
    """Put runs of an instance back in time; records and publishes nothing."""
    settings = workspace.settings
    versions = {name: open_dataset(workspace.lake, name).version for name in instance.datasets}
    with workspace.chosen_engine() as engine, room(workspace) as folder:
        moment = as_of or next_midnight(pipeline.newest_event(engine, workspace.lake, instance.datasets))
        inputs = pipeline.Inputs(instance, moment, settings.seed if seed is None else seed, versions)
        test = pipeline.Backtest(inputs, engine, workspace.lake, folder, settings.minimum_auc)
        return test.run(count, watch)


def write_backtest(found: dict[str, Any], path: Path) -> None:
    """Write what a backtest found as one page."""
    with whole_file(path) as file:
        file.write(backtest_page(found).encode())
