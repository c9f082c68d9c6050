"""What may be asked of a simulated shop."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING, VISIT, PURCHASE, CANCELLATION = 0, 1, 2, 3  # outcomes that a goal may wait for


@dataclass(frozen=True)
class TrueGoal:
    """A goal whose true probability is known: an outcome that occurs, or does not, within the window."""

    name: str
    propensity_type: str
    outcome: int
    occurs: bool
    window_days: int
    lookback_days: int = 45
    subscribers: bool = False  # asked only of people with a running plan


BUY = TrueGoal("Purchase in 30 days", "conversion", PURCHASE, occurs=True, window_days=30)
LAPSE = TrueGoal("No visit in 30 days", "churn", VISIT, occurs=False, window_days=30)
CANCEL = TrueGoal(
    "Cancel in 30 days", "churn", CANCELLATION, occurs=True, window_days=30, lookback_days=100, subscribers=True
)
