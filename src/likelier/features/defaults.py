"""The features every run starts from, planned from the codebook alone: nothing assumes commerce."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from likelier.activities.codes import BITS, Category, Codebook, Measure, Signal, Source, Trait
from likelier.datasets import FieldType
from likelier.features.definitions import Feature, FeatureSet, Kind

SCALES = (7.0, 30.0, 90.0, 365.0)
HALF_LIVES = (7.0, 30.0, 120.0)
NTH = (2, 3, 5)
FORGIVING = 1.25  # an outcome window this near a scale needs none of its own
ORDER = (Source.CUSTOM, Source.STANDARD, Source.GOAL, Source.EVENT_TYPE, Source.ANY, Source.VALUE)


def default_features(
    codebook: Codebook,
    kept: list[int],
    *,
    history_days: float,
    outcome_days: float,
    silent: tuple[tuple[int, int], ...] = (),
) -> FeatureSet:
    """Plan the columns for the kept signals and all measures, categories and traits."""
    edges = lookbacks(history_days, outcome_days)
    features = [
        *(feature for bit in kept for feature in _of_signal(codebook.signals[bit], bit, edges)),
        *(feature for place, measure in enumerate(codebook.measures) for feature in _of_measure(measure, place, edges)),
        *(
            feature
            for place, category in enumerate(codebook.categories)
            for feature in _breadth(category, place, edges)
        ),
        Feature(Kind.WEEKEND, 0, 0, "Share of events at weekends", "Share of events at weekends"),
        Feature(Kind.NIGHT, 0, 0, "Share of events at night (UTC)", "Share of events at night (UTC)"),
        *(feature for place, trait in enumerate(codebook.traits) for feature in _of_trait(trait, place)),
    ]
    return FeatureSet(tuple(features), edges, HALF_LIVES, outcome_days, silent)


def lookbacks(history_days: float, outcome_days: float) -> tuple[float, ...]:
    """Choose the lookback windows: fixed scales that the history covers, the outcome window's own, and all time.

    >>> lookbacks(400, 60)
    (7.0, 30.0, 60.0, 90.0, 365.0, inf)
    >>> lookbacks(80, 30)
    (7.0, 30.0, inf)
    """
    scales = [scale for scale in SCALES if scale < history_days]
    if not any(1 / FORGIVING <= outcome_days / scale <= FORGIVING for scale in scales):
        scales.append(float(outcome_days))
    return (*sorted(scales), np.inf)


def often(codebook: Codebook, sample: np.ndarray) -> np.ndarray:
    """Count how many events of a sample, whose words are given, hold each signal."""
    return np.array([int(_holds(sample, bit).sum()) for bit in range(len(codebook.signals))])


def telling_the_goal(codebook: Codebook, sample: np.ndarray) -> frozenset[int]:
    """Bits that a sample of events has exactly where it has one of the goal's, these among them."""
    goals = [_holds(sample, bit) for bit in codebook.bits(Source.GOAL)]
    said = {goal.tobytes() for goal in goals if goal.any()}
    return frozenset(bit for bit in range(len(codebook.signals)) if _holds(sample, bit).tobytes() in said)


def distinct_signals(codebook: Codebook, sample: np.ndarray) -> list[int]:
    """Bits worth features: the rules that only judge and signals that always say what a better-named one says are not.

    Two signals count as one when they agree on every event of a sample in which they occur at all.
    """
    seen: set[bytes] = set()
    kept = []
    for bit in sorted(range(len(codebook.signals)), key=lambda bit: (ORDER.index(_rank(codebook.signals[bit])), bit)):
        if codebook.signals[bit].source in {Source.INCLUDE, Source.EXCLUDE}:
            continue
        holds = _holds(sample, bit)
        print_of_bit = np.packbits(holds).tobytes()
        if holds.any() and print_of_bit in seen:
            continue
        seen.add(print_of_bit)
        kept.append(bit)
    return sorted(kept)


