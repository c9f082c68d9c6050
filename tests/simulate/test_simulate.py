"""The simulated shop: repeatable, believable, and its truth agrees with what then happens."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from likelier.errors import UnknownNameError, UsageError
from likelier.instance import parse_instance
from likelier.simulate import BUY, CANCEL, KINDS, LAPSE, Simulation, simulate

END = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
GOALS = (BUY, LAPSE, CANCEL)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return simulate(tmp_path_factory.mktemp("shop"), profiles=4_000, days=180, seed=3, end=END, goals=GOALS)


@pytest.fixture(scope="module")
def events(shop: Simulation) -> pa.Table:
    return read(shop.event_files)


def read(files: tuple[Path, ...]) -> pa.Table:
    return pa.concat_tables([pq.read_table(file) for file in files])


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_same_arguments_same_bytes(tmp_path: Path, file_format: str) -> None:
    for name in ("a", "b"):
        simulate(tmp_path / name, profiles=60, days=60, seed=5, format=file_format)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


@pytest.mark.compiles
def test_another_seed_is_another_shop(tmp_path: Path) -> None:
    for seed in (1, 2):
        simulate(tmp_path / str(seed), profiles=60, days=60, seed=seed)
    assert pq.read_table(tmp_path / "1" / "truth.parquet") != pq.read_table(tmp_path / "2" / "truth.parquet")


def test_people_do_not_depend_on_the_files_they_are_written_to(tmp_path: Path) -> None:
    whole = simulate(tmp_path / "whole", profiles=50, days=60, seed=5)
    parts = simulate(tmp_path / "parts", profiles=50, days=60, seed=5, profiles_per_file=7)
    assert len(parts.event_files) == 8
    assert read(whole.event_files) == read(parts.event_files)
    assert read(whole.profile_files) == read(parts.profile_files)
    by = [("goal", "ascending"), ("id", "ascending")]
    assert pq.read_table(whole.truth).sort_by(by) == pq.read_table(parts.truth).sort_by(by)


def test_a_shop_of_more_profiles_begins_with_the_same_people(tmp_path: Path) -> None:
    few = simulate(tmp_path / "few", profiles=20, days=60, seed=5)
    many = simulate(tmp_path / "many", profiles=40, days=60, seed=5)
    first = read(many.event_files).slice(0, few.events)
    assert first == read(few.event_files)


def test_events_lie_in_the_history(events: pa.Table) -> None:
    moments = events["timestamp"].to_numpy()
    assert moments.min() >= np.datetime64(END.replace(tzinfo=None) - dt.timedelta(days=180))
    assert moments.max() < np.datetime64(END.replace(tzinfo=None))
    assert len(set(events["_id"].to_pylist())) == events.num_rows


def test_outcomes_are_written_only_when_asked(tmp_path: Path) -> None:
    plain = simulate(tmp_path / "plain", profiles=200, days=90, seed=5, end=END)
    longer = simulate(tmp_path / "longer", profiles=200, days=90, seed=5, end=END, after_days=30)
    known = read(plain.event_files)
    later = read(longer.event_files)
    cut = pa.scalar(END, pa.timestamp("us", "UTC"))
    assert later.filter(pa.compute.less(later["timestamp"], cut)) == known
    outcome = later.filter(pa.compute.greater_equal(later["timestamp"], cut))
    bought = outcome.filter(pa.compute.is_valid(outcome["commerce.purchases.value"]))["identityMap.CRMID"]
    visited = outcome.filter(pa.compute.is_valid(outcome["web.webPageDetails.name"]))["identityMap.CRMID"]
    assert pq.read_table(plain.truth) == pq.read_table(longer.truth)
    for row in pq.read_table(plain.truth).to_pylist():
        done = row["id"] in (set(bought.to_pylist()) if row["goal"] == BUY.name else set(visited.to_pylist()))
        assert row["happened"] == (done if row["goal"] == BUY.name else not done)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"shop"}))
def test_other_kinds_keep_their_word(kind: str, tmp_path: Path) -> None:
    made = simulate(tmp_path, profiles=1_500, days=150, seed=6, kind=kind)
    truth_is_what_happens(made)
    events = read(made.event_files)
    assert 15 < events.num_rows / made.profiles < 150
    assert any(name.startswith("web.") for name in events.column_names) == KINDS[kind].web
    assert ("productListItems.SKU" in events.column_names) != KINDS[kind].content


def test_the_truth_is_what_then_happens(shop: Simulation) -> None:
    truth_is_what_happens(shop)


def truth_is_what_happens(made: Simulation) -> None:
    truth = pq.read_table(made.truth)
    for goal in made.goals:
        rows = truth.filter(pa.compute.equal(truth["goal"], goal.name))
        chance, happened = rows["probability"].to_numpy(), rows["happened"].to_numpy()
        assert 0 < chance.min() <= chance.max() < 1
        order = np.argsort(chance)
        for part in [order, *np.array_split(order, 4)]:  # overall, and in each quarter of the probabilities
            expected, spread = chance[part].sum(), np.sqrt((chance[part] * (1 - chance[part])).sum())
            assert abs(happened[part].sum() - expected) < 4 * spread, goal.name


def test_rates_are_plausible(shop: Simulation, events: pa.Table) -> None:
    count = {path: events[path].drop_null().length() for path in ("web.webPageDetails.name", "search.keywords")}
    views, adds, checkouts, purchases = (
        events[f"commerce.{step}.value"].drop_null().length()
        for step in ("productViews", "productListAdds", "checkouts", "purchases")
    )
    assert 15 < events.num_rows / shop.profiles < 80
    assert count["web.webPageDetails.name"] > views > adds > checkouts > purchases > shop.orders  # testers order too
    assert 0.02 < purchases / views < 0.2
    truth = pq.read_table(shop.truth).to_pylist()
    for goal, low, high in ((BUY, 0.1, 0.4), (LAPSE, 0.2, 0.6), (CANCEL, 0.05, 0.3)):
        assert low < np.mean([row["happened"] for row in truth if row["goal"] == goal.name]) < high


def test_bots_and_testers_are_no_customers(shop: Simulation, events: pa.Table) -> None:
    strange = pa.compute.greater(events["identityMap.CRMID"], f"C{shop.profiles - 1:09d}")
    rows = events.filter(strange).to_pylist()
    assert 0 < len(rows) < events.num_rows / 10
    by_whom = {row["identityMap.CRMID"]: 0 for row in rows}
    assert len(by_whom) == 3  # two bots, one tester
    tester = [row for row in rows if row["commerce.purchases.value"]]
    assert {row["productListItems.SKU"][0] for row in tester} == {"TEST-0001"}
    truth = pq.read_table(shop.truth)
    assert not by_whom.keys() & set(truth["id"].to_pylist())


def test_instances_of_the_goals_can_be_read(shop: Simulation) -> None:
    for goal in json.loads(shop.drivers.read_text()):
        instance = parse_instance(json.dumps(goal["instance"]))
        assert instance.name == goal["goal"]


def test_orders_add_up(events: pa.Table) -> None:
    bought = events.filter(pa.compute.is_valid(events["commerce.purchases.value"])).to_pylist()
    assert len({row["commerce.order.purchaseID"] for row in bought}) == len(bought)
    for row in bought:
        assert row["commerce.order.priceTotal"] == pytest.approx(sum(row["productListItems.priceTotal"]))
        assert row["eventType"] == "commerce.purchases"
        assert row["web.webPageDetails.name"] == "order confirmation"


def test_subscriptions_renew_and_end(events: pa.Table) -> None:
    rows = events.filter(pa.compute.is_valid(events["subscription.endDate"])).to_pylist()
    kinds = {row["eventType"] for row in rows}
    assert kinds == {f"subscription.{what}" for what in ("start", "renewal", "paymentFailed", "cancellation")}
    assert all(row["subscription.startDate"] < row["subscription.endDate"] for row in rows)
    cancelled = [row for row in rows if row["eventType"] == "subscription.cancellation"]
    assert all(row["subscription.reason"] and row["timestamp"] < row["subscription.endDate"] for row in cancelled)


def test_profiles_keep_the_history_of_their_values(shop: Simulation) -> None:
    profiles = read(shop.profile_files).to_pylist()
    assert {row["identityMap.CRMID"] for row in profiles} == {f"C{number:09d}" for number in range(shop.profiles)}
    ranks = ("basic", "silver", "gold")
    latest: dict[str, dict] = {}
    for row in profiles:
        if before := latest.get(row["identityMap.CRMID"]):
            assert row["timestamp"] > before["timestamp"]
            assert ranks.index(row["loyalty.tier"]) == ranks.index(before["loyalty.tier"]) + 1
        latest[row["identityMap.CRMID"]] = row


def test_json_lines_say_the_same_as_parquet(tmp_path: Path) -> None:
    columns = simulate(tmp_path / "p", profiles=30, days=60, seed=5)
    lines = simulate(tmp_path / "j", profiles=30, days=60, seed=5, format="jsonl")
    with zstandard.open(lines.event_files[0], "rb") as packed:
        text = packed.read()
    rows = [json.loads(line) for line in text.decode().splitlines()]
    table = read(columns.event_files).to_pylist()
    assert len(rows) == len(table)
    for row, flat in zip(rows, table, strict=True):
        assert row["identityMap"] == {"CRMID": [{"id": flat["identityMap.CRMID"], "primary": True}]}
        assert dt.datetime.fromisoformat(row["timestamp"]) == flat["timestamp"]
        assert [item["SKU"] for item in row.get("productListItems", [])] == (flat["productListItems.SKU"] or [])
        assert row.get("web", {}).get("webPageDetails", {}).get("name") == flat["web.webPageDetails.name"]


def test_drivers_are_named_by_their_factors(shop: Simulation) -> None:
    buying, lapsing, cancelling = json.loads(shop.drivers.read_text())
    assert "Count of webVisit" in buying["drivers"][0]["factors"]
    assert {"Days since webVisit", "Count of webVisit"} <= {f for d in lapsing["drivers"][:2] for f in d["factors"]}
    assert next(d["effect"] for d in lapsing["drivers"] if d["driver"] == "telephone") == 0
    assert cancelling["drivers"][0]["driver"] == "plan"
    for goal in (buying, lapsing, cancelling):
        effects = [driver["effect"] for driver in goal["drivers"]]
        assert effects == sorted(effects, reverse=True)


def test_what_cannot_be_simulated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="midnight"):
        simulate(tmp_path, profiles=1, end=END + dt.timedelta(hours=1))
    with pytest.raises(UsageError, match="at least one"):
        simulate(tmp_path, profiles=0)
    with pytest.raises(UnknownNameError, match="shop"):
        simulate(tmp_path, profiles=1, kind="shoop")
