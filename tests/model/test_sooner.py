"""Shorter outcome windows: held in order, and days to wait that can be checked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelier.model.sooner import fit_sooner, in_order
from likelier.scores import expected_days

PROBABILITY = st.floats(0, 1)
ROWS = st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(PROBABILITY, min_size=n, max_size=n), min_size=1))


@given(ROWS, st.booleans())
def test_no_probability_goes_the_wrong_way_and_the_main_one_stays(rows, occurs):
    *shorter, main = np.array(rows).T
    found = in_order(shorter, main, occurs=occurs)
    steps = np.diff(found, axis=1)
    assert (steps >= 0).all() if occurs else (steps <= 0).all()
    assert (found[:, -1] == main).all()


@given(ROWS, st.booleans())
def test_in_order_already_stays_as_it_is(rows, occurs):
    ordered = np.sort(np.array(rows), axis=1)
    ordered = ordered if occurs else ordered[:, ::-1]
    assert (in_order(list(ordered.T[:-1]), ordered[:, -1], occurs=occurs) == ordered).all()


@given(ROWS, st.lists(st.integers(1, 90), min_size=4, max_size=4))
def test_days_to_expect_are_those_of_a_walk_over_small_steps(rows, lengths):
    probabilities = np.sort(np.clip(np.array(rows), 0, 0.999), axis=1)
    windows = np.cumsum(lengths)[: probabilities.shape[1]]
    found = expected_days(probabilities, windows, occurs=True)
    for row, days in zip(probabilities, found, strict=True):
        moments = np.linspace(0, windows[-1], 20_001)
        waiting = np.exp(np.interp(moments, [0, *windows], np.log(1 - np.array([0, *row]))))
        assert days == pytest.approx(np.trapezoid(waiting, moments), rel=1e-3)


def test_staying_away_waits_as_long_as_coming_does():
    come = np.array([[0.1, 0.4, 0.5]])
    windows = [7, 30, 90]
    assert expected_days(1 - come, windows, occurs=False) == expected_days(come, windows, occurs=True)


def test_a_shorter_window_learns_its_level_and_who_comes_soon():
    """Only those with the second feature come soon, whatever becomes of them later."""
    rng = np.random.default_rng(1)
    matrix = np.stack([rng.normal(size=4000), rng.integers(0, 2, 4000)], axis=1).astype(np.float32)
    soon = rng.random(4000) < np.where(matrix[:, 1] == 1, 0.5, 0.1) / (1 + np.exp(-matrix[:, 0]))
    found = fit_sooner(7, matrix, soon, np.arange(4000), seed=1)
    probability = found.probability(matrix)
    assert probability.mean() == pytest.approx(soon.mean(), abs=0.01)
    assert probability[matrix[:, 1] == 1].mean() > 3 * probability[matrix[:, 1] == 0].mean()
