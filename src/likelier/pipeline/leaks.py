"""Factors that give the answer away, found before a model learns from them.

Windows keep every event in its time. What they cannot see is data that was written later than it says: an attribute
without dates that was set because of the outcome, a total that went on growing after the cut-off, an event recorded
afterwards under an earlier time, a person's status of today copied onto old events. Two questions find them:

* Does one factor alone tell almost everybody apart, among all or among those to whom the goal never happened before?
  A value without a date, or the same on all events of a person, is then not believed; any other only as long as it says
  as much of the people to be scored.
* Does a number fit what people had done by the as-of instant much better than what they had done by the cut-off?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from likelier.activities.codes import Codebook, Measure, Signal, Source, Trait
from likelier.activities.traits import TraitHistory
from likelier.datasets import FieldType
from likelier.errors import RunError
from likelier.features.definitions import Feature, FeatureSet, Kind
from likelier.phrases import join, say
from likelier.windows import Calendar

NEAR_PERFECT = 0.97  # of pairs told apart by one factor alone
LEAST_OF_EACH = 50  # people with and without the outcome for an answer to mean something
BINS = 20
COLLAPSED = 0.5  # of the base rate: what a factor that knew too much says of the people to be scored
FITS = 0.8  # of a number's variance, by what people did until the as-of instant
MUCH_BETTER = 0.6  # of the variance left over when only what they did until the cut-off explains it
LEAST_MOVED = 100
ALMOST = 0.99  # of the people
ANY = 0  # the bit of "any event"
NUMBERS = {Kind.TRAIT, Kind.TRAIT_DAYS_TO, Kind.LATEST, Kind.GREATEST, Kind.MEAN}

Matrix = Callable[[FeatureSet], np.ndarray]


@dataclass(frozen=True)
class Leak:
    """A factor that knows too much: where its values come from, and what shows it."""

    factor: str
    origin: str
    evidence: str
    remedy: str


@dataclass(frozen=True)
class Witnesses:
    """The people of the judge cut-off: what came of them, and their features then (`before`) and now (`now`)."""

    calendar: Calendar
    codebook: Codebook
    features: FeatureSet
    traits: TraitHistory
    labels: np.ndarray
    before: Matrix
    now: Matrix
    to_score: Matrix


def refuse_leaks(witnesses: Witnesses, trusted: tuple[str, ...]) -> None:
    """Raise RunError 402 when a factor that is not trusted gives the answer away."""
    found = {
        leak.factor: leak for leak in find_leaks(witnesses) if leak.origin not in trusted and leak.factor not in trusted
    }
    if not found:
        return
    first = next(iter(found.values()))
    raise RunError(
        402,
        join([say("The answer leaks into the past."), *(leak.evidence for leak in found.values())]),
        [
            *dict.fromkeys(leak.remedy for leak in found.values()),
            say("If it was truly known before the cut-off, allow it (trusted: [{origin}]).", origin=first.origin),
        ],
    )


def find_leaks(witnesses: Witnesses) -> Iterator[Leak]:
    """Give every factor that knows more than it can."""
    yield from _giveaways(witnesses)
    yield from _followers(witnesses)


def _giveaways(witnesses: Witnesses) -> Iterator[Leak]:
    """Find factors that alone tell those who met the goal from those who did not."""
    matrix, coming = witnesses.before(witnesses.features), witnesses.to_score(witnesses.features)
    done, done_coming = (ask(_goal_counts(witnesses)).any(axis=1) for ask in (witnesses.before, witnesses.to_score))
    everyone = np.ones(len(matrix), bool), np.ones(len(coming), bool)
    cut_off, as_of = witnesses.calendar.judge, witnesses.calendar.as_of
    for mine, theirs in (everyone, (~done, ~done_coming)):
        labels = witnesses.labels[mine]
        if min(labels.sum(), (~labels).sum()) < LEAST_OF_EACH:
            continue
        then, now = matrix[mine].T.copy(), coming[theirs].T.copy()  # a row a feature: each is read as a whole
        for columns in _columns_of_factors(witnesses.features):
            feature = witnesses.features.features[columns[0]]
            places, rates = _rates(*_as_one(witnesses.features, columns, then, now), labels)
            mine_in = places[: len(labels)]
            pairs = separation(rates, *(np.bincount(mine_in[did], minlength=len(rates)) for did in (labels, ~labels)))
            if pairs < NEAR_PERFECT:
                continue
            said, actual = float(rates[places[len(labels) :]].mean()) if theirs.any() else 0.0, float(labels.mean())
            told = {"factor": feature.factor, "pairs": 100 * pairs, "cut_off": f"{cut_off:%Y-%m-%d}"}
            if _undated(feature, witnesses):
                evidence = say(
                    "'{factor}' alone tells {pairs:.1f} of 100 pairs of people apart at the cut-off {cut_off}, and "
                    "nothing says since when it is known.",
                    **told,
                )
            elif _never_changes(feature, witnesses):
                evidence = say(
                    "'{factor}' alone tells {pairs:.1f} of 100 pairs of people apart at the cut-off {cut_off}, and it "
                    "is the same on all events of a person.",
                    **told,
                )
            elif said < COLLAPSED * actual or 1 - said < COLLAPSED * (1 - actual):
                evidence = say(
                    "'{factor}' alone tells {pairs:.1f} of 100 pairs of people apart at the cut-off {cut_off}, where "
                    "{actual:.1%} met the goal; of the people to be scored as of {as_of} it says so of {said:.1%}.",
                    **told,
                    actual=actual,
                    as_of=f"{as_of:%Y-%m-%d}",
                    said=said,
                )
            else:
                continue
            yield _leak(feature, witnesses, evidence)


def separation(rates: np.ndarray, did: np.ndarray, did_not: np.ndarray) -> float:
    """Give the share of pairs of one who did and one who did not that the rates of their bins put in order (AUC).

    >>> separation(np.array([0.0, 1.0]), np.array([0, 2]), np.array([1, 0]))
    1.0
    >>> separation(np.array([0.5, 0.5]), np.array([1, 0]), np.array([0, 1]))
    0.5
    """
    level = np.unique(rates, return_inverse=True)[1]
    good, bad = np.bincount(level, did), np.bincount(level, did_not)
    return float((good * (np.cumsum(bad) - bad / 2)).sum() / (good.sum() * bad.sum()))


def _rates(values: np.ndarray, coming: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bin values; give the bin of each of them and of the coming ones, and the rate of the outcome in each bin."""
    given = values[~np.isnan(values)]
    edges = np.unique(np.quantile(given, np.linspace(0, 1, BINS + 1)[1:-1])) if len(given) else given
    both = np.concatenate([values, coming])
    # Ties stand together, below their edge and on it apart: a flag of 0 and 1 has bins of its own.
    places = np.searchsorted(edges, both, "left") + np.searchsorted(edges, both, "right")
    places[np.isnan(both)] = 2 * len(edges) + 1
    mine = places[: len(labels)]
    counts = np.bincount(mine, minlength=2 * len(edges) + 2)
    did = np.bincount(mine, weights=labels, minlength=len(counts))
    return places, np.where(counts > 0, did / np.maximum(counts, 1), labels.mean())


