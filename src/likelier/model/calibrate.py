"""Turn raw log-odds into probabilities that mean it: ``1 / (1 + exp(-(centre + slope * (raw - centre) + shift)))``.

Most of the error of probabilities is drift of the base rate, and little of it can be known in advance: over nine tasks
the latest rate alone and what has come of the newest people so far foretold nothing. What did: the model pools many
cut-offs, and where those of the last outcome window lie above or below its expectation, the next ones tend to do so by
half as much. That is the shift. Over- or underconfidence, the slope, is corrected about the mean, and only when a
correction learnt on one cut-off has helped on a later one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, logit

SHRINK = 50.0  # prior weight that holds the slope at 1
STAYS = 0.5  # the part of a level that is still there one outcome window later
USUAL_LEVEL = 0.2  # standard deviation of levels between outcome windows, in log-odds
LEFT = 0.25
"""Standard deviation, in log-odds, of how far levels still lie off what was foretold: ADR 6."""


@dataclass(frozen=True)
class Calibration:
    """A monotone correction of log-odds; the identity unless shown to help."""

    slope: float = 1.0
    centre: float = 0.0
    shift: float = 0.0

    @property
    def words(self) -> str:
        slope = [] if self.slope == 1 else [f"slope {self.slope:.3f} about {self.centre:+.3f}"]
        shift = [] if self.shift == 0 else [f"shift {self.shift:+.3f}"]
        return ", ".join(slope + shift) or "raw"

    def corrected(self, raw: np.ndarray) -> np.ndarray:
        """Correct log-odds of any shape."""
        confident = raw if self.slope == 1 else self.centre + self.slope * (raw - self.centre)
        return confident if self.shift == 0 else confident + self.shift

    def probability(self, raw: np.ndarray) -> np.ndarray:
        """Turn log-odds of any shape into probabilities.

        >>> float(Calibration().probability(np.array([0.0]))[0])
        0.5
        """
        return expit(self.corrected(raw))


def mean_interval(probability: np.ndarray) -> tuple[float, float]:
    """Say between what the share of those who will meet the goal lies in 95 of 100 cases, since levels drift.

    >>> [round(bound, 3) for bound in mean_interval(np.full(10, 0.2))]
    [0.133, 0.29]
    """
    raw, away = logit(np.clip(probability, 1e-9, 1 - 1e-9)), 1.96 * LEFT
    return float(expit(raw - away).mean()), float(expit(raw + away).mean())


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


def lasting_shift(raw: np.ndarray, labels: np.ndarray) -> float:
    """Foretell the level of the next outcome window from the last one's, less where that is known but roughly.

    >>> outcomes = np.arange(1000) < 300
    >>> round(lasting_shift(np.full(1000, -1.0), outcomes), 3), lasting_shift(np.full(5, -1.0), np.zeros(5, bool))
    (0.068, 0.0)
    """
    if labels.all() or not labels.any():
        return 0.0
    known = len(labels) * labels.mean() * (1 - labels.mean())
    certainty = USUAL_LEVEL**2 / (USUAL_LEVEL**2 + 1 / float(known))
    return STAYS * certainty * _level(raw, labels)


def _level(spread: np.ndarray, labels: np.ndarray) -> float:
    """Find the shift at which the mean probability is the rate of the labels, by Newton's method."""
    shift = 0.0
    for _ in range(30):
        probability = expit(spread + shift)
        step = float((labels.mean() - probability.mean()) / max(float((probability * (1 - probability)).mean()), 1e-9))
        shift += float(np.clip(step, -2, 2))
        if abs(step) < 1e-9:
            break
    return float(shift)


def log_loss(raw: np.ndarray, labels: np.ndarray, calibration: Calibration) -> float:
    """Mean negative log-likelihood of labels."""
    signs = np.where(labels, 1.0, -1.0)
    return float(-log_expit(signs * calibration.corrected(raw)).mean())
