"""What has changed between the people a model was judged on and the people scored now, and whether it matters.

Everything drifts a little all the time. So a change is told as drift only when it is all of: beyond what sampling does
(a chi-squared test, held to 1 % over all factors together by Holm's method), clear (PSI of 0.1 or more), and more than
twice what has been usual: the same comparison between earlier cut-offs, equally far apart. What it means for the scores
is read from the model itself: by how much the factor's mean contribution moved, in log-odds. These add up to the change
of the mean score, so they rank the changes by what they do.

Where history is too short to know what is usual, changes are told, and none is called drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from likelier.explanations.factors import Shown
from likelier.phrases import number, say

BINS = 10
CLEAR = 0.1
USUAL_TIMES = 2.0
SURE = 0.01
LEAST_PAIRS = 3
MATTERS = 0.05
"""A change of the mean contribution, in log-odds, from which a drift matters to the scores: odds times 1.05."""


@dataclass(frozen=True)
class Snapshot:
    """Some people at one moment: what their factors show and contribute (rows, factors), and their probabilities."""

    values: np.ndarray
    contributions: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class Moved:
    """How far one thing moved: its PSI, the p-value of the test, and the greatest PSI that was usual."""

    psi: float
    p: float
    usual: float | None

    def is_clear(self, level: float) -> bool:
        usual = self.usual is not None and self.psi > USUAL_TIMES * self.usual
        return usual and self.psi >= CLEAR and self.p < level


def psi(before: np.ndarray, after: np.ndarray) -> float:
    """Population stability index of two counts by bin; 0.1 is a clear change by convention, 0.25 a great one.

    >>> round(psi(np.array([50, 50]), np.array([50, 50])), 3), round(psi(np.array([50, 50]), np.array([80, 20])), 3)
    (0.0, 0.406)
    """
    one, other = ((counts + 0.5) / (counts + 0.5).sum() for counts in (before, after))
    return float(((other - one) * np.log(other / one)).sum())


def chance(before: np.ndarray, after: np.ndarray) -> float:
    """p-value that two counts by bin are draws of the same (chi-squared).

    >>> chance(np.array([50, 50]), np.array([52, 48])) > 0.5, chance(np.array([500, 500]), np.array([600, 400])) < 0.001
    (True, True)
    """
    table = np.stack([before, after])[:, (before + after) > 0].astype(float)
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(chi2.sf(((table - expected) ** 2 / expected).sum(), table.shape[1] - 1))


def counted(before: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Count values in bins of equally many of the first; those without a value have a bin of their own."""
    known = before[~np.isnan(before)]
    inner = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.array([])
    return [_in_bins(values, inner) for values in (before, *others)]


def _in_bins(values: np.ndarray, inner: np.ndarray) -> np.ndarray:
    missing = np.isnan(values)
    counts = np.bincount(np.searchsorted(inner, values[~missing], side="right"), minlength=len(inner) + 1)
    return np.append(counts, missing.sum())


def moved(before: np.ndarray, after: np.ndarray, usual: Sequence[tuple[np.ndarray, np.ndarray]]) -> Moved:
    """Compare two moments, and the pairs that say what is usual."""
    mine = counted(before, after)
    greatest = max((psi(*counted(*pair)) for pair in usual), default=None) if len(usual) >= LEAST_PAIRS else None
    return Moved(psi(*mine), chance(*mine), greatest)


def factor_drift(
    before: Snapshot, after: Snapshot, pairs: Sequence[tuple[Snapshot, Snapshot]], shown: Sequence[Shown]
) -> list[dict[str, Any]]:
    """Tell how every factor moved, those that do most to the scores first; `pairs` say what is usual."""
    found = []
    for k, factor in enumerate(shown):
        change = moved(
            before.values[:, k], after.values[:, k], [(one.values[:, k], other.values[:, k]) for one, other in pairs]
        )
        shift = float(after.contributions[:, k].mean() - before.contributions[:, k].mean())
        found.append((change, shift, factor))
    drifts = holm([change for change, _, _ in found])
    told = [
        {
            "factor": factor.factor,
            "feature": factor.feature,
            **_told(change),
            "shift": shift,
            "drifts": drift,
            "matters": drift and abs(shift) >= MATTERS,
            "words": factor_words(factor, change, shift, before.values[:, k], after.values[:, k]),
        }
        for k, ((change, shift, factor), drift) in enumerate(zip(found, drifts, strict=True))
    ]
    return sorted(told, key=lambda each: (-each["matters"], -each["drifts"], -abs(each["shift"])))


