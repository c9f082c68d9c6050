"""Learn from the past, be judged on a later past, then learn from all of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from likelier import scores
from likelier.activities.codes import Codebook
from likelier.activities.reduce import Activities, load
from likelier.activities.traits import TraitHistory, load_traits
from likelier.errors import RunError
from likelier.explanations.contributions import Reasons
from likelier.explanations.factors import pictured
from likelier.explanations.grouping import Seen, grouped
from likelier.features.defaults import default_features, distinct_signals, often, telling_the_goal
from likelier.features.definitions import FeatureSet, Kind
from likelier.features.kernel import compute
from likelier.insights.estimate import trust
from likelier.model import artifact, calibrate
from likelier.model.calibrate import Calibration, Line, raw_of
from likelier.model.evaluate import metrics, wilson
from likelier.model.sooner import Sooner
from likelier.model.train import Learnt, fit, fit_trees, log_odds, used_features
from likelier.phrases import say
from likelier.pipeline import soon
from likelier.pipeline.asking import Asked, Soon, load_asked, load_soon
from likelier.pipeline.leaks import Witnesses, refuse_leaks
from likelier.pipeline.reading import Progress
from likelier.timespan import DAY, to_us
from likelier.windows import CUT_OFFS_PER_WINDOW, Calendar, Row

MOST_TRAINING_ROWS = 60_000
HARDLY_EVER = 0.01
MANY_FEATURES = 200
SCREENING_ROUNDS = 150
SURVEYED_ROWS = 20_000
# Which examples are looked at and learnt from is a question about the data, on which a run's seed has no say: runs
# that differ by it alone learn from the same people and columns, and tell the same reasons.
DRAWING_SEED = 0
MOST_JUDGED_ROWS = 200_000
SAMPLE_EVENTS = 200_000
MOST_WITNESSES = 5_000
STRENGTH_ROWS = 20_000
GROUPING_ROWS = 5_000
HELD_OUT = 0.3
FEW_TO_CROSS = 30_000  # rows


@dataclass(frozen=True)
class Examples:
    """Rows with what came of them."""

    rows: Row
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, kept: np.ndarray) -> Examples:
        return Examples(Row(self.rows.profile[kept], self.rows.cut_off[kept]), self.labels[kept])

    @property
    def people(self) -> int:
        return len(np.unique(self.rows.profile))

    @property
    def tells_apart(self) -> bool:
        return bool(self.labels.any() and not self.labels.all())


@dataclass(frozen=True)
class Past:
    """Everything the learning stage reads."""

    activities: Activities
    traits: TraitHistory
    codebook: Codebook
    features: FeatureSet
    asked: Asked
    calendar: Calendar
    seed: int
    soon: Soon

    def examples(self, cut_offs: Sequence[dt.datetime], most: int) -> Examples:
        """Draw at most so many of the eligible examples at some cut-offs, sorted by profile."""
        wanted = set(cut_offs)
        columns = np.array([k for k, cut_off in enumerate(self.calendar.labelled) if cut_off in wanted], np.int64)
        profile, column = drawn(self.asked.eligible[:, columns], most, DRAWING_SEED)
        moments = np.array([to_us(self.calendar.labelled[k]) for k in columns], np.int64)
        return Examples(Row(profile, moments[column]), self.asked.labels[profile, columns[column]])

    def matrix(self, rows: Row) -> np.ndarray:
        return compute(self.activities, self.traits, self.codebook, self.features, rows)


def drawn(eligible: np.ndarray, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give profile and column of at most so many of the true places, sorted; only those that are drawn are written out.

    >>> [places.tolist() for places in drawn(np.array([[True, False], [True, True]]), 9, seed=1)]
    [[0, 1, 1], [0, 0, 1]]
    """
    until = np.cumsum(np.count_nonzero(eligible, axis=1))
    count = int(until[-1]) if len(until) else 0
    if count <= most:
        profile, column = np.nonzero(eligible)
        return profile, column
    chosen = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
    profile = np.searchsorted(until, chosen, side="right")
    true = eligible[profile]
    place = chosen - (until[profile] - np.count_nonzero(true, axis=1))  # among those of the profile
    return profile, np.argmax(np.cumsum(true, axis=1) > place[:, None], axis=1)


