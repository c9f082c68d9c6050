"""Hold-outs: who is kept back, and what the difference between them and the treated says.

Who is kept back follows from a seed and the person's id alone, so the same person is always on the same side, on any
engine; a larger share keeps back the same people and some more.

The interval of the difference is Newcombe's: it joins the Wilson intervals of the two rates, and holds for small
numbers and rates near 0 or 1, where the usual formula does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import ibis
from ibis.expr.types import BooleanValue, StringValue

DIGITS = 8
CONFIDENCE, POWER = 0.95, 0.8
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


def is_kept_back(ids: StringValue, seed: str, percent: float) -> BooleanValue:
    """Say of each id whether it is kept back: its hash is among the lowest so many percent."""
    drawn = (ibis.literal(f"{seed}:") + ids).hexdigest("sha256").substr(0, DIGITS)
    bound = round(percent / 100 * 16**DIGITS)
    return drawn < f"{bound:0{DIGITS}x}"


@dataclass(frozen=True)
class Side:
    """How many people, and how many of them had the outcome."""

    people: int
    outcomes: int

    @property
    def rate(self) -> float:
        return self.outcomes / self.people

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the rate."""
        z2 = _Z**2 / self.people
        middle, half = self.rate + z2 / 2, math.sqrt(z2 * (self.rate * (1 - self.rate) + z2 / 4))
        return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


@dataclass(frozen=True)
class Effect:
    """How much more often the treated had the outcome, with the interval that covers the truth in 95 of 100 cases."""

    difference: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether chance alone is no explanation: the interval is on one side of 0."""
        return self.low > 0 or self.high < 0


def effect(treated: Side, kept_back: Side) -> Effect:
    """Compare the two sides.

    >>> found = effect(Side(70, 56), Side(80, 48))
    >>> f"{found.difference:.3f} {found.low:.3f} {found.high:.3f} {found.sure}"
    '0.200 0.052 0.334 True'
    """
    (low, high), (other_low, other_high) = treated.interval, kept_back.interval
    difference = treated.rate - kept_back.rate
    return Effect(
        difference,
        difference - math.hypot(treated.rate - low, other_high - kept_back.rate),
        difference + math.hypot(high - treated.rate, kept_back.rate - other_low),
    )


def people_needed(rate: float, difference: float, share_kept_back: float) -> int | None:
    """How many people, of both sides together, would show a difference four times out of five.

    None where there is nothing to show, or the other rate would be no rate.

    >>> people_needed(0.2, 0.05, 0.5)
    2182
    """
    other = rate + difference
    if difference == 0 or not 0 <= other <= 1:
        return None
    share, z_power = share_kept_back, NormalDist().inv_cdf(POWER)
    variance = other * (1 - other) / (1 - share) + rate * (1 - rate) / share
    return math.ceil((_Z + z_power) ** 2 * variance / difference**2)


def smallest_visible(rate: float, treated: int, kept_back: int) -> float:
    """The smallest difference that this many people would show four times out of five, near a rate."""
    z_power = NormalDist().inv_cdf(POWER)
    return (_Z + z_power) * math.sqrt(rate * (1 - rate) * (1 / treated + 1 / kept_back))
