"""Exact contributions of every feature to every prediction (TreeSHAP, Lundberg et al. 2020), summed by factor."""

from __future__ import annotations

import numpy as np

from likelier.features.definitions import FeatureSet
from likelier.model.train import Booster


def contributions(booster: Booster, matrix: np.ndarray, features: FeatureSet) -> tuple[float, np.ndarray]:
    """Give the base log-odds and the contribution of each factor, float64 of shape (rows, factors).

    Base plus a row's contributions is the row's raw log-odds.
    """
    each = np.asarray(booster.predict(matrix, pred_contrib=True))
    grouped = np.zeros((len(matrix), len(features.factors)))
    np.add.at(grouped.T, features.factor_of, each[:, :-1].T)
    return float(each[0, -1]) if len(each) else 0.0, grouped
