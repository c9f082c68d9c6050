"""Links, looked at and cut."""

from types import SimpleNamespace

import pyarrow as pa
import pytest
from tests.service.segment_shop import ANN, MOMENT, NEWEST, add_instance, add_scores, open_home, put_events
from tests.service.test_privacy import traces

from likelier.conditions.goals import Population
from likelier.errors import UnknownNameError, UsageError
from likelier.identity import components
from likelier.service import ondemand, privacy, segments
from likelier.service.identity import cut_link, find_links, find_person
from likelier.store import audit
from likelier.timespan import DAY


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [("a", 0, False), ("a", 2, True), ("b", 1, True)])
    more = {
        "_id": ["x", "y", "z"],
        "timestamp": pa.array([NEWEST] * 3, MOMENT),
        "identityMap.CRMID": ["a", "b", "null"],
        "identityMap.ECID": ["tablet", "tablet", "cookie-b"],
    }
    workspace.lake.append("datasets/home/events", pa.table(more).to_reader(), batch="more")
    yield workspace
    workspace.store.close()


def ids(found):
    return {one["id"] for one in found["ids"]}


def test_everybody_behind_one_tablet_is_one_person(home):
    found = find_links(home, "ECID", "cookie-a")
    assert ids(found) == {"a", "cookie-a", "tablet", "b", "cookie-b"}
    assert [(link["a"]["id"], link["b"]["id"], link["rows"]) for link in found["links"]] == [
        ("a", "cookie-a", 2),
        ("a", "tablet", 1),
        ("b", "cookie-b", 1),
        ("b", "tablet", 1),
    ]


def test_one_profile_of_all_that_is_linked(home, tmp_path):
    add_scores(home, add_instance(home), {"a": 90.0, "b": 10.0}, tmp_path)
    segments.create_segment(home, ANN, "Likely", segments.Wanted(instance="Buy again", bucket="high"))
    found = find_person(home, "ECID", "cookie-b")
    assert [one["id"] for one in found["identities"]] == ["a", "b", "null", "cookie-a", "cookie-b", "tablet"]
    assert {one["dataset"]: one["events"] for one in found["activity"]} == {"shop": 3, "home": 3}
    assert sorted(score["score"] for score in found["scores"]) == [10.0, 90.0]
    assert [one["name"] for one in found["segments"]] == ["Likely"]
    assert sorted(one["id"] for one in found["events"]) == ["one0", "one1", "one2", "x", "y", "z"]


def test_a_cut_parts_them_until_it_is_taken_back(home):
    found = cut_link(home, ANN, ("ECID", "tablet"), ("CRMID", "b"))
    assert ids(found) == {"a", "cookie-a", "tablet"}
    assert [link["cut"] for link in found["links"]] == [False, False, True]
    assert ids(find_links(home, "CRMID", "b")) == {"b", "cookie-b"}
    cut_link(home, ANN, ("ECID", "tablet"), ("CRMID", "b"))  # once more changes nothing
    assert len(ids(cut_link(home, ANN, ("CRMID", "b"), ("ECID", "tablet"), cut=False))) == 5
    with home.store.read() as connection:
        told = audit.page(connection, audit.Filter(), limit=9)
    assert [(entry.action, entry.object_name) for entry in told] == [
        ("link.restore", "CRMID - ECID"),
        ("link.cut", "ECID - CRMID"),
    ]


def test_a_hub_is_told_and_joins_nobody(home, monkeypatch):
    monkeypatch.setattr(components, "MOST_LINKED", 1)
    found = find_links(home, "CRMID", "b")
    assert (ids(found), found["hubs"]) == ({"b"}, [{"namespace": "CRMID", "id": "b", "neighbours": 2}])


def test_on_demand_a_person_is_scored_by_any_id_on_all_that_was_known_then(home, tmp_path, monkeypatch):
    add_scores(home, add_instance(home, datasets=["shop", "home"], stitch=True), {"a": 90.0}, tmp_path)
    asked = []
    scorer = SimpleNamespace(
        score=lambda *given: asked.append(given), question=SimpleNamespace(population=Population())
    )
    monkeypatch.setattr(ondemand, "_scorer", lambda *_: scorer)
    for moment in (NEWEST, NEWEST + DAY):  # the tablet is seen with both at the newest moment
        for namespace, one in (("ECID", "cookie-b"), ("CRMID", "b")):
            assert not ondemand.score_now(home, namespace, one, "Buy again", as_of=moment)["eligible"]
    found = [
        (who, sorted(one for table in rows.values() for one in table["_id"].to_pylist())) for who, rows, _ in asked
    ]
    assert found == [("b", ["one2", "y", "z"])] * 2 + [("a", ["one0", "one1", "one2", "x", "y", "z"])] * 2


def test_who_is_deleted_is_deleted_from_the_cuts(home):
    """Whose tablet it is, is what the cut says: its own rows are not those of the person who goes."""
    put_events(home, [("person-7731", 1, True)], batch="gone")
    both = {"identityMap.CRMID": ["person-7731", None], "identityMap.ECID": ["tablet-7", "tablet-7"]}
    rows = {"_id": ["t1", "t2"], "timestamp": pa.array([NEWEST] * 2, MOMENT), **both}
    home.lake.append("datasets/home/events", pa.table(rows).to_reader(), batch="both")
    cut_link(home, ANN, ("CRMID", "person-7731"), ("ECID", "tablet-7"))
    known = privacy.everything_about(home, ANN, "CRMID", "person-7731")
    assert known["cut_links"] == [
        [{"namespace": "CRMID", "id": "person-7731"}, {"namespace": "ECID", "id": "tablet-7"}]
    ]
    assert (len(known["events"]), [one["id"] for one in known["shared_ids"]]) == (2, ["tablet-7"])
    found = privacy.erase(home, ANN, "CRMID", "person-7731")
    assert (found["deleted"]["events"], found["deleted"]["cut_links"], found["left"]) == (2, 1, [])
    assert traces(home, "person-7731") == set()
    assert ids(find_links(home, "ECID", "tablet-7")) == {"tablet-7"}


def test_only_what_was_seen_together_can_be_cut(home):
    with pytest.raises(UsageError, match="never seen together"):
        cut_link(home, ANN, ("CRMID", "a"), ("CRMID", "b"))
    with pytest.raises(UnknownNameError, match="Did you mean 'CRMID'"):
        find_links(home, "CRM", "a")
