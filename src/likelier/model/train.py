"""Fit small gradient-boosted trees and, beside them, a curve for every feature; the log-odds of both are blended.

Trees find what matters together, curves are steady where data is scarce. Small trees because a study over thirteen
tasks found 4 leaves more accurate than 15 or 31, and because they make exact reasons cheap and readable. Everything is
fixed by the seed; nobody chooses.
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

__all__ = ["PARAMETERS", "Booster", "Learnt", "blended", "fit", "fit_trees", "log_odds", "used_features"]

ROUNDS = 300
OF_CURVES = 1 / 3  # the part of the curves in the log-odds
MANY_PEOPLE, FASTEST = 10_000, 2.0
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
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
    """What was learnt of the same features in two ways; the prediction is a weighted mean of their log-odds."""

    trees: Booster
    curves: Curves

    @cached_property
    def forest(self) -> Forest:
        return Forest.of(self.trees)


def fit(matrix: np.ndarray, labels: np.ndarray, *, seed: int, people: int = 0) -> Learnt:
    """Learn log-odds from a matrix (rows, features; NaN is absent) and boolean labels (rows), both present.

    The rows tell of so many different people.
    """
    return Learnt(fit_trees(matrix, labels, seed=seed, people=people), fit_curves(matrix, labels))


def fit_trees(matrix: np.ndarray, labels: np.ndarray, *, seed: int, rounds: int = ROUNDS, people: int = 0) -> Booster:
    """Learn log-odds from a matrix (rows, features; NaN is absent) and boolean labels (rows)."""
    data = lgb.Dataset(matrix, labels.astype(np.float32), params=PARAMETERS, free_raw_data=True)
    chosen = {**PARAMETERS, "seed": seed, "learning_rate": pace(people)}
    return lgb.train(chosen, data, num_boost_round=rounds)


def pace(people: int) -> float:
    """Give the learning rate: of many people as many trees may learn more; what few say is soon learnt by heart.

    >>> [pace(people) for people in (2_000, 15_000, 1_000_000)]
    [0.03, 0.045, 0.06]
    """
    return float(PARAMETERS["learning_rate"]) * min(max(people / MANY_PEOPLE, 1.0), FASTEST)


def used_features(booster: Booster) -> np.ndarray:
    """Give the indices of the features that any tree asks for, ascending."""
    return np.flatnonzero(booster.feature_importance())


def log_odds(learnt: Learnt, matrix: np.ndarray) -> np.ndarray:
    """Predict raw log-odds, float64, one a row."""
    return blended(learnt.forest.log_odds(matrix), learnt.curves.log_odds(matrix))


def blended(of_trees: Any, of_curves: Any) -> Any:
    """Weigh what trees and curves say, be it log-odds or parts of them."""
    return (1 - OF_CURVES) * of_trees + OF_CURVES * of_curves
