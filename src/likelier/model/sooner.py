"""How soon: the probabilities of outcome windows that are shorter than the main one.

Who reaches the goal within a week is mostly who reaches it within a quarter, so a shorter window starts from the main
model's log-odds, on a slope and a level of its own, and small trees add what sets the soon apart from the late. That
takes a fraction of the time of another model, and agrees with the main one where there is little to tell.

**Never decreasing**: whoever reaches the goal within 7 days has reached it within 30. The probabilities are held to
that from the longest on, which stays what it is: a shorter window's is at most the next longer one's. Where the goal is
that something does *not* happen it is the other way round, at least as likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import lightgbm as lgb
import numpy as np
from sklearn.linear_model import LogisticRegression

from likelier.model.calibrate import Calibration
from likelier.model.train import PARAMETERS, Booster
from likelier.model.trees import Forest

ROUNDS = 100
FASTER = {"learning_rate": 0.06}
WEAKEST = 0.05  # a slope of the main log-odds below which a window would all but forget them


@dataclass(frozen=True)
class Sooner:
    """Log-odds of a shorter window: ``level + slope * main + trees``, corrected by `calibration`."""

    days: int
    level: float
    slope: float
    trees: Booster
    calibration: Calibration

    @cached_property
    def forest(self) -> Forest:
        return Forest.of(self.trees)

    def log_odds(self, main: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Predict raw log-odds from the main window's and the features."""
        return self.level + self.slope * main + self.forest.log_odds(matrix)

    def probability(self, main: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        return self.calibration.probability(self.log_odds(main, matrix))

    def shifted(self, shift: float) -> Sooner:
        return replace(self, calibration=Calibration(shift=shift))


def fit_sooner(days: int, main: np.ndarray, matrix: np.ndarray, labels: np.ndarray, *, seed: int) -> Sooner:
    """Learn a window from the main one's raw log-odds, a matrix and boolean labels, all by row; both labels occur."""
    line = LogisticRegression(C=1.0).fit(main[:, None], labels)
    slope = max(float(line.coef_[0, 0]), WEAKEST)
    level = float(line.intercept_[0])
    asked = PARAMETERS | FASTER
    data = lgb.Dataset(matrix, labels.astype(np.float32), init_score=level + slope * main, params=asked)
    trees = lgb.train({**asked, "seed": seed}, data, num_boost_round=ROUNDS)
    return Sooner(days, level, slope, trees, Calibration())


def in_order(shorter: Sequence[np.ndarray], main: np.ndarray, *, occurs: bool) -> np.ndarray:
    """Hold the probabilities of windows, shortest first, to each other: shape (rows, windows), the main one last.

    >>> in_order([np.array([0.3]), np.array([0.2])], np.array([0.5]), occurs=True).tolist()
    [[0.2, 0.2, 0.5]]
    >>> in_order([np.array([0.9]), np.array([0.4])], np.array([0.5]), occurs=False).tolist()
    [[0.9, 0.5, 0.5]]
    """
    backwards = np.stack([main, *reversed(shorter)], axis=1)
    held = np.minimum if occurs else np.maximum
    return np.asarray(held.accumulate(backwards, axis=1)[:, ::-1])
