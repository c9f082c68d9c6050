"""A logistic regression that gives every feature a curve: a sum of curves, so its reasons are the curves themselves.

Each feature enters on two scales, its logarithm and its rank among the training rows, both between the quantiles of
what training saw. Their weighted sum is one piecewise-linear curve a feature, level beyond the last quantile: a value
never seen before is taken for the nearest one seen. An absent value adds what it adds on average, nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from sklearn.linear_model import LogisticRegression

KNOTS = 65
STRENGTH = 0.004  # of a person against weights of zero, as scikit-learn counts it: little, the features are many
FURTHEST = 5.0  # standard deviations
BLOCK = 256  # rows


@dataclass(frozen=True)
class Curves:
    """Log-odds as ``base`` plus a curve of each feature: through `heights` at `knots`, both (features, KNOTS)."""

    base: float
    knots: np.ndarray
    heights: np.ndarray

    def contributions(self, matrix: np.ndarray, factor_of: np.ndarray | None = None) -> np.ndarray:
        """Give what each feature, or each factor with all of its, adds to each row's log-odds: float64, by row."""
        return read_off(matrix, self.knots, self.heights, factor_of)

    def log_odds(self, matrix: np.ndarray) -> np.ndarray:
        """Predict raw log-odds, float64, one a row."""
        return self.base + self.contributions(matrix).sum(axis=1)

    def to_json(self) -> dict[str, Any]:
        return {"base": self.base, "knots": self.knots.tolist(), "heights": self.heights.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Curves:
        return cls(data["base"], np.array(data["knots"]), np.array(data["heights"]))


def fit_curves(matrix: np.ndarray, labels: np.ndarray, *, people: int) -> Curves:
    """Learn curves from a matrix (rows, features; NaN is absent) and boolean labels (rows).

    What the rows of one person say is much the same, so it is people that count against weights of zero.
    """
    features = matrix.shape[1]
    knots = np.stack([_knots(matrix[:, column]) for column in range(features)])
    scales = np.stack([_standard(knots, scale, matrix) for scale in (_logarithms(knots), _ranks(knots, matrix))])
    design = np.concatenate([read_off(matrix, knots, scale).astype(np.float32) for scale in scales], axis=1)
    strength = STRENGTH * people / len(labels)
    fitted = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=25, tol=1e-3).fit(design, labels)
    weights = fitted.coef_[0].astype(np.float64).reshape(2, features, 1)
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


def _standard(knots: np.ndarray, heights: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Stretch each feature's heights so that the known values have mean zero and deviation one."""
    values, known = read_off(matrix, knots, heights), ~np.isnan(matrix)
    return np.stack([_stretched(heights[k], values[known[:, k], k]) for k in range(len(knots))])


def _stretched(heights: np.ndarray, values: np.ndarray) -> np.ndarray:
    mean, spread = (values.mean(), values.std()) if len(values) else (0.0, 0.0)
    return np.zeros_like(heights) if spread < 1e-9 else np.clip((heights - mean) / spread, -FURTHEST, FURTHEST)


def read_off(matrix: np.ndarray, knots: np.ndarray, heights: np.ndarray, into: np.ndarray | None = None) -> np.ndarray:
    """Give the height of each feature's line at each row's value, 0 where there is none: float64 (rows, features).

    Those of features that go `into` the same column are added up, in their order.
    """
    columns = np.arange(matrix.shape[1]) if into is None else into
    found = np.zeros((len(matrix), int(columns.max(initial=-1)) + 1))
    _read_off(*map(np.ascontiguousarray, (matrix, knots, heights, columns)), found)
    return found


@numba.njit(nogil=True, cache=True)
def _read_off(matrix: np.ndarray, knots: np.ndarray, heights: np.ndarray, into: np.ndarray, found: np.ndarray) -> None:
    """Interpolate, to the last bit as np.interp does.

    Some rows of a feature at a time are compared with each knot: the processor then compares several at once, and has
    no branch to guess.
    """
    last = knots.shape[1] - 1
    values, upto = np.empty(BLOCK), np.empty(BLOCK, np.int64)  # so many knots lie at or below the value
    for start in range(0, matrix.shape[0], BLOCK):
        here = min(BLOCK, matrix.shape[0] - start)
        for column in range(matrix.shape[1]):
            known, height = knots[column], heights[column]
            values[:here] = matrix[start : start + here, column]
            upto[:here] = 0
            for knot in known:
                for row in range(here):
                    upto[row] += knot <= values[row]
            for row in range(here):
                value, place = values[row], upto[row]
                if np.isnan(value):
                    told = 0.0
                elif place == 0:
                    told = height[0]
                elif place > last:
                    told = height[last]
                else:
                    slope = (height[place] - height[place - 1]) / (known[place] - known[place - 1])
                    told = slope * (value - known[place - 1]) + height[place - 1]
                found[start + row, into[column]] += told
