"""What of a run's record somebody should be told without asking.

Each matter has a `key` that stays the same while it lasts, so that nobody is told the same twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from likelier.insights.charts import BUCKETS
from likelier.insights.performance_words import drifted, order
from likelier.phrases import day, number, say

FAILED, POOR, DRIFT, MISSED, DISAGREES = "failed run", "poor model", "drift", "missed schedule", "disagreement"
DRIFT_MATTERS = 0.1
ABRUPT = ("tracking", "delivery")
"""Drift that is told whatever it does to the scores: it does not go away by itself."""
LEVELS = {name: name for name in (say("low"), say("medium"), say("high"))}
SURE = 3.29  # standard errors: one in a thousand by chance, and four figures are looked at


@dataclass(frozen=True)
class Matter:
    """Something to tell about an instance."""

    kind: str
    key: str
    words: str


def of_failure(code: int | None, title: str, message: str, *, poor: bool) -> Matter:
    """Tell why a run gave no scores."""
    what = f"{code} {title}" if code else title
    return Matter(
        POOR if poor else FAILED,
        f"{POOR if poor else FAILED}: {what}",
        say("{what}: {message}", what=what, message=message),
    )


def of_drift(drift: Mapping[str, Any] | None) -> Iterator[Matter]:
    """Tell what has changed so far that it matters to the scores, and what broke."""
    for found in (drift or {}).get("findings", ()):
        if found["weight"] >= DRIFT_MATTERS or found["kind"] in ABRUPT:
            yield Matter(DRIFT, f"{DRIFT}: {found['kind']} {found['name']}", drifted(found))


def of_outcome(told: Mapping[str, Any]) -> Iterator[Matter]:
    """Tell where expected and actual disagree beyond chance; `told` is a run of the performance whose window closed.

    Chance is that of single outcomes and of the level, which moves from window to window by itself.

    >>> about = {"profiles": 1000, "expected": 0.2, "rate": 0.4}
    >>> run = {"cut_off": "2024-05-01", "all": about, "buckets": {}, "auc": None, "promised": {}}
    >>> [str(matter.words) for matter in of_outcome(run)]
    ['Of all scored on 1 May 2024, 20.0% were expected to meet the goal, and 40.0% did.']
    >>> list(of_outcome({**run, "all": {**about, "rate": 0.22}}))
    []
    """
    people = {"all": told["all"], **{name: told["buckets"][name] for name in BUCKETS if name in told["buckets"]}}
    for name, each in people.items():
        if disagrees(each):
            yield Matter(DISAGREES, f"{DISAGREES}: {name}", _rates(name, each, told["cut_off"]))
    auc, promised = told.get("auc"), (told["promised"].get("auc") or {}).get("value")
    if auc and promised and auc["value"] + SURE / 1.96 * (auc["high"] - auc["value"]) < promised:
        yield Matter(DISAGREES, f"{DISAGREES}: AUC", order(told))


def disagrees(told: Mapping[str, Any]) -> bool:
    """Say whether the actual rate of some people is not the expected one, beyond chance and the usual level."""
    from likelier.model.calibrate import USUAL_LEVEL  # noqa: PLC0415 - a server tells of schedules without the models

    if not told["profiles"] or told["rate"] is None:
        return False
    spread = told["expected"] * (1 - told["expected"])
    error = math.sqrt(spread / told["profiles"] + (spread * USUAL_LEVEL) ** 2)
    return bool(abs(told["rate"] - told["expected"]) > SURE * error + 0.5 / told["profiles"])


def _rates(name: str, told: Mapping[str, Any], cut_off: str) -> str:
    rates = {"expected": number(told["expected"], ".1%"), "rate": number(told["rate"], ".1%"), "day": day(cut_off)}
    if name == "all":
        return say("Of all scored on {day}, {expected} were expected to meet the goal, and {rate} did.", **rates)
    return say(
        "Of those scored {bucket} on {day}, {expected} were expected to meet the goal, and {rate} did.",
        bucket=LEVELS[name],
        **rates,
    )
