"""Numbers as people read them."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from likelier.explanations.factors import Shown, as_told, readable

NUMBERS = st.floats(-1e12, 1e12) | st.floats(-2, 2) | st.integers(-(10**7), 10**7).map(lambda n: n / 1000)


@given(st.lists(NUMBERS, min_size=1))
@example([0.05, 0.15, 2.25, 2.35, 99.95, 99.94999, 100.5, 101.5, 0.995, 0.0995, 0.99499999, 1e-9, 1e-12, 0.0, -0.0])
def test_what_stands_for_a_number_is_written_as_the_number_is(numbers):
    told = as_told(np.array(numbers))
    assert [readable(value) for value in told] == [readable(value) for value in numbers]


def test_of_many_numbers_few_are_left_to_write():
    days = np.random.default_rng(1).random(10_000) * 300
    assert len(np.unique(as_told(days))) <= len({readable(value) for value in days}) + 5


def test_absent_numbers_and_categories_have_words():
    plain = Shown("Age", "Age", (0,), absent="never")
    places, texts = plain.texts(np.array([np.nan, 2.04, 2.0, np.nan]))
    assert [texts[place] for place in places] == ["never", "2", "2", "never"]
    tier = Shown("Tier", "Tier", (0, 1), ("gold", "silver"))
    places, texts = tier.texts(np.array([1.0, np.nan, 0.0]))
    assert [texts[place] for place in places] == ["silver", "other", "gold"]
