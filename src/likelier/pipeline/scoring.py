"""Score everybody eligible at the as-of instant, with reasons.

Two passes: the first predicts and explains in parts, where the engine computes, the second, once the population's mean
is known, adds score and percentile. Nothing but one number a profile and a sample for the insights stays in memory.
"""

from __future__ import annotations

import datetime as dt
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from likelier import scores
from likelier.activities.reduce import Activities, load
from likelier.activities.traits import TraitHistory, load_traits
from likelier.backend import Engine
from likelier.errors import RunError
from likelier.explanations.contributions import Reasons
from likelier.explanations.factors import FACTOR_TYPE, Shown, as_lists, shown_factors
from likelier.features.kernel import compute
from likelier.insights.estimate import estimated_auc, likely_rates
from likelier.insights.summary import Sample, of_scores
from likelier.instance import Question
from likelier.model import artifact
from likelier.model.calibrate import mean_interval
from likelier.model.train import log_odds
from likelier.phrases import say
from likelier.pipeline import soon
from likelier.pipeline.asking import load_asked
from likelier.pipeline.reading import OTHER, Progress, activities_of
from likelier.timespan import to_us
from likelier.windows import Row

BATCH = 32_768
SAMPLE_ROWS = 100_000
PARTS = "parts"
LEAST_SPREAD = 1e-6
POPULATION = "population.npz"
OTHER_SCORES = "other.parquet"
EXPLAINED = pa.schema([("id", pa.string()), ("factors", pa.list_(FACTOR_TYPE))])


@dataclass(frozen=True)
class Explained:
    """One batch: who, raw log-odds, and of each factor what it shows and contributes (rows, factors).

    `probabilities` has a column for each outcome window, shortest first, the main one last.
    """

    profiles: np.ndarray
    raw: np.ndarray
    base: float
    values: np.ndarray
    contributions: np.ndarray
    probabilities: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        return self.probabilities[:, -1]


def score(
    question: Question,
    as_of: dt.datetime,
    seed: int,
    trust: dict[str, Any],
    engine: Engine,
    folder: Path,
    out: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Leave ``scores.parquet``, sorted by id, and a sample for the insights; `trust` says how far to trust the model.

    Raises RunError 403 when all probabilities are the same.
    """
    eligible = np.flatnonzero(load_asked(folder).eligible[:, -1])
    step = max(1, -(-len(eligible) // SAMPLE_ROWS))
    told = _first_pass(Explaining(question, as_of, folder, out, step), eligible, engine, progress)
    every, base = np.concatenate([part.probabilities for part in told]), told[0].base
    probability = every[:, -1]
    if float(np.ptp(probability)) < LEAST_SPREAD:
        raise RunError(
            403,
            say(
                "All {profiles:,} profiles got the same probability, {probability:.4f}: the scores tell nothing.",
                profiles=len(probability),
                probability=float(probability[0]),
            ),
            [say("Add events or attributes that tell people apart."), say("Widen the eligible population.")],
        )
    scale = scores.Scale.of(probability)
    scored = scale.score(probability)
    _second_pass(question, as_of, out, told, every, scored, progress)
    np.savez(out / POPULATION, base_odds=scale.base_odds, probability=np.sort(probability))
    _save_sample(out, told, scored)
    return {
        "scored": len(probability),
        "scores": of_scores(scored, probability) | {"mean_interval": mean_interval(probability)},
        "by_window": every.mean(axis=0).tolist() if every.shape[1] > 1 else [],
        "base_log_odds": base,
        "estimate": {
            "auc": estimated_auc(probability, trust, seed=seed),
            "rates": likely_rates(probability, scored, trust),
        },
    }


def score_other(question: Question, as_of: dt.datetime, folder: Path, out: Path) -> dict[str, Any] | None:
    """Leave what the model that lost says of everybody beside the scores; say how far apart the two are."""
    place = folder / "train" / OTHER
    if not place.exists():
        return None
    activities, _ = load(activities_of(folder, f"train/{OTHER}"))
    traits = load_traits(activities_of(folder, f"train/{OTHER}"))
    model = artifact.load(place)
    eligible = np.flatnonzero(load_asked(folder).eligible[:, -1])
    rows = Row(eligible, np.full(len(eligible), to_us(as_of), np.int64))
    matrix = compute(activities, traits, model.codebook, model.features, rows)
    probability = model.calibration.probability(log_odds(model.learnt, matrix))
    score = scores.Scale.of(probability).score(probability)
    bucket = np.array(scores.BUCKETS)[scores.buckets(score)]
    ids = activities.ids.take(pa.array(eligible)).cast(pa.string())
    namespace = pa.repeat(pa.scalar(question.namespace), len(eligible))
    columns = {"namespace": namespace, "id": ids, "score": score, "probability": probability, "bucket": bucket}
    pq.write_table(pa.table(columns), out / OTHER_SCORES, compression="zstd")
    used = pq.read_table(out / "scores.parquet", columns=["probability", "bucket"])
    return {
        "mean": float(probability.mean()),
        "used_mean": float(used["probability"].to_numpy().mean()),
        "in_another_bucket": float(np.mean(np.asarray(used["bucket"].to_pylist()) != bucket)),
    }


@dataclass(frozen=True)
class Told:
    """What is told of a part: who that is and why is in `file`, which holds one batch."""

    file: str
    base: float
    probabilities: np.ndarray
    rows: np.ndarray
    """Which of all the scored are in the sample for the insights; of these `values` and `contributions` are."""
    values: np.ndarray
    contributions: np.ndarray


@dataclass(frozen=True)
class Explaining:
    """Predicts and explains a part of the eligible, from the run's folder; the same wherever that is done."""

    question: Question
    as_of: dt.datetime
    folder: Path
    out: Path
    step: int

    def __call__(self, part: tuple[int, np.ndarray]) -> Told:
        """Take in the place of the part's first profile among the eligible, and the part's profiles."""
        first, profiles = part
        model, reasons, shown, activities, traits = self._read
        batch = explain(self.question, model, reasons, shown, activities, traits, profiles, self.as_of)
        lists = as_lists(batch.contributions, batch.values, shown)
        mine = np.arange(-first % self.step, len(profiles), self.step)
        return Told(
            self._write(first, activities.ids.take(pa.array(profiles)), lists),
            batch.base,
            batch.probabilities,
            first + mine,
            batch.values[mine].astype(np.float32),
            batch.contributions[mine].astype(np.float32),
        )

    @cached_property
    def _read(self) -> tuple[artifact.Model, Reasons, tuple[Shown, ...], Activities, TraitHistory]:
        return read_model(self.folder)

    def _write(self, first: int, ids: pa.Array, lists: pa.Array) -> str:
        """Leave a file that is whole as soon as it is there, however often the part is begun."""
        (self.out / PARTS).mkdir(exist_ok=True)
        file = self.out / PARTS / f"{first:012}.arrow"
        coming = file.with_suffix(f".{uuid.uuid4().hex}")
        with pa.OSFile(str(coming), "wb") as sink, pa.ipc.new_file(sink, EXPLAINED) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays([ids, lists], schema=EXPLAINED))
        coming.rename(file)
        return file.name


