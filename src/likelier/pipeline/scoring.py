"""Score everybody eligible at the as-of instant, with reasons.

Two passes: the first predicts and explains in batches, the second, once the population's mean is known, adds score and
percentile. Nothing but one number a profile and a sample for the insights stays in memory.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from likelier import scores
from likelier.activities.reduce import Activities, load
from likelier.activities.traits import TraitHistory, load_traits
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
    folder: Path,
    out: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Leave ``scores.parquet``, sorted by id, and a sample for the insights; `trust` says how far to trust the model.

    Raises RunError 403 when all probabilities are the same.
    """
    activities, _ = load(activities_of(folder))
    model = artifact.load(folder / "train")
    shown = shown_factors(model.features, np.array(model.strength))
    eligible = np.flatnonzero(load_asked(folder).eligible[:, -1])
    every, base, sample = _first_pass(question, model, activities, shown, eligible, as_of, folder, out, progress)
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
    _second_pass(question, as_of, out, every, scored, base, progress)
    np.savez(out / POPULATION, base_odds=scale.base_odds, probability=np.sort(probability))
    np.savez(out / "sample.npz", score=scored[sample.rows], values=sample.values, contributions=sample.contributions)
    return {
        "scored": len(probability),
        "scores": of_scores(scored, probability) | {"mean_interval": mean_interval(probability)},
        "by_window": every.mean(axis=0).tolist() if model.sooner else [],
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
class _Sampled:
    rows: np.ndarray
    values: np.ndarray
    contributions: np.ndarray


def _first_pass(
    question: Question,
    model: artifact.Model,
    activities: Activities,
    shown: tuple[Shown, ...],
    eligible: np.ndarray,
    as_of: dt.datetime,
    folder: Path,
    out: Path,
    progress: Progress,
) -> tuple[np.ndarray, float, _Sampled]:
    step = max(1, -(-len(eligible) // SAMPLE_ROWS))
    told, kept_rows, kept_values, kept_contributions = [], [], [], []
    done, base = 0, 0.0
    with pa.OSFile(str(out / "explained.arrow"), "wb") as sink, pa.ipc.new_file(sink, EXPLAINED) as writer:
        for batch in explained(question, model, activities, shown, eligible, as_of, folder):
            ids = activities.ids.take(pa.array(batch.profiles))
            lists = as_lists(batch.contributions, batch.values, shown)
            writer.write_batch(pa.RecordBatch.from_arrays([ids, lists], schema=EXPLAINED))
            mine = np.arange(-done % step, len(batch.raw), step)
            kept_rows.append(done + mine)
            kept_values.append(batch.values[mine].astype(np.float32))
            kept_contributions.append(batch.contributions[mine].astype(np.float32))
            told.append(batch.probabilities)
            base = batch.base
            done += len(batch.raw)
            progress(0.9 * done / len(eligible), done)
    sampled = _Sampled(np.concatenate(kept_rows), np.concatenate(kept_values), np.concatenate(kept_contributions))
    return np.concatenate(told), base, sampled


def explained(
    question: Question,
    model: artifact.Model,
    activities: Activities,
    shown: tuple[Shown, ...],
    profiles: np.ndarray,
    as_of: dt.datetime,
    folder: Path,
) -> Iterator[Explained]:
    """Predict and explain some profiles at an instant, batch by batch."""
    traits = load_traits(activities_of(folder))
    reasons = Reasons.of(model.learnt, model.features.factor_of)
    for first in range(0, len(profiles), BATCH):
        yield explain(question, model, reasons, shown, activities, traits, profiles[first : first + BATCH], as_of)


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
    every = soon.probabilities(model.sooner, raw, main, matrix, occurs=question.goal.occurs)
    return Explained(profiles, raw, reasons.base, values, each, every)


def _second_pass(
    question: Question,
    as_of: dt.datetime,
    out: Path,
    every: np.ndarray,
    scored: np.ndarray,
    base: float,
    progress: Progress,
) -> None:
    probability = every[:, -1]
    percentile = scores.percentiles(probability)
    windows, done = scores.windows_of(question.goal, every), 0
    with (
        pa.memory_map(str(out / "explained.arrow")) as source,
        pq.ParquetWriter(out / "scores.parquet", scores.schema_of(question.goal), compression="zstd") as writer,
    ):
        reader = pa.ipc.open_file(source)
        for place in range(reader.num_record_batches):
            batch = reader.get_batch(place)
            rows = slice(done, done + batch.num_rows)
            writer.write_table(
                scores.table(
                    batch["id"],
                    probability[rows],
                    scored[rows],
                    percentile[rows],
                    batch["factors"],
                    base,
                    namespace=question.namespace,
                    propensity_type=question.propensity_type,
                    score_date=as_of,
                    windows={name: values[rows] for name, values in windows.items()},
                )
            )
            done += batch.num_rows
            progress(0.9 + 0.1 * done / len(probability), done)
    (out / "explained.arrow").unlink()


def load_sample(folder: Path) -> Sample:
    with np.load(folder / "score" / "sample.npz") as kept:
        return Sample(kept["score"], kept["values"], kept["contributions"])
