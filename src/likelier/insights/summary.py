"""What a run has learnt, from a sample of the scored profiles: factors by bucket and how their values spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from likelier.explanations.factors import Shown, readable
from likelier.scores import BUCKETS, buckets

TOP = 10
BINS = 10
FEW = 12
SETTLED = 0.25  # a factor that mostly pushes one way has |mean| above this part of its mean absolute contribution


@dataclass(frozen=True)
class Sample:
    """Some scored profiles with what their factors show (`values`) and contribute; float64 (rows, factors)."""

    score: np.ndarray
    values: np.ndarray
    contributions: np.ndarray


def factors_by_bucket(sample: Sample, shown: tuple[Shown, ...]) -> dict[str, list[dict[str, Any]]]:
    """Give each bucket's strongest factors; importances of a bucket are parts of its whole."""
    place = buckets(sample.score)
    return {name: _strongest(sample.contributions[place == k], shown) for k, name in enumerate(BUCKETS)}


def _strongest(contributions: np.ndarray, shown: tuple[Shown, ...]) -> list[dict[str, Any]]:
    if not len(contributions):
        return []
    size, mean = np.abs(contributions).mean(axis=0), contributions.mean(axis=0)
    whole = max(size.sum(), 1e-12)
    return [
        {
            "code": shown[k].factor,
            "importance": float(size[k] / whole),
            "mean_contribution": float(mean[k]),
            "direction": _direction(mean[k], size[k]),
        }
        for k in np.argsort(-size, kind="stable")[:TOP]
        if size[k] > 0
    ]


def _direction(mean: float, size: float) -> str:
    if abs(mean) < SETTLED * size:
        return "mixed"
    return "raises" if mean > 0 else "lowers"


def spreads(sample: Sample, shown: tuple[Shown, ...], codes: list[str]) -> dict[str, dict[str, Any]]:
    """Say for each factor how its values are spread in each bucket."""
    place = buckets(sample.score)
    return {
        factor.factor: _spread(sample.values[:, k], place, factor)
        for k, factor in enumerate(shown)
        if factor.factor in codes
    }


def _spread(values: np.ndarray, place: np.ndarray, shown: Shown) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    found: dict[str, Any] = {"feature": shown.feature, "absent": "other" if shown.is_category else shown.absent}
    edges: np.ndarray | None
    if shown.is_category:
        found |= {"kind": "category", "labels": list(shown.labels)}
        edges = np.arange(len(shown.labels) + 1) - 0.5
    elif len(distinct) <= FEW:
        found |= {"kind": "number", "labels": [readable(value) for value in distinct]}
        edges = np.concatenate([[-np.inf], (distinct[1:] + distinct[:-1]) / 2, [np.inf]]) if len(distinct) else None
    else:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)))
        found |= {"kind": "number", "edges": [float(edge) for edge in edges]}
    found["missing"] = {}
    for k, name in enumerate(BUCKETS):
        mine = values[place == k]
        counts = np.histogram(mine[~np.isnan(mine)], edges)[0] if edges is not None else np.array([])
        found[name] = [float(count / max(len(mine), 1)) for count in counts]
        found["missing"][name] = float(np.isnan(mine).mean()) if len(mine) else 0.0
    return found


def of_scores(score: np.ndarray, probability: np.ndarray, bins: int = 40) -> dict[str, Any]:
    """Count the scored by bucket and in equal bins of the score; say how many of a bucket are expected to qualify."""
    place = buckets(score)
    return {
        **{name: int((place == k).sum()) for k, name in enumerate(BUCKETS)},
        "histogram": np.histogram(score, bins, (0, 100))[0].tolist(),
        "mean_probability": float(probability.mean()),
        "expected": {
            name: float(probability[place == k].mean()) if (place == k).any() else None
            for k, name in enumerate(BUCKETS)
        },
    }
