"""Contributions told in a person's words: per profile the strongest ten and what is left, with their values.

A factor that gathers several features shows the value of one of them, always the same, so that values can be
compared between people: of those a person can picture (a count, days since) the one that matters most in the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from likelier.features.definitions import FeatureSet, Kind

STRONGEST = 10
HIGH, MEDIUM = 0.5, 0.15  # log-odds: odds times 1.65 and 1.16 (or divided)
NEGLIGIBLE = 1e-9
SMALLEST, UNSURE = 1e-9, 1e-6
POWERS = 10.0 ** np.arange(12)
OTHER = "other"
AGES = {Kind.LAST, Kind.FIRST, Kind.NTH}
HARD_TO_PICTURE = {Kind.DECAY, Kind.NTH, Kind.DAYS, Kind.GAP_SPREAD, Kind.RATE, Kind.ALIVE}

FACTOR_TYPE = pa.struct(
    [
        pa.field("code", pa.string()),
        pa.field("value", pa.string()),
        pa.field("importance", pa.string()),
        pa.field("contribution", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Shown:
    """What of a factor is shown: one feature's number, or which of several yes-or-no features holds."""

    factor: str
    feature: str
    columns: tuple[int, ...]
    labels: tuple[str, ...] = ()
    absent: str = "none"

    @property
    def is_category(self) -> bool:
        return bool(self.labels)

    def values(self, matrix: np.ndarray) -> np.ndarray:
        """Give the shown number of each row, float64; of a category the place of its label, NaN for none of them."""
        if not self.is_category:
            return matrix[:, self.columns[0]].astype(np.float64)
        flags = matrix[:, self.columns]
        return np.where(flags.any(axis=1), flags.argmax(axis=1), np.nan)

    def texts(self, values: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Write shown values for people: give the place of each value's text, and the texts."""
        if self.is_category:
            return np.nan_to_num(values, nan=len(self.labels)).astype(int), [*self.labels, "other"]
        distinct, places = np.unique(as_told(values), return_inverse=True)
        return places, [self.absent if np.isnan(value) else readable(value) for value in distinct]


def as_told(values: np.ndarray) -> np.ndarray:
    """Give for each number one that is written alike, the same for as many as possible: few are left to write.

    >>> as_told(np.array([3.04, 2.96, 1234.5, 0.03123])).tolist()
    [3.0, 3.0, 1234.5, 0.031]
    """
    size = np.abs(values)
    digits = np.where(size >= 100, 0, 1)
    small = np.flatnonzero((size > SMALLEST) & (size < 1))
    digits[small] = 1 - np.floor(np.log10(size[small]))
    scale = POWERS[digits]
    scaled = values * scale
    # Between two texts, and where there is none, the number itself says what is written.
    sure = (size > SMALLEST) & (np.abs(scaled - np.floor(scaled) - 0.5) > UNSURE)
    return np.where(sure, np.rint(scaled) / scale, values) + 0.0  # no zero is written with a minus


@lru_cache(1 << 16)
def readable(value: float) -> str:
    """Write a number in as few digits as tell it.

    >>> [readable(value) for value in (3.0, 2.04167, 1234.56, 0.0312)]
    ['3', '2', '1235', '0.031']
    """
    size = abs(value)
    if size >= 100:
        return f"{value:.0f}"
    if size >= 1:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2g}"


def pictured(features: FeatureSet, factor: str, columns: Sequence[int]) -> list[int]:
    """Give the columns of a factor that a person can picture, of several signals those of its namesake."""
    plain = [column for column in columns if features.features[column].kind not in HARD_TO_PICTURE]
    namesakes = [column for column in plain if f"{features.features[column].name} ".startswith(f"{factor} ")]
    return namesakes or plain


def shown_factors(features: FeatureSet, strength: np.ndarray) -> tuple[Shown, ...]:
    """Choose what each factor shows; `strength` is the mean absolute contribution of each feature."""
    found = []
    for factor in features.factors:
        columns = [place for place, feature in enumerate(features.features) if feature.factor == factor]
        best = max(pictured(features, factor, columns) or columns, key=lambda column: (strength[column], -column))
        feature = features.features[best]
        if feature.kind == Kind.TRAIT_IS:
            labels = tuple(features.features[column].name.removeprefix(f"{factor} is ") for column in columns)
            found.append(Shown(factor, factor, tuple(columns), labels))
        else:
            found.append(Shown(factor, feature.name, (best,), absent="never" if feature.kind in AGES else "none"))
    return tuple(found)


def as_lists(contribution: np.ndarray, values: np.ndarray, shown: tuple[Shown, ...]) -> pa.ListArray:
    """Give each row's strongest factors, strongest first, and one `other` with the rest, as a list of structs.

    `contribution` and `values` are float64 of shape (rows, factors). The list sums to the row's sum.
    """
    rows, factors = contribution.shape
    kept = min(STRONGEST, factors)
    order = np.argsort(-np.abs(contribution), axis=1, kind="stable")[:, :kept]
    strongest = np.take_along_axis(contribution, order, axis=1)
    told = np.abs(strongest) > NEGLIGIBLE
    rest = contribution.sum(axis=1) - np.where(told, strongest, 0).sum(axis=1)
    sizes = told.sum(axis=1) + 1
    ends = np.cumsum(sizes)
    is_other = np.zeros(int(ends[-1]) if rows else 0, bool)
    is_other[ends - 1] = True

    which = order[told]
    numbers = np.take_along_axis(values, order, axis=1)[told]
    amount = np.empty(len(is_other))
    amount[~is_other], amount[is_other] = strongest[told], rest
    codes = np.full(len(is_other), len(shown))
    codes[~is_other] = which
    names = _chosen(codes, [*(one.factor for one in shown), OTHER])
    places, texts = _texts(which, numbers, shown)
    told_as = np.zeros(len(is_other), int)
    told_as[~is_other] = places
    structs = pa.StructArray.from_arrays(
        [names, _chosen(told_as, texts), _importance(amount), pa.array(amount)], fields=list(FACTOR_TYPE)
    )
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]), pa.int32()), structs)


def _texts(which: np.ndarray, numbers: np.ndarray, shown: tuple[Shown, ...]) -> tuple[np.ndarray, list[str]]:
    """Give the place of each number's text, as its factor writes it, and the texts, the first of which is empty."""
    places, texts = np.empty(len(which), int), [""]
    order = np.argsort(which, kind="stable")
    cuts = np.searchsorted(which[order], np.arange(len(shown) + 1))
    for place, factor in enumerate(shown):
        rows = order[cuts[place] : cuts[place + 1]]
        if len(rows):
            mine, written = factor.texts(numbers[rows])
            places[rows] = mine + len(texts)
            texts += written
    return places, texts


def _chosen(places: np.ndarray, texts: Sequence[str]) -> pa.Array:
    return pa.array(texts, pa.string()).take(pa.array(places))


def _importance(amount: np.ndarray) -> pa.Array:
    level = np.searchsorted([MEDIUM, HIGH], np.abs(amount), side="right")
    return _chosen(level, ["low", "medium", "high"])
