"""A workspace whose clock and ids the test decides."""

import datetime as dt
import itertools
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from likelier.access.identity import Actor
from likelier.instance import make_instance
from likelier.lake import Lake
from likelier.service.workspace import Workspace
from likelier.settings import read_settings

PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}


@dataclass
class Clock:
    now: dt.datetime = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **span) -> None:
        self.now += dt.timedelta(**span)


@dataclass
class Ids:
    numbers: itertools.count = field(default_factory=itertools.count)

    def __call__(self) -> str:
        return f"id{next(self.numbers):04}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workspace(store, database, tmp_path, clock) -> Workspace:
    settings = read_settings({}, home=tmp_path / "home", database=database)
    lake = Lake(settings.lake)
    event = pa.table(
        {
            "_id": ["1"],
            "timestamp": pa.array([dt.datetime(2024, 4, 30, 12, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
            "identityMap.CRMID": ["p1"],
            "eventType": ["commerce.purchases"],
            "commerce.purchases.value": [1.0],
        }
    )
    lake.append("datasets/shop/events", event.to_reader(), batch="one")
    return Workspace(settings, store, lake, clock, Ids())


@pytest.fixture
def ann() -> Actor:
    return Actor("ann", address="10.0.0.7")


def asked(**changes) -> dict:
    plain = {
        "name": "Buy",
        "propensity_type": "conversion",
        "datasets": ["shop"],
        "namespace": "CRMID",
        "goal": {"events": [PURCHASE], "window_days": 30},
    }
    return plain | changes


@pytest.fixture
def ask():
    """The keys of an instance file."""
    return asked


@pytest.fixture
def make():
    """An instance."""
    return lambda **changes: make_instance(asked(**changes))
