"""A logistic regression that gives every feature a curve: a sum of curves, so its reasons are the curves themselves.

Each feature enters on two scales, its logarithm and its rank among the training rows, both between the quantiles of
what training saw. Their weighted sum is one piecewise-linear curve a feature, level beyond the last quantile: a value
never seen before is taken for the nearest one seen. An absent value adds what it adds on average, nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

KNOTS = 65
MOST_ROWS = 20_000
STRENGTH = 0.003  # of the data against weights of zero, as scikit-learn counts it: little, the features are many
FURTHEST = 5.0  # standard deviations


@dataclass(frozen=True)
class Curves:
    """Log-odds as ``base`` plus a curve of each feature: through `heights` at `knots`, both (features, KNOTS)."""

    base: float
    knots: np.ndarray
    heights: np.ndarray

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """Give what each feature adds to each row's log-odds: float64, shape (rows, features)."""
        found = np.zeros(matrix.shape)
        for column in np.flatnonzero(np.any(self.heights != 0, axis=1)):
            values = matrix[:, column]
            height = np.interp(values, self.knots[column], self.heights[column])
            found[:, column] = np.where(np.isnan(values), 0.0, height)
        return found

    def log_odds(self, matrix: np.ndarray) -> np.ndarray:
        """Predict raw log-odds, float64, one a row."""
        return self.base + self.contributions(matrix).sum(axis=1)

    def to_json(self) -> dict[str, Any]:
        return {"base": self.base, "knots": self.knots.tolist(), "heights": self.heights.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Curves:
        return cls(data["base"], np.array(data["knots"]), np.array(data["heights"]))


def fit_curves(matrix: np.ndarray, labels: np.ndarray, *, rows: int = MOST_ROWS) -> Curves:
    """Learn curves from a matrix (rows, features; NaN is absent) and boolean labels (rows), from at most so many."""
    some = slice(None, None, -(-len(labels) // rows))
    matrix, labels = matrix[some], labels[some]
    features = matrix.shape[1]
    knots = np.stack([_knots(matrix[:, column]) for column in range(features)])
    scales = np.stack([_logarithms(knots), _ranks(knots, matrix)])
    columns = []
    for scale in range(2):
        for column in range(features):
            heights, values = _standard(knots[column], scales[scale, column], matrix[:, column])
            scales[scale, column] = heights
            columns.append(values)
    design = np.stack(columns, axis=1)
    fitted = LogisticRegression(C=STRENGTH, solver="newton-cholesky", max_iter=25, tol=1e-3).fit(design, labels)
    weights = fitted.coef_[0].reshape(2, features, 1)
    return Curves(float(fitted.intercept_[0]), knots, (weights * scales).sum(axis=0))


def _knots(values: np.ndarray) -> np.ndarray:
    """Place the knots at quantiles of the values that are there; repeated ones do no harm."""
    known = values[~np.isnan(values)]
    return np.quantile(known, np.linspace(0, 1, KNOTS)) if len(known) else np.zeros(KNOTS)


def _logarithms(knots: np.ndarray) -> np.ndarray:
    return np.sign(knots) * np.log1p(np.abs(knots))


def _ranks(knots: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Give the middle rank of each knot's value, 0 to 1."""
    found = np.zeros_like(knots)
    for column in range(matrix.shape[1]):
        values = np.sort(matrix[:, column][~np.isnan(matrix[:, column])])
        if len(values):
            below = np.searchsorted(values, knots[column], side="left")
            upto = np.searchsorted(values, knots[column], side="right")
            found[column] = (below + upto) / (2 * len(values))
    return found


def _standard(knots: np.ndarray, heights: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stretch heights so that the known values have mean zero and deviation one; give them and the values'."""
    known = ~np.isnan(values)
    found = np.interp(values, knots, heights)
    mean, spread = (found[known].mean(), found[known].std()) if known.any() else (0.0, 0.0)
    if spread < 1e-9:
        return np.zeros_like(heights), np.zeros(len(values))
    heights = np.clip((heights - mean) / spread, -FURTHEST, FURTHEST)
    return heights, np.where(known, np.interp(values, knots, heights), 0.0)
