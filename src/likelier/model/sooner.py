"""How soon: the probabilities of outcome windows that are shorter than the main one.

Each has a model of its own, of the same features, with a third of the trees: windows share most of what there is to
compute, but who comes within a week is told by other things than who comes within a quarter.

**Never decreasing**: whoever reaches the goal within 7 days has reached it within 30. The probabilities are held to
that from the longest on, which stays what it is: a shorter window's is at most the next longer one's. Where the goal is
that something does *not* happen it is the other way round, at least as likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from likelier.model.calibrate import Calibration
from likelier.model.curves import fit_curves
from likelier.model.train import Learnt, fit_trees, log_odds

ROUNDS = 100
MOST_ROWS_OF_CURVES = 10_000


@dataclass(frozen=True)
class Sooner:
    """The model of a shorter window, whose log-odds are corrected by `calibration`."""

    days: int
    learnt: Learnt
    calibration: Calibration

    def log_odds(self, matrix: np.ndarray) -> np.ndarray:
        return log_odds(self.learnt, matrix)

    def probability(self, matrix: np.ndarray) -> np.ndarray:
        return self.calibration.probability(self.log_odds(matrix))

    def shifted(self, shift: float) -> Sooner:
        return replace(self, calibration=Calibration(shift=shift))


def fit_sooner(days: int, matrix: np.ndarray, labels: np.ndarray, profile: np.ndarray, *, seed: int) -> Sooner:
    """Learn a window from a matrix, boolean labels and whom they tell of, all by row; both labels occur."""
    trees = fit_trees(matrix, labels, seed=seed, rounds=ROUNDS)
    few = slice(None, None, -(-len(labels) // MOST_ROWS_OF_CURVES))
    curves = fit_curves(matrix[few], labels[few], people=len(np.unique(profile[few])))
    return Sooner(days, Learnt((trees,), curves), Calibration())


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
