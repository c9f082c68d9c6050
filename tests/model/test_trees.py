"""What tables say of rows against LightGBM's own prediction."""

import lightgbm as lgb
import numpy as np
import pytest

from likelier.model.train import MANY_PEOPLE, PARAMETERS, fit_forests, fit_trees
from likelier.model.trees import MOST_SPLITS, Forest

COLUMNS = 8


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(2000, COLUMNS)).astype(np.float32)
    matrix[:, 1] = np.round(np.abs(matrix[:, 1]) * 2)  # counts: values lie on thresholds, none is missing
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    matrix[:, 1:3] = np.nan_to_num(matrix[:, 1:3])
    odds = np.nan_to_num(matrix[:, 0]) + matrix[:, 1] * np.nan_to_num(matrix[:, 3], nan=2.0)
    return matrix, rng.random(2000) < 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize("leaves", [2, 4, MOST_SPLITS + 1])
def test_predictions_are_lightgbms_to_the_last_bit(data, leaves):
    matrix, labels = data
    asked = np.vstack([matrix, np.full((3, COLUMNS), np.nan, np.float32), np.zeros((1, COLUMNS), np.float32)])
    train = lgb.Dataset(matrix, labels.astype(float), params=PARAMETERS)
    trees = lgb.train({**PARAMETERS, "num_leaves": leaves, "feature_fraction": 0.5, "seed": 3}, train, 40)
    told = Forest.of(trees).log_odds(asked)
    np.testing.assert_array_equal(told, trees.predict(asked, raw_score=True))
    np.testing.assert_array_equal(told[::77], Forest.of(trees).log_odds(asked[::77]))
    again = lgb.Booster(model_str=trees.model_to_string())
    np.testing.assert_array_equal(told, Forest.of(again).log_odds(asked))


def test_several_forests_say_their_mean(data):
    matrix, labels = data
    forests = fit_forests(matrix, labels, seed=3, people=500)
    assert len(forests) == 4
    expected = np.mean([trees.predict(matrix, raw_score=True) for trees in forests], axis=0)
    np.testing.assert_allclose(Forest.of(*forests).log_odds(matrix), expected, atol=1e-12)


def test_of_few_people_more_forests_are_grown_the_first_ones_the_same(data):
    few, many = (fit_forests(*data, seed=3, people=people) for people in (1, MANY_PEOPLE))
    assert (len(few), len(many)) == (4, 2)
    assert [trees.model_to_string() for trees in many] == [trees.model_to_string() for trees in few[:2]]


@pytest.mark.compiles
def test_trees_without_a_split_say_the_rate(data):
    matrix, labels = data
    trees = fit_trees(matrix[:60], labels[:60], seed=1)  # too few rows for a leaf of 40 on either side
    np.testing.assert_array_equal(Forest.of(trees).log_odds(matrix[:9]), trees.predict(matrix[:9], raw_score=True))


def test_trees_with_too_many_splits_are_refused(data):
    matrix, labels = data
    train = lgb.Dataset(matrix, labels.astype(float), params=PARAMETERS)
    trees = lgb.train({**PARAMETERS, "num_leaves": MOST_SPLITS + 2}, train, 1)
    with pytest.raises(ValueError, match=f"A tree has {MOST_SPLITS + 1} splits; at most {MOST_SPLITS}"):
        Forest.of(trees)
