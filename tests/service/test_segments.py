"""Segments from their making to their members."""

import json

import pyarrow.parquet as pq
import pytest
from tests.service.segment_shop import ANN, add_instance, add_scores, open_home, put_events, put_people

from likelier.errors import ConditionError, UnknownNameError, UsageError
from likelier.service import comparisons, segments
from likelier.service.deleted import remove_for_good
from likelier.service.segments import Wanted
from likelier.store import segments as stored

SCORES = {"a": 90.0, "b": 80.0, "c": 60.0, "d": 10.0}


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [("a", 0, True), ("a", 5, True), ("b", 40, True), ("c", 1, False), ("e", 2, True)])
    put_people(workspace, [("a", "gold"), ("d", "gold"), ("f", "silver")])
    add_scores(workspace, add_instance(workspace), SCORES, tmp_path)
    yield workspace
    workspace.store.close()


def make(home, name, text=None, **wanted):
    return segments.create_segment(home, ANN, name, Wanted(text=text, **wanted))


def ids(home, name):
    return [member["id"] for member in segments.segment_members(home, name)["items"]]


def test_a_segment_of_a_bucket(home):
    made = make(home, "Likely", instance="Buy again", bucket="high")
    assert (made["name"], made["size"], made["namespace"]) == ("Likely", 2, "CRMID")
    assert made["text"] == 'bucket of "Buy again" equals "high"'
    assert ids(home, "Likely") == ids(home, made["id"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ('score of "Buy again" >= 60 and did (commerce.purchases.value exists) in the last 30 days', ["a"]),
        ('factor "Days since webVisit" of "Buy again" raises and value > 60', ["a", "b"]),
        ('factor "Days since webVisit" of "Buy again" lowers', ["d"]),
        ("tier = 'gold'", ["a", "d"]),
        ("not tier = 'gold'", ["b", "c", "e", "f"]),
        ("did (commerce.purchases.value exists) at least 2 times", ["a"]),
        ("did not (commerce.purchases.value exists)", ["c", "d", "f"]),
        ('not score of "Buy again" exists', ["e", "f"]),
    ],
)
def test_segments_of_expressions(home, text, members):
    assert make(home, "S", text, namespace="CRMID")["size"] == len(members)
    assert ids(home, "S") == members
    assert segments.estimate_segment(home, Wanted(text=text, namespace="CRMID"))["size"] == len(members)


def test_a_segment_of_keys_is_that_of_its_text(home):
    rule = {
        "all": [
            {"score": {"of": "Buy again", "operator": "greater_or_equal", "value": 50}},
            {"not": {"did": {"conditions": [{"field": "web.webPageDetails.name", "operator": "exists"}]}}},
            {"any": [{"attribute": {"field": "tier", "operator": "equals", "value": "gold"}},
                     {"text": "not tier exists"}]},
            {"factor": {"name": "Days since webVisit", "of": "Buy again", "effect": "raises",
                        "operator": "greater_than", "value": 10}},
        ]
    }  # fmt: skip
    made = make(home, "Keys", rule=rule)
    assert ids(home, "Keys") == ["a", "b"]
    make(home, "Text", made["text"])
    assert ids(home, "Text") == ["a", "b"]


def test_segments_refer_to_segments(home):
    make(home, "Gold", "tier = 'gold'", namespace="CRMID")
    make(home, "Rest", 'bucket of "Buy again" = "high" and not in segment "Gold"')
    assert ids(home, "Rest") == ["b"]
    with pytest.raises(UsageError, match="'Gold' is used by 'Rest'"):
        segments.delete_segment(home, ANN, "Gold")
    segments.delete_segment(home, ANN, "Rest")
    segments.delete_segment(home, ANN, "Gold")
    assert segments.list_segments(home) == []


def test_a_deleted_segment_is_put_back_with_its_members(home):
    make(home, "Gold", "tier = 'gold'", namespace="CRMID")
    rest = make(home, "Rest", 'bucket of "Buy again" = "high" and not in segment "Gold"')
    segments.delete_segment(home, ANN, "Rest")
    segments.delete_segment(home, ANN, "Gold")
    with pytest.raises(UsageError, match="Put that one back first"):
        segments.restore_segment(home, ANN, "Rest")
    make(home, "Rest", "tier = 'silver'", namespace="CRMID")
    segments.restore_segment(home, ANN, "Gold")
    assert segments.restore_segment(home, ANN, rest["id"])["name"] == "Rest 2"
    assert ids(home, "Rest 2") == ["b"]
    segments.delete_segment(home, ANN, "Rest 2")
    remove_for_good(home, at_once=True)
    with pytest.raises(UnknownNameError, match="no deleted segment that can be put back 'Rest 2'"):
        segments.restore_segment(home, ANN, "Rest 2")
    assert not home.lake.files(f"segments/{rest['id']}")
    assert home.lake.names(f"members/{rest['id']}") == []
    assert ids(home, "Gold") == ["a", "d"]