def _columns_of_factors(features: FeatureSet) -> Iterator[list[int]]:
    """Give each column by itself, and the values of a trait together."""
    values: dict[str, list[int]] = {}
    for column, feature in enumerate(features.features):
        if feature.kind == Kind.TRAIT_IS:
            values.setdefault(feature.factor, []).append(column)
        else:
            yield [column]
    yield from values.values()


def _as_one(
    features: FeatureSet, columns: list[int], then: np.ndarray, now: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if features.features[columns[0]].kind != Kind.TRAIT_IS:
        return then[columns[0]], now[columns[0]]
    places = np.arange(1, len(columns) + 1)
    return places @ then[columns], places @ now[columns]


def _followers(witnesses: Witnesses) -> Iterator[Leak]:
    """Find numbers that go with what people did after the cut-off."""
    numbers = [k for k, feature in enumerate(witnesses.features.features) if feature.kind in NUMBERS]
    deeds = _deeds(witnesses)
    then, later = witnesses.before(deeds), witnesses.now(deeds)
    matrix = witnesses.before(witnesses.features.only(numbers))
    for place, column in enumerate(numbers):
        feature = witnesses.features.features[column]
        for deed, name in enumerate(deeds.names):
            if _origin(deeds.features[deed], witnesses.codebook) == _origin(feature, witnesses.codebook):
                continue
            early, late = left_over(matrix[:, place], then[:, deed], later[:, deed])
            if late < 1 - FITS and late < MUCH_BETTER * early:
                yield _leak(
                    feature,
                    witnesses,
                    say(
                        "'{factor}' follows what happens after the cut-off: '{deed}' of {as_of} explains {late:.0%} of "
                        "it, that of {cut_off} {early:.0%}.",
                        factor=feature.factor,
                        deed=name,
                        as_of=f"{witnesses.calendar.as_of:%Y-%m-%d}",
                        late=1 - late,
                        cut_off=f"{witnesses.calendar.judge:%Y-%m-%d}",
                        early=1 - early,
                    ),
                )
                break


def left_over(number: np.ndarray, then: np.ndarray, later: np.ndarray) -> tuple[float, float]:
    """Give the parts of a number's variance that a deed then and later leave over, among those it moved for.

    >>> left_over(np.arange(200.0), np.zeros(200), np.arange(200.0) * 2 + 1)
    (1.0, 0.0)
    """
    known = ~(np.isnan(number) | np.isnan(then) | np.isnan(later)) & (then != later)
    if known.sum() < LEAST_MOVED or np.ptp(number[known]) == 0:
        return 1.0, 1.0
    return _residual(number[known], then[known]), _residual(number[known], later[known])


def _residual(number: np.ndarray, deed: np.ndarray) -> float:
    if np.ptp(deed) == 0:
        return 1.0
    return max(0.0, float(np.round(1 - np.corrcoef(number, deed)[0, 1] ** 2, 9)))


def _deeds(witnesses: Witnesses) -> FeatureSet:
    """Plan what people have done over all time: how often, how much, how long ago."""
    codebook, everything = witnesses.codebook, len(witnesses.features.edges) - 1
    asked = [bit for bit, signal in enumerate(codebook.signals) if signal.source in {Source.ANY, Source.GOAL}]
    ways = {Kind.COUNT: "Count of", Kind.DAYS: "Days with", Kind.LAST: "Days since"}
    planned = [
        Feature(kind, bit, everything, f"{words} {codebook.signals[bit].name}", "")
        for bit in asked
        for kind, words in ways.items()
    ]
    planned += [
        Feature(Kind.SUM, place, everything, f"Total {measure.name}", "")
        for place, measure in enumerate(codebook.measures)
        if measure.type == FieldType.NUMBER
    ]
    return _planned(witnesses.features, planned)


def _goal_counts(witnesses: Witnesses) -> FeatureSet:
    everything = len(witnesses.features.edges) - 1
    bits = witnesses.codebook.bits(Source.GOAL)
    return _planned(witnesses.features, [Feature(Kind.COUNT, bit, everything, "", "") for bit in bits])


def _planned(features: FeatureSet, planned: list[Feature]) -> FeatureSet:
    return replace(features, features=tuple(planned))


def _undated(feature: Feature, witnesses: Witnesses) -> bool:
    """Say whether all that is known of a trait is known "always"."""
    if feature.kind not in {Kind.TRAIT, Kind.TRAIT_IS, Kind.TRAIT_DAYS_TO}:
        return False
    given = ~np.isnan(witnesses.traits.values[:, feature.subject])
    return bool((witnesses.traits.times[given] == 0).all())


def _never_changes(feature: Feature, witnesses: Witnesses) -> bool:
    """Say whether what is read of an event is the same on every event of almost every person."""
    everything, subject = len(witnesses.features.edges) - 1, feature.subject
    if feature.kind < Kind.SUM:
        planned = [Feature(Kind.COUNT, bit, everything, "", "") for bit in (subject, ANY)]
        here, all_events = witnesses.now(_planned(witnesses.features, planned)).T
        return bool((here > 0).any() and ((here == 0) | (here == all_events)).mean() >= ALMOST)
    if feature.kind < Kind.DISTINCT:
        planned = [Feature(kind, subject, 0, "", "") for kind in (Kind.LATEST, Kind.GREATEST, Kind.MEAN)]
        latest, greatest, mean = witnesses.now(_planned(witnesses.features, planned)).T
        return bool((np.isnan(latest) | (np.isclose(latest, greatest) & np.isclose(latest, mean))).mean() >= ALMOST)
    return False


def _source(feature: Feature, codebook: Codebook) -> Signal | Measure | Trait | None:
    if feature.kind < Kind.SUM:
        return codebook.signals[feature.subject]
    if feature.kind < Kind.DISTINCT:
        return codebook.measures[feature.subject]
    return codebook.traits[feature.subject] if feature.kind >= Kind.TRAIT else None


def _origin(feature: Feature, codebook: Codebook) -> str:
    """Name the field a feature is made of; the name of the event where that is no field of its own."""
    if feature.kind == Kind.DISTINCT:
        return codebook.categories[feature.subject].path
    source = _source(feature, codebook)
    if source is None:
        return feature.factor
    return source.name if isinstance(source, Signal) and source.path in {"", "eventType"} else source.path


def _leak(feature: Feature, witnesses: Witnesses, evidence: str) -> Leak:
    origin = _origin(feature, witnesses.codebook)
    source = _source(feature, witnesses.codebook)
    if isinstance(source, Trait):
        remedy = say(
            "Take '{name}' out of profile_attributes, or load it with the date since when each value holds.",
            name=source.name,
        )
    elif isinstance(source, Signal) and source.path == "eventType":
        remedy = say("Leave those events out (exclusions: eventType equals '{value}').", value=source.value)
    elif isinstance(source, Signal) and not source.path:
        remedy = say("Take '{name}' out of custom_events.", name=source.name)
    else:
        remedy = say("Leave the field out (ignored_fields: [{origin}]).", origin=origin)
    return Leak(feature.factor, origin, evidence, remedy)
