"""Files into the lake: small files one can check by hand."""

import datetime as dt
import json

import pytest
from deltalake import DeltaTable

from likelier.backend import DuckDB
from likelier.datasets import FieldType, open_dataset, read_dataset
from likelier.events.ingest import ingest
from likelier.events.mapping import parse_mapping
from likelier.lake import Lake

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
HOME = {
    "_id": "1",
    "timestamp": "2024-01-01T00:00:00Z",
    "identityMap": {"CRMID": [{"id": "a", "primary": True}]},
    "web": {"webPageDetails": {"name": "home"}},
}


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


def send(lake, folder, rows, name="web", suffix=".jsonl", **options):
    file = folder / f"events{suffix}"
    file.write_text(rows if isinstance(rows, str) else "\n".join(json.dumps(row) for row in rows))
    return counts(ingest(lake, name, [file], now=NOW, **options))


def counts(result):
    return result.accepted, result.duplicate, result.rejected


def rows_of(lake, name="web"):
    with DuckDB() as engine:
        rows = engine.table(read_dataset(engine, lake, open_dataset(lake, name))).to_pylist()
    return sorted(({k: v for k, v in row.items() if v is not None} for row in rows), key=lambda row: row["_id"])


def rejects_of(lake, name="web"):
    rows = DeltaTable(f"{lake.root}/datasets/{name}/rejects").to_pyarrow_table().to_pylist()
    return sorted((row["line"], row["reason"]) for row in rows)


def test_counts_what_can_be_used_and_says_why_the_rest_cannot(lake, tmp_path):
    rows = [HOME, {**HOME, "_id": "2", "timestamp": "yesterday"}, {"_id": "3"}]
    rows += [{**HOME, "_id": "4", "timestamp": "2999-01-01T00:00:00Z"}, HOME]
    text = "\n".join([*map(json.dumps, rows), "{broken", "[]"])
    assert send(lake, tmp_path, text) == (1, 1, 5)
    assert send(lake, tmp_path, text) == (0, 2, 5)
    assert [row["_id"] for row in rows_of(lake)] == ["1"]
    reasons = rejects_of(lake)
    assert reasons[:3] == [
        (2, "timestamp: 'yesterday' is not a moment"),
        (3, "no identity"),
        (4, "timestamp: '2999-01-01T00:00:00Z' is in the future"),
    ]
    assert reasons[3][0] == 6
    assert reasons[3][1].startswith("broken JSON: ")
    assert reasons[4] == (7, "not a JSON object")


def adobe_row(number):
    return {
        "endUserIDs": {"_experience": {"aaid": {"id": f"person-{number % 3}", "namespace": {"code": "AAID"}}}},
        "_id": f"event-{number}",
        "timestamp": f"2024-02-{number + 1:02}T16:15:0{number}.000Z",
        "commerce": {"order": {"purchaseID": f"o{number}", "priceTotal": 10.5 * number, "currencyCode": "EUR"}},
        "productListItems": [
            {"SKU": f"s{number}", "quantity": 2, "priceTotal": 10.0},
            {"SKU": "bag", "quantity": 1, "priceTotal": 0.5},
        ],
        "web": {"webPageDetails": {"name": "thanks", "URL": "https://shop.example/thanks"}},
    }


def test_takes_the_public_shape_of_experience_events_as_it_is(lake, tmp_path):
    assert send(lake, tmp_path, [adobe_row(number) for number in range(10)]) == (10, 0, 0)
    found = rows_of(lake)
    assert found[4] == {
        "_id": "event-4",
        "timestamp": dt.datetime(2024, 2, 5, 16, 15, 4, tzinfo=dt.UTC),
        "identityMap.AAID": "person-1",
        "commerce.order.purchaseID": "o4",
        "commerce.order.priceTotal": 42.0,
        "commerce.order.currencyCode": "EUR",
        "productListItems.SKU": ["s4", "bag"],
        "productListItems.quantity": [2.0, 1.0],
        "productListItems.priceTotal": [10.0, 0.5],
        "web.webPageDetails.name": "thanks",
        "web.webPageDetails.URL": "https://shop.example/thanks",
    }


def test_a_mapping_makes_a_flat_file_events(lake, tmp_path):
    mapping = parse_mapping(
        """
        identity: {namespace: CRMID, value: who}
        timestamp: at
        id: concat_ws('-', invoice, sku)
        fields:
          commerce.purchases.value: CASE WHEN amount > 0 THEN 1 END
          commerce.order.priceTotal: amount
          productListItems.SKU: sku
        """
    )
    text = "who,at,invoice,sku,amount\n007,2024-01-01,1,0012,3.5\n8,1704153600,2,x,-1\n,2024-01-01,3,y,1\n"
    assert send(lake, tmp_path, text, suffix=".csv", mapping=mapping) == (2, 0, 1)
    first, second = rows_of(lake)
    assert first["identityMap.CRMID"] == "007"
    assert first["productListItems.SKU"] == ["0012"]
    assert (first["commerce.order.priceTotal"], first["commerce.purchases.value"]) == (3.5, 1.0)
    assert second["timestamp"] == dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
    assert "commerce.purchases.value" not in second
    assert open_dataset(lake, "web").fields["commerce.order.priceTotal"].type is FieldType.NUMBER
