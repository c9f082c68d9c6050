"""Fit forests of small gradient-boosted trees and a curve for every feature; the log-odds of all are blended.

Trees find what matters together, curves are steady where data is scarce. Small trees because a study over thirteen
tasks found 4 leaves more accurate than 15 or 31, and because they make exact reasons cheap and readable. Forests come
in pairs, one that splits where it gains most and one that splits anywhere (Geurts et al. 2006, extremely randomized
trees), because what they get wrong differs. Everything is fixed by the seed; nobody chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np
from lightgbm import Booster

from likelier.model.curves import Curves, fit_curves
from likelier.model.trees import Forest

__all__ = ["PARAMETERS", "Booster", "Learnt", "fit", "fit_forests", "fit_trees", "log_odds", "used_features"]

ROUNDS = 150
OF_CURVES = 0.45  # the part of the curves in the log-odds
MANY_PEOPLE, FASTEST = 10_000, 2.0
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.06,
    "num_leaves": 4,
    "min_child_samples": 40,
    "lambda_l2": 5.0,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.15,
    "max_bin": 63,
    "bin_construct_sample_cnt": 20_000,
    "deterministic": True,
    "num_threads": 1,  # of so few rows several wait for each other more than they gain
    "force_col_wise": True,  # row-wise histograms would be built for all features, not for the fraction that is drawn
    "verbose": -1,
}


@dataclass(frozen=True)
class Learnt:
    """What was learnt of the same features in several ways; the prediction is a weighted mean of their log-odds."""

    forests: tuple[Booster, ...]
    curves: Curves
    of_curves: float = OF_CURVES

    @cached_property
    def forest(self) -> Forest:
        return Forest.of(*self.forests)

    def blended(self, of_trees: Any, of_curves: Any) -> Any:
        """Weigh what trees and curves say, be it log-odds or parts of them."""
        return (1 - self.of_curves) * of_trees + self.of_curves * of_curves


def fit(matrix: np.ndarray, labels: np.ndarray, *, seed: int, people: int = 0) -> Learnt:
    """Learn log-odds from a matrix (rows, features; NaN is absent) and boolean labels (rows), both present.

    The rows tell of so many different people; where that is not said, each of another.
    """
    people = people or len(labels)
    return Learnt(fit_forests(matrix, labels, seed=seed, people=people), fit_curves(matrix, labels, people=people))


def fit_forests(matrix: np.ndarray, labels: np.ndarray, *, seed: int, people: int) -> tuple[Booster, ...]:
    """Learn the same log-odds several times, as the mean is less a matter of chance; of few people more often."""
    data = _binned(matrix, labels)
    anywhere = (False, True) * (1 if people >= MANY_PEOPLE else 2)
    seeds = np.random.default_rng(seed).integers(2**31, size=len(anywhere)).tolist()
    return tuple(
        _forest(data, ROUNDS, seed=drawn, extra_trees=extra, learning_rate=pace(people))
        for drawn, extra in zip(seeds, anywhere, strict=True)
    )


def fit_trees(matrix: np.ndarray, labels: np.ndarray, *, seed: int, rounds: int = ROUNDS) -> Booster:
    """Learn log-odds from a matrix (rows, features; NaN is absent) and boolean labels (rows), once."""
    return _forest(_binned(matrix, labels), rounds, seed=seed)


def _binned(matrix: np.ndarray, labels: np.ndarray) -> lgb.Dataset:
    return lgb.Dataset(matrix, labels.astype(np.float32), params=PARAMETERS, free_raw_data=True)


def _forest(data: lgb.Dataset, rounds: int, **chosen: Any) -> Booster:
    return lgb.train({**PARAMETERS, **chosen}, data, num_boost_round=rounds)


def pace(people: int) -> float:
    """Give the learning rate: of many people as many trees may learn more; what few say is soon learnt by heart.

    >>> [pace(people) for people in (2_000, 15_000, 1_000_000)]
    [0.06, 0.09, 0.12]
    """
    return float(PARAMETERS["learning_rate"]) * min(max(people / MANY_PEOPLE, 1.0), FASTEST)


def used_features(booster: Booster) -> np.ndarray:
    """Give the indices of the features that any tree asks for, ascending."""
    return np.flatnonzero(booster.feature_importance())


def log_odds(learnt: Learnt, matrix: np.ndarray) -> np.ndarray:
    """Predict raw log-odds, float64, one a row."""
    return learnt.blended(learnt.forest.log_odds(matrix), learnt.curves.log_odds(matrix))
