"""Drift on people drawn at random: seen when it is there, not seen when it is not; the estimate of an AUC."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from likelier.explanations.factors import Shown
from likelier.insights.drift import (
    Snapshot,
    base_rate_drift,
    chance,
    factor_drift,
    population_drift,
    psi,
    score_drift,
)
from likelier.insights.estimate import estimated_auc, likely_rates, trust
from likelier.model.calibrate import LEFT, line, raw_of

SHOWN = tuple(Shown(f"f{k}", f"Count of f{k}", (k,)) for k in range(20))


def snapshot(rng, shift=0.0, people=2000, grown=0.0):
    """Twenty counts that each add to the log-odds; the first is shifted, the second grows as history does."""
    values = rng.poisson(4, (people, len(SHOWN))).astype(float)
    values[:, 0] += shift
    values[:, 1] += grown
    values[rng.random(values.shape) < 0.1] = np.nan
    contributions = np.nan_to_num(0.1 * (values - 4))
    return Snapshot(values, contributions, expit(contributions.sum(axis=1)))


def quiet(rng, grown=0.0):
    return [(snapshot(rng, grown=k * grown), snapshot(rng, grown=(k + 1) * grown)) for k in range(5)]


def test_a_shifted_factor_comes_first_and_says_what_it_does():
    rng = np.random.default_rng(1)
    first, *rest = factor_drift(snapshot(rng), snapshot(rng, shift=3), quiet(rng), SHOWN)
    assert (first["factor"], first["drifts"], first["matters"]) == ("f0", True, True)
    assert first["words"].startswith("f0: half of the people are above 7 now, above 4 before")
    assert "odds × 1.3" in first["words"]
    assert not any(each["drifts"] for each in rest)


def test_people_in_whom_nothing_changed_raise_an_alarm_in_hardly_any_week():
    rng = np.random.default_rng(2)
    weeks = [factor_drift(snapshot(rng), snapshot(rng), quiet(rng), SHOWN) for _ in range(15)]
    assert not any(each["drifts"] for week in weeks for each in week)


def test_what_grows_with_the_history_is_usual():
    rng = np.random.default_rng(3)
    before, after = snapshot(rng, grown=5), snapshot(rng, grown=6)
    assert not any(each["drifts"] for each in factor_drift(before, after, quiet(rng, grown=1), SHOWN))


def test_without_enough_history_nothing_is_called_drift():
    rng = np.random.default_rng(4)
    told = factor_drift(snapshot(rng), snapshot(rng, shift=9), quiet(rng)[:2], SHOWN)
    assert told[0]["factor"] == "f0"
    assert (told[0]["drifts"], told[0]["usual"]) == (False, None)


def test_shifts_add_up_to_the_change_of_the_mean_score():
    rng = np.random.default_rng(5)
    before, after = snapshot(rng), snapshot(rng, shift=1)
    told = factor_drift(before, after, quiet(rng), SHOWN)
    change = after.contributions.sum(axis=1).mean() - before.contributions.sum(axis=1).mean()
    assert sum(each["shift"] for each in told) == pytest.approx(change)


def test_a_drift_of_the_scores_is_seen():
    rng = np.random.default_rng(6)
    assert score_drift(snapshot(rng), snapshot(rng, shift=9), quiet(rng))["drifts"]
    assert not score_drift(snapshot(rng), snapshot(rng), quiet(rng))["drifts"]


def rates(*percents):
    return [{"cut_off": f"{k}", "eligible": 2000, "qualifying": 20 * each} for k, each in enumerate(percents)]


def test_a_base_rate_that_doubled_is_seen_and_one_that_wavers_is_not():
    assert base_rate_drift(rates(10, 11, 10, 9, 10, 20))["drifts"]
    assert not base_rate_drift(rates(10, 14, 9, 12, 10, 15))["drifts"]
    assert base_rate_drift(rates(10, 20)) is None


def test_a_population_that_shrinks_is_seen():
    usual = [(1000, 1020), (1010, 990), (1020, 1000)]
    assert population_drift(1000, 600, usual)["drifts"]
    assert not population_drift(1000, 990, usual)["drifts"]
    assert not population_drift(1000, 600, usual[:2])["drifts"]


def test_counts_that_are_the_same_are_no_distance_apart():
    assert psi(np.array([5, 5]), np.array([50, 50])) == pytest.approx(0)
    assert chance(np.array([5, 0]), np.array([50, 0])) == 1


def drawn(rng, people, slope=1.0):
    probability = expit(rng.normal(-1, 1.2, people))
    truth = expit(-1 + slope * (np.log(probability / (1 - probability)) + 1))
    return probability, rng.random(people) < truth


def lines(rng, windows, people=2000, slopes=0.0):
    """Lines of windows in which what came differed by chance, and by slopes that spread so far about 1."""
    found = (drawn(rng, people, slope) for slope in rng.normal(1, slopes, windows))
    return [line(raw_of(probability), labels) for probability, labels in found]


@pytest.mark.parametrize("slope", [1.0, 0.6])
def test_an_estimated_auc_is_near_the_one_that_comes_true(slope):
    """A model twice as sure as it should be is known to be: its line on the judged people says so."""
    rng = np.random.default_rng(7)
    errors, inside = [], []
    for seed in range(12):
        asked, came = drawn(rng, 2000, slope)
        told = trust([line(raw_of(asked), came)])
        probability, labels = drawn(rng, 2000, slope)
        estimate = estimated_auc(probability, told, seed=seed)
        came = roc_auc_score(labels, probability)
        errors.append(estimate["value"] - came)
        inside.append(estimate["low"] <= came <= estimate["high"])
    assert abs(np.mean(errors)) < 0.012  # of one window alone not all is believed
    assert sum(inside) >= 10


def test_a_slope_that_one_window_of_many_shows_is_chance():
    """The more windows there are, the nearer 1 the slope, and the surer; but not where windows do differ."""
    rng = np.random.default_rng(11)
    one, many, differ = trust(lines(rng, 1)), trust(lines(rng, 12)), trust(lines(rng, 12, slopes=0.25))
    assert abs(many["slope"] - 1) < 0.05
    error, later, wide = (told["covariance"][1][1] ** 0.5 for told in (one, many, differ))
    assert later < 0.5 * error
    assert wide == pytest.approx(0.25, rel=0.4)


def test_windows_that_the_model_learnt_from_say_how_far_they_lie_apart_and_no_more():
    rng = np.random.default_rng(12)
    since = [line(raw_of(probability), labels) for probability, labels in (drawn(rng, 2000, 1.5) for _ in range(4))]
    alone, beside = trust(since), trust(since, lines(rng, 12))
    assert beside["slope"] == pytest.approx(alone["slope"], abs=0.05)
    assert trust(since[:1], lines(rng, 12))["covariance"][0][0] < 0.25 * LEFT**2


def test_rates_come_between_the_bounds_that_were_given_before():
    """As a line through few people is unsure, the truth lies about it: as many rates hold as should."""
    rng = np.random.default_rng(9)
    inside = []
    for _ in range(300):
        told = trust(lines(rng, 1, people=400))
        probability, _ = drawn(rng, 4000)
        level, slope = rng.multivariate_normal([0, 1], told["covariance"])
        truth = expit(told["centre"] + level + slope * (logit(probability) - told["centre"]))
        reached, score = rng.random(4000) < truth, 100 * probability
        who = {"all": score >= 0, "low": score < 25, "medium": (score >= 25) & (score < 75), "high": score >= 75}
        for name, rate in likely_rates(probability, score, told).items():
            inside.append(rate["low"] <= reached[who[name]].mean() <= rate["high"])
    assert 0.93 < np.mean(inside) < 0.97


def test_of_nobody_no_rate_is_likely():
    told = trust(lines(np.random.default_rng(8), 1, people=500))
    assert likely_rates(np.array([0.2]), np.array([50.0]), told)["high"] is None


def test_scores_that_are_all_the_same_order_nobody():
    told = trust(lines(np.random.default_rng(8), 1, people=500))
    assert estimated_auc(np.full(100, 0.3), told, seed=1)["value"] == 0.5


def test_a_line_through_people_of_one_outcome_is_finite():
    found = line(raw_of(np.array([0.2, 0.4])), np.array([True, True]))
    assert np.isfinite([found.level, found.slope, trust([found])["slope"]]).all()
