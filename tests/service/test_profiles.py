"""What is told of one person."""

import datetime as dt

import pyarrow as pa
import pytest
from tests.service.segment_shop import ANN, MOMENT, NEWEST, add_instance, add_scores, open_home, put_events, put_people

from likelier.errors import UnknownNameError
from likelier.profiles.published import publish_scores
from likelier.service import segments
from likelier.service.deleted import remove_for_good
from likelier.service.instances import delete_instance
from likelier.service.profiles import UnknownPersonError, find_profile, publish_profiles
from likelier.service.workspace import Workspace
from likelier.timespan import DAY, UTC


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [("a", days, days == 3) for days in range(12)] + [("b", 1, True)])
    put_people(workspace, [("a", "gold"), ("c", "silver")])
    yield workspace
    workspace.store.close()


def test_a_person_with_everything(home, tmp_path):
    run = add_scores(home, add_instance(home), {"a": 90.0, "b": 10.0}, tmp_path)
    add_scores(home, add_instance(home, "Hidden", profile_enabled=False), {"a": 50.0}, tmp_path)
    segments.create_segment(home, ANN, "Likely", segments.Wanted(instance="Buy again", bucket="high"))
    found = find_profile(home, "CRMID", "a")
    assert found["identities"] == [{"namespace": "CRMID", "id": "a"}, {"namespace": "ECID", "id": "cookie-a"}]
    assert found["attributes"] == [{"name": "tier", "value": "gold", "since": "1970-01-01T00:00:00+00:00"}]
    assert [one["events"] for one in found["activity"]] == [12]
    assert [(score["run"], score["bucket"], score["factors"][0]["value"]) for score in found["scores"]] == [
        (run.id, "high", "90")
    ]
    assert [one["name"] for one in found["segments"]] == ["Likely"]
    moments = [event["timestamp"] for event in found["events"]]
    assert moments == [(NEWEST - days * DAY).isoformat() for days in range(10)]
    assert found["events"][3]["fields"] == {"commerce.purchases.value": 1.0}


def test_a_person_is_found_by_another_id(home):
    assert find_profile(home, "ECID", "cookie-b")["identities"][0] == {"namespace": "CRMID", "id": "b"}


def test_further_ids_of_one_namespace_are_told(home):
    table = pa.table(
        {
            "_id": ["x"],
            "timestamp": pa.array([NEWEST], MOMENT),
            "identityMap.CRMID": ["a"],
            "identityMap.CRMID.others": [["a2", "a3"]],
        }
    )
    home.lake.append("datasets/more/events", table.to_reader(), batch="more")
    ids = [one["id"] for one in find_profile(home, "CRMID", "a")["identities"]]
    assert ids == ["a", "a2", "a3", "cookie-a"]


def test_the_latest_value_of_two_datasets_is_told(home):
    for name, moment, tier in (("aaa", dt.datetime(2024, 1, 1, tzinfo=UTC), "new"), ("zzz", NEWEST - 900 * DAY, "old")):
        table = pa.table(
            {"_id": ["x"], "timestamp": pa.array([moment], MOMENT), "identityMap.CRMID": ["a"], "tier": [tier]}
        )
        home.lake.append(f"datasets/{name}/profiles", table.to_reader(), batch="one")
    assert [one["value"] for one in find_profile(home, "CRMID", "a")["attributes"]] == ["new"]


def test_somebody_known_by_attributes_alone(home):
    found = find_profile(home, "CRMID", "c")
    assert (found["activity"], found["scores"], found["events"]) == ([], [], [])


def test_nobody_and_nowhere(home):
    with pytest.raises(UnknownPersonError, match="Nothing is known of 'z'"):
        find_profile(home, "CRMID", "z")
    with pytest.raises(UnknownNameError, match="Did you mean 'CRMID'"):
        find_profile(home, "CRM", "a")


def test_what_is_published_is_what_the_lake_says(home, tmp_path):
    """The same person, found on the shelves and without them."""
    instance = add_instance(home)
    run = add_scores(home, instance, {"a": 90.0, "b": 10.0}, tmp_path)
    segments.create_segment(home, ANN, "Likely", segments.Wanted(instance="Buy again", bucket="high"))
    looked_for = [("CRMID", "a"), ("CRMID", "b"), ("CRMID", "c"), ("ECID", "cookie-a")]
    before = [find_profile(home, *one) for one in looked_for]
    publish_scores(home.lake, instance.id, run.id, tmp_path / f"{run.id}.parquet")
    publish_profiles(home, run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "engine", None)  # nothing needs it any more
        assert [find_profile(home, *one) for one in looked_for] == before


def test_scores_of_a_run_that_did_not_succeed_are_not_told(home, tmp_path):
    instance = add_instance(home)
    run = add_scores(home, instance, {"a": 90.0}, tmp_path)
    publish_scores(home.lake, instance.id, run.id, tmp_path / f"{run.id}.parquet")
    publish_scores(home.lake, instance.id, "failed", tmp_path / f"{run.id}.parquet")
    assert [score["run"] for score in find_profile(home, "CRMID", "a")["scores"]] == [run.id]


def test_the_scores_of_the_last_two_runs_stay_on_shelves(home, tmp_path):
    instance = add_instance(home)
    runs = []
    for _ in range(3):
        runs.append(add_scores(home, instance, {"a": 90.0}, tmp_path))
        publish_scores(home.lake, instance.id, runs[-1].id, tmp_path / f"{runs[-1].id}.parquet")
        publish_profiles(home, runs[-1])
    assert home.lake.names(f"profiles/{instance.id}") == [run.id for run in runs[1:]]
    delete_instance(home, ANN, instance.id)
    remove_for_good(home, at_once=True)
    assert home.lake.names(f"profiles/{instance.id}") == [runs[-1].id]
    assert [score["run"] for score in find_profile(home, "CRMID", "a")["scores"]] == [runs[-1].id]
