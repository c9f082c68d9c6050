"""Several datasets are read as one table of events."""

import datetime as dt

import pyarrow as pa
import pytest

from likelier.activities.codes import Category, Codebook, Signal, Source
from likelier.activities.reduce import reduced
from likelier.backend import DuckDB
from likelier.datasets import table_of
from likelier.instance import make_instance
from likelier.lake import Lake
from likelier.pipeline.reading import Inputs, bind

SLOTS = [f"c{place}" for place in range(5)]
NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def ingested(lake, name, **columns):
    events = {
        "_id": [f"{name}1"],
        "timestamp": pa.array([NOON], pa.timestamp("us", "UTC")),
        "identityMap.CRMID": ["ann"],
    }
    lake.append(table_of(name, "events"), pa.table({**events, **columns}).to_reader(), batch="first")


def asked(*datasets):
    return make_instance(
        {
            "name": "x",
            "propensity_type": "conversion",
            "datasets": datasets,
            "namespace": "CRMID",
            "goal": {
                "events": [{"conditions": [{"field": "page.name", "operator": "exists"}]}],
                "window_days": 7,
            },
        }
    )


def test_what_an_event_does_not_say_is_no_value_of_a_category(tmp_path):
    lake, before = Lake(str(tmp_path)), NOON + dt.timedelta(days=1)
    ingested(lake, "shop", eventType=["order"], **{"items.sku": [["a", None]]})
    ingested(lake, "web", eventType=["visit"], **{"page.name": ["home"]})
    with DuckDB(threads=1) as engine:
        source = bind(Inputs(asked("shop", "web"), before, 1, {"shop": 0, "web": 0}), engine, lake)
        looked_for = Codebook(
            (Signal("any event", Source.ANY),),
            categories=(Category("page", "page.name"), Category("sku", "items.sku", array=True)),
        )
        expression = reduced(engine, source.events, source.question, looked_for, source.fields, before)
        found = [
            tuple(code >= 0 for code in row.values()) for row in engine.table(expression.select(*SLOTS)).to_pylist()
        ]
    assert sorted(found) == [(False, True, False, False, False), (True, False, False, False, False)]


@pytest.mark.parametrize(
    ("items", "found"),
    [
        (["a"], {"a"}),
        (["b"], {"b"}),
        (["a", "b"], {"a", "b"}),
        (["b", "b"], {"b"}),
        (["other", "a"], {"a"}),
        (["other"], set()),
        ([None, "a"], {"a"}),
        ([None], set()),
        ([], set()),
        (None, set()),
    ],
)
def test_a_list_has_every_value_that_is_in_it(tmp_path, items, found):
    lake, before = Lake(str(tmp_path)), NOON + dt.timedelta(days=1)
    kinds = pa.array([items], pa.list_(pa.string()))
    ingested(lake, "shop", eventType=["order"], **{"page.name": ["home"], "items.sku": kinds})
    values = [Signal(f"sku {value}", Source.VALUE, "items.sku", value) for value in ("a", "b")]
    with DuckDB(threads=1) as engine:
        source = bind(Inputs(asked("shop"), before, 1, {"shop": 0}), engine, lake)
        expression = reduced(engine, source.events, source.question, Codebook(tuple(values)), source.fields, before)
        (word,) = engine.table(expression)["w0"].to_pylist()
    assert {value for bit, value in enumerate("ab") if word >> bit & 1} == found


def test_a_field_that_only_one_dataset_has_is_missing_in_the_other_and_one_of_two_types_is_left_out(tmp_path):
    lake = Lake(str(tmp_path))
    ingested(lake, "shop", eventType=["order"], price=[9.5], colour=["red"])
    ingested(lake, "web", eventType=["visit"], colour=[3.0], **{"page.name": ["home"]})
    with DuckDB(threads=1) as engine:
        source = bind(Inputs(asked("shop", "web"), NOON + dt.timedelta(days=1), 1, {"shop": 0, "web": 0}), engine, lake)
        rows = engine.table(source.events.order_by("_id")).to_pylist()
    assert rows == [
        {"_id": "shop1", "who": "ann", "timestamp": NOON, "eventType": "order", "price": 9.5, "page.name": None},
        {"_id": "web1", "who": "ann", "timestamp": NOON, "eventType": "visit", "price": None, "page.name": "home"},
    ]