def read_model(
    folder: Path,
) -> tuple[artifact.Model, Reasons, tuple[Shown, ...], Activities, TraitHistory]:
    """Read what a run's model explains with, and what it explains from."""
    model = artifact.load(folder / "train")
    activities, _ = load(activities_of(folder))
    reasons = Reasons.of(model.learnt, model.features.factor_of)
    shown = shown_factors(model.features, np.array(model.strength))
    return model, reasons, shown, activities, load_traits(activities_of(folder))


def _first_pass(explaining: Explaining, eligible: np.ndarray, engine: Engine, progress: Progress) -> list[Told]:
    parts = [(first, eligible[first : first + BATCH]) for first in range(0, len(eligible), BATCH)]
    told, done = [], 0
    for part in engine.each(explaining, parts):
        told.append(part)
        done += len(part.probabilities)
        progress(0.9 * done / len(eligible), done)
    return told


def explain(
    question: Question,
    model: artifact.Model,
    reasons: Reasons,
    shown: tuple[Shown, ...],
    activities: Activities,
    traits: TraitHistory,
    profiles: np.ndarray,
    as_of: dt.datetime,
) -> Explained:
    """Predict and explain some profiles at an instant: in bulk, or one on demand."""
    rows = Row(profiles, np.full(len(profiles), to_us(as_of), np.int64))
    matrix = compute(activities, traits, model.codebook, model.features, rows)
    each = reasons.contributions(matrix)
    values = np.stack([one.values(matrix) for one in shown], axis=1)
    # The sum of what is told is the prediction: they cannot disagree.
    raw = reasons.base + each.sum(axis=1)
    main = model.calibration.probability(raw)
    every = soon.probabilities(model.sooner, main, matrix, occurs=question.goal.occurs)
    return Explained(profiles, raw, reasons.base, values, each, every)


def _second_pass(
    question: Question,
    as_of: dt.datetime,
    out: Path,
    told: Sequence[Told],
    every: np.ndarray,
    scored: np.ndarray,
    progress: Progress,
) -> None:
    probability = every[:, -1]
    percentile = scores.percentiles(probability)
    windows, done = scores.windows_of(question.goal, every), 0
    with scores.writer(out / "scores.parquet", scores.schema_of(question.goal)) as writer:
        for part in told:
            ids, factors = _explained(out / PARTS / part.file)
            rows = slice(done, done + len(ids))
            writer.write_table(
                scores.table(
                    ids,
                    probability[rows],
                    scored[rows],
                    percentile[rows],
                    factors,
                    part.base,
                    namespace=question.namespace,
                    propensity_type=question.propensity_type,
                    score_date=as_of,
                    windows={name: values[rows] for name, values in windows.items()},
                )
            )
            done += len(ids)
            progress(0.9 + 0.1 * done / len(probability), done)
    shutil.rmtree(out / PARTS, ignore_errors=True)  # a machine that was given up may still be writing there


def _explained(file: Path) -> tuple[pa.Array, pa.Array]:
    with pa.memory_map(str(file)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
    return batch["id"], batch["factors"]


def _save_sample(out: Path, told: Sequence[Told], scored: np.ndarray) -> None:
    rows, values, contributions = (
        np.concatenate([getattr(part, name) for part in told]) for name in ("rows", "values", "contributions")
    )
    np.savez(out / "sample.npz", score=scored[rows], values=values, contributions=contributions)


def load_sample(folder: Path) -> Sample:
    with np.load(folder / "score" / "sample.npz") as kept:
        return Sample(kept["score"], kept["values"], kept["contributions"])
