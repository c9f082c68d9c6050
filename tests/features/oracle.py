"""Every feature by a plain loop over a profile's events: slow, independent of the kernel, meant to be read."""

import itertools
import math
from dataclasses import dataclass, field

from likelier.features.definitions import Feature, FeatureSet, Kind

DAY = 86_400_000_000


@dataclass
class Event:
    time: int  # microseconds
    signals: set[int]
    measures: dict[int, float] = field(default_factory=dict)
    categories: dict[int, list[int]] = field(default_factory=dict)


def value(feature: Feature, features: FeatureSet, events: list[Event], cut_off: int, traits=()) -> float:
    past = [event for event in events if event.time < cut_off]
    ages = [(cut_off - event.time) / DAY for event in past]
    if feature.kind >= Kind.TRAIT:
        return trait(feature, traits, cut_off)
    if feature.kind in {Kind.WEEKEND, Kind.NIGHT}:
        return share(feature, past)
    if feature.kind == Kind.DISTINCT:
        edge = features.edges[feature.window]
        return len(
            {
                code
                for event, age in zip(past, ages, strict=True)
                if age <= edge
                for code in event.categories.get(feature.subject, [])
            }
        )
    if feature.kind >= Kind.SUM:
        return measure(feature, features, past, ages, cut_off)
    return signal(feature, features, past, ages)


def trait(feature, traits, cut_off):
    known = [values[feature.subject] for time, values in traits if time < cut_off and feature.subject in values]
    latest = known[-1] if known else math.nan
    if feature.kind == Kind.TRAIT_IS:
        return float(latest == feature.window)
    return latest - cut_off / DAY if feature.kind == Kind.TRAIT_DAYS_TO else latest


def share(feature, past):
    if not past:
        return math.nan
    if feature.kind == Kind.WEEKEND:
        hits = [(event.time // DAY + 3) % 7 in {5, 6} for event in past]
    else:
        hits = [event.time % DAY < DAY / 4 for event in past]
    return sum(hits) / len(past)


def measure(feature, features, past, ages, cut_off):
    pairs = [
        (event.measures[feature.subject], age)
        for event, age in zip(past, ages, strict=True)
        if feature.subject in event.measures
    ]
    values = [number for number, _ in pairs]
    if feature.kind == Kind.SUM:
        return sum(number for number, age in pairs if age <= features.edges[feature.window])
    if not values:
        return math.nan
    return {
        Kind.MEAN: lambda: sum(values) / len(values),
        Kind.GREATEST: lambda: max(values),
        Kind.LATEST: lambda: values[-1],
        Kind.DAYS_TO: lambda: values[-1] - cut_off / DAY,
    }[feature.kind]()


def signal(feature, features, past, ages):
    mine = [age for event, age in zip(past, ages, strict=True) if feature.subject in event.signals]
    edges = features.edges
    # The latest event of each active day stands for it; latest day first.
    days: dict[int, float] = {}
    for age in sorted(mine):
        days.setdefault(math.ceil(age) - 1 if age == int(age) else int(age), age)
    active = list(days.values())
    gaps = [older - newer for newer, older in itertools.pairwise(active)]

    def count(window):
        return sum(age <= edges[window] for age in mine)

    if feature.kind == Kind.COUNT:
        return count(feature.window)
    if feature.kind == Kind.DAYS:
        return sum(age <= edges[feature.window] for age in active)
    if feature.kind == Kind.DECAY:
        return sum(2 ** (-age / features.half_lives[feature.window]) for age in mine)
    if feature.kind == Kind.TREND:
        recent, longer = edges[feature.window], edges[feature.window + 1]
        usual = (max(mine) if mine else 0) if math.isinf(longer) else longer
        return math.log1p(count(feature.window)) - math.log1p(count(feature.window + 1) * recent / max(usual, recent))
    if not mine:
        return math.nan
    if feature.kind == Kind.NTH:
        return active[feature.window] if feature.window < len(active) else math.nan
    mean = sum(gaps) / len(gaps) if gaps else math.nan
    return {
        Kind.LAST: lambda: min(mine),
        Kind.FIRST: lambda: max(mine),
        Kind.SHARE: lambda: len(mine) / len(past),
        Kind.RATE: lambda: (len(active) + 0.5) / (max(mine) + features.outcome_days) * features.outcome_days,
        Kind.ALIVE: lambda: alive(len(gaps), max(mine) - min(mine), max(mine), features.outcome_days),
        Kind.GAP_MEAN: lambda: mean,
        Kind.GAP_SPREAD: lambda: math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) if gaps else math.nan,
        Kind.GAP_LAST: lambda: gaps[0] if gaps else math.nan,
        Kind.OVERDUE: lambda: min(mine) / max(mean, 0.04) if gaps else math.nan,
    }[feature.kind]()


def alive(repeats, recency, age, scale):
    """BG/NBD, equation for P(active | history), r = 1, alpha = scale, a = 1, b = 2.5."""
    if repeats == 0:
        return 1.0
    return 1 / (1 + (1 / (2.5 + repeats - 1)) * ((scale + age) / (scale + recency)) ** (1 + repeats))
