"""How well scores order people, before their outcomes are known: an estimate from calibrated probabilities.

If probabilities mean what they say, they tell the AUC: of a pair, one with p and one with q, the first alone does with
p (1 - q). Whether they mean it is known from the judge cut-off, where a line through the log-odds ("trust") says how
much of their spread came true. One cut-off says it but roughly, and the probabilities have been corrected on many
before, so the line's slope is held near 1. The interval holds what is still unsure of it and what chance does to
outcomes. It cannot hold what nobody has seen yet: a world that changes after the scores were made. Compare it with the
truth when that comes.

The same line says how unsure an expected rate is, of all or of a bucket, with how far levels have differed between
outcome windows; what else is unsure of it is chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import beta

from likelier.model.evaluate import Z95
from likelier.scores import BUCKETS, buckets

MOST = 20_000
DRAWS = 200
LEAST_SPREAD = 1e-9
USUAL_SLOPE = 0.1
"""Standard deviation of slopes at judge cut-offs about 1, beyond chance: ADR 6."""


def trust(probability: np.ndarray, labels: np.ndarray, drift: float = 0.0) -> dict[str, Any]:
    """Fit ``logit P(y) = level + slope (logit p - centre)`` on judged people; say how unsure the line is.

    About the centre, where the people who tell most are, level and slope err apart from each other. The slope has a
    prior about 1. The level of one cut-off is gone at the next: what is unsure of that is `drift`, the variance of
    levels.

    >>> p = np.repeat([0.2, 0.8], 100)
    >>> line = trust(p, np.concatenate([np.arange(100) < 20, np.arange(100) < 80]))
    >>> round(line["slope"], 2), abs(round(line["level"], 2))
    (1.0, 0.0)
    """
    raw = logit(np.clip(probability, 1e-9, 1 - 1e-9))
    tells = probability * (1 - probability)
    centre = float((raw * tells).sum() / max(tells.sum(), 1e-12))
    design = np.stack([np.ones_like(raw), raw - centre], axis=1)
    line = np.array([centre, 1.0])
    weak = np.diag([1e-6, 1e-6])  # where one outcome is missing the line is still finite
    for _ in range(50):
        fitted = expit(design @ line)
        weight = fitted * (1 - fitted)
        curvature = design.T @ (design * weight[:, None]) + weak
        step = np.linalg.solve(curvature, design.T @ (labels - fitted) - weak @ (line - [centre, 1.0]))
        line = line + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    chance, away = float(np.linalg.inv(curvature)[1, 1]), float(line[1] - 1)
    usual = max(USUAL_SLOPE**2, away**2 - chance)  # a slope that is far from usual beyond chance is believed
    believed = usual / (usual + chance)
    return {
        "centre": centre,
        "level": float(line[0] - centre),
        "slope": 1 + believed * away,
        "covariance": [[drift, 0.0], [0.0, believed * chance]],
        "drift": drift,
    }


def estimated_auc(probability: np.ndarray, line: dict[str, Any], *, seed: int) -> dict[str, Any]:
    """Estimate the AUC that scores will turn out to have, with a 95 % interval.

    `line` is what :func:`trust` gave. The level of the outcomes is not corrected: it drifts, and hardly matters here.
    """
    rng = np.random.default_rng(seed)
    some = probability if len(probability) <= MOST else rng.choice(probability, MOST, replace=False)
    raw = np.sort(logit(np.clip(some, 1e-9, 1 - 1e-9)))
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
    away = logit(np.clip(probability, 1e-9, 1 - 1e-9)) - line["centre"]
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