def train(
    calendar: Calendar,
    seed: int,
    folder: Path,
    out: Path,
    progress: Progress,
    *,
    occurs: bool = True,
    trusted: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Leave the fitted model in the folder; say how good it is.

    Raises RunError 402 when the past that trains or judges holds only one outcome, or when a factor that is not trusted
    gives the outcome away.
    """
    past = _past(calendar, seed, folder)
    taught, asked = judged_split(past)
    if not (taught.tells_apart and asked.tells_apart):
        raise RunError(
            402,
            say(
                "No model can be judged: at the cut-off {judge} {met:,} of {asked:,} examples met the goal, "
                "and {met_before:,} of {asked_before:,} before it.",
                judge=f"{calendar.judge:%Y-%m-%d}",
                met=int(asked.labels.sum()),
                asked=len(asked),
                met_before=int(taught.labels.sum()),
                asked_before=len(taught),
            ),
            [say("Change the outcome window (goal.window_days) or widen the population.")],
        )
    refuse_leaks(witnesses(past, asked), trusted)
    past = surveyed(past, taught)
    taught_matrix = past.matrix(taught.rows)
    progress(0.2, len(taught))
    judged = fit(taught_matrix, taught.labels, seed=seed, people=taught.people)
    progress(0.4, len(taught))
    asked_matrix = past.matrix(asked.rows)
    raw = log_odds(judged, asked_matrix)
    people, of_people = unseen(past, taught, taught_matrix)
    calibration = calibrated(people, of_people, raw, asked.labels)
    before = windows(people, calibration.corrected(of_people))
    probability = replace(calibration, shift=shift(judged, calibration, taught, taught_matrix)).probability(raw)
    save_judged(out, asked.rows.profile, probability)
    found = metrics(probability, asked.labels, seed=seed) | {"buckets": judged_buckets(probability, asked.labels)}
    progress(0.6, len(taught) + len(asked))
    by_window = _judged_windows(past, (taught, taught_matrix), (asked, asked_matrix), probability, occurs)
    final = past.examples(calendar.labelled, MOST_TRAINING_ROWS)
    final_matrix = past.matrix(final.rows)
    learnt = fit(final_matrix, final.labels, seed=seed, people=final.people)
    some = final_matrix[:: max(1, len(final) // STRENGTH_ROWS)]
    strength = tuple(strengths(learnt, some).tolist())
    calibration = replace(calibration, shift=shift(learnt, calibration, final, final_matrix))
    sooner = _sooner(past, (final, final_matrix), (calendar.judge, calendar.as_of), soon.most_rows(len(final)))
    artifact.save(artifact.Model(learnt, past.codebook, past.features, calibration, strength, sooner), out)
    progress(1.0, len(final))
    return {
        "metrics": found,
        "by_window": by_window,
        "trust": trust([calibrate.line(raw_of(probability), asked.labels)], before),
        "calibrated": calibration.words,
        "training_rows": len(final),
        "judged_rows": len(asked),
        "features": len(past.features.features),
        "factors": len(past.features.factors),
    }


def _sooner(
    past: Past, known: tuple[Examples, np.ndarray], since: tuple[dt.datetime, dt.datetime], most: int
) -> tuple[Sooner, ...]:
    """Learn the shorter windows from the main one's examples and from cut-offs that only they can know.

    These lie `since` one instant, and what came is known by another.
    """
    if not past.calendar.shorter_days:
        return ()
    after, known_by = since
    late = soon.late_rows(past.soon, after, known_by, past.calendar.shorter_days[0], most, DRAWING_SEED)
    parts = [(known[0].rows, known[1]), *([(late, past.matrix(late))] if len(late.profile) else [])]
    return soon.learn(past.soon, past.calendar, parts, known_by, most, past.seed)


def _judged_windows(
    past: Past,
    taught: tuple[Examples, np.ndarray],
    asked: tuple[Examples, np.ndarray],
    probability: np.ndarray,
    occurs: bool,  # noqa: FBT001
) -> list[dict[str, Any]]:
    """Judge every window, the main one last, on the same people; nothing where there is but one window."""
    calendar = past.calendar
    if not calendar.shorter_days:
        return []
    held_out = calendar.judged_by == "held-out profiles"
    after = calendar.as_of if held_out else calendar.training[-1]
    known_by = calendar.as_of if held_out else calendar.judge
    sooner = _sooner(past, taught, (after, known_by), min(len(taught[0]), soon.MOST_ROWS_TO_JUDGE))
    rows, matrix = asked[0].rows, asked[1]
    every = soon.probabilities(sooner, probability, matrix, occurs=occurs)
    came = [soon.labels_of(past.soon, place, rows) for place in range(len(sooner))]
    return soon.judged((*calendar.shorter_days, calendar.outcome_days), every, [*came, asked[0].labels])


def save_judged(out: Path, profile: np.ndarray, probability: np.ndarray) -> None:
    """Keep for the run's time whom the model was judged on, and what it said of them."""
    (out / "judged").mkdir(parents=True)
    np.savez(out / "judged" / "rows.npz", profile=profile, probability=probability)


def load_judged(out: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(out / "judged" / "rows.npz") as kept:
        return kept["profile"], kept["probability"]


def witnesses(past: Past, asked: Examples) -> Witnesses:
    """Call some people of the judge cut-off, and some of those to be scored."""
    some = asked.where(np.arange(0, len(asked), max(1, len(asked) // MOST_WITNESSES)))
    eligible = np.flatnonzero(past.asked.eligible[:, -1])
    coming = eligible[:: max(1, len(eligible) // MOST_WITNESSES)]
    now = to_us(past.calendar.as_of)

    def at(profiles: np.ndarray, cut_offs: np.ndarray) -> Callable[[FeatureSet], np.ndarray]:
        return lambda features: replace(past, features=features).matrix(Row(profiles, cut_offs))

    return Witnesses(
        past.calendar,
        past.codebook,
        past.features,
        past.traits,
        some.labels,
        before=at(some.rows.profile, some.rows.cut_off),
        now=at(some.rows.profile, np.full(len(some), now)),
        to_score=at(coming, np.full(len(coming), now)),
    )


def judged_buckets(probability: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Hold each bucket's expected rate beside what came of it, with the 95 % interval of the actual rate."""
    place = scores.buckets(scores.Scale.of(probability).score(probability))
    found = {}
    for k, name in enumerate(scores.BUCKETS):
        mine = place == k
        if not mine.any():
            continue
        low, high = wilson(float(labels[mine].sum()), int(mine.sum()))
        found[name] = {
            "profiles": int(mine.sum()),
            "expected": float(probability[mine].mean()),
            "rate": float(labels[mine].mean()),
            "low": low,
            "high": high,
        }
    return found


def strengths(learnt: Learnt, matrix: np.ndarray) -> np.ndarray:
    """Give the mean absolute contribution of each feature."""
    reasons = Reasons.of(learnt, np.arange(matrix.shape[1]))
    return np.abs(reasons.contributions(matrix)).mean(axis=0)


def _past(calendar: Calendar, seed: int, folder: Path) -> Past:
    activities, codebook = load(folder / "read")
    features = default_features(
        codebook,
        distinct_signals(codebook, activities.some_words(SAMPLE_EVENTS)),
        history_days=(calendar.judge - calendar.history_start) / DAY,
        outcome_days=calendar.outcome_days,
        silent=calendar.stands_still,
    )
    asked, soon_asked = load_asked(folder), load_soon(folder, calendar)
    return Past(activities, load_traits(folder / "read"), codebook, features, asked, calendar, seed, soon_asked)


def surveyed(past: Past, taught: Examples) -> Past:
    """Choose what is worth knowing, and by what names."""
    some = to_survey(past, taught)
    matrix = past.matrix(some.rows)
    columns = telling(past.features, matrix)
    past, matrix = replace(past, features=past.features.only(columns)), matrix[:, columns]
    sample = past.activities.some_words(SAMPLE_EVENTS)
    seen = Seen(often(past.codebook, sample), telling_the_goal(past.codebook, sample))
    few = matrix[:: max(1, len(some) // GROUPING_ROWS)]
    features = grouped(past.features, past.codebook, few, seen)
    return replace(past, features=screened(features, matrix, some.labels))


def to_survey(past: Past, taught: Examples) -> Examples:
    """Draw examples to look at; where profiles are held out to judge by, none but those that teach."""
    if past.calendar.judged_by == "later cut-off":
        return past.examples(past.calendar.training, SURVEYED_ROWS)
    return taught.where(np.arange(0, len(taught), max(1, len(taught) // SURVEYED_ROWS)))


def telling(features: FeatureSet, matrix: np.ndarray) -> list[int]:
    """Leave out how many distinct values there were where it is hardly ever more than one: it says that events came."""
    return [
        column
        for column, feature in enumerate(features.features)
        if feature.kind != Kind.DISTINCT or np.mean(matrix[:, column] > 1) > HARDLY_EVER
    ]


def screened(features: FeatureSet, matrix: np.ndarray, labels: np.ndarray) -> FeatureSet:
    """Of very many features keep those that a quick model of some examples asks for at all."""
    if len(features.features) <= MANY_FEATURES or labels.all() or not labels.any():
        return features
    used = used_features(fit_trees(matrix, labels, seed=DRAWING_SEED, rounds=SCREENING_ROUNDS))
    return features.only(with_what_is_shown(features, used)) if len(used) else features


def with_what_is_shown(features: FeatureSet, used: np.ndarray) -> list[int]:
    """Add to the used features what people are shown of their factors: all values of a trait, and a plain number.

    Traits stay in any case: somebody named them, and the few they are drown among the many features of events.
    """
    columns: dict[str, list[int]] = {}
    for column, feature in enumerate(features.features):
        columns.setdefault(feature.factor, []).append(column)
    kept = {*used.tolist(), *(k for k, feature in enumerate(features.features) if feature.kind >= Kind.TRAIT)}
    for factor in {features.features[column].factor for column in used}:
        plain = pictured(features, factor, columns[factor])
        if plain and features.features[plain[0]].kind == Kind.TRAIT_IS:
            kept.update(plain)
        elif plain and not kept.intersection(plain):
            kept.add(plain[0])
    return sorted(kept)


def judged_split(past: Past) -> tuple[Examples, Examples]:
    """Give what the judged model learns from, and what it is asked about: a later cut-off, else other profiles."""
    calendar = past.calendar
    asked = past.examples([calendar.judge], MOST_JUDGED_ROWS)
    if calendar.judged_by == "later cut-off":
        return past.examples(calendar.training, MOST_TRAINING_ROWS), asked
    held_out = np.random.default_rng(DRAWING_SEED).random(past.activities.profiles)[past.activities.people] < HELD_OUT
    taught = past.examples(calendar.labelled, MOST_TRAINING_ROWS)
    return taught.where(~held_out[taught.rows.profile]), asked.where(held_out[asked.rows.profile])


def shift(learnt: Learnt, bend: Calibration, examples: Examples, matrix: np.ndarray) -> float:
    """Foretell how the next outcomes lie above or below what is expected, from those of the last window."""
    latest = np.isin(examples.rows.cut_off, np.unique(examples.rows.cut_off)[-CUT_OFFS_PER_WINDOW:])
    expected = replace(bend, shift=0.0).corrected(log_odds(learnt, matrix[latest]))
    return calibrate.lasting_shift(expected, examples.labels[latest])


def unseen(past: Past, taught: Examples, matrix: np.ndarray) -> tuple[Examples, np.ndarray]:
    """Ask about people whom a model has not seen, each half what the other taught: give them with raw log-odds.

    Where there are very many, one half is enough. There is nobody where a half knows but one outcome.
    """
    one = np.random.default_rng([DRAWING_SEED, 1]).random(past.activities.profiles)[past.activities.people] < 0.5
    half = one[taught.rows.profile]
    halves = [half, ~half] if len(taught) < FEW_TO_CROSS else [half]
    if not all(taught.where(learns).tells_apart for learns in (half, ~half)):
        return taught.where(np.zeros(len(taught), bool)), np.zeros(0)
    asked = np.concatenate([np.flatnonzero(~learns) for learns in halves])
    people = taught.people  # all of them, so that a half learns as the whole did

    def said(learns: np.ndarray) -> np.ndarray:
        learnt = fit(matrix[learns], taught.labels[learns], seed=past.seed, people=people)
        return log_odds(learnt, matrix[~learns])

    return taught.where(asked), np.concatenate([said(learns) for learns in halves])


def calibrated(people: Examples, unseen: np.ndarray, raw: np.ndarray, labels: np.ndarray) -> Calibration:
    """Learn the bend on people the model had not seen; keep it when it helps at the judge cut-off."""
    if not people.tells_apart:
        return Calibration()
    found = calibrate.learn(unseen, people.labels, shared=CUT_OFFS_PER_WINDOW)
    helps = calibrate.log_loss(raw, labels, found) < calibrate.log_loss(raw, labels, Calibration())
    return found if helps else Calibration()


def windows(people: Examples, expected: np.ndarray) -> list[Line]:
    """Hold what came of people against what was expected, window by window, the latest first; none share a day."""
    apart = np.unique(people.rows.cut_off)[::-CUT_OFFS_PER_WINDOW]
    at = [people.rows.cut_off == cut_off for cut_off in apart]
    return [calibrate.line(expected[there], people.labels[there]) for there in at if people.where(there).tells_apart]
