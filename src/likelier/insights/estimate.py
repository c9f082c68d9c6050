"""How well scores order people, before their outcomes are known: an estimate from calibrated probabilities.

If probabilities mean what they say, they tell the AUC: of a pair, one with p and one with q, the first alone does with
p (1 - q). Whether they mean it is known from outcome windows that have closed: a line through the log-odds ("trust")
says how much of their spread came true. One window says it but roughly, as it does of its level. So the slope is the
mean of all windows that the model had not seen, held near 1; and how far windows lie apart beyond chance, in level and
in slope, makes the intervals as wide as it made the past. They hold this, what is unsure of the mean, and what chance
does to outcomes, and cannot hold what nobody has seen yet: a world that changes after the scores were made. Compare
them with the truth when that comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import beta

from likelier.model.calibrate import LEFT, Line, raw_of, variance
from likelier.model.evaluate import Z95
from likelier.scores import BUCKETS, buckets

MOST = 20_000
DRAWS = 200
LEAST_SPREAD = 1e-9
USUAL_SLOPE = 0.1
"""Standard deviation of slopes about 1, and of those of single windows about their mean, beyond chance: ADR 6."""


def trust(since: Sequence[Line], before: Sequence[Line] = ()) -> dict[str, Any]:
    """Say what line through the log-odds of the next outcome window is to be expected, and how unsure it is.

    `since` are windows that the model had not seen, the latest first, and at least one; `before` those it learnt from,
    which tell only how far windows lie apart. No two overlap. The level of one window is gone at the next.

    >>> steep = Line(centre=-1.0, level=0.3, slope=1.2, level_chance=0.01, slope_chance=0.01)
    >>> told = [round(trust([steep] * windows)["slope"], 2) for windows in (1, 2, 8)]
    >>> told == sorted(told), 1 < told[0] < 1.15 < told[-1] < 1.2
    (True, True)
    """
    every = [*since, *before]
    drift = variance([each.level for each in every], [each.level_chance for each in every], usual=LEFT)
    moves = variance([each.slope for each in every], [each.slope_chance for each in every], usual=USUAL_SLOPE)
    weight = np.array([1 / (each.slope_chance + moves) for each in since])
    mean, unsure = float(np.average([each.slope for each in since], weights=weight)), float(1 / weight.sum())
    lasting = max(USUAL_SLOPE**2, (mean - 1) ** 2 - unsure)  # what is far from usual beyond chance is believed
    believed = lasting / (lasting + unsure)
    return {
        "centre": since[0].centre,
        "slope": 1 + believed * (mean - 1),
        "covariance": [[drift, 0.0], [0.0, believed * unsure + moves]],
        "windows": [asdict(each) for each in every],
    }


def estimated_auc(probability: np.ndarray, line: dict[str, Any], *, seed: int) -> dict[str, Any]:
    """Estimate the AUC that scores will turn out to have, with a 95 % interval.

    `line` is what :func:`trust` gave. The level of the outcomes is not corrected: it drifts, and hardly matters here.
    """
    rng = np.random.default_rng(seed)
    some = probability if len(probability) <= MOST else rng.choice(probability, MOST, replace=False)
    raw = np.sort(raw_of(some))
    if np.ptp(raw) < LEAST_SPREAD:
        return {"value": 0.5, "low": 0.5, "high": 0.5}
    centred = raw - line["centre"]
    likely = expit(line["centre"] + line["slope"] * centred)
    value = _expected(raw, likely)
    levels, slopes = rng.multivariate_normal([0.0, line["slope"]], line["covariance"], DRAWS).T
    lines = [
        _expected(raw, expit(line["centre"] + level + slope * centred))
        for level, slope in zip(levels, slopes, strict=True)
    ]
    outcomes = rng.random((DRAWS, len(raw))) < likely
    chance = [_expected(raw, each.astype(float)) for each in outcomes if each.any() and not each.all()]
    chance_error = float(np.std(chance)) * np.sqrt(len(raw) / len(probability)) if chance else 0.5
    error = float(np.hypot(np.std(lines), chance_error))
    return {
        "value": value,
        "low": max(value - Z95 * error, 0.0),
        "high": min(value + Z95 * error, 1.0),
        "estimate": True,
    }


def likely_rates(probability: np.ndarray, score: np.ndarray, line: dict[str, Any]) -> dict[str, Any]:
    """Give of all and of each bucket the 95 % interval of the rate that comes true; None where there is nobody."""
    place = buckets(score)
    found = {name: likely_rate(probability[place == k], line) for k, name in enumerate(BUCKETS)}
    return {"all": likely_rate(probability, line), **found}


def likely_rate(probability: np.ndarray, line: dict[str, Any]) -> dict[str, float] | None:
    """Say between what the rate of some people lies in 95 of 100 cases: by chance, and as far as the line is unsure.

    The rate is given a beta distribution of its mean and variance, which is lopsided where a rate is small, as chance
    is; the covariance of the line is carried over by the delta method. People are whole, so each bound lies half a
    person further out.

    >>> sure = {"centre": 0.0, "level": 0.0, "slope": 1.0, "covariance": [[0, 0], [0, 0]]}
    >>> {name: round(bound, 3) for name, bound in likely_rate(np.full(1000, 0.2), sure).items()}
    {'low': 0.175, 'high': 0.226}
    """
    if not len(probability):
        return None
    people = len(probability)
    mean, spread = float(probability.mean()), probability * (1 - probability)
    away = raw_of(probability) - line["centre"]
    turn = np.array([spread.mean(), (spread * away).mean()])
    unsure = float(turn @ np.asarray(line["covariance"]) @ turn) + float(spread.mean()) / people
    mean = min(max(mean, 1e-9), 1 - 1e-9)
    together = max(mean * (1 - mean) / max(unsure, 1e-18) - 1, 1e-6)
    low, high = beta.ppf([0.025, 0.975], mean * together, (1 - mean) * together)
    return {"low": max(float(low) - 0.5 / people, 0.0), "high": min(float(high) + 0.5 / people, 1.0)}


def _expected(raw: np.ndarray, likely: np.ndarray) -> float:
    """Give the AUC over all pairs, each by the chance that the one did and the other did not; ties count half."""
    unlikely = 1 - likely
    edges = np.flatnonzero(np.diff(raw, prepend=-np.inf))
    did, did_not = np.add.reduceat(likely, edges), np.add.reduceat(unlikely, edges)
    below = np.cumsum(did_not) - did_not / 2
    return float((did * below).sum() / max(did.sum() * did_not.sum(), 1e-12))
