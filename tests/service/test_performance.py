"""Outcomes of past runs against a plain loop, while events come in late and in any order."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from tests.service.scored import publish

from likelier.errors import UnknownNameError, UsageError
from likelier.runs.records import State
from likelier.service.deleted import remove_for_good
from likelier.service.instances import delete_instance, save_instance
from likelier.service.outcomes import look_again, room
from likelier.service.performance import attributes, by_every_attribute, performance
from likelier.service.reports import write_report
from likelier.service.worker import tidy
from likelier.service.workspace import Workspace
from likelier.store import outcomes as stored_outcomes
from likelier.store.runs import find

UTC = dt.UTC
MAY = dt.datetime(2024, 5, 1, tzinfo=UTC)
DAY = dt.timedelta(days=1)
# What is stored is tested on every database in tests/store.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
WINDOW = 30


def put(workspace, batch, rows):
    """Append events `(who, when, buys)`."""
    table = pa.table(
        {
            "_id": [f"{batch}-{place}" for place in range(len(rows))],
            "timestamp": pa.array([when for _, when, _ in rows], pa.timestamp("us", "UTC")),
            "identityMap.CRMID": pa.array([who for who, _, _ in rows], pa.string()),
            "eventType": ["commerce.purchases" if buys else "view" for _, _, buys in rows],
            "commerce.purchases.value": pa.array([1.0 if buys else None for _, _, buys in rows], pa.float64()),
        }
    )
    workspace.lake.append("datasets/shop/events", table.to_reader(), batch=batch)


@pytest.fixture
def scored(workspace, ann, make):
    """Make a run that scored some people, without learning anything: `scored(as_of, {id: probability})`."""

    def it(as_of, people, **changes):
        return publish(workspace, ann, save_instance(workspace, ann, make(**changes)), as_of, people)

    return it


PEOPLE = {"a": 0.9, "b": 0.5, "c": 0.1, "d": 0.05}


def day(number):
    return MAY + (number - 0.5) * DAY


@pytest.fixture
def bought(workspace):
    """Everybody was there in April; in May `a` buys on day 3 and `c` on day 30; `b` on day 31, which is too late."""
    put(workspace, "april", [(who, MAY - 3 * DAY, False) for who in PEOPLE])
    put(workspace, "may", [("a", day(3), True), ("c", day(30), True), ("b", MAY + 30 * DAY, True)])


def test_nothing_is_told_before_the_window_has_closed(workspace, scored):
    put(workspace, "april", [(who, MAY - 3 * DAY, False) for who in PEOPLE])
    put(workspace, "may", [("a", day(3), True), ("b", day(29), False)])
    scored(MAY, PEOPLE)
    run = performance(workspace, "Buy")["runs"][0]
    assert (run["state"], run["all"]["rate"], run["auc"]) == ("open", None, None)
    assert (run["all"]["expected"], run["until"][:10]) == (pytest.approx(0.3875), "2024-05-31")


def test_the_engine_is_not_asked_again_what_cannot_have_changed(workspace, scored, monkeypatch):
    put(workspace, "april", [(who, MAY - 3 * DAY, False) for who in PEOPLE])
    scored(MAY, PEOPLE)
    before = performance(workspace, "Buy")
    monkeypatch.setattr(Workspace, "engine", lambda _: pytest.fail("the engine was asked"))
    assert performance(workspace, "Buy") == before


def test_when_it_has_closed_it_is_told_by_bucket(workspace, scored, bought):
    scored(MAY, PEOPLE)
    run = performance(workspace, "Buy")["runs"][0]
    assert run["state"] == "provisional"
    assert (run["all"]["profiles"], run["all"]["qualifying"]) == (4, 2)
    assert {name: each["qualifying"] for name, each in run["buckets"].items()} == {"low": 1, "medium": 0, "high": 1}
    assert run["auc"]["value"] == 0.75
    assert run["promised"]["auc"]["value"] == 0.8


def test_it_is_settled_when_the_data_reaches_far_enough(workspace, scored, bought):
    scored(MAY, PEOPLE)
    put(workspace, "june", [("a", MAY + 32 * DAY, False)])
    run = performance(workspace, "Buy")["runs"][0]
    assert (run["state"], run["settles"][:10], run["corrections"]) == ("settled", "2024-06-02", [])


def test_late_events_correct_a_figure_and_it_says_so(workspace, scored, bought, clock):
    scored(MAY, PEOPLE)
    performance(workspace, "Buy")
    clock.forward(days=3)
    put(workspace, "late", [("d", day(10), True), ("z", day(11), False)])
    run = performance(workspace, "Buy")["runs"][0]
    assert run["all"]["qualifying"] == 3
    (correction,) = run["corrections"]
    assert (correction["before"]["all"]["qualifying"], correction["after"]["all"]["qualifying"]) == (2, 3)
    assert (correction["was_settled"], correction["at"][:10]) == (False, "2024-05-04")


def test_late_events_that_change_no_figure_are_no_correction(workspace, scored, bought):
    scored(MAY, PEOPLE)
    performance(workspace, "Buy")
    put(workspace, "late", [("a", day(10), True), ("z", day(11), True)])
    assert performance(workspace, "Buy")["runs"][0]["corrections"] == []


def test_each_run_keeps_the_definition_it_had(workspace, scored, bought, ask):
    scored(MAY, PEOPLE)
    shorter = ask()["goal"] | {"window_days": 7}
    scored(MAY, PEOPLE, goal=shorter)
    long, short = performance(workspace, "Buy")["runs"]
    assert [(run["until"][:10], run["all"]["qualifying"]) for run in (long, short)] == [
        ("2024-05-31", 2),
        ("2024-05-08", 1),
    ]


def test_will_not_occur_counts_those_who_stayed_away(workspace, scored, bought, ask):
    scored(MAY, PEOPLE, goal=ask()["goal"] | {"occurs": False}, propensity_type="churn")
    assert performance(workspace, "Buy")["runs"][0]["all"]["qualifying"] == 2


def test_a_range_of_dates(workspace, scored, bought):
    scored(MAY - 5 * DAY, PEOPLE)
    scored(MAY, PEOPLE)
    assert len(performance(workspace, "Buy")["runs"]) == 2
    later = performance(workspace, "Buy", since=MAY)["runs"]
    earlier = performance(workspace, "Buy", until=MAY)["runs"]
    assert [run["cut_off"][:10] for run in (*earlier, *later)] == ["2024-04-26", "2024-05-01"]


def test_slices_by_what_was_known_when_the_run_scored(workspace, scored, bought):
    rows = [("a", "gold", 1970), ("c", "gold", 1970), ("b", "silver", 1970), ("b", "gold", 2025)]
    since = [dt.datetime(year, 1, 1, tzinfo=UTC) for _, _, year in rows]
    table = pa.table(
        {
            "identityMap.CRMID": [who for who, _, _ in rows],
            "timestamp": pa.array(since, pa.timestamp("us", "UTC")),
            "tier": [tier for _, tier, _ in rows],
        }
    )
    workspace.lake.append("datasets/people/profiles", table.to_reader(), batch="one")
    scored(MAY, PEOPLE)
    with pytest.raises(UsageError, match="No outcome is known"):
        performance(workspace, "Buy", by="tier", until=MAY)
    values = performance(workspace, "Buy", by="tier")["slices"]["values"]
    assert [(each["value"], each["profiles"], each["qualifying"]) for each in values] == [
        ("gold", 2, 2),
        ("silver", 1, 0),
        ("no value", 1, 0),
    ]
    with pytest.raises(UnknownNameError, match="tier"):
        performance(workspace, "Buy", by="teir")


def test_a_report_tells_the_latest_run_apart_by_the_attributes_its_model_may_use(workspace, scored, bought, tmp_path):
    known = {"identityMap.CRMID": ["a", "c"], "tier": ["gold", "plain"], "town": ["Rome", "Bonn"]}
    since = pa.array([dt.datetime(1970, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
    table = pa.table({**known, "timestamp": since})
    workspace.lake.append("datasets/people/profiles", table.to_reader(), batch="one")
    named = [{"name": "Tier", "field": "tier"}]
    run = scored(MAY, PEOPLE, datasets=["shop", "people"], profile_attributes=named)
    assert by_every_attribute(workspace, "Buy") == []
    write_report(workspace, "Buy", run, tmp_path / "report.html")
    (told,) = by_every_attribute(workspace, "Buy")
    assert (told["by"], [each["value"] for each in told["values"]]) == ("Tier", ["gold", "plain", "no value"])
    assert attributes(workspace, "Buy") == {"tier": "Tier", "town": "town"}
    page = (tmp_path / "report.html").read_text()
    assert "By Tier" in page
    assert "By town" not in page


def test_outcomes_go_with_their_instance(workspace, scored, bought, ann):
    run = scored(MAY, PEOPLE)
    look_again(workspace, "Buy")
    with workspace.store.read() as connection:
        assert find(connection, run).state is State.SUCCESS
        kept = stored_outcomes.recorded(connection, find(connection, run).instance_id)
    assert kept.keys() == {run}
    delete_instance(workspace, ann, "Buy")
    remove_for_good(workspace, at_once=True)
    with workspace.store.write() as connection:
        stored_outcomes.put(connection, kept[run])
        assert stored_outcomes.recorded(connection, kept[run].run_id) == {}


@pytest.mark.parametrize("seed", range(4))
def test_however_late_events_come_the_figures_are_those_of_a_count_from_scratch(workspace, scored, seed):
    rng = np.random.default_rng(seed)
    people = {f"q{number}": float(rng.random() * 0.9 + 0.05) for number in range(12)}
    put(workspace, "before", [(who, MAY - 40 * DAY, False) for who in people])
    cut_offs = [MAY - 10 * DAY, MAY]
    for cut_off in cut_offs:
        scored(cut_off, people)
    seen = []
    for batch in range(3):
        late = [
            (f"q{rng.integers(12)}", MAY + float(rng.uniform(-30, 36)) * DAY, bool(rng.random() < 0.4))
            for _ in range(int(rng.integers(1, 6)))
        ]
        put(workspace, f"batch {batch}", late)
        seen += late
        reaches = max(when for _, when, _ in seen).replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        for run, cut_off in zip(performance(workspace, "Buy")["runs"], cut_offs, strict=True):
            end = cut_off + WINDOW * DAY
            buyers = {who for who, when, buys in seen if buys and cut_off <= when < end}
            expected = len(buyers & people.keys()) if max(reaches, MAY) >= end else None
            assert run["all"]["qualifying"] == expected


def test_a_server_that_tidies_up_leaves_alone_what_is_being_worked_in(workspace):
    with room(workspace) as folder:
        (folder / "times").write_text("")
        tidy(workspace)
        assert (folder / "times").exists()
    assert not folder.exists()
