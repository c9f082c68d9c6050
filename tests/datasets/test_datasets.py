"""Datasets in the lake: opened, read as they were, described."""

import datetime as dt
import json
from pathlib import Path

import pytest

from likelier.backend import DuckDB
from likelier.datasets import Field, FieldType, describe, list_datasets, open_dataset, read_dataset
from likelier.errors import UnknownNameError
from likelier.events.ingest import ingest
from likelier.events.mapping import load_mapping
from likelier.instance import load_instance
from likelier.lake import Lake

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)


@pytest.fixture
def send(tmp_path):
    lake = Lake(str(tmp_path / "lake"))

    def sent(name, *rows, **options):
        file = tmp_path / "rows.jsonl"
        file.write_text("\n".join(map(json.dumps, rows)))
        ingest(lake, name, [file], now=NOW, **options)
        return lake

    return sent


def event(number, day="2024-01-01", who="a", **fields):
    return {"_id": f"e{number}", "timestamp": day, "identityMap": {"CRMID": [{"id": who}]}, **fields}


def test_a_dataset_knows_its_fields_and_namespaces(send):
    lake = send("web", event(1, eventType="x", n=1.5, tags=["a"], identityMap={"CRMID": [{"id": "a"}, {"id": "b"}]}))
    dataset = open_dataset(lake, "web")
    assert (dataset.name, dataset.kind, dataset.namespaces, dataset.version) == ("web", "events", ("CRMID",), 0)
    assert dict(dataset.fields) == {
        "timestamp": Field("timestamp", FieldType.MOMENT),
        "eventType": Field("eventType", FieldType.TEXT),
        "n": Field("n", FieldType.NUMBER),
        "tags": Field("tags", FieldType.TEXT, array=True),
    }


def test_a_dataset_is_read_as_it_was(send):
    before = open_dataset(send("web", event(1)), "web")
    lake = send("web", event(2, n=1))
    with DuckDB() as engine:
        assert engine.table(read_dataset(engine, lake, before)).num_rows == 1
        now = engine.table(read_dataset(engine, lake, open_dataset(lake, "web")))
        assert sorted(now["_id"].to_pylist()) == ["e1", "e2"]
        lake.delete("datasets/web/events", "true")
        assert engine.table(read_dataset(engine, lake, open_dataset(lake, "web"))).num_rows == 0


def test_a_column_whose_values_are_gone_is_null(send):
    send("web", event(1, n=1))
    lake = send("web", event(2))
    send("web", event(2, m=1))
    lake.delete("datasets/web/events", "_id = 'e1'")
    dataset = open_dataset(lake, "web")
    assert list(dataset.fields) == ["timestamp", "n"]
    with DuckDB() as engine:
        assert engine.table(read_dataset(engine, lake, dataset)).select(["_id", "n"]).to_pylist() == [
            {"_id": "e2", "n": None}
        ]


def test_an_unknown_dataset_is_named_with_the_nearest(send):
    lake = send("retail", event(1))
    with pytest.raises(UnknownNameError, match=r"There is no dataset 'retial'\. Did you mean 'retail'\?"):
        open_dataset(lake, "retial")
    assert [dataset.name for dataset in list_datasets(lake)] == ["retail"]
    assert list_datasets(Lake(lake.root + "/nothing")) == []


def test_describes_what_is_in_a_dataset(send):
    old = event(1, "2022-01-01", who="a", n=1)
    lake = send("web", old, event(2, who="b", n=2), event(3, "2024-02-01", who="b"), {"_id": "bad"})
    with DuckDB() as engine:
        found = describe(engine, lake, open_dataset(lake, "web"))
    assert json.loads(json.dumps(found)) == found
    assert (found["rows"], found["rejected"], len(found["batches"])) == (3, 1, 1)
    assert (found["first"], found["last"]) == ("2022-01-01T00:00:00+00:00", "2024-02-01T00:00:00+00:00")
    assert found["fields"] == [
        {"path": "timestamp", "type": "moment", "array": False, "complete": 1.0},
        {"path": "n", "type": "number", "array": False, "complete": 0.5},  # of the last year's events
    ]
    assert found["identities"] == [{"namespace": "CRMID", "profiles": 2, "estimated": False, "complete": 1.0}]
    assert [row["_id"] for row in found["preview"]] == ["e3", "e2", "e1"]
    assert found["rejects"][0]["reason"] == "no identity"
    assert found["batches"][0]["rows"] == 3


def test_describes_a_dataset_without_rows(send):
    lake = send("web", {"_id": "bad"})
    with DuckDB() as engine:
        found = describe(engine, lake, open_dataset(lake, "web"))
    assert (found["rows"], found["first"], found["preview"], found["rejected"]) == (0, None, [], 1)


EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_examples_can_be_read():
    mappings = {path.name.removesuffix(".mapping.yaml"): load_mapping(path) for path in EXAMPLES.glob("*.mapping.yaml")}
    instances = [load_instance(path) for path in EXAMPLES.glob("*.yaml") if ".mapping." not in path.name]
    assert len(mappings) == 4
    assert len(instances) == 5
    for instance in instances:
        fields = {path for name in instance.datasets for path in mappings[name].fields}
        used = {condition.field for rule in instance.goal.events for condition in rule.conditions}
        assert used | {attribute.field for attribute in instance.profile_attributes} <= fields
