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
    knots, scales = _scales(matrix)
    # Half the time of float64, and the weights differ in the seventh digit.
    design = np.concatenate([read_off(matrix, knots, scale).astype(np.float32) for scale in scales], axis=1)
    strength = STRENGTH * people / len(labels)
    fitted = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=25, tol=1e-3).fit(design, labels)
    weights = fitted.coef_[0].astype(np.float64).reshape(2, matrix.shape[1], 1)
    return Curves(float(fitted.intercept_[0]), knots, (weights * scales).sum(axis=0))


def _scales(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give knots (features, KNOTS) and both scales at them, for known values of mean zero and deviation one."""
    known = np.count_nonzero(~np.isnan(matrix), axis=0)
    ordered = np.sort(np.ascontiguousarray(matrix.T), axis=1)  # a row a feature, absent values last
    knots = _knots(ordered, known)
    both = (np.sign(knots) * np.log1p(np.abs(knots)), _ranks(knots, ordered, known))
    return knots, np.stack([_standard(knots, heights, matrix, known) for heights in both])


def _knots(ordered: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Place the knots at quantiles of the values that are there; repeated ones do no harm."""
    place = np.linspace(0, 1, KNOTS) * np.maximum(known - 1, 0)[:, None]
    below, above = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
    low, high = (np.take_along_axis(ordered, at, axis=1).astype(np.float64) for at in (below, above))
    return np.where(known[:, None] > 0, low + (high - low) * (place - below), 0.0)


def _ranks(knots: np.ndarray, ordered: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Give the middle rank of each knot's value, 0 to 1."""
    found = np.zeros_like(knots)
    for column in np.flatnonzero(known):
        values = ordered[column, : known[column]]
        below = np.searchsorted(values, knots[column], side="left")
        upto = np.searchsorted(values, knots[column], side="right")
        found[column] = (below + upto) / (2 * len(values))
    return found


def _standard(knots: np.ndarray, heights: np.ndarray, matrix: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Stretch each feature's heights so that the known values have mean zero and deviation one."""
    values, count = read_off(matrix, knots, heights), np.maximum(known, 1)
    mean = values.sum(axis=0) / count
    away = np.where(np.isnan(matrix), 0.0, values - mean)
    spread = np.sqrt(np.einsum("ij,ij->j", away, away) / count)
    told = (heights - mean[:, None]) / np.maximum(spread, 1e-9)[:, None]
    return np.where(spread[:, None] < 1e-9, 0.0, np.clip(told, -FURTHEST, FURTHEST))


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
