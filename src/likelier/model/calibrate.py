"""Turn raw log-odds into probabilities that mean it: ``p = 1 / (1 + exp(-(centre + slope * (raw - centre))))``.

Over many tasks the raw probabilities were best: what error remains is drift of the base rate, which the past does not
tell, and corrections towards the last base rate made it worse. So only over- or underconfidence is corrected, about the
mean, and only when a correction learnt on one cut-off has helped on a later one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit

SHRINK = 50.0  # prior weight that holds the slope at 1


@dataclass(frozen=True)
class Calibration:
    """A monotone correction of log-odds; the identity unless shown to help."""

    slope: float = 1.0
    centre: float = 0.0

    @property
    def words(self) -> str:
        return "raw" if self.slope == 1 else f"slope {self.slope:.3f} about {self.centre:+.3f}"

    def corrected(self, raw: np.ndarray) -> np.ndarray:
        """Correct log-odds of any shape."""
        return raw if self.slope == 1 else self.centre + self.slope * (raw - self.centre)

    def probability(self, raw: np.ndarray) -> np.ndarray:
        """Turn log-odds of any shape into probabilities.

        >>> float(Calibration().probability(np.array([0.0]))[0])
        0.5
        """
        return expit(self.corrected(raw))


def learn(raw: np.ndarray, labels: np.ndarray) -> Calibration:
    """Fit the slope by penalised maximum likelihood (Platt 1999, shrunk towards no correction).

    The level of the outcomes is fitted beside it and thrown away: it is the drift between two cut-offs.
    """
    centre = float(raw.mean())
    signs = np.where(labels, 1.0, -1.0)

    def loss(slope: float) -> float:
        shift = _level(slope * (raw - centre), labels)
        return float(-log_expit(signs * (slope * (raw - centre) + shift)).sum() + SHRINK * (slope - 1) ** 2)

    return Calibration(float(minimize_scalar(loss, bounds=(0.3, 2.0), method="bounded").x), centre)


def _level(spread: np.ndarray, labels: np.ndarray) -> float:
    """Find the shift at which the mean probability is the rate of the labels, by Newton's method."""
    shift = 0.0
    for _ in range(30):
        probability = expit(spread + shift)
        step = float((labels.mean() - probability.mean()) / max(float((probability * (1 - probability)).mean()), 1e-9))
        shift += float(np.clip(step, -2, 2))
        if abs(step) < 1e-9:
            break
    return shift


def log_loss(raw: np.ndarray, labels: np.ndarray, calibration: Calibration) -> float:
    """Mean negative log-likelihood of labels."""
    signs = np.where(labels, 1.0, -1.0)
    return float(-log_expit(signs * calibration.corrected(raw)).mean())
