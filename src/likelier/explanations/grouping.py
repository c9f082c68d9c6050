"""Factors that say the same of nearly everybody share one name, so that credit is not split between them by accident.

"Count of any event" and "Count of webVisit" rise and fall together in most shops. Which of them a tree asks for is
chance, and so is the part of the credit each would get; told as one factor the credit is right, and the sum of all
contributions is what it was. Only factors that measure the same (a count with a count, days since with days since) are
joined, so that the value shown keeps its meaning. Who belongs together is read from the values alone, not from a
model, so two models of the same people tell the same factors. The group is named after the goal where that is in it:
purchases, not the checkouts before them; else after what happens most often: visits, not the views they bring along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from likelier.activities.codes import Codebook, Source
from likelier.features.definitions import FeatureSet, Kind

ALIKE = 0.9  # mean absolute rank correlation within a group
BEST_NAMED = ({Source.CUSTOM}, {Source.GOAL, Source.STANDARD}, {Source.EVENT_TYPE}, {Source.VALUE}, {Source.ANY})
FAMILIES: tuple[frozenset[Kind], ...] = (
    frozenset({Kind.LAST}),
    frozenset({Kind.COUNT, Kind.DAYS, Kind.DECAY, Kind.NTH, Kind.RATE}),
    frozenset({Kind.GAP_MEAN, Kind.GAP_SPREAD, Kind.GAP_LAST, Kind.OVERDUE, Kind.ALIVE}),
    *(frozenset({kind}) for kind in (Kind.FIRST, Kind.TREND, Kind.SHARE, Kind.SUM, Kind.DISTINCT)),
)
LONG_AGO = {Kind.LAST, Kind.FIRST, Kind.NTH}  # never is longer ago than any day
Factors = dict[str, list[int]]  # each factor's columns


@dataclass(frozen=True)
class Seen:
    """What a sample of events shows of the signals: how often each is there, and which are there as the goal is."""

    often: np.ndarray
    goal: frozenset[int] = frozenset()


def grouped(features: FeatureSet, codebook: Codebook, matrix: np.ndarray, seen: Seen) -> FeatureSet:
    """Rename factors so that those alike share the best of their names; `matrix` holds some rows of the features."""
    renamed: dict[str, str] = {}
    for factors in _comparable(features):
        names = list(factors)
        for group in _alike(np.stack([_level(features, columns, matrix) for columns in factors.values()])):
            mine = [names[place] for place in group]
            best = min(mine, key=lambda name: _order(features, codebook, seen, factors[name][0]))
            renamed |= dict.fromkeys(mine, best)
    return replace(
        features,
        features=tuple(replace(each, factor=renamed.get(each.factor, each.factor)) for each in features.features),
    )


def _comparable(features: FeatureSet) -> list[Factors]:
    """Gather the factors of each family that has several."""
    found: list[Factors] = [{} for _ in FAMILIES]
    for column, feature in enumerate(features.features):
        for place, family in enumerate(FAMILIES):
            if feature.kind in family:
                found[place].setdefault(feature.factor, []).append(column)
    return [factors for factors in found if len(factors) > 1]


def _level(features: FeatureSet, columns: list[int], matrix: np.ndarray) -> np.ndarray:
    """Say how much of a factor each row has: the mean rank over its columns, turned to one way."""
    ranks = np.stack([_ranks(features.features[column].kind, matrix[:, column]) for column in columns])
    turned = np.where(ranks @ ranks[0] < 0, -1.0, 1.0)
    return _standard((ranks * turned[:, None]).mean(axis=0))


def _ranks(kind: Kind, values: np.ndarray) -> np.ndarray:
    return _standard(rankdata(np.nan_to_num(values, nan=np.inf if kind in LONG_AGO else -np.inf)))


def _standard(values: np.ndarray) -> np.ndarray:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)


def _alike(levels: np.ndarray) -> list[list[int]]:
    """Cluster rows of standardised numbers by their mean absolute correlation."""
    distance = 1 - np.clip(np.abs(levels @ levels.T) / levels.shape[1], 0, 1)
    np.fill_diagonal(distance, 0)
    cluster = fcluster(linkage(squareform(distance, checks=False), "average"), 1 - ALIKE, "distance")
    return [np.flatnonzero(cluster == number).tolist() for number in np.unique(cluster)]


def _order(features: FeatureSet, codebook: Codebook, seen: Seen, column: int) -> tuple[int, bool, int, int]:
    feature = features.features[column]
    if feature.kind >= Kind.SUM:
        return 0, False, 0, feature.subject
    source, subject = codebook.signals[feature.subject].source, feature.subject
    rank = next((place for place, sources in enumerate(BEST_NAMED) if source in sources), len(BEST_NAMED))
    return rank, subject not in seen.goal, -int(seen.often[subject]), subject
