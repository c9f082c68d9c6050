"""The score table: what is said of each scored profile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from likelier.conditions.goals import Goal
from likelier.explanations.factors import FACTOR_TYPE

LOW_BELOW, HIGH_FROM = 25.0, 75.0
BUCKETS = ("low", "medium", "high")

SCHEMA = pa.schema(
    [
        pa.field("namespace", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("percentile", pa.int32(), nullable=False),
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("propensity_type", pa.string(), nullable=False),
        pa.field("score_date", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("factors", pa.list_(FACTOR_TYPE), nullable=False),
        pa.field("base_log_odds", pa.float64(), nullable=False),
    ]
)


REPEATED = [
    *("namespace", "bucket", "propensity_type", "score_date", "base_log_odds"),
    *(f"factors.list.element.{name}" for name in ("code", "value", "importance")),
]
"""The columns of which a few values are said of many."""


def schema_of(goal: Goal) -> pa.Schema:
    """Give the columns: with several outcome windows a probability of each more, and the days to expect.

    >>> [field.name for field in schema_of(Goal((), window_days=30, shorter_windows=(7,)))][-3:]
    ['probability_7d', 'probability_30d', 'expected_days']
    """
    return _with(windows_of(goal, np.ones((0, len(goal.windows)))))


def _with(windows: Mapping[str, np.ndarray]) -> pa.Schema:
    return pa.schema([*SCHEMA, *(pa.field(name, pa.float64()) for name in windows)])


def windows_of(goal: Goal, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Name the columns of several outcome windows; `probabilities` has a column for each. One window has none."""
    if not goal.shorter_windows:
        return {}
    named = {f"probability_{days}d": probabilities[:, place] for place, days in enumerate(goal.windows)}
    return named | {"expected_days": expected_days(probabilities, goal.windows, occurs=goal.occurs)}


def expected_days(probabilities: np.ndarray, windows: Sequence[int], *, occurs: bool) -> np.ndarray:
    """Expect after how many days the goal's events come, counting the longest window for whoever they do not come to.

    Within a window's further days the chance of a day, for whom they have not come to yet, is taken to be the same.

    >>> expected_days(np.array([[0.0, 0.0], [1.0, 1.0]]), [10, 30], occurs=True).round(3).tolist()
    [30.0, 0.362]
    >>> expected_days(np.array([[0.5, 0.5]]), [10, 30], occurs=True).round(2).tolist()  # 7.21 and half of 20
    [17.21]
    """
    waiting = np.clip(1 - probabilities if occurs else probabilities, 1e-12, 1.0)
    before = np.concatenate([np.ones((len(waiting), 1)), waiting[:, :-1]], axis=1)
    fall = np.log(before) - np.log(waiting)
    steady = fall < 1e-9
    mean = np.where(steady, before, (before - waiting) / np.where(steady, 1.0, fall))
    return np.asarray((mean * np.diff(windows, prepend=0)).sum(axis=1))


def writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Write score tables to a Parquet file: what is said of many stands there once, numbers as they are.

    A dictionary of numbers that are hardly ever the same would cost as much time again, and room.
    """
    return pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=REPEATED)


def stream(file: Path) -> pa.RecordBatchReader:
    """Read the score table in a Parquet file; no more than some rows of it are in memory at a time."""
    found = pq.ParquetFile(file, pre_buffer=False)  # else whatever was read is kept until the end
    return pa.RecordBatchReader.from_batches(found.schema_arrow, found.iter_batches())


@dataclass(frozen=True)
class Scale:
    """How probabilities become scores and percentiles in one scored population."""

    base_odds: float

    @classmethod
    def of(cls, probability: np.ndarray) -> Scale:
        mean = float(np.clip(probability.mean(), 1e-12, 1 - 1e-12))
        return cls(mean / (1 - mean))

    def score(self, probability: np.ndarray) -> np.ndarray:
        """Compare a profile's odds with the population's: 50 is average, 75 three times the average odds.

        >>> Scale(1 / 3).score(np.array([0.25, 0.5, 1.0])).tolist()
        [50.0, 75.0, 100.0]
        """
        with np.errstate(divide="ignore"):
            return 100 / (1 + self.base_odds * (1 / probability - 1))


def percentiles(probability: np.ndarray) -> np.ndarray:
    """Rank among the scored, 1-100; equal probabilities are ranked in their given order.

    >>> percentiles(np.array([0.3, 0.1, 0.2])).tolist()
    [100, 1, 50]
    """
    rank = np.empty(len(probability), np.int64)
    rank[np.argsort(probability, kind="stable")] = np.arange(len(probability))
    return (1 + 99 * rank // max(len(probability) - 1, 1)).astype(np.int32)


def percentile_among(probability: float, population: np.ndarray) -> int:
    """Rank a probability among a scored population's, which are sorted; the first place among equals.

    >>> [percentile_among(one, np.array([0.1, 0.2, 0.3])) for one in (0.05, 0.1, 0.25, 0.3, 0.9)]
    [1, 1, 50, 100, 100]
    """
    rank = int(np.searchsorted(population, probability, "right")) - 1
    rank = int(np.searchsorted(population, population[max(rank, 0)]))
    return 1 + 99 * rank // max(len(population) - 1, 1)


def buckets(score: np.ndarray) -> np.ndarray:
    """Give the place of each score's bucket in BUCKETS; half-open, so that none falls between two."""
    return np.searchsorted([LOW_BELOW, HIGH_FROM], score, side="right")


def table(
    ids: pa.Array,
    probability: np.ndarray,
    score: np.ndarray,
    percentile: np.ndarray,
    factors: pa.ListArray,
    base_log_odds: float,
    *,
    namespace: str,
    propensity_type: str,
    score_date: dt.datetime,
    windows: Mapping[str, np.ndarray],
) -> pa.Table:
    """Assemble rows of the score table."""
    rows = len(ids)
    named = pa.DictionaryArray.from_arrays(pa.array(buckets(score), pa.int8()), list(BUCKETS)).cast(pa.string())
    moment = pa.scalar(score_date, pa.timestamp("us", "UTC"))
    columns = [
        pa.repeat(namespace, rows),
        ids,
        pa.array(score),
        pa.array(probability),
        pa.array(percentile, pa.int32()),
        named,
        pa.repeat(propensity_type, rows),
        pa.repeat(moment, rows),
        factors,
        pa.repeat(base_log_odds, rows),
    ]
    return pa.Table.from_arrays([*columns, *map(pa.array, windows.values())], schema=_with(windows))
