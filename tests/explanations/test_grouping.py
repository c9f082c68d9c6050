"""Which factors share a name."""

import numpy as np
import pytest

from likelier.activities.codes import Codebook, Signal, Source
from likelier.explanations.grouping import Seen, grouped
from likelier.features.definitions import Feature, FeatureSet, Kind

CODEBOOK = Codebook(
    (
        Signal("any event", Source.ANY),
        Signal("purchase", Source.GOAL),
        Signal("commerce.purchases", Source.EVENT_TYPE),
        Signal("productViews", Source.STANDARD),
        Signal("webVisit", Source.STANDARD),
    )
)


def of(kind: Kind, subject: int, window: int = 0) -> Feature:
    word = {Kind.LAST: "Days since", Kind.COUNT: "Count of", Kind.DECAY: "Count of"}[kind]
    factor = f"{word} {CODEBOOK.signals[subject].name}"
    return Feature(kind, subject, window, f"{factor} {kind.name} {window}", factor)


@pytest.fixture(scope="module")
def visits():
    return np.random.default_rng(1).poisson(5, 500).astype(np.float32)


def factors(features: list[Feature], columns: list[np.ndarray], goal: frozenset[int] = frozenset()) -> list[str]:
    plan = FeatureSet(tuple(features), (np.inf,), (7.0,), 7)
    found = grouped(plan, CODEBOOK, np.stack(columns, axis=1), Seen(np.array([900, 20, 20, 500, 700]), goal))
    assert found.names == [feature.name for feature in features]
    return [feature.factor for feature in found.features]


def test_two_counts_that_rise_together_share_the_better_name(visits):
    features = [of(Kind.COUNT, 0), of(Kind.COUNT, 4)]
    assert factors(features, [visits + 1, visits]) == ["Count of webVisit"] * 2


def test_a_group_is_named_after_what_happens_most_often(visits):
    assert factors([of(Kind.COUNT, 3), of(Kind.COUNT, 4)], [visits - 1, visits]) == ["Count of webVisit"] * 2


def test_a_group_with_the_goal_is_named_after_it(visits):
    """Views happen less often than visits, but here to view is the goal."""
    assert (
        factors([of(Kind.COUNT, 3), of(Kind.COUNT, 4)], [visits, visits], frozenset({3}))
        == ["Count of productViews"] * 2
    )


def test_counts_of_different_things_keep_their_names(visits):
    others = np.random.default_rng(2).poisson(5, 500).astype(np.float32)
    features = [of(Kind.COUNT, 0), of(Kind.COUNT, 4)]
    assert factors(features, [others, visits]) == ["Count of any event", "Count of webVisit"]


def test_a_count_never_joins_days_since(visits):
    features = [of(Kind.COUNT, 4), of(Kind.LAST, 4), of(Kind.LAST, 0)]
    assert factors(features, [visits, -visits, -visits])[0] == "Count of webVisit"


def test_every_feature_of_a_joined_factor_moves_with_it(visits):
    features = [of(Kind.COUNT, 2), of(Kind.DECAY, 2), of(Kind.COUNT, 1)]
    assert factors(features, [visits, visits / 2, visits]) == ["Count of purchase"] * 3


def test_never_counts_as_longest_ago(visits):
    """Days since both are alike although those who never did it have no value."""
    days = np.where(visits > 7, np.nan, visits)
    assert factors([of(Kind.LAST, 1), of(Kind.LAST, 2)], [days, days + 1]) == ["Days since purchase"] * 2


def test_a_column_without_spread_is_like_no_other(visits):
    names = factors([of(Kind.COUNT, 1), of(Kind.COUNT, 4)], [np.zeros_like(visits), visits])
    assert names == ["Count of purchase", "Count of webVisit"]