def holm(changes: Sequence[Moved]) -> list[bool]:
    """Say which changes are drift when all are looked at together, wrongly at most once in a hundred looks."""
    order = np.argsort([change.p for change in changes], kind="stable")
    kept = [False] * len(changes)
    for rank, place in enumerate(order):
        if changes[place].p >= SURE / (len(changes) - rank):
            break
        kept[place] = changes[place].is_clear(SURE)
    return kept


def score_drift(before: Snapshot, after: Snapshot, pairs: Sequence[tuple[Snapshot, Snapshot]]) -> dict[str, Any]:
    """Tell how the probabilities as a whole moved."""
    change = moved(
        before.probability, after.probability, [(one.probability, other.probability) for one, other in pairs]
    )
    was, here = float(before.probability.mean()), float(after.probability.mean())
    drifts = change.is_clear(SURE)
    return {
        **_told(change),
        "before": was,
        "now": here,
        "drifts": drifts,
        "words": say(
            "The mean probability is {here}; a window ago it was {was}.",
            here=number(here, ".1%"),
            was=number(was, ".1%"),
        ),
    }


def _told(change: Moved) -> dict[str, Any]:
    return {"psi": change.psi, "p": change.p, "usual": change.usual}


def factor_words(factor: Shown, change: Moved, shift: float, before: np.ndarray, after: np.ndarray) -> str:
    """Say in what way a factor moved, and what that does to the scores."""
    effect = say("odds × {ratio:.2f}" if shift > 0 else "odds ÷ {ratio:.2f}", ratio=float(np.exp(min(abs(shift), 20))))
    told = {"factor": factor.factor, "effect": effect, "psi": change.psi}
    if factor.is_category:
        return say("{factor}: other values are common now (PSI {psi:.2f}); on average {effect}.", **told)
    none = {"was": number(float(np.isnan(before).mean()), ".0%"), "here": number(float(np.isnan(after).mean()), ".0%")}
    if abs(float(np.isnan(after).mean() - np.isnan(before).mean())) >= 0.1:
        return say(
            "{factor}: {here} have none now, {was} had none (PSI {psi:.2f}); on average {effect}.", **told, **none
        )
    middles = [float(np.nanmedian(each)) if not np.isnan(each).all() else 0.0 for each in (before, after)]
    moved_by = {"was": number(middles[0], ",.3g"), "here": number(middles[1], ",.3g")}
    return say(
        "{factor}: half of the people are above {here} now, above {was} before (PSI {psi:.2f}); on average {effect}.",
        **told,
        **moved_by,
    )


def base_rate_drift(rates: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Compare the newest known rate of those who met the goal with the earlier ones; windows must not overlap.

    Each row holds `cut_off`, `eligible` and `qualifying`. The spread among the earlier rates is what is usual.
    """
    rows = [row for row in rates if row["eligible"]]
    if len(rows) < LEAST_PAIRS + 1:
        return None
    shares = np.array([(row["qualifying"] + 0.5) / (row["eligible"] + 1) for row in rows])
    logs = np.log(shares / (1 - shares))
    sampling = 1 / np.array([row["eligible"] for row in rows]) / (shares * (1 - shares))
    usual = logs[:-1]
    # Few windows tell little of their own spread: the widest of three earlier ones is no limit for the next.
    spread = np.sqrt(np.var(usual, ddof=1) * (1 + 1 / len(usual)) + sampling[-1])
    distance = float(logs[-1] - usual.mean())
    drifts = abs(distance) > 4 * spread and abs(shares[-1] / np.mean(shares[:-1]) - 1) > 0.2
    was, here = float(np.mean(shares[:-1])), float(shares[-1])
    return {
        "before": was,
        "now": here,
        "cut_off": rows[-1]["cut_off"],
        "drifts": bool(drifts),
        "shift": distance,
        "words": say(
            "At the newest cut-off whose outcomes are known {here} met the goal; before, {was} did.",
            here=number(here, ".1%"),
            was=number(was, ".1%"),
        ),
    }


def population_drift(before: int, now: int, pairs: Sequence[tuple[int, int]]) -> dict[str, Any] | None:
    """Compare how many are eligible now with a window ago; `pairs` of earlier counts say what is usual."""
    if not before or not now:
        return None
    changes = [abs(np.log(other / one)) for one, other in pairs if one and other]
    change = abs(np.log(now / before))
    drifts = len(changes) >= LEAST_PAIRS and change > max(USUAL_TIMES * max(changes), np.log(1.2))
    words = say("{now:,} people are eligible; a window ago {before:,} were.", now=now, before=before)
    return {"before": before, "now": now, "drifts": bool(drifts), "words": words}
