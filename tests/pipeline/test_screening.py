"""What is kept of very many features."""

import numpy as np

from likelier.features.definitions import Feature, FeatureSet, Kind
from likelier.pipeline.learning import with_what_is_shown

FEATURES = FeatureSet(
    (
        Feature(Kind.COUNT, 0, 0, "Count of visits in 7 days", "Count of visits"),
        Feature(Kind.COUNT, 0, 1, "Count of visits", "Count of visits"),
        Feature(Kind.DECAY, 0, 0, "Count of visits, halved every 7 days", "Count of visits"),
        Feature(Kind.TRAIT_IS, 0, 0, "tier is gold", "tier"),
        Feature(Kind.TRAIT_IS, 0, 1, "tier is silver", "tier"),
        Feature(Kind.LAST, 1, 0, "Days since search", "Days since search"),
    ),
    (7.0, np.inf),
    (7.0,),
    7,
)


def test_a_factor_keeps_a_number_that_can_be_pictured():
    assert with_what_is_shown(FEATURES, np.array([2])) == [0, 2, 3, 4]
    assert with_what_is_shown(FEATURES, np.array([1, 2])) == [1, 2, 3, 4]


def test_a_trait_keeps_all_its_values():
    assert with_what_is_shown(FEATURES, np.array([3])) == [3, 4]


def test_traits_stay_and_what_else_nobody_asks_for_goes():
    assert with_what_is_shown(FEATURES, np.array([5])) == [3, 4, 5]
