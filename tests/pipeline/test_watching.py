"""What is unusual in how events arrive, counted from the lake."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.pipeline import shop

from likelier.activities.discover import propose
from likelier.backend import DuckDB
from likelier.insights.performance_words import drifted
from likelier.lake import Lake
from likelier.languages import Language
from likelier.phrases import say
from likelier.pipeline import Inputs
from likelier.pipeline.reading import bind
from likelier.pipeline.watching import arrivals, ranked
from likelier.timespan import DAY

TOLD = ("base_rate", "population", "score")
SINCE = shop.AS_OF - 6 * DAY


@pytest.fixture
def found(tmp_path):
    """Tell what is unusual in some events."""

    def it(table):
        lake = Lake(str(tmp_path / "lake"))
        shop.put(lake, table)
        with DuckDB() as engine:
            inputs = Inputs(shop.instance(), shop.AS_OF, 7, shop.versions(lake, ["shop"]))
            source = bind(inputs, engine, lake)
            before = shop.AS_OF - 14 * DAY
            codebook = propose(engine, source.events, (), source.question, source.fields, before)
            return [(each["kind"], each["name"]) for each in arrivals(source, codebook, engine, shop.AS_OF)]

    return it


def late(table):
    return pc.greater_equal(table["timestamp"], pa.scalar(SINCE)).to_numpy()


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


EVENTS = shop.events(3000)


def test_nothing_is_unusual_in_a_shop_that_goes_on(found):
    assert found(EVENTS) == []


def test_purchases_that_stop_for_everybody_are_broken_tracking(found):
    lost = late(EVENTS) & pc.is_valid(EVENTS["commerce.purchases.value"]).to_numpy()
    told = found(EVENTS.filter(pa.array(~lost)))
    assert ("tracking", "purchases") in told
    assert ("tracking", "commerce.purchases") in told
    assert {kind for kind, _ in told} == {"tracking"}


def test_a_field_that_is_no_longer_filled_is_broken_tracking(found):
    price = np.where(late(EVENTS), np.nan, EVENTS["commerce.order.priceTotal"].to_numpy())
    told = found(with_column(EVENTS, "commerce.order.priceTotal", pa.array(price, from_pandas=True)))
    assert told == [("tracking", "commerce.order.priceTotal")]


def test_a_kind_of_event_and_a_value_never_seen_before_are_new(found):
    some = late(EVENTS) & (np.arange(len(EVENTS)) % 3 == 0)
    kinds = np.where(some, "message.feedback", EVENTS["eventType"].to_numpy(zero_copy_only=False))
    pages = np.where(some, "app", EVENTS["web.webPageDetails.name"].to_numpy(zero_copy_only=False))
    table = with_column(EVENTS, "eventType", pa.array(kinds.astype(str)))
    told = found(with_column(table, "web.webPageDetails.name", pa.array(pages.astype(str))))
    assert told == [("new", "message.feedback"), ("new value", "app")]


def test_when_all_events_stop_the_delivery_is_named(found):
    assert found(EVENTS.filter(pa.array(~late(EVENTS)))) == [("delivery", "any event")]


def test_what_matters_most_comes_first():
    events = [
        {"kind": "tracking", "name": "purchases", "words": "w"},
        {"kind": "delivery", "name": "all", "words": "w"},
    ]
    factors = [{"matters": True, "factor": "Age", "shift": -0.3, "words": "w"}, {"matters": False, "factor": "x"}]
    told = {"base_rate": None, "population": {"drifts": True, "words": "w"}, "score": {"drifts": False, "words": "w"}}
    found = ranked(events, factors, told, {"Count of purchases": 1.0, "Age": 3.0}, spread=1.0)
    assert [(each["name"], each["weight"]) for each in found] == [
        ("all", 1.0),
        ("Age", 0.3),
        ("purchases", 0.25),
        ("population", 0.0),
    ]


def test_what_drifts_is_kept_such_that_it_can_be_said_in_other_languages():
    words = say(
        "{name} came {times:.1f} times as often in the last two weeks as in the two before.", name="x", times=2.0
    )
    events, nothing = [{"kind": "behaviour", "name": "x", "words": words}], dict.fromkeys(TOLD)
    (found,) = json.loads(json.dumps(ranked(events, [], nothing, {}, spread=1.0)))
    assert found["words"] == drifted(found) == words
    assert Language.of("fr").say(drifted(found)).startswith("x est venu 2,0 fois plus souvent dans")
    assert drifted({"words": "Told by an earlier version."}) == "Told by an earlier version."
