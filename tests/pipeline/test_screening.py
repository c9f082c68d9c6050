"""What is kept of very many features."""

import numpy as np
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.features.definitions import Feature, FeatureSet, Kind
from likelier.pipeline import Inputs, learning, stages
from likelier.pipeline.learning import telling, with_what_is_shown

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


def test_how_many_distinct_values_is_left_out_where_it_is_hardly_ever_more_than_one():
    features = FeatureSet(
        tuple(Feature(kind, 0, 0, name, name) for kind, name in ((Kind.COUNT, "orders"), (Kind.DISTINCT, "countries"))),
        (np.inf,),
        (7.0,),
        7,
    )
    one = np.array([[2.0, 1.0]] * 99 + [[np.nan, np.nan], [0.0, 2.0]])
    assert telling(features, one) == [0]
    assert telling(features, np.vstack([one, [[1.0, 3.0]]])) == [0, 1]


def test_traits_stay_and_what_else_nobody_asks_for_goes():
    assert with_what_is_shown(FEATURES, np.array([5])) == [3, 4, 5]


def test_runs_that_differ_by_their_seed_learn_from_the_same_rows_and_columns(done, lake, monkeypatch):
    folder, _ = done
    inputs = Inputs(shop.ASKED, shop.AS_OF, 7, shop.versions(lake, list(shop.ASKED.datasets)))
    monkeypatch.setattr(learning, "MOST_TRAINING_ROWS", 400)
    monkeypatch.setattr(learning, "SURVEYED_ROWS", 300)
    monkeypatch.setattr(learning, "MANY_FEATURES", 20)
    with DuckDB() as engine:
        calendar = stages.Run(inputs, engine, lake, folder).calendar
    pasts = [learning._past(calendar, seed, folder) for seed in (1, 2)]
    taught = [learning.judged_split(past)[0] for past in pasts]
    assert len(taught[0]) == 400
    assert taught[0].rows.profile.tolist() == taught[1].rows.profile.tolist()
    one, other = (learning.surveyed(*pair).features for pair in zip(pasts, taught, strict=True))
    assert one == other
    assert 20 < len(one.features) < len(pasts[0].features.features)
