"""What corrects log-odds: bends where a model was not sure enough, keeps the order, and says how far levels drift."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from likelier.model.calibrate import LEFT, Calibration, lasting_shift, learn, learn_on, line, log_loss, variance


def drawn(seed, rows=20_000, bend=lambda raw: raw):
    """People whose log-odds a model gives as `raw`, where `bend` of them is right."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(-2.5, 1.5, rows)
    return raw, rng.random(rows) < expit(bend(raw))


def low_end(raw):
    """A model says 0.02 where it is 0.004, and is right from 0.1 on."""
    knee = logit(0.1)
    return np.where(raw < knee, knee + 2 * (raw - knee), raw)


def test_it_bends_where_a_model_is_not_sure_enough_and_stays_where_it_is():
    found = learn(*drawn(1, bend=low_end))
    asked = logit(np.array([0.02, 0.2, 0.4]))
    np.testing.assert_allclose(found.probability(asked), expit(low_end(asked)), rtol=0.35)
    raw, labels = drawn(2, bend=low_end)
    assert log_loss(raw, labels, found) < log_loss(raw, labels, Calibration()) - 0.002
    few = raw < -3.5
    excess = [float(said.mean() - labels[few].mean()) for said in (expit(raw[few]), found.probability(raw[few]))]
    assert 0 <= excess[1] < excess[0] / 3


def test_what_was_learnt_follows_what_comes_and_stays_where_that_says_nothing_else():
    before = learn(*drawn(5))
    raw, labels = drawn(6, bend=low_end)
    asked = logit(np.array([0.02, 0.2, 0.4]))
    after = learn_on(before, raw, labels)
    np.testing.assert_allclose(after.probability(asked), expit(low_end(asked)), rtol=0.35)
    assert after.knots == before.knots
    again = learn_on(after, raw, labels)
    np.testing.assert_allclose(again.corrected(asked), after.corrected(asked), atol=0.15)


def test_a_handful_of_outcomes_hardly_moves_it_whatever_slope_it_had():
    before = Calibration((1.3,), level=0.4, shift=0.2)
    raw, labels = drawn(7, rows=40)
    asked = np.linspace(-4, 0, 5)
    after = learn_on(before, raw, labels, shared=3)
    np.testing.assert_allclose(after.corrected(asked), 0.4 + 1.3 * asked, atol=0.35)
    assert after.shift == 0.0


def test_the_fit_of_what_has_come_is_where_its_penalised_likelihood_is_greatest():
    """Against a plain search over level and one slope that may not bend, which few rows and one knot leave to it."""
    raw, labels = np.repeat([-3.0, -1.0], [90, 30]), np.concatenate([np.arange(90) < 9, np.arange(30) < 3])
    before = Calibration((1.0, 1.0), (0.0,))
    found = learn_on(before, raw, labels)

    def loss(level, slope):
        p = expit(level + slope * raw)
        middle = np.average(raw, weights=expit(raw) * expit(-raw))
        likely = np.where(labels, np.log(p), np.log(1 - p)).sum()
        away = slope - 1
        # The other slope is asked about nobody: it goes as far as its two penalties balance.
        other = 2.0 / 2.2 * away
        moved = (level + middle * away) ** 2 / (2 * LEFT**2)
        return -likely + moved + 0.2 * (away**2 + other**2) + 2.0 * (away - other) ** 2

    grid = [(loss(a, b), a, b) for a in np.linspace(-2.5, 1, 141) for b in np.linspace(0.2, 2, 145)]
    _, level, slope = min(grid)
    np.testing.assert_allclose(found.corrected(raw[[0, -1]]), level + slope * raw[[0, -1]], atol=0.05)


def test_a_model_that_is_right_is_left_nearly_alone():
    raw, labels = drawn(3)
    found = learn(raw, labels, shared=3)
    asked = logit(np.array([0.01, 0.05, 0.2, 0.5]))
    np.testing.assert_allclose(found.corrected(asked), asked, atol=0.3)


def test_of_few_people_little_is_learnt():
    raw, labels = drawn(4, rows=60)
    labels[0] = True
    assert np.abs(np.array(learn(raw, labels, shared=3).slopes) - 1).max() < 0.75


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 300))
def test_whoever_stood_before_somebody_still_does(seed, rows):
    raw, labels = drawn(seed, rows=rows)
    labels[:2] = True, False
    found = learn(raw, labels)
    asked = np.sort(np.concatenate([raw, np.linspace(-20, 20, 50)]))
    corrected = found.corrected(asked)
    assert (np.diff(corrected)[np.diff(asked) > 0] > 0).all()
    assert Calibration.from_json({**found.__dict__, "slopes": list(found.slopes), "knots": list(found.knots)}) == found


def test_a_model_of_before_there_were_bends_means_what_it_meant():
    raw = np.array([-3.0, 0.0, 2.0])
    kept = Calibration.from_json({"slope": 1.2, "centre": -2.0, "shift": 0.1})
    np.testing.assert_allclose(kept.corrected(raw), -2.0 + 1.2 * (raw + 2.0) + 0.1)
    assert Calibration.from_json({"slope": 1.0, "centre": 0.0, "shift": 0.0}).corrected(raw).tolist() == raw.tolist()


def test_levels_that_drift_are_told_from_chance():
    rng = np.random.default_rng(5)

    def lies_apart(deviation, windows=40):
        found = []
        for _ in range(windows):
            raw = rng.normal(-1, 1, 2000)
            found.append(line(raw, rng.random(2000) < expit(raw + rng.normal(0, deviation))))
        return variance([one.level for one in found], [one.level_chance for one in found], usual=LEFT) ** 0.5

    assert lies_apart(0.0) < 0.05
    assert lies_apart(0.3) == pytest.approx(0.3, rel=0.25)
    assert lies_apart(0.3, windows=1) == pytest.approx(LEFT, rel=0.01)


def test_a_line_is_the_likeliest_one():
    """The same as what scikit-learn finds without a penalty; its errors are those of many draws."""
    rng, raw = np.random.default_rng(6), np.random.default_rng(7).normal(-1, 1.2, 3000)
    drawn = [rng.random(3000) < expit(0.2 + 0.8 * raw) for _ in range(60)]
    found = [line(raw, labels) for labels in drawn]
    plain = LogisticRegression(C=np.inf, tol=1e-10).fit(raw[:, None], drawn[0])
    assert found[0].slope == pytest.approx(plain.coef_[0, 0], rel=1e-4)
    at_centre = plain.intercept_[0] + found[0].slope * found[0].centre
    assert found[0].centre + found[0].level == pytest.approx(at_centre, rel=1e-4)
    assert np.std([one.slope for one in found]) == pytest.approx(found[0].slope_chance ** 0.5, rel=0.25)
    assert np.std([one.level for one in found]) == pytest.approx(found[0].level_chance ** 0.5, rel=0.25)


def test_no_level_is_foretold_from_one_outcome():
    assert lasting_shift(np.zeros(9), np.ones(9, bool)) == 0.0