def test_a_circle_is_refused_and_changes_nothing(home):
    make(home, "A", "tier = 'gold'", namespace="CRMID")
    make(home, "B", 'in segment "A"')
    with pytest.raises(UsageError, match="in a circle: 'B' -> 'A' -> 'B'"):
        segments.change_segment(home, ANN, "A", wanted=Wanted(text='not in segment "B"'))
    assert ids(home, "A") == ["a", "d"]


def test_a_change_reaches_those_who_refer_to_it(home):
    make(home, "A", "tier = 'gold'", namespace="CRMID")
    make(home, "B", 'in segment "A"')
    segments.change_segment(home, ANN, "A", new_name="Silver", wanted=Wanted(text="tier = 'silver'", namespace="CRMID"))
    assert ids(home, "B") == ["f"]
    assert segments.get_segment(home, "B")["text"] == 'in segment "Silver"'


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        ({"text": 'score of "Buy" > 1'}, ConditionError, "no instance 'Buy'. Did you mean 'Buy again'"),
        ({"text": 'in segment "Gold"'}, ConditionError, "no segment 'Gold'"),
        ({"text": "teir = 'gold'"}, ConditionError, "Did you mean 'tier'"),
        ({"text": 'factor "Days since visit" of "Buy again" raises'}, UnknownNameError, "mean 'Days since webVisit'"),
        ({"text": "tier = 'gold'"}, UsageError, "one of the namespaces CRMID, ECID"),
        ({"text": 'score of "Buy again" > 1', "namespace": "ECID"}, UsageError, "people of one namespace"),
        ({"text": "tier = 'gold'", "namespace": "ECID"}, ConditionError, "no field 'tier'"),
        ({"instance": "Buy", "bucket": "high"}, UnknownNameError, "Did you mean 'Buy again'"),
        ({"instance": "Buy again", "bucket": "hihg"}, UnknownNameError, "Did you mean 'high'"),
        ({"instance": "Buy again"}, UsageError, "go together"),
        ({"rule": {"score": {"of": "Buy again", "operater": "exists"}}}, ConditionError, "mean 'operator'"),
        ({"rule": {"all": []}}, ConditionError, r"rule.all: \[\] is a list. Write a list of rules"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(home, wanted, error, message):
    with pytest.raises(error, match=message):
        make(home, "S", **wanted)
    assert segments.list_segments(home) == []


def test_names_are_given_once(home):
    make(home, "S", instance="Buy again", bucket="high")
    with pytest.raises(UsageError, match="'S' already"):
        make(home, "S", instance="Buy again", bucket="low")
    with pytest.raises(UsageError, match="no name"):
        make(home, " ", instance="Buy again", bucket="low")


def test_an_instance_without_scores_says_so(home):
    add_instance(home, "Never ran")
    with pytest.raises(UsageError, match="'Never ran' has no scores yet"):
        make(home, "S", instance="Never ran", bucket="high")


def test_members_follow_new_scores_and_new_events(home, tmp_path):
    make(home, "Likely", instance="Buy again", bucket="high")
    make(home, "Recent", "did (commerce.purchases.value exists) in the last 30 days", namespace="CRMID")
    add_scores(home, add_instance(home), {"a": 20.0, "z": 99.0}, tmp_path)
    put_events(home, [("d", 0, True)], batch="two")
    assert ids(home, "Likely") == ["z"]
    assert ids(home, "Recent") == ["a", "d", "e"]
    assert [count["size"] for count in segments.get_segment(home, "Likely")["counts"]] == [1, 2]


def test_a_run_evaluates_the_segments_of_its_instance(home, tmp_path):
    make(home, "Likely", instance="Buy again", bucket="high")
    make(home, "Through", 'not in segment "Likely"')
    make(home, "Gold", "tier = 'gold'", namespace="CRMID")
    run = add_scores(home, add_instance(home), {"z": 99.0}, tmp_path)
    segments.evaluate_after(home, run)
    sizes = {
        one["name"]: len(segments.get_segment(home, one["name"])["counts"]) for one in segments.list_segments(home)
    }
    assert sizes == {"Likely": 2, "Through": 2, "Gold": 1}


def test_nothing_is_evaluated_twice_without_a_reason(home):
    make(home, "Likely", instance="Buy again", bucket="high")
    assert ids(home, "Likely") == ids(home, "Likely")
    assert len(segments.get_segment(home, "Likely")["counts"]) == 1


def test_renaming_an_instance_changes_no_rule(home, tmp_path):
    make(home, "Likely", instance="Buy again", bucket="high")
    with home.store.write() as connection:
        from likelier.store import instances  # noqa: PLC0415

        found = instances.find_named(connection, "Buy again")
        instances.edit(connection, type(found)(**{**vars(found), "name": "Purchase", "revision": 2}), was=1)
    assert segments.get_segment(home, "Likely")["text"] == 'bucket of "Purchase" equals "high"'
    assert ids(home, "Likely") == ["a", "b"]


def test_members_come_in_pages(home):
    make(home, "All", 'score of "Buy again" exists')
    first = segments.segment_members(home, "All", limit=3)
    assert [member["id"] for member in first["items"]] == ["a", "b", "c"]
    second = segments.segment_members(home, "All", limit=3, after=first["next"])
    assert (second["items"], second["next"]) == ([{"namespace": "CRMID", "id": "d"}], None)


def test_an_empty_segment_is_one(home, tmp_path):
    made = make(home, "Nobody", "score of \"Buy again\" > 99 and tier = 'gold'")
    assert made["size"] == 0
    assert ids(home, "Nobody") == []
    assert segments.export_segment(home, ANN, "Nobody", tmp_path / "n.csv") == 0


def test_exports(home, tmp_path):
    make(home, "Likely", instance="Buy again", bucket="high")
    for name in ("m.parquet", "m.csv", "m.jsonl"):
        assert segments.export_segment(home, ANN, "Likely", tmp_path / name) == 2
    assert pq.read_table(tmp_path / "m.parquet").to_pydict() == {"namespace": ["CRMID"] * 2, "id": ["a", "b"]}
    assert (tmp_path / "m.csv").read_text().splitlines() == ["namespace,id", "CRMID,a", "CRMID,b"]
    assert json.loads((tmp_path / "m.jsonl").read_text().splitlines()[1]) == {"namespace": "CRMID", "id": "b"}


def test_old_snapshots_leave_the_lake(home, monkeypatch, tmp_path):
    monkeypatch.setattr("likelier.service.scene.KEPT", 2)
    made = make(home, "Recent", "did (commerce.purchases.value exists)", namespace="CRMID")
    for batch in ("two", "three"):
        put_events(home, [(batch, 0, True)], batch=batch)
        assert batch in ids(home, "Recent")
    with home.engine() as engine:
        rows = engine.table(engine.read(home.lake.files(f"segments/{made['id']}"))).to_pylist()
    assert len({row["snapshot"] for row in rows}) == 2
    assert [count["size"] for count in segments.get_segment(home, "Recent")["counts"]] == [5, 4, 3]
    assert segments.sizes_over_time(home, 2) == {made["id"]: [4, 5]}


def test_a_person_is_told_their_segments(home):
    make(home, "Likely", instance="Buy again", bucket="high")
    make(home, "Gold", "tier = 'gold'", namespace="CRMID")
    make(home, "Nobody", "tier = 'lead'", namespace="CRMID")
    with home.store.read() as connection:
        evaluated = stored.latest_counts(connection, "CRMID")
    with home.engine() as engine:
        told = {who: segments.segments_of(home, engine, evaluated, who) for who in "abf"}
    assert {who: [one["name"] for one in found] for who, found in told.items()} == {
        "a": ["Gold", "Likely"],
        "b": ["Likely"],
        "f": [],
    }


def test_two_segments_overlap(home):
    make(home, "Gold", "tier = 'gold'", namespace="CRMID")
    make(home, "Likely", instance="Buy again", bucket="high")
    found = comparisons.overlap(home, "Gold", "Likely")
    assert (found["both"], found["either"], found["first"]["alone"], found["second"]["alone"]) == (1, 3, 1, 1)
    assert (found["share_of_first"], found["share_of_second"]) == (0.5, 0.5)


def test_what_differs_between_members_and_the_rest(home):
    make(home, "Likely", instance="Buy again", bucket="high")  # a and b; the rest: c, d, e, f
    found = comparisons.what_differs(home, "Likely")
    told = {one["what"]: (one["kind"], one["members"], one["others"], one["known"]) for one in found["differences"]}
    assert (found["members"], found["others"]) == (2, 4)
    assert told['score of "Buy again"'] == ("mean", 85.0, 35.0, 4)
    assert told["tier = gold"] == ("share", 0.5, 0.25, 6)
    assert told["events"] == ("count", 1.5, 0.5, 6)
    assert told["events in the last 30 days"] == ("count", 1.0, 0.5, 6)
    assert found["differences"][0]["what"] == 'score of "Buy again"'
