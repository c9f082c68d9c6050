"""What came of scored people: expected against actual, in all and by bucket.

An expected rate is the mean probability; it stands, from the run on, with the 95 % interval of the rate that is likely
to come. The actual rate stands with its own (Wilson), which is about chance alone. Where everybody or nobody reached
the goal there is no AUC, lift or gains curve to speak of, and none is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from likelier.model import evaluate
from likelier.scores import BUCKETS, buckets

BINS = 40


@dataclass(frozen=True)
class Outcome:
    """Scored people with what came of them: arrays of one length, `reached` boolean."""

    probability: np.ndarray
    score: np.ndarray
    reached: np.ndarray

    def where(self, kept: np.ndarray) -> Outcome:
        return Outcome(self.probability[kept], self.score[kept], self.reached[kept])


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Put the predictions of several runs in one heap; somebody scored twice counts twice."""
    return Outcome(
        np.concatenate([each.probability for each in outcomes]),
        np.concatenate([each.score for each in outcomes]),
        np.concatenate([each.reached for each in outcomes]),
    )


def came_true(outcome: Outcome) -> dict[str, Any]:
    """Hold what was expected beside what happened.

    >>> half = Outcome(np.array([0.2, 0.8]), np.array([20.0, 80.0]), np.array([False, True]))
    >>> told = came_true(half)
    >>> told["all"]["expected"], told["all"]["rate"], told["buckets"]["high"]["rate"], told["auc"]["value"]
    (0.5, 0.5, 1.0, 1.0)
    """
    place = buckets(outcome.score)
    tells = bool(outcome.reached.any() and not outcome.reached.all())
    deciles = evaluate.deciles(outcome.probability, outcome.reached) if tells else []
    return {
        "all": expected_and_actual(outcome),
        "buckets": {name: expected_and_actual(outcome.where(place == k)) for k, name in enumerate(BUCKETS)},
        "auc": evaluate.auc(outcome.probability, outcome.reached) if tells else None,
        "lift": _of_best(deciles[0]) if tells else None,
        "brier": float(np.mean((outcome.probability - outcome.reached) ** 2)) if len(outcome.reached) else None,
        "calibration_error": evaluate.calibration_error(outcome.probability, outcome.reached) if tells else None,
        "deciles": deciles,
        "gains": evaluate.gains(outcome.probability, outcome.reached) if tells else [],
        "calibration": evaluate.calibration(outcome.probability, outcome.reached) if tells else [],
        "histograms": {
            "did": np.histogram(outcome.score[outcome.reached], BINS, (0, 100))[0].tolist(),
            "did_not": np.histogram(outcome.score[~outcome.reached], BINS, (0, 100))[0].tolist(),
        },
    }


def expected_and_actual(outcome: Outcome) -> dict[str, Any]:
    """Count some people: the rate expected of them, the actual one with its interval; None where there is nobody."""
    people, reached = len(outcome.reached), int(outcome.reached.sum())
    low, high = evaluate.wilson(reached, people)
    return {
        "profiles": people,
        "qualifying": reached,
        "expected": float(outcome.probability.mean()) if people else None,
        "rate": reached / people if people else None,
        "low": low if people else None,
        "high": high if people else None,
    }


def _of_best(tenth: dict[str, float]) -> dict[str, float]:
    return {"value": tenth["lift"], "low": tenth["lift_low"], "high": tenth["lift_high"]}


PROMISED = ("auc", "base_rate", "buckets", "deciles", "gains", "calibration", "calibration_error", "brier")


def of_run(insights: Mapping[str, Any], came: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give what a run said of its scores and of its model and, when it is known, what came of the scored."""
    scores, metrics = insights["scores"], insights["metrics"]
    expected = {"all": (sum(scores[name] for name in BUCKETS), scores["mean_probability"])}
    expected |= {name: (scores[name], scores["expected"][name]) for name in BUCKETS}
    unknown = {"qualifying": None, "rate": None, "low": None, "high": None}
    said = {name: {"profiles": count, "expected": rate, **unknown} for name, (count, rate) in expected.items()}
    here = {**dict.fromkeys(ORDER), **(came or {"all": said.pop("all"), "buckets": said})}
    return {
        **with_likely(here, insights.get("estimate")),
        "promised": {key: metrics.get(key) for key in PROMISED},
        "estimated": insights.get("estimate"),
    }


def with_likely(came: Mapping[str, Any], estimate: Mapping[str, Any] | None) -> dict[str, Any]:
    """Put beside each rate between what bounds the run said it would lie; None where it said nothing."""
    rates = (estimate or {}).get("rates") or {}

    def bounded(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
        bounds = rates.get(name) or {"low": None, "high": None}
        return {**told, "likely_low": bounds["low"], "likely_high": bounds["high"]}

    buckets = {name: bounded(name, told) for name, told in came["buckets"].items()}
    return {**came, "all": bounded("all", came["all"]), "buckets": buckets}


ORDER = ("auc", "lift", "brier", "calibration_error", "deciles", "gains", "calibration", "histograms")


def in_brief(came: Mapping[str, Any]) -> dict[str, Any]:
    """Give of an outcome what a correction remembers."""
    return {"all": came["all"], "auc": came["auc"] and came["auc"]["value"]}
