"""A feature is a value: an aggregate of a subject over a window, with a name people can read.

Definitions plan the kernel, name the factors and drive the slow oracle of the tests, so none of the three can drift
from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np


class Kind(IntEnum):
    """How a feature is computed.

    Ages are days before the cut-off; "active days" are distinct 24-hour days back from it.

    Of a signal's events: LAST and FIRST their least and greatest age; COUNT how many in the window; DAYS how many
    active days; DECAY the sum of ``2 ** (-age / window)``; NTH the age of the window-th latest active day; GAP_MEAN,
    GAP_SPREAD and GAP_LAST the mean, standard deviation and latest of the days between active days; OVERDUE is LAST
    over GAP_MEAN; TREND compares the window with the next longer one, in log; SHARE is the part of all events;
    RATE the expected active days in an outcome window after a Gamma-Poisson prior; ALIVE the chance of still being
    active after the BG/NBD model (Fader, Hardie, Lee 2005) with a fixed prior.
    Of a measure: SUM in the window, MEAN, GREATEST, LATEST, and DAYS_TO for moments (days from the cut-off to it).
    Of a category: DISTINCT values in the window. Of all events: WEEKEND and NIGHT shares.
    Of a trait: TRAIT its number, TRAIT_IS whether it has the window-th value, TRAIT_DAYS_TO for moments.
    """

    LAST = 0
    FIRST = 1
    COUNT = 2
    DAYS = 3
    DECAY = 4
    NTH = 5
    GAP_MEAN = 6
    GAP_SPREAD = 7
    GAP_LAST = 8
    OVERDUE = 9
    TREND = 10
    SHARE = 11
    RATE = 12
    ALIVE = 13
    SUM = 20
    MEAN = 21
    GREATEST = 22
    LATEST = 23
    DAYS_TO = 24
    DISTINCT = 30
    WEEKEND = 40
    NIGHT = 41
    TRAIT = 50
    TRAIT_IS = 51
    TRAIT_DAYS_TO = 52


@dataclass(frozen=True)
class Feature:
    """One column: `subject` counts signals, measures, categories or traits; `window` is an index (see FeatureSet)."""

    kind: Kind
    subject: int
    window: int
    name: str
    factor: str


@dataclass(frozen=True)
class FeatureSet:
    """The columns of a model's matrix in order, and the scales they refer to.

    `edges` are lookback windows in days, ascending, the last one infinite; `half_lives` in days. The window of a DECAY
    indexes `half_lives`, that of NTH is the count itself less one, that of TRAIT_IS indexes the trait's values.

    `silent` are spans in microseconds in which tracking was lost. The clock by which ages are told stands still in
    them: a week in which nobody could be seen is no week without a visit.
    """

    features: tuple[Feature, ...]
    edges: tuple[float, ...]
    half_lives: tuple[float, ...]
    outcome_days: float
    silent: tuple[tuple[int, int], ...] = ()

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @property
    def factors(self) -> list[str]:
        """Distinct factors in the order of their first feature."""
        return list(dict.fromkeys(feature.factor for feature in self.features))

    @property
    def factor_of(self) -> np.ndarray:
        """For each feature the index of its factor."""
        places = {factor: place for place, factor in enumerate(self.factors)}
        return np.array([places[feature.factor] for feature in self.features], np.int64)

    def only(self, kept: Sequence[int]) -> FeatureSet:
        """Keep some columns."""
        return replace(self, features=tuple(self.features[k] for k in kept))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "edges": [str(edge) for edge in self.edges]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FeatureSet:
        return cls(
            tuple(Feature(**{**row, "kind": Kind(row["kind"])}) for row in data["features"]),
            tuple(float(edge) for edge in data["edges"]),
            tuple(data["half_lives"]),
            data["outcome_days"],
            tuple((start, end) for start, end in data.get("silent", ())),
        )
