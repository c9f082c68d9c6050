"""Curves on made-up people whose log-odds are known."""

import json

import numpy as np
import pytest

from likelier.model.curves import Curves, fit_curves, read_off


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    matrix = np.stack([rng.exponential(10, 20_000), rng.normal(size=20_000), np.full(20_000, 3.0)], axis=1)
    matrix[rng.random(20_000) < 0.3, 0] = np.nan
    odds = 1.5 * np.nan_to_num(np.log1p(matrix[:, 0]) - 2) - 1
    return matrix.astype(np.float32), rng.random(20_000) < 1 / (1 + np.exp(-odds)), odds


def test_a_true_curve_is_found(people):
    matrix, labels, odds = people
    curves = fit_curves(matrix, labels, people=len(labels))
    assert np.corrcoef(curves.log_odds(matrix), odds)[0, 1] > 0.99
    noise = np.abs(curves.contributions(matrix)[:, 1]).mean()
    assert noise < 0.1 * np.abs(curves.contributions(matrix)[:, 0]).mean()


def test_contributions_add_up(people):
    matrix, labels, _ = people
    curves = fit_curves(matrix, labels, people=len(labels))
    told = curves.base + curves.contributions(matrix).sum(axis=1)
    np.testing.assert_allclose(told, curves.log_odds(matrix), atol=1e-12)


def test_absent_and_constant_values_add_nothing_and_new_ones_count_as_the_nearest_seen(people):
    matrix, labels, _ = people
    curves = fit_curves(matrix, labels, people=len(labels))
    asked = np.array([[np.nan, np.nan, 3], [1e9, 0, 7], [np.nanmax(matrix[:, 0]), 0, 3]], np.float32)
    found = curves.contributions(asked)
    assert found[0].tolist() == [0, 0, 0]
    assert found[:, 2].tolist() == [0, 0, 0]
    np.testing.assert_allclose(found[1], found[2])


def test_a_feature_nobody_has_is_a_flat_curve(people):
    matrix, labels, _ = people
    empty = np.concatenate([matrix, np.full((len(matrix), 1), np.nan, np.float32)], axis=1)
    assert not fit_curves(empty, labels, people=len(labels)).heights[3].any()


def test_they_survive_the_way_to_a_file_and_back(people):
    matrix, labels, _ = people
    curves = fit_curves(matrix, labels, people=len(labels))
    again = Curves.from_json(json.loads(json.dumps(curves.to_json())))
    np.testing.assert_array_equal(again.log_odds(matrix), curves.log_odds(matrix))


@pytest.mark.compiles
def test_heights_are_read_off_as_numpy_interpolates_to_the_last_bit():
    rng = np.random.default_rng(2)
    knots = np.sort(np.round(rng.exponential(3, (4, 65)), 1), axis=1)  # some of them repeated
    heights = rng.normal(size=knots.shape)
    matrix = rng.exponential(3, (700, 4)).astype(np.float32)
    matrix[:65] = knots.T  # on a knot, below the first, above the last
    matrix[65:67] = [[-1.0], [1e9]]
    expected = np.stack([np.interp(matrix[:, k], knots[k], heights[k]) for k in range(4)], axis=1)
    np.testing.assert_array_equal(read_off(matrix, knots, heights), expected)
    np.testing.assert_array_equal(read_off(matrix[::3], knots, heights), expected[::3])
    matrix[5] = np.nan
    assert read_off(matrix, knots, heights)[5].tolist() == [0, 0, 0, 0]
