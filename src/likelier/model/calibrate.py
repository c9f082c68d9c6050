"""Turn raw log-odds into probabilities that mean it: along a bent line, then by a shift for everybody.

**The bend.** What is learnt is shrunk, and most where almost nobody or almost everybody reaches the goal: a model says
0.01 of people of whom 0.002 do. That is no matter of one slope. So the log-odds follow a line that bends at some
quantiles, each piece held to its neighbours and to 1 by a prior, learnt on people whom the model had not seen. A slope
is never below a fifth: who stood before somebody still does.

**The shift.** Most of the error of probabilities is drift of the base rate, and little of it can be known in advance:
over nine tasks the latest rate alone and what has come of the newest people so far foretold nothing. What did: the
model pools many cut-offs, and where those of the last outcome window lie above or below its expectation, the next ones
tend to do so by half as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

BENDS = (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.98)
ALIKE, PLAIN = 2.0, 0.2  # prior weights that hold a slope to its neighbour's, and to 1
FLATTEST, STEEPEST = 0.2, 5.0
STAYS = 0.5  # the part of a level that is still there one outcome window later
USUAL_LEVEL = 0.2  # standard deviation of levels between outcome windows, in log-odds
LEFT = 0.25
"""Standard deviation, in log-odds, of how far levels still lie off what was foretold: ADR 6."""


@dataclass(frozen=True)
class Calibration:
    """A monotone correction of log-odds: ``level`` plus pieces of a line through 0, bent at `knots`; then `shift`."""

    slopes: tuple[float, ...] = (1.0,)  # from the left, one more than knots
    knots: tuple[float, ...] = ()
    level: float = 0.0
    shift: float = 0.0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """Read what was kept; models of before there were bends keep one slope about a centre."""
        if "slope" in data:
            return cls((data["slope"],), level=(1 - data["slope"]) * data["centre"], shift=data["shift"])
        return cls(tuple(data["slopes"]), tuple(data["knots"]), data["level"], data["shift"])

    @property
    def words(self) -> str:
        ends = dict.fromkeys(f"{slope:.2f}" for slope in (self.slopes[0], self.slopes[-1]))
        bend = [f"slope {' to '.join(ends)}"] if self.bent else []
        shift = [] if self.shift == 0 else [f"shift {self.shift:+.3f}"]
        return ", ".join(bend + shift) or "raw"

    @property
    def bent(self) -> bool:
        return self.slopes != (1.0,)

    def corrected(self, raw: np.ndarray) -> np.ndarray:
        """Correct log-odds of any shape."""
        confident = raw
        if self.bent:
            pieces = (slope * piece for slope, piece in zip(self.slopes, _pieces(raw, self.knots), strict=True))
            confident = self.level + sum(pieces, np.zeros_like(raw))
        return confident if self.shift == 0 else confident + self.shift

    def probability(self, raw: np.ndarray) -> np.ndarray:
        """Turn log-odds of any shape into probabilities.

        >>> float(Calibration().probability(np.array([0.0]))[0])
        0.5
        """
        return expit(self.corrected(raw))


def _pieces(raw: np.ndarray, knots: Sequence[float]) -> list[np.ndarray]:
    """Cut log-odds at the knots: pieces that sum to them, each of which grows between two knots only."""
    ends = zip((-np.inf, *knots), (*knots, np.inf), strict=True)
    return [np.clip(raw, low, high) - np.clip(0.0, low, high) for low, high in ends]


def raw_of(probability: np.ndarray) -> np.ndarray:
    """Give the log-odds of probabilities, finite ones of the certain, too."""
    return np.asarray(logit(np.clip(probability, 1e-9, 1 - 1e-9)))


def mean_interval(probability: np.ndarray) -> tuple[float, float]:
    """Say between what the share of those who will meet the goal lies in 95 of 100 cases, since levels drift.

    >>> [round(bound, 3) for bound in mean_interval(np.full(10, 0.2))]
    [0.133, 0.29]
    """
    raw, away = raw_of(probability), 1.96 * LEFT
    return float(expit(raw - away).mean()), float(expit(raw + away).mean())


def learn(raw: np.ndarray, labels: np.ndarray, *, shared: float = 1.0) -> Calibration:
    """Fit the bends by penalised maximum likelihood on people whom the model had not seen; both labels occur.

    So many rows share an outcome: each counts that much less against the prior.
    """
    return _fitted(raw, labels, _bendable(Calibration(), raw), shared, np.inf)


def learn_on(before: Calibration, raw: np.ndarray, labels: np.ndarray, *, shared: float = 1.0) -> Calibration:
    """Correct what was learnt by what has come since: the less of it there is, the nearer it stays to what was before.

    >>> raw, came = np.full(6000, -1.0), np.arange(6000) < 807  # 0.27 was said, half as many did it
    >>> few, many = (learn_on(Calibration(), raw[::step], came[::step]) for step in (200, 1))
    >>> [round(float(told.probability(raw[:1])[0]), 2) for told in (few, many)]
    [0.24, 0.14]
    """
    return _fitted(raw, labels, _bendable(replace(before, shift=0.0), raw), shared, LEFT**2)


def _bendable(before: Calibration, raw: np.ndarray) -> Calibration:
    """Give the same correction with knots to bend at."""
    if before.knots:
        return before
    knots = np.unique(np.quantile(raw, BENDS))
    return replace(before, slopes=before.slopes * (len(knots) + 1), knots=tuple(knots.tolist()))


def _fitted(
    raw: np.ndarray, labels: np.ndarray, before: Calibration, shared: float, level_variance: float
) -> Calibration:
    pieces, signs = np.stack(_pieces(raw, before.knots), axis=1), np.where(labels, 1.0, -1.0)
    slopes_before = np.array(before.slopes)
    spread = expit(before.corrected(raw)) * expit(-before.corrected(raw)) + 1e-12
    middle = np.average(pieces, axis=0, weights=spread)  # where those are who tell most of the level

    def loss(asked: np.ndarray) -> tuple[float, np.ndarray]:
        level, away = asked[0], asked[1:] - slopes_before
        fitted = before.level + level + pieces @ asked[1:]
        steps, moved = np.diff(away), float(level + middle @ away)
        value = -float(log_expit(signs * fitted).sum()) / shared + moved**2 / (2 * level_variance)
        pulled = -signs * expit(-signs * fitted) / shared
        turn = pulled @ pieces + 2 * PLAIN * away
        turn[1:] += 2 * ALIKE * steps
        turn[:-1] -= 2 * ALIKE * steps
        value += ALIKE * float(steps @ steps) + PLAIN * float(away @ away)
        return value, np.array([pulled.sum(), *turn]) + moved / level_variance * np.array([1.0, *middle])

    bounds = [(None, None), *[(FLATTEST, STEEPEST)] * len(slopes_before)]
    found = minimize(loss, np.array([0.0, *slopes_before]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(tuple(found[1:].tolist()), before.knots, before.level + float(found[0]))


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


@dataclass(frozen=True)
class Line:
    """How what came of one outcome window lies to what was said of it: ``level + slope (log-odds - centre)``.

    About the centre, where the people are who tell most, level and slope err apart from each other: by chance with the
    variances `level_chance` and `slope_chance`.
    """

    centre: float
    level: float
    slope: float
    level_chance: float
    slope_chance: float


def line(raw: np.ndarray, labels: np.ndarray) -> Line:
    """Lay the likeliest line through the outcomes of people with these log-odds; finite also where all are alike.

    >>> raw = np.repeat([-1.386294, 1.386294], 100)
    >>> found = line(raw, np.concatenate([np.arange(100) < 20, np.arange(100) < 80]))
    >>> round(found.slope, 2), abs(round(found.level, 2))
    (1.0, 0.0)
    """
    tells = expit(raw) * expit(-raw)
    centre = float((raw * tells).sum() / max(tells.sum(), 1e-12))
    design = np.stack([np.ones_like(raw), raw - centre], axis=1)
    known, asked = np.array([centre, 1.0]), np.array([centre, 1.0])
    weak = np.diag([1e-6, 1e-6])
    for _ in range(50):
        fitted = expit(design @ asked)
        curvature = design.T @ (design * (fitted * (1 - fitted))[:, None]) + weak
        step = np.linalg.solve(curvature, design.T @ (labels - fitted) - weak @ (asked - known))
        asked = asked + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    chance = np.linalg.inv(curvature)
    return Line(centre, float(asked[0] - centre), float(asked[1]), float(chance[0, 0]), float(chance[1, 1]))


def variance(found: Sequence[float], chance: Sequence[float], *, usual: float) -> float:
    """Learn how far figures of outcome windows, each with its variance by chance, lie apart beyond it: their variance.

    Of one window, or none, next to nothing can be learnt, and it is what it is elsewhere, `usual` squared; the more
    windows there are, the more it is their own. In between stands the mean over what the variance may be, each as
    likely as the figures are under it and as a half-normal prior of scale `usual` has it.

    >>> round(variance([], [], usual=0.25) ** 0.5, 2), variance([0.1] * 12, [1e-4] * 12, usual=0.25) ** 0.5 < 0.01
    (0.25, True)
    """
    figures, by_chance = np.asarray(found, float), np.asarray(chance, float)
    deviation = np.linspace(0, 4 * usual, 201)
    likely = -0.5 * (deviation / usual) ** 2
    if len(figures):
        each = deviation[:, None] ** 2 + by_chance
        weight = 1 / each
        middle = (weight * figures).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        likely -= 0.5 * (np.log(each) + (figures - middle) ** 2 / each).sum(axis=1)
        likely -= 0.5 * np.log(weight.sum(axis=1))
    mass = np.exp(likely - likely.max())
    return float((mass * deviation**2).sum() / mass.sum())


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
