"""Contributions against LightGBM's own exact ones."""

import lightgbm as lgb
import numpy as np
import pytest

from likelier.explanations.contributions import Explainer, Reasons
from likelier.model.train import PARAMETERS, fit, fit_forests, fit_trees, log_odds

COLUMNS = 12


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(4000, COLUMNS)).astype(np.float32)
    matrix[:, 1] = np.round(np.abs(matrix[:, 1]) * 2)  # counts: many equal values, never missing
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    matrix[:, 1:3] = np.nan_to_num(matrix[:, 1:3])
    odds = np.nan_to_num(matrix[:, 0]) + matrix[:, 1] * np.nan_to_num(matrix[:, 3], nan=2.0)
    return matrix, rng.random(4000) < 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize("leaves", [2, 4, 8])
@pytest.mark.parametrize("factors", [COLUMNS, 5])
def test_equal_to_the_exact_ones(data, leaves, factors):
    matrix, labels = data
    train = lgb.Dataset(matrix, labels.astype(float), params=PARAMETERS)
    booster = lgb.train({**PARAMETERS, "num_leaves": leaves, "feature_fraction": 0.5, "seed": 3}, train, 40)
    asked = np.vstack([matrix, np.full((3, COLUMNS), np.nan, np.float32)])
    explainer = Explainer.of([booster], np.arange(COLUMNS) % factors)
    exact = np.asarray(booster.predict(asked, pred_contrib=True))
    grouped = np.stack([exact[:, :-1][:, k::factors].sum(axis=1) for k in range(factors)], axis=1)
    np.testing.assert_allclose(explainer.contributions(asked), grouped, atol=1e-9)
    assert explainer.base == pytest.approx(exact[0, -1], abs=1e-9)


def test_of_several_forests_they_are_the_mean(data):
    matrix, labels = data
    forests = fit_forests(matrix, labels, seed=1, people=500)
    each = [Explainer.of([one], np.arange(COLUMNS)).contributions(matrix) for one in forests]
    told = Explainer.of(forests, np.arange(COLUMNS)).contributions(matrix)
    np.testing.assert_allclose(told, np.mean(each, axis=0), atol=1e-12)


@pytest.mark.compiles
def test_they_add_up_to_the_prediction(data):
    matrix, labels = data
    learnt = fit(matrix, labels, seed=1)
    reasons = Reasons.of(learnt, np.arange(COLUMNS) % 5)
    told = reasons.base + reasons.contributions(matrix).sum(axis=1)
    np.testing.assert_allclose(told, log_odds(learnt, matrix), atol=1e-9)


def test_they_are_the_same_whoever_else_is_asked_about(data):
    matrix, labels = data
    reasons = Reasons.of(fit(matrix, labels, seed=1), np.arange(COLUMNS) % 5)
    together, some = reasons.contributions(matrix), np.arange(0, len(matrix), 400)
    np.testing.assert_array_equal(together[some], np.concatenate([reasons.contributions(matrix[[k]]) for k in some]))


def test_factors_hold_what_their_features_add(data):
    matrix, labels = data
    learnt = fit(matrix, labels, seed=1)
    each = Reasons.of(learnt, np.arange(COLUMNS)).contributions(matrix)
    joined = Reasons.of(learnt, np.arange(COLUMNS) % 5).contributions(matrix)
    np.testing.assert_allclose(joined, np.stack([each[:, k::5].sum(axis=1) for k in range(5)], axis=1), atol=1e-9)


def test_a_model_of_no_splits_says_its_base(data):
    matrix, _ = data
    labels = np.zeros(len(matrix), bool)
    labels[0] = True
    trees = fit_trees(matrix[:60], labels[:60], seed=1)
    explainer = Explainer.of([trees], np.arange(COLUMNS))
    told = explainer.base + explainer.contributions(matrix[:60]).sum(axis=1)
    np.testing.assert_allclose(told, trees.predict(matrix[:60], raw_score=True), atol=1e-9)
