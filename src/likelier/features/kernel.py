"""Walk the activities of a row's profile once, backwards from its cut-off, and leave every feature.

The same compiled loop serves training, scoring in bulk and one person on demand, so they agree by construction. It
never looks at an event at or after the cut-off: the walk begins at the last event before it.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import numba
import numpy as np

from likelier.activities.codes import BITS, Codebook
from likelier.activities.reduce import CATEGORY_CODES, Activities
from likelier.activities.traits import TraitHistory
from likelier.features.definitions import FeatureSet, Kind
from likelier.timespan import DAY_US
from likelier.windows import Row, read_only

ABSENT = np.float32(np.nan)
MOST_NTH = 5
ROWS_AT_ONCE, BYTES_AT_ONCE = 1_024, 1 << 28
"""After so many rows of people far apart memory is given back: the system may bring in 64 KB of each array for each."""
BYTES_A_ROW = 1 << 18
"""To read what one row needs takes a disk about as long as to read so much on end."""
# Numba keeps module constants: the kinds as plain integers.
LAST, FIRST, COUNT, DAYS, DECAY, NTH = (int(kind) for kind in list(Kind)[:6])
GAP_MEAN, GAP_SPREAD, GAP_LAST, OVERDUE, TREND, SHARE, RATE, ALIVE = (int(kind) for kind in list(Kind)[6:14])
SUM, MEAN, GREATEST, LATEST, DAYS_TO = (int(kind) for kind in list(Kind)[14:19])
DISTINCT, WEEKEND, NIGHT = int(Kind.DISTINCT), int(Kind.WEEKEND), int(Kind.NIGHT)
FIRST_TRAIT, TRAIT_IS, TRAIT_DAYS_TO = int(Kind.TRAIT), int(Kind.TRAIT_IS), int(Kind.TRAIT_DAYS_TO)

# The position of a word's lowest bit by a de Bruijn sequence (Leiserson, Prokop, Randall 1998).
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
LOWEST = np.zeros(64, np.int64)
for _bit in range(64):
    LOWEST[((1 << _bit) * 0x03F79D71B4CB0A89 & (1 << 64) - 1) >> 58] = _bit


def compute(
    activities: Activities, traits: TraitHistory, codebook: Codebook, features: FeatureSet, rows: Row
) -> np.ndarray:
    """Give the matrix of features: float32, shape (rows, features), NaN where a feature has no value.

    Rows sorted by profile read memory in order, which is quicker; any order is right.
    """
    matrix = np.empty((len(rows.profile), len(features.features)), np.float32)
    asked = _Asked.of(codebook, features)
    arguments = (
        *map(read_only, (activities.starts, activities.times, activities.words, activities.measures, activities.slots)),
        asked.masks,
        asked.place_of,
        asked.slots,
        asked.category_of,
        *map(read_only, (traits.starts, traits.times, traits.values)),
        asked.kinds,
        asked.subjects,
        np.array([feature.window for feature in features.features], np.int64),
        np.array(features.edges),
        np.array(features.half_lives),
        float(features.outcome_days),
        np.array(features.silent, np.int64).reshape(-1, 2),
    )
    workers = os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0))

    def walk(first: int, last: int) -> None:
        some = read_only(rows.profile[first:last]), read_only(rows.cut_off[first:last])
        _walk(*some, matrix[first:last], *arguments)

    if len(matrix) < 1000:
        walk(0, len(matrix))
        activities.let_go()
        return matrix
    span = activities.bytes(int(rows.profile.min()), int(rows.profile.max()) + 1)
    few = activities.scattered() if len(matrix) * BYTES_A_ROW < span else nullcontext()
    with few, ThreadPoolExecutor(workers) as pool:
        for first, last in _parts(len(matrix), span):
            cuts = np.linspace(first, last, (workers or 1) + 1).astype(int)
            list(pool.map(walk, cuts[:-1], cuts[1:]))
            activities.let_go()
    return matrix


def _parts(rows: int, span: int) -> list[tuple[int, int]]:
    """Cut rows whose people's activities lie within so many bytes into parts, after each of which memory is given back.

    >>> _parts(1500, BYTES_AT_ONCE), _parts(1500, BYTES_AT_ONCE + 1)
    ([(0, 1500)], [(0, 1024), (1024, 1500)])
    """
    step = rows if span <= BYTES_AT_ONCE else ROWS_AT_ONCE
    return [(first, min(first + step, rows)) for first in range(0, rows, step)]


@dataclass(frozen=True)
class _Asked:
    """What of the events some feature reads; the kernel passes over all else, and has no room for it.

    Signals and categories that are read are numbered anew, the same in `subjects`; `place_of` gives a signal's number,
    `category_of` that of the category that each of `slots` belongs to.
    """

    kinds: np.ndarray
    subjects: np.ndarray
    masks: np.ndarray
    place_of: np.ndarray
    slots: np.ndarray
    category_of: np.ndarray

    @classmethod
    def of(cls, codebook: Codebook, features: FeatureSet) -> _Asked:
        kinds = np.array([feature.kind for feature in features.features], np.int64)
        subjects = np.array([feature.subject for feature in features.features], np.int64)
        of_signal, of_category = kinds < SUM, kinds == DISTINCT
        signals, subjects[of_signal] = np.unique(subjects[of_signal], return_inverse=True)
        categories, subjects[of_category] = np.unique(subjects[of_category], return_inverse=True)
        masks = np.zeros(max(codebook.words, 1), np.int64)
        np.bitwise_or.at(masks, signals // BITS, 1 << signals % BITS)
        place_of = np.zeros(len(codebook.signals) + 1, np.int64)
        place_of[signals] = np.arange(len(signals))
        owner = np.repeat(np.arange(len(codebook.categories)), [category.slots for category in codebook.categories])
        slots = np.flatnonzero(np.isin(owner, categories))
        return cls(kinds, subjects, masks, place_of, slots, np.searchsorted(categories, owner[slots]))


@numba.njit(nogil=True, cache=True)
def _walk(
    profiles, cut_offs, matrix, starts, times, words, measures, codes, masks, place_of, slots, category_of,
    trait_starts, trait_times, trait_values, kinds, subjects, windows, edges, half_lives, outcome_days, silent,
):  # fmt: skip
    spans, lives, amounts = len(edges), len(half_lives), measures.shape[1]
    signals = place_of.max() + 1
    categories = category_of.max() + 1 if len(category_of) else 0
    count = np.zeros((signals, spans))
    days = np.zeros((signals, spans))
    decay = np.zeros((signals, lives))
    nth = np.full((signals, MOST_NTH), np.nan)
    first = np.zeros(signals)
    last = np.zeros(signals)
    latest_day = np.full(signals, -1, np.int64)
    day_age = np.zeros(signals)
    active = np.zeros(signals)
    gap_sum = np.zeros(signals)
    gap_squares = np.zeros(signals)
    gap_latest = np.zeros(signals)
    total = np.zeros((amounts, spans))
    given = np.zeros(amounts)
    greatest = np.zeros(amounts)
    latest = np.zeros(amounts)
    distinct = np.zeros((categories, spans))
    seen = np.full((categories, CATEGORY_CODES), -1, np.int32)
    weights = np.zeros(lives)

    for row in range(len(profiles)):
        profile, cut_off = profiles[row], cut_offs[row]
        begin, end = starts[profile], starts[profile + 1]
        middle = begin + np.searchsorted(times[begin:end], cut_off)
        count[:] = 0
        days[:] = 0
        decay[:] = 0
        nth[:] = np.nan
        latest_day[:] = -1
        active[:] = 0
        gap_sum[:] = 0
        gap_squares[:] = 0
        total[:] = 0
        given[:] = 0
        distinct[:] = 0
        weekend, night = 0.0, 0.0
        span = 0
        for event in range(middle - 1, begin - 1, -1):
            time = times[event]
            back = cut_off - time
            for lost in range(len(silent)):  # the clock stands still where nobody could be seen
                back -= max(min(cut_off, silent[lost, 1]) - max(time, silent[lost, 0]), 0)
            back = max(back, 1)
            age = back / DAY_US
            while span < spans - 1 and age > edges[span]:
                span += 1
            day = (back - 1) // DAY_US
            for life in range(lives):
                weights[life] = 2.0 ** (-age / half_lives[life])
            date = time // DAY_US
            weekend += (date + 3) % 7 >= 5
            night += (time - date * DAY_US) // 3_600_000_000 < 6
            for word in range(len(masks)):
                left = np.uint64(words[event, word] & masks[word])
                while left:
                    low = left & (~left + np.uint64(1))
                    left ^= low
                    signal = place_of[word * BITS + LOWEST[(low * DE_BRUIJN) >> np.uint64(58)]]
                    count[signal, span] += 1
                    for life in range(lives):
                        decay[signal, life] += weights[life]
                    first[signal] = age
                    if day != latest_day[signal]:
                        if latest_day[signal] < 0:
                            last[signal] = age
                        else:
                            gap = age - day_age[signal]
                            if active[signal] == 1:
                                gap_latest[signal] = gap
                            gap_sum[signal] += gap
                            gap_squares[signal] += gap * gap
                        if active[signal] < MOST_NTH:
                            nth[signal, np.int64(active[signal])] = age
                        active[signal] += 1
                        days[signal, span] += 1
                        latest_day[signal] = day
                        day_age[signal] = age
            for amount in range(amounts):
                value = np.float64(measures[event, amount])
                if not np.isnan(value):
                    total[amount, span] += value
                    if given[amount] == 0:
                        latest[amount] = value
                        greatest[amount] = value
                    elif value > greatest[amount]:
                        greatest[amount] = value
                    given[amount] += 1
            for slot in range(len(slots)):
                code = codes[event, slots[slot]]
                if code >= 0 and seen[category_of[slot], code] != row:
                    seen[category_of[slot], code] = row
                    distinct[category_of[slot], span] += 1
        for signal in range(signals):
            for span in range(1, spans):
                count[signal, span] += count[signal, span - 1]
                days[signal, span] += days[signal, span - 1]
        for amount in range(amounts):
            for span in range(1, spans):
                total[amount, span] += total[amount, span - 1]
        for category in range(categories):
            for span in range(1, spans):
                distinct[category, span] += distinct[category, span - 1]
        everything = spans - 1
        events = middle - begin
        for column in range(len(kinds)):
            kind, subject, window = kinds[column], subjects[column], windows[column]
            value = np.nan
            if kind < SUM:
                there = active[subject]
                gaps = there - 1
                if kind == COUNT:
                    value = count[subject, window]
                elif kind == DAYS:
                    value = days[subject, window]
                elif kind == DECAY:
                    value = decay[subject, window]
                elif kind == TREND:
                    longer = window + 1
                    usual = first[subject] if np.isinf(edges[longer]) else edges[longer]
                    usual = max(usual, edges[window])
                    value = np.log1p(count[subject, window]) - np.log1p(count[subject, longer] * edges[window] / usual)
                elif there == 0:
                    pass
                elif kind == LAST:
                    value = last[subject]
                elif kind == FIRST:
                    value = first[subject]
                elif kind == NTH:
                    value = nth[subject, window]
                elif kind == SHARE:
                    value = count[subject, everything] / events
                elif kind == RATE:
                    value = (there + 0.5) / (first[subject] + outcome_days) * outcome_days
                elif kind == ALIVE:
                    value = _alive(gaps, first[subject] - last[subject], first[subject], outcome_days)
                elif gaps == 0:
                    pass
                elif kind == GAP_MEAN:
                    value = gap_sum[subject] / gaps
                elif kind == GAP_SPREAD:
                    mean = gap_sum[subject] / gaps
                    value = np.sqrt(max(gap_squares[subject] / gaps - mean * mean, 0.0))
                elif kind == GAP_LAST:
                    value = gap_latest[subject]
                elif kind == OVERDUE:
                    value = last[subject] / max(gap_sum[subject] / gaps, 0.04)
            elif kind == SUM:
                value = total[subject, window]
            elif kind == DISTINCT:
                value = distinct[subject, window]
            elif kind < DISTINCT:
                if given[subject] > 0:
                    if kind == MEAN:
                        value = total[subject, everything] / given[subject]
                    elif kind == GREATEST:
                        value = greatest[subject]
                    elif kind == LATEST:
                        value = latest[subject]
                    elif kind == DAYS_TO:
                        value = latest[subject] - cut_off / DAY_US
            elif kind == WEEKEND:
                value = weekend / events if events else np.nan
            elif kind == NIGHT:
                value = night / events if events else np.nan
            else:
                value = _known(trait_starts, trait_times, trait_values, profile, cut_off, subject)
                if kind == TRAIT_DAYS_TO:
                    value -= cut_off / DAY_US
                elif kind == TRAIT_IS:
                    value = np.float64(value == window)
            matrix[row, column] = value


@numba.njit(nogil=True, cache=True)
def _alive(repeats, recency, age, scale):
    """P(alive) of BG/NBD with r = 1, alpha = scale, a = 1, b = 2.5; everyone who never repeated counts as alive."""
    if repeats <= 0:
        return 1.0
    odds = 1.0 / (1.5 + repeats) * np.exp((1.0 + repeats) * np.log((scale + age) / (scale + recency)))
    return 1.0 / (1.0 + odds)


@numba.njit(nogil=True, cache=True)
def _known(starts, times, values, profile, cut_off, trait):
    """Give the last value known before the cut-off, NaN when there is none."""
    begin, end = starts[profile], starts[profile + 1]
    for row in range(begin + np.searchsorted(times[begin:end], cut_off) - 1, begin - 1, -1):
        if not np.isnan(values[row, trait]):
            return values[row, trait]
    return np.nan
