"""A small lake of people whose habits are plain, for tests of whole runs."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from likelier.backend import DuckDB
from likelier.instance import Instance, parse_instance
from likelier.lake import Lake
from likelier.model.curves import fit_curves
from likelier.model.train import Learnt, fit_trees
from likelier.pipeline import STAGES, Inputs, run_stage
from likelier.timespan import DAY, UTC

START = dt.datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 150
AS_OF = START + DAYS * DAY


def events(people: int = 700, days: int = DAYS, seed: int = 1, *, start: dt.datetime = START) -> pa.Table:
    """Everybody visits at a rate of their own; a third of the visits of some end in a purchase."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(1.2, 10 * days / 150, people))
    who = np.repeat(np.arange(people), counts)
    keen = np.repeat(rng.random(people) < 0.5, counts)
    seconds = rng.integers(0, days * 86_400, len(who))
    buys = (rng.random(len(who)) < 0.3) & keen
    moments = np.array(start.replace(tzinfo=None), "datetime64[us]") + seconds.astype("timedelta64[s]")
    numbers = np.where(buys, 1.0, np.nan)
    return pa.table(
        {
            "_id": pa.array([f"e{k}" for k in range(len(who))]),
            "timestamp": pa.array(moments, pa.timestamp("us", "UTC")),
            "identityMap.CRMID": pa.array([f"p{k:05}" for k in who]),
            "eventType": pa.array(np.where(buys, "commerce.purchases", "web.webpagedetails.pageViews")),
            "commerce.purchases.value": pa.array(numbers, from_pandas=True),
            "commerce.order.priceTotal": pa.array(
                np.where(buys, rng.integers(5, 90, len(who)), np.nan), from_pandas=True
            ),
            "web.webPageDetails.name": pa.array(rng.choice(["home", "sale", "help"], len(who))),
            "productListItems.SKU": pa.array([[f"sku{k}"] for k in rng.integers(0, 40, len(who))]),
        }
    )


def attributes(people: int = 700, seed: int = 2) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "identityMap.CRMID": pa.array([f"p{k:05}" for k in range(people)]),
            "timestamp": pa.array([dt.datetime(1970, 1, 1, tzinfo=UTC)] * people, pa.timestamp("us", "UTC")),
            "tier": pa.array(rng.choice(["gold", "silver", "none"], people)),
            "age": pa.array(rng.integers(18, 80, people).astype(float)),
        }
    )


@contextlib.contextmanager
def few_trees() -> Iterator[None]:
    """Have small models made, where it matters what becomes of a model and not how good it is."""

    def fit(matrix: np.ndarray, labels: np.ndarray, *, seed: int, people: int) -> Learnt:
        some = slice(None, None, -(-len(labels) // 2_000))
        curves = fit_curves(matrix[some], labels[some], people=people)
        return Learnt((fit_trees(matrix, labels, seed=seed, rounds=40),), curves)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("likelier.pipeline.learning.fit", fit)
        yield


def put(lake: Lake, table: pa.Table, name: str = "shop", kind: str = "events", batch: str = "first") -> None:
    lake.append(f"datasets/{name}/{kind}", table.to_reader(), batch=batch)


def instance(**changes) -> Instance:
    plain = {
        "name": "Buy",
        "propensity_type": "conversion",
        "datasets": ["shop"],
        "namespace": "CRMID",
        "goal": {
            "occurs": True,
            "match": "all",
            "events": [
                {"name": "purchase", "conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
            ],
            "window_days": 14,
        },
    }
    return parse_instance(yaml.safe_dump(plain | changes))


def goal(**changes) -> dict:
    return instance().dump()["goal"] | changes


def versions(lake: Lake, names: list[str]) -> dict[str, int]:
    kinds = ("events", "profiles")
    return {
        name: lake.version(f"datasets/{name}/{kind}")
        for name in names
        for kind in kinds
        if lake.exists(f"datasets/{name}/{kind}")
    }


def run(
    lake: Lake, folder: Path, asked: Instance | None = None, as_of: dt.datetime = AS_OF, **given
) -> dict[str, dict]:
    """Run all stages; give what each said."""
    asked = asked or instance()
    inputs = Inputs(asked, as_of, 7, given.get("versions") or versions(lake, list(asked.datasets)))
    with DuckDB() as engine:
        return {stage: run_stage(stage, inputs, engine=engine, lake=lake, folder=folder) for stage in STAGES}


def read(lake: Lake, folder: Path, asked: Instance, given: dict[str, int]) -> dict:
    """Do the first stage alone, on some versions of the data."""
    with DuckDB() as engine:
        return run_stage("read", Inputs(asked, AS_OF, 7, given), engine=engine, lake=lake, folder=folder)


def moved(table: pa.Table, start: dt.datetime) -> pa.Table:
    """The same rows as other events, beginning at another moment."""
    moments = pc.add(table["timestamp"], pa.scalar(start - START, pa.duration("us")))
    ids = pc.binary_join_element_wise("late", table["_id"], "-")
    return table.set_column(1, "timestamp", moments).set_column(0, "_id", ids)


ASKED = instance(
    datasets=["shop", "people"],
    profile_attributes=[{"name": "Tier", "field": "tier"}, {"name": "Age", "field": "age"}],
    custom_events=[
        {
            "name": "Sale visit",
            "conditions": [{"field": "web.webPageDetails.name", "operator": "equals", "value": "sale"}],
        }
    ],
)
