"""How good is it: measured on outcomes the model did not see."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

Z95 = float(norm.ppf(0.975))
POOR_AUC = 0.65


def metrics(probability: np.ndarray, labels: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Judge probabilities against what happened; both of shape (rows,), both outcomes present."""
    return {
        "auc": auc(probability, labels),
        "pr_auc": precision_auc(probability, labels, seed=seed),
        "brier": float(np.mean((probability - labels) ** 2)),
        "calibration_error": calibration_error(probability, labels),
        "base_rate": float(labels.mean()),
        "deciles": deciles(probability, labels),
        "gains": gains(probability, labels),
        "calibration": calibration(probability, labels),
    }


def auc(score: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Area under the ROC curve with its 95 % interval (DeLong 1988, on the logit scale).

    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))["value"]
    0.75
    """
    good, bad = placements(score, labels)
    value = float(good.mean())
    error = np.sqrt(np.var(good, ddof=1) / len(good) + np.var(bad, ddof=1) / len(bad)) if _several(labels) else 0
    inside = min(max(value, 1e-6), 1 - 1e-6)
    centre, half = _logit(value), Z95 * error / (inside * (1 - inside))
    return {"value": value, "low": _logistic(centre - half), "high": _logistic(centre + half)}


def auc_gain(one: np.ndarray, other: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Say by how much the AUC of one exceeds that of another on the same people, with its standard error (DeLong).

    >>> labels = np.array([True, True, False, False])
    >>> auc_gain(np.array([0.9, 0.8, 0.2, 0.1]), np.array([0.9, 0.1, 0.2, 0.8]), labels)[0]
    0.5
    """
    good, bad = map(np.stack, zip(*[placements(score, labels) for score in (one, other)], strict=True))
    gained = float(good[0].mean() - good[1].mean())
    spread = [np.var(part[0] - part[1], ddof=1) / part.shape[1] for part in (good, bad) if part.shape[1] > 1]
    return gained, float(np.sqrt(sum(spread)))


def placements(score: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each who did the part of those who did not that it stands before, and the other way round."""
    good, bad = score[labels], score[~labels]
    ranks = rankdata(np.concatenate([good, bad]))
    of_good = (ranks[: len(good)] - rankdata(good)) / len(bad)
    return of_good, 1 - (ranks[len(good) :] - rankdata(bad)) / len(good)


def _several(labels: np.ndarray) -> bool:
    return 1 < labels.sum() < len(labels) - 1


def _logit(value: float) -> float:
    inside = min(max(value, 1e-6), 1 - 1e-6)
    return float(np.log(inside / (1 - inside)))


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def precision_auc(score: np.ndarray, labels: np.ndarray, *, seed: int, repeats: int = 100) -> dict[str, float]:
    """Average precision with a 95 % interval, bootstrapped on the logit scale; of many rows a sample is drawn again."""
    rng = np.random.default_rng(seed)
    size = min(len(score), 20_000)
    levels = np.unique(-score, return_inverse=True)[1]  # sorted once, and not for each sample anew
    drawn = []
    for _ in range(repeats):
        rows = rng.integers(0, len(score), size)
        if labels[rows].any():
            drawn.append(_logit(average_precision(levels[rows], labels[rows])))
    value = average_precision(levels, labels)
    half = Z95 * float(np.std(drawn)) * np.sqrt(size / len(score))
    return {"value": value, "low": _logistic(_logit(value) - half), "high": _logistic(_logit(value) + half)}


def average_precision(levels: np.ndarray, labels: np.ndarray) -> float:
    """Give the precision at each level, 0 the best, weighted by the share of those who did that stand there.

    >>> average_precision(np.array([0, 1, 2, 2]), np.array([True, False, True, False]))
    0.75
    """
    good, every = np.bincount(levels[labels], minlength=levels.max() + 1), np.bincount(levels)
    return float(np.sum(good * np.cumsum(good) / np.maximum(np.cumsum(every), 1)) / good.sum())


def calibration_error(probability: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over bins of equally many rows."""
    parts = np.array_split(np.argsort(probability, kind="stable"), bins)
    return float(
        sum(len(part) * abs(probability[part].mean() - labels[part].mean()) for part in parts if len(part))
        / len(labels)
    )


def wilson(happened: float, rows: int) -> tuple[float, float]:
    """Give the 95 % interval of a rate (Wilson 1927).

    >>> tuple(round(bound, 3) for bound in wilson(5, 10))
    (0.237, 0.763)
    >>> wilson(0, 7)[0]
    0.0
    """
    if rows == 0:
        return 0.0, 1.0
    rate, z2 = happened / rows, Z95**2
    centre = (rate + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z95 / (1 + z2 / rows) * np.sqrt(rate * (1 - rate) / rows + z2 / (4 * rows**2))
    # The rate is in its interval, also where rounding would put a bound of exactly 0 or 1 beside it.
    return max(min(float(centre - half), rate), 0.0), min(max(float(centre + half), rate), 1.0)


def share(happened: int, rows: int, everywhere: int, people: int) -> tuple[float, float]:
    """Give the 95 % interval of the part of all who did that some rows hold: the delta method on its logit.

    Over the rows' part of all people it is the interval of their lift, which knows that the overall rate is uncertain
    too and that no more than all of the rows can do it.

    >>> tuple(round(bound, 2) for bound in share(50, 100, 150, 1000))
    (0.28, 0.4)
    """
    inside, outside = happened + 0.5, everywhere - happened + 0.5
    rate, other = inside / (rows + 1), outside / (people - rows + 1)
    spread = np.sqrt((1 - rate) / inside + (1 - other) / outside)
    centre = np.log(inside / outside)
    return _logistic(centre - Z95 * spread), _logistic(centre + Z95 * spread)


def deciles(probability: np.ndarray, labels: np.ndarray) -> list[dict[str, float]]:
    """Lift by tenth, the likeliest first."""
    base = max(float(labels.mean()), 1e-12)
    rows = []
    for place, part in enumerate(np.array_split(np.argsort(-probability, kind="stable"), 10), start=1):
        happened = int(labels[part].sum())
        low, high = share(happened, len(part), int(labels.sum()), len(labels))
        rate = happened / max(len(part), 1)
        random = max(len(part), 1) / len(labels)
        rows.append(
            {
                "decile": place,
                "profiles": len(part),
                "qualifying": happened,
                "rate": rate,
                "lift": rate / base,
                "lift_low": low / random,
                "lift_high": high / random,
            }
        )
    return rows


def gains(probability: np.ndarray, labels: np.ndarray, points: int = 101) -> list[dict[str, float]]:
    """Give the part of all who did that the likeliest fraction reaches."""
    reached = np.concatenate([[0], np.cumsum(labels[np.argsort(-probability, kind="stable")])])
    fractions = np.linspace(0, 1, points)
    cuts = np.round(fractions * len(labels)).astype(int)
    return [
        {"fraction": float(fraction), "reached": float(reached[cut] / max(reached[-1], 1))}
        for fraction, cut in zip(fractions, cuts, strict=True)
    ]


def calibration(probability: np.ndarray, labels: np.ndarray, bins: int = 10) -> list[dict[str, float]]:
    """Predicted against actual rate over bins of equally many rows, with 95 % intervals of the actual rate."""
    rows = []
    for part in np.array_split(np.argsort(probability, kind="stable"), bins):
        if len(part) == 0:
            continue
        low, high = wilson(float(labels[part].sum()), len(part))
        rows.append(
            {
                "mean_probability": float(probability[part].mean()),
                "rate": float(labels[part].mean()),
                "low": low,
                "high": high,
                "profiles": len(part),
            }
        )
    return rows
