"""Data that knows the future stops a run, and says which; what only looks alike does not."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.errors import InstanceError, RunError
from likelier.lake import Lake
from likelier.pipeline import Inputs, learning, run_stage
from likelier.timespan import DAY, UTC

ALWAYS = dt.datetime(1970, 1, 1, tzinfo=UTC)
JUDGE = shop.AS_OF - 14 * DAY
PEOPLE = 1500


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return shop.events(PEOPLE)


def buyers(events: pa.Table, since: dt.datetime, until: dt.datetime) -> dict[str, int]:
    """Count purchases of each person in a span."""
    bought = events.filter(
        pc.and_(pc.is_valid(events["commerce.purchases.value"]), within(events["timestamp"], since, until))
    )
    return {row["values"]: row["counts"] for row in pc.value_counts(bought["identityMap.CRMID"]).to_pylist()}


def within(times: pa.ChunkedArray, since: dt.datetime, until: dt.datetime) -> pa.ChunkedArray:
    return pc.and_(pc.greater_equal(times, pa.scalar(since, times.type)), pc.less(times, pa.scalar(until, times.type)))


def people(values: dict[str, list], known: list[dt.datetime] | None = None) -> pa.Table:
    since = pa.array(known or [ALWAYS] * PEOPLE, pa.timestamp("us", "UTC"))
    ids = [f"p{k:05}" for k in range(PEOPLE)]
    return pa.table({"identityMap.CRMID": ids, "timestamp": since, **values})


def latest(events: pa.Table) -> dict[str, dt.datetime]:
    found = (
        pa.table({"who": events["identityMap.CRMID"], "t": events["timestamp"]})
        .group_by("who")
        .aggregate([("t", "max")])
    )
    return dict(zip(found["who"].to_pylist(), found["t_max"].to_pylist(), strict=True))


def everybody(counts: dict[str, object], default: object = 0) -> list:
    return [counts.get(f"p{k:05}", default) for k in range(PEOPLE)]


def train(folder, events: pa.Table, attributes: pa.Table | None = None, **asked) -> None:
    lake = Lake(str(folder / "lake"))
    shop.put(lake, events)
    if attributes is not None:
        shop.put(lake, attributes, "people", "profiles")
        named = [{"field": name} for name in attributes.column_names[2:]]
        asked = {"datasets": ["shop", "people"], "profile_attributes": named} | asked
    question = shop.instance(**asked)
    inputs = Inputs(question, shop.AS_OF, 7, shop.versions(lake, list(question.datasets)))
    with DuckDB() as engine:
        for stage in ("read", "check", "train"):
            run_stage(stage, inputs, engine=engine, lake=lake, folder=folder / "run")


def refused(folder, *given, **asked) -> RunError:
    with pytest.raises(RunError) as error:
        train(folder, *given, **asked)
    assert error.value.code == 402
    assert "answer leaks" in error.value.message
    return error.value


class WentOnError(Exception):
    """The leaks are passed, and learning begins."""


@pytest.fixture
def goes_on(tmp_path, monkeypatch):
    """Be sure that nothing is refused; what is learnt then is not asked here."""

    def begin(*_):
        raise WentOnError

    monkeypatch.setattr(learning, "surveyed", begin)

    def told(name, *given, **asked):
        with pytest.raises(WentOnError):
            train(tmp_path / name, *given, **asked)

    return told


ATTRIBUTES = {
    "a flag set by the outcome": lambda shop_: [float(n > 0) for n in everybody(shop_["window"])],
    "a text set by the outcome": lambda shop_: ["buyer" if n else "idle" for n in everybody(shop_["window"])],
    "a reason given only after the outcome": lambda shop_: [
        ("liked it" if n else None) for n in everybody(shop_["window"])
    ],
    "a number dealt out in the order of the outcome": lambda shop_: np.argsort(
        np.argsort([(n == 0, k) for k, n in enumerate(everybody(shop_["window"]))], axis=0)[:, 0]
    ).astype(float),
    "a total updated later": lambda shop_: [float(n) for n in everybody(shop_["all"])],
    "the latest visit": lambda shop_: everybody(shop_["latest"], None),
    "visits until today": lambda shop_: [float(n) for n in everybody(shop_["visits"])],
}


@pytest.fixture(scope="module")
def known_later(events) -> dict[str, dict]:
    visits = {row["values"]: row["counts"] for row in pc.value_counts(events["identityMap.CRMID"]).to_pylist()}
    return {
        "window": buyers(events, JUDGE, shop.AS_OF),
        "all": buyers(events, shop.START, shop.AS_OF),
        "latest": latest(events),
        "visits": visits,
    }


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_that_knows_the_future_stops_the_run(tmp_path, events, known_later, name):
    error = refused(tmp_path, events, people({"leak": ATTRIBUTES[name](known_later)}))
    assert "leak" in error.message
    assert any("profile_attributes" in hint for hint in error.suggestions)
    assert any("trusted: [leak]" in hint for hint in error.suggestions)


def test_a_status_of_today_on_old_events_stops_the_run(tmp_path, events, known_later):
    status = ["buyer" if who in known_later["window"] else "idle" for who in events["identityMap.CRMID"].to_pylist()]
    error = refused(tmp_path, events.append_column("shop.status", pa.array(status)))
    assert any("ignored_fields: [shop.status]" in hint for hint in error.suggestions)


def test_a_total_of_today_on_old_events_stops_the_run(tmp_path, events, known_later):
    worth = [float(known_later["all"].get(who, 0)) for who in events["identityMap.CRMID"].to_pylist()]
    refused(tmp_path, events.append_column("shop.worth", pa.array(worth)))


def test_events_recorded_later_under_an_earlier_time_stop_the_run(tmp_path, events):
    bought = events.filter(pc.is_valid(events["commerce.purchases.value"])).select(
        ["_id", "timestamp", "identityMap.CRMID"]
    )
    told = pa.table(
        {
            "_id": [f"survey of {name}" for name in bought["_id"].to_pylist()],
            "timestamp": pc.subtract(bought["timestamp"], pa.scalar(14 * DAY)),
            "identityMap.CRMID": bought["identityMap.CRMID"],
            "eventType": ["survey"] * len(bought),
        }
    )
    error = refused(tmp_path, pa.concat_tables([events, told], promote_options="default"))
    assert any("exclusions: eventType equals 'survey'" in hint for hint in error.suggestions)


def test_what_is_left_out_or_trusted_does_not_stop_it(goes_on, events, known_later):
    status = ["buyer" if who in known_later["window"] else "idle" for who in events["identityMap.CRMID"].to_pylist()]
    table = events.append_column("shop.status", pa.array(status))
    goes_on("ignored", table, ignored_fields=["shop.status"])
    goes_on("trusted", table, trusted=["shop.status"])


def test_honest_attributes_pass(goes_on, events, known_later):
    before = buyers(events, shop.START, shop.START + 60 * DAY)
    rng = np.random.default_rng(3)
    goes_on(
        "honest",
        events,
        people({"age": rng.normal(40, 9, PEOPLE), "early orders": [float(n) for n in everybody(before)]}),
    )


def test_an_ignored_field_that_is_not_there_is_refused(tmp_path, events):
    with pytest.raises(InstanceError, match=r"ignored_fields\[0\].*no field 'shop.state'"):
        train(tmp_path, events.slice(0, 10), ignored_fields=["shop.state"])
