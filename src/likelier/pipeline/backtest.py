"""What past runs would have said, and what then happened.

Each cut-off gets a whole run as of that instant: its stages see nothing from it on. Only afterwards are its scores held
against the outcomes, which are decided once for all cut-offs. The outcome windows follow one another without overlap,
the last one ending at the newest moment, so every event is counted once.

What cannot be put back: the data is read as it is today. Events that came in late are there in time here, and a value
of a profile without a date counts as always known.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from likelier.backend import Engine
from likelier.datasets import open_dataset
from likelier.errors import RunError
from likelier.insights.performance import Outcome, came_true, together, with_likely
from likelier.instance import ask
from likelier.lake import Lake
from likelier.pipeline.outcomes import Outcomes, outcomes
from likelier.pipeline.preflight import told
from likelier.pipeline.reading import Inputs
from likelier.pipeline.stages import STAGES, insights_of, run_stage, scores_file
from likelier.timespan import after
from likelier.windows import observed_cut_offs

Watch = Callable[[int, str, float, int], None]
"""Is told the number of the cut-off, the stage, the part of it done and the rows gone through."""


@dataclass(frozen=True)
class Backtest:
    """`inputs.as_of` is the newest moment; the runs put back in time end an outcome window before it."""

    inputs: Inputs
    engine: Engine
    lake: Lake
    folder: Path
    minimum_auc: float

    def run(self, count: int, watch: Watch = lambda *_: None) -> dict[str, Any]:
        """Put `count` runs back in time and tell what came of each. Raises RunError 411 when there are no events."""
        inputs = self.inputs
        question = ask(
            inputs.instance, [open_dataset(self.lake, name, inputs.versions[name]) for name in inputs.instance.datasets]
        )
        cut_offs = observed_cut_offs(inputs.as_of, question.goal.window_days, count)
        came = outcomes(inputs, cut_offs, engine=self.engine, lake=self.lake, folder=self.folder / "outcomes")
        rows, judged = [], []
        for place, cut_off in enumerate(cut_offs):
            row, outcome = self._put_back(place, cut_off, came, watch)
            rows.append(
                {
                    "cut_off": cut_off.isoformat(),
                    "until": after(cut_off, question.goal.window_days).end.isoformat(),
                    **row,
                }
            )
            judged += [outcome] if outcome else []
        return {
            "instance": inputs.instance.dump(),
            "goal_words": question.goal.words(),
            "goal_deed": question.goal.deed(),
            "population_words": question.population.words(),
            "propensity_type": question.propensity_type,
            "known_until": inputs.as_of.isoformat(),
            "outcome_days": question.goal.window_days,
            "seed": inputs.seed,
            "data_versions": dict(inputs.versions),
            "minimum_auc": self.minimum_auc,
            "cut_offs": rows,
            "together": came_true(together(judged)) if judged else None,
        }

    def _put_back(
        self, place: int, cut_off: dt.datetime, came: Outcomes, watch: Watch
    ) -> tuple[dict[str, Any], Outcome | None]:
        """Run as of a cut-off, and judge what it says; a run that gives no scores tells why."""
        folder = self.folder / f"{cut_off:%Y-%m-%dT%H%M%S}"
        try:
            self._run(replace(self.inputs, as_of=cut_off), folder, lambda *step: watch(place, *step))
            outcome, gone = _judged(folder, cut_off, came)
            said = insights_of(folder)
            promised = said["metrics"]
        except RunError as error:
            return {"problem": told(error)}, None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return {
            "scored": len(outcome.reached) + gone,
            "gone": gone,
            "published": promised["auc"]["value"] >= self.minimum_auc,
            "promised": {key: promised[key] for key in ("auc", "base_rate", "deciles", "gains", "calibration")},
            "estimated": said["estimate"],
            "drift": said["drift"]["findings"],
            **with_likely(came_true(outcome), said["estimate"]),
        }, outcome

    def _run(self, inputs: Inputs, folder: Path, watch: Callable[[str, float, int], None]) -> None:
        for stage in STAGES:
            run_stage(
                stage,
                inputs,
                engine=self.engine,
                lake=self.lake,
                folder=folder,
                progress=lambda part, rows, stage=stage: watch(stage, part, rows),  # type: ignore[misc]
            )


def _judged(folder: Path, cut_off: dt.datetime, came: Outcomes) -> tuple[Outcome, int]:
    """Join a run's scores with what came of them; say of how many nothing is known any more."""
    scored = pq.read_table(scores_file(folder), columns=["id", "probability", "score"])
    known, reached = came.of(scored["id"].combine_chunks(), cut_off)
    probability, score = (scored[name].to_numpy()[known] for name in ("probability", "score"))
    return Outcome(probability, score, reached), int((~known).sum())