def _holds(sample: np.ndarray, bit: int) -> np.ndarray:
    return (sample[:, bit // BITS] >> (bit % BITS) & 1).astype(np.bool_)


def _rank(signal: Signal) -> Source:
    return signal.source if signal.source in ORDER else Source.VALUE


def _span(days: float) -> str:
    return "" if np.isinf(days) else f" in {days:g} days"


def _of_signal(signal: Signal, bit: int, edges: tuple[float, ...]) -> Iterator[Feature]:
    name = signal.name
    since, count, rhythm = f"Days since {name}", f"Count of {name}", f"Rhythm of {name}"
    everything = len(edges) - 1
    yield Feature(Kind.LAST, bit, 0, since, since)
    if signal.source == Source.VALUE:
        for window in (everything, max(everything - 2, 0)):
            yield Feature(Kind.COUNT, bit, window, f"{count}{_span(edges[window])}", count)
        return
    for window, days in enumerate(edges):
        yield Feature(Kind.COUNT, bit, window, f"{count}{_span(days)}", count)
    for window, days in enumerate(edges):
        yield Feature(Kind.DAYS, bit, window, f"Days with {name}{_span(days)}", count)
    for window, days in enumerate(HALF_LIVES):
        yield Feature(Kind.DECAY, bit, window, f"{count}, halved every {days:g} days", count)
    for nth in NTH:
        yield Feature(Kind.NTH, bit, nth - 1, f"Days since day {nth} back with {name}", count)
    yield Feature(Kind.FIRST, bit, 0, f"Days since first {name}", f"Days since first {name}")
    yield Feature(Kind.GAP_MEAN, bit, 0, f"Days between {name}", rhythm)
    yield Feature(Kind.GAP_SPREAD, bit, 0, f"Irregularity of {name}", rhythm)
    yield Feature(Kind.GAP_LAST, bit, 0, f"Days between last two {name}", rhythm)
    yield Feature(Kind.OVERDUE, bit, 0, f"Days since {name} against usual gap", rhythm)
    for window, days in enumerate(edges[:-1]):
        yield Feature(Kind.TREND, bit, window, f"Trend of {name} in {days:g} days", f"Trend of {name}")
    if signal.source != Source.ANY:
        yield Feature(Kind.SHARE, bit, 0, f"Share of {name} in all events", f"Share of {name}")
    yield Feature(Kind.RATE, bit, 0, f"Expected days with {name}", count)
    yield Feature(Kind.ALIVE, bit, 0, f"Chance of more {name} by rhythm", rhythm)


def _of_measure(measure: Measure, place: int, edges: tuple[float, ...]) -> Iterator[Feature]:
    name = measure.name
    if measure.type == FieldType.MOMENT:
        yield Feature(Kind.DAYS_TO, place, 0, f"Days to {name}", f"Days to {name}")
        return
    total = f"Total {name}"
    for window, days in enumerate(edges):
        yield Feature(Kind.SUM, place, window, f"{total}{_span(days)}", total)
    for kind, word in ((Kind.MEAN, "Average"), (Kind.GREATEST, "Greatest"), (Kind.LATEST, "Latest")):
        yield Feature(kind, place, 0, f"{word} {name}", f"{word} {name}")


def _breadth(category: Category, place: int, edges: tuple[float, ...]) -> Iterator[Feature]:
    factor = f"Distinct {category.name}"
    for window, days in enumerate(edges):
        yield Feature(Kind.DISTINCT, place, window, f"{factor}{_span(days)}", factor)


def _of_trait(trait: Trait, place: int) -> Iterator[Feature]:
    if trait.type == FieldType.NUMBER:
        yield Feature(Kind.TRAIT, place, 0, trait.name, trait.name)
    elif trait.type == FieldType.MOMENT:
        yield Feature(Kind.TRAIT_DAYS_TO, place, 0, f"Days to {trait.name}", f"Days to {trait.name}")
    else:
        for window, value in enumerate(trait.values):
            yield Feature(Kind.TRAIT_IS, place, window, f"{trait.name} is {value}", trait.name)
