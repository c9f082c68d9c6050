"""Intervals hold what they promise, where the truth is known."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

from likelier.model.evaluate import auc, auc_gain, average_precision, deciles, precision_auc

REPEATS = 200


@pytest.mark.parametrize(("positives", "apart"), [(20, 0.5), (50, 1.0), (100, 2.0), (200, 1.0)])
def test_the_interval_of_an_auc_holds_the_true_one(positives, apart):
    """Scores of those who did and those who did not are normal, so the true AUC has a formula."""
    rng, truth = np.random.default_rng(positives), float(norm.cdf(apart / np.sqrt(2)))
    labels = np.arange(4 * positives) < positives
    found = [auc(rng.normal(size=len(labels)) + apart * labels, labels) for _ in range(REPEATS)]
    assert 0.9 <= np.mean([one["low"] <= truth <= one["high"] for one in found]) <= 0.99


@pytest.mark.parametrize("best", [0.2, 0.6, 0.95])
def test_the_interval_of_a_lift_holds_the_true_one(best):
    """Nearly everybody, or few, of the best tenth do it, and one in twenty of the others."""
    rng = np.random.default_rng(int(100 * best))
    score = -np.arange(1000.0)
    chance = np.where(np.arange(1000) < 100, best, 0.05)
    truth = best / chance.mean()
    tops = [deciles(score, rng.random(1000) < chance)[0] for _ in range(REPEATS)]
    assert 0.9 <= np.mean([top["lift_low"] <= truth <= top["lift_high"] for top in tops]) <= 0.99


def test_intervals_stay_where_figures_can_be():
    labels = np.array([True] * 5 + [False] * 50)
    perfect = labels.astype(float)
    for found in (auc(perfect, labels), precision_auc(perfect, labels, seed=1)):
        assert 0 < found["low"] <= found["value"] == 1 >= found["high"] > 0.99
    for tenth in deciles(perfect, labels):
        assert 0 <= tenth["lift_low"] < tenth["lift_high"] <= 11


@pytest.mark.parametrize("values", [3, 50, 10**9])
def test_the_average_precision_is_that_of_scikit_learn_ties_and_gaps_included(values):
    rng = np.random.default_rng(values)
    score, labels = rng.integers(0, values, 400) / values, rng.random(400) < 0.2
    levels = 2 * np.unique(-score, return_inverse=True)[1] + 1
    assert average_precision(levels, labels) == pytest.approx(average_precision_score(labels, score), abs=1e-12)


def test_the_difference_of_two_orders_has_the_error_that_repetition_shows():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        truth = rng.normal(size=400)
        labels = rng.random(400) < 1 / (1 + np.exp(-truth))
        one, other = truth + rng.normal(size=400), truth + rng.normal(size=400)
        gained, error = auc_gain(one, other, labels)
        assert gained == pytest.approx(roc_auc_score(labels, one) - roc_auc_score(labels, other))
        found.append((gained, error))
    gains, errors = np.array(found).T
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.25)
