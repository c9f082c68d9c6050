"""Who is drawn to be learnt from."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from likelier.pipeline.learning import drawn


@given(
    eligible=arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12)),
    most=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_the_drawn_are_those_of_a_list_of_all(eligible, most, seed):
    profile, column = np.nonzero(eligible)
    if len(profile) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(len(profile), most, replace=False))
        profile, column = profile[chosen], column[chosen]
    found = drawn(eligible, most, seed)
    assert found[0].tolist() == profile.tolist()
    assert found[1].tolist() == column.tolist()
