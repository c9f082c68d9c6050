"""Files into the lake: small files one can check by hand."""

import datetime as dt
import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from likelier.datasets import Field, FieldType, list_datasets
from likelier.errors import MappingError, UsageError
from likelier.events.mapping import parse_mapping

DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
FLAT = parse_mapping("identity: {namespace: CRMID, value: who}\ntimestamp: at\nfields: {eventType: what}")


def test_counts_what_can_be_used_and_says_why_the_rest_cannot(desk, make):
    rows = [make(1), make(2, timestamp="yesterday"), {"_id": "3"}, make(4, timestamp="2999-01-01T00:00:00Z"), make(1)]
    text = "\n".join([*map(json.dumps, rows), "", "{broken", "[]"])
    assert desk.send(text) == (1, 1, 5)
    assert desk.send(text) == (0, 2, 5)
    assert desk.values("_id") == ["e001"]
    assert desk.rejects() == [
        (2, "timestamp: 'yesterday' is not a moment"),
        (3, "no identity"),
        (4, "timestamp: '2999-01-01T00:00:00Z' is in the future"),
        (7, "broken JSON: unexpected character, expected a string key: line 1 column 2 (char 1)"),
        (8, "not a JSON object"),
    ]


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


def test_takes_the_public_shape_of_experience_events_as_it_is(desk):
    assert desk.send([adobe_row(number) for number in range(10)]) == (10, 0, 0)
    assert desk.rows()[4] == {
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


def test_the_same_events_in_every_format_are_the_same(desk, tmp_path):
    rows = [adobe_row(number) for number in range(10)]
    lines = "\n".join(map(json.dumps, rows)).encode()
    prefixed = json.dumps(rows).replace('"commerce"', '"xdm:commerce"').replace('"order"', '"xdm:order"')
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    files = {
        "lines": desk.write(lines),
        "array": desk.write(json.dumps(rows, indent=1), ".json"),
        "printed": desk.write("\n".join(json.dumps(row, indent=1) for row in rows), ".json"),
        "prefixed": desk.write(prefixed, ".json"),
        "gz": desk.write(gzip.compress(lines), ".jsonl.gz"),
        "zst": desk.write(zstandard.compress(lines), ".jsonl.zst"),
        "parquet": tmp_path / "rows.parquet",
    }
    for name, file in files.items():
        found = desk.ingest(file, name=name)
        assert (found.accepted, found.duplicate, found.rejected) == (10, 0, 0), name
    expected = desk.rows("lines")
    for name in files:
        assert desk.rows(name) == expected, name
    assert [dataset.name for dataset in list_datasets(desk.lake)] == sorted(files)


# ---- identities ----


def test_an_identity_map_gives_the_primary_id_and_keeps_the_others(desk, make):
    two = {"CRMID": [{"id": "b"}, {"id": "a", "primary": True}, {"id": "b"}], "email": [{"id": " x@y.example "}]}
    assert desk.send([make(1, identityMap=two), make(2, identityMap={"email": [{"id": "z"}]})]) == (2, 0, 0)
    first, second = desk.rows()
    assert (first["identityMap.CRMID"], first["identityMap.CRMID.others"]) == ("a", ["b"])
    assert first["identityMap.email"] == "x@y.example"
    assert second["identityMap.email"] == "z"
    assert "identityMap.CRMID" not in second
    assert desk.dataset().namespaces == ("CRMID", "email")


def test_an_event_of_nobody_is_rejected(desk, make):
    nobody = [None, {}, {"CRMID": []}, {"CRMID": [{"id": ""}]}, {"CRMID": [{"id": None}]}]
    assert desk.send([make(), *(make(n, identityMap=ids) for n, ids in enumerate(nobody, 2))]) == (1, 0, 5)
    assert set(desk.reasons()) == {"no identity"}


def test_end_user_ids_are_identities(desk):
    ids = {"aaid": {"id": "A"}, "mcid": {"id": "E"}}
    assert desk.send([{"_id": "1", "timestamp": "2024-01-01", "endUserIDs": {"_experience": ids}}]) == (1, 0, 0)
    assert desk.rows() == [{"_id": "1", "timestamp": DAY, "identityMap.AAID": "A", "identityMap.ECID": "E"}]


def test_a_mapping_names_the_identity_field_of_experience_events(desk):
    mapping = parse_mapping("identity: {namespace: email, value: _shop.person.mail}")
    rows = [{"_id": "1", "timestamp": "2024-01-01", "_shop": {"person": {"mail": "x"}, "colour": "red"}}]
    assert desk.send(rows, mapping=mapping) == (1, 0, 0)
    assert desk.rows()[0] == {
        "_id": "1",
        "timestamp": DAY,
        "identityMap.email": "x",
        "_shop.person.mail": "x",
        "_shop.colour": "red",
    }


# ---- timestamps ----


def test_a_moment_is_understood_as_it_is_written(desk, make):
    written = [
        "2024-01-01",
        "2024-01-01T00:00",
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00Z",
        " 2024-01-01T00:00:00.000000Z",
        "2024-01-01T01:30:00+01:30",
        "2023-12-31T19:00:00-0500",
        "2023-12-31T16:00:00-08",
        1704067200,
        1704067200000,
        1704067200000000,
        1704067200.0,
        "1704067200",
    ]
    assert desk.send([make(n, timestamp=moment) for n, moment in enumerate(written)]) == (len(written), 0, 0)
    assert desk.values("timestamp") == [DAY] * len(written)


def test_what_is_not_a_moment_is_rejected(desk, make):
    written = ["", "now", "2024", 2024, "2024-13-01", "01/02/2024", True, {"a": 1}, "infinity", "2024-01-01T25:00:00Z"]
    rows = [make(n, timestamp=moment) for n, moment in enumerate(written)] + [make(n + 20) for n in range(9)]
    assert desk.send(rows) == (9, 0, len(written))
    assert all(reason.startswith("timestamp: ") for reason in desk.reasons())


def test_a_day_ahead_is_not_the_far_future(desk, make):
    assert desk.send([make(1, timestamp="2024-06-02T00:00:00Z"), make(2, timestamp="2024-06-02T00:00:00.000001Z")]) == (
        1,
        0,
        1,
    )


def test_microseconds_are_exact(desk, make):
    assert desk.send([make(1, timestamp="2024-01-01T00:00:00.123456Z"), make(2, timestamp=1704067200123456)]) == (
        2,
        0,
        0,
    )
    assert [moment.microsecond for moment in desk.values("timestamp")] == [123456, 123456]


# ---- duplicates ----


def test_an_id_counts_once_within_and_across_batches(desk, make):
    first = desk.write([make(1, place="x"), make(1, place="y"), make(2)])
    second = desk.write([make(2), make(3)])
    found = desk.ingest(first, second)
    assert (found.accepted, found.duplicate) == (3, 2)
    assert desk.send([make(3), make(4)]) == (1, 1, 0)
    assert desk.values("_id") == ["e001", "e002", "e003", "e004"]
    assert desk.values("place")[0] == "x"


def test_events_without_id_are_known_by_all_they_hold(desk, make):
    rows = [{**make(), "_id": None, "x": x} for x in ("a", "b", "a")]
    for row in rows:
        del row["_id"]
    assert desk.send(rows) == (2, 1, 0)
    assert desk.send([*rows, {**rows[0], "x": "c"}]) == (1, 3, 0)


def test_flat_rows_that_differ_in_an_unmapped_column_are_different(desk):
    text = "who,at,what,other\na,2024-01-01,x,1\na,2024-01-01,x,2\na,2024-01-01,x,2\n"
    assert desk.send(text, ".csv", mapping=FLAT) == (2, 1, 0)


def test_rows_deleted_meanwhile_come_back_when_they_are_sent_again(desk, make):
    rows = [make(1), make(2), {"bad": 1}]
    assert desk.send(rows) == (2, 0, 1)
    desk.lake.delete("datasets/web/events", "_id = 'e001'")
    assert desk.send(rows) == (1, 1, 1)
    assert desk.values("_id") == ["e001", "e002"]
    assert len(desk.rejects()) == 1


# ---- types ----


def test_types_are_inferred_once(desk, make):
    rows = [make(n, n=n, f=n > 1, t=f"x{n}", day=f"2024-01-0{n}", mixed=n if n < 3 else "three") for n in (1, 2, 3)]
    assert desk.send(rows) == (2, 0, 1)
    assert desk.reasons() == ["mixed: text where a number is kept"]
    kinds = {path: field.type for path, field in desk.dataset().fields.items()}
    assert kinds == {
        "timestamp": FieldType.MOMENT,
        "n": FieldType.NUMBER,
        "f": FieldType.FLAG,
        "t": FieldType.TEXT,
        "day": FieldType.MOMENT,
        "mixed": FieldType.NUMBER,
    }


MISFITS = {
    "n: text where a number is kept": {"n": "one"},
    "n: true or false where a number is kept": {"n": True},
    "n: an object where a value is kept": {"n": {"a": 1}},
    "n: a list where one value is kept": {"n": [1]},
    "f: a number where true or false is kept": {"f": 1},
    "o: a value where an object is kept": {"o": 1},
    "l: values of several types in one list where a number is kept": {"l": [1, "x"]},
    "l: values of several types in one list where a number is kept ": {"l": [1, {"x": 1}]},
    "N: this field is otherwise written with other capitals or another prefix": {"N": 1},
    "O.a: this field is otherwise written with other capitals or another prefix": {"O": {"a": 1}},
    "commerce.purchases.value: text where a number is kept": {"commerce": {"purchases": {"value": "1"}}},
}


def test_rows_that_do_not_fit_are_set_aside_with_their_reason(desk, make):
    fit = {"n": 1, "f": True, "t": "x", "day": "2024-01-01", "o": {"a": 1}, "l": [1, 2]}
    good = [make(n, **fit) for n in range(9)]
    bad = [make(n, **fields) for n, fields in enumerate(MISFITS.values(), 10)]
    reasons = sorted(reason.strip() for reason in MISFITS)
    reasons = [reason.replace("O.a:", "O:") for reason in reasons]
    assert desk.send([*bad, *good], name="at_once") == (9, 0, len(bad))
    assert sorted(desk.reasons("at_once")) == sorted(reasons)
    assert desk.send(good) == (9, 0, 0)
    assert desk.send([*bad, make(30, day="someday"), make(31)]) == (1, 0, len(bad) + 1)
    assert sorted(desk.reasons()) == sorted([*reasons, "day: 'someday' is not a moment"])


def test_a_flat_file_keeps_the_capitals_of_the_dataset(desk):
    desk.send("timestamp,identityMap.CRMID,note\n2024-01-01,a,x\n", ".csv")
    with pytest.raises(UsageError, match="The field 'Note' is already there as 'note'"):
        desk.send("timestamp,identityMap.CRMID,Note\n2024-01-01,a,x\n", ".csv")


def test_text_takes_numbers_as_they_are_written(desk, make):
    items = [{"SKU": 1013, "quantity": 1}, {"SKU": "x"}]
    assert desk.send([make(1, productListItems=items), make(2, zip="a"), make(3, zip=90210)]) == (3, 0, 0)
    assert desk.values("productListItems.SKU")[0] == ["1013", "x"]
    assert desk.values("zip")[1:] == ["a", "90210"]


def test_lists_of_objects_become_lists_of_leaves(desk, make):
    items = [{"SKU": "a", "options": [{"key": "x"}, {"key": "y"}]}, {"SKU": "b"}, {"options": []}]
    assert desk.send([make(1, productListItems=items), make(2, productListItems=[]), make(3)]) == (3, 0, 0)
    assert desk.rows()[0]["productListItems.SKU"] == ["a", "b", None]
    assert desk.rows()[0]["productListItems.options.key"] == ["x", "y"]
    assert desk.values("productListItems.SKU")[1:] == [None, None]


def test_new_fields_become_new_columns(desk, make):
    desk.send([make(1, a="x")])
    desk.send([make(2, b={"c": [1, 2]})])
    assert desk.dataset().fields["b.c"] == Field("b.c", FieldType.NUMBER, array=True)
    assert [(row.get("a"), row.get("b.c")) for row in desk.rows()] == [("x", None), (None, [1.0, 2.0])]


def test_unknown_and_empty_things_are_no_fields(desk, make):
    assert desk.send([make(1, nothing=None, empty={}, none=[])]) == (1, 0, 0)
    assert list(desk.dataset().fields) == ["timestamp"]


# ---- flat files ----


def test_a_mapping_makes_a_flat_file_events(desk):
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
    assert desk.send(text, ".csv", mapping=mapping) == (2, 0, 1)
    first, second = desk.rows()
    assert (first["_id"], first["identityMap.CRMID"], first["productListItems.SKU"]) == ("1-0012", "007", ["0012"])
    assert (first["commerce.order.priceTotal"], first["commerce.purchases.value"]) == (3.5, 1.0)
    assert second["timestamp"] == DAY + dt.timedelta(days=1)
    assert "commerce.purchases.value" not in second
    assert desk.rejects() == [(4, "no identity")]


def test_a_csv_file_may_name_xdm_paths_itself(desk):
    text = "_id;timestamp;identityMap.CRMID;commerce.order.priceTotal;note;n;f\n1;2024-01-01;a;2.5;;3;true\n"
    assert desk.send(text, ".csv") == (1, 0, 0)
    assert desk.rows()[0] == {
        "_id": "1",
        "timestamp": DAY,
        "identityMap.CRMID": "a",
        "commerce.order.priceTotal": 2.5,
        "n": 3.0,
        "f": True,
    }


def test_lines_of_a_csv_file_that_do_not_fit_are_set_aside(desk):
    text = b'who,at,what\na,2024-01-01,"x\ny"\nb,2024-01-01\nc,2024-01-01,x,y\nd,2024-01-01,\xff\n'
    text += b"e,never,z\nf,2024-01-01,z\n"
    assert desk.send(text, ".csv", mapping=FLAT) == (2, 0, 4)
    assert sorted(desk.values("eventType")) == ["x\ny", "z"]
    assert len(desk.rejects()) == 4


def test_rejected_lines_of_a_csv_file_are_counted_as_they_stand(desk):
    text = "who,at,what\na,2024-01-01,x\nb\nc,2024-01-01,x,y\nd,never,x\ne,2024-01-01,x\nf\n,2024-01-01,x\n"
    assert desk.send(text, ".csv", mapping=FLAT) == (2, 0, 5)
    assert [line for line, _ in desk.rejects()] == [3, 4, 5, 7, 8]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_files_come_in_many_dresses(desk, end):
    for number, delimiter in enumerate(",;\t|"):
        lines = ["who,at,what", f'a,2024-01-01,"x{number}"', f"b,2024-01-01,y{number}"]
        text = "\ufeff" + end.join(lines).replace(",", delimiter)
        file = desk.write(gzip.compress(text.encode()), ".csv.gz")
        found = desk.ingest(file, mapping=FLAT)
        assert (found.accepted, found.rejected) == (2, 0)
    assert len(desk.values("eventType")) == 8


def test_a_number_that_is_none_is_said_of_flat_files_too(desk):
    mapping = parse_mapping(
        "identity: {namespace: CRMID, value: who}\ntimestamp: at\n"
        "fields: {commerce.order.priceTotal: amount, commerce.purchases.value: CASE WHEN amount > 0 THEN 1 END}"
    )
    rows = [
        "who,at,amount",
        "a,2024-01-01,1",
        "b,2024-01-01,dear",
        "c,2024-01-01,inf",
        "d,2024-01-01,",
        "e,2024-01-01,2",
        "f,2024-01-01,3",
    ]
    assert desk.send("\n".join(rows), ".csv", mapping=mapping) == (4, 0, 2)
    assert desk.reasons() == [
        "amount: 'dear' is not a number",
        "commerce.order.priceTotal: 'inf' is not a number",
    ]


def test_whole_numbers_are_ids_without_a_point(desk, tmp_path):
    pq.write_table(pa.table({"who": [17850.0, 12.5], "at": [DAY, DAY], "what": ["x", "x"]}), tmp_path / "f.parquet")
    assert desk.ingest(tmp_path / "f.parquet", mapping=FLAT).accepted == 2
    assert sorted(desk.values("identityMap.CRMID")) == ["12.5", "17850"]


def test_a_person_may_be_known_in_several_namespaces(desk):
    mapping = parse_mapping(
        "identity: [{namespace: CRMID, value: who}, {namespace: email, value: lower(mail)}]\ntimestamp: at\nfields: {}"
    )
    assert desk.send("who,mail,at\na,A@B.example,2024-01-01\n,C@D.example,2024-01-01\n", ".csv", mapping=mapping) == (
        2,
        0,
        0,
    )
    assert sorted(desk.values("identityMap.email")) == ["a@b.example", "c@d.example"]


def test_an_unknown_column_is_named_with_the_nearest(desk):
    mapping = parse_mapping("identity: {namespace: CRMID, value: who}\ntimestamp: att\nfields: {}")
    with pytest.raises(MappingError, match=r"has no column 'att'\. Did you mean 'at'\?"):
        desk.send("who,at\na,2024-01-01\n", ".csv", mapping=mapping)


# ---- what cannot be sent ----


def test_says_what_is_wrong_with_a_call(desk, make, tmp_path):
    with pytest.raises(UsageError, match="There is no file"):
        desk.ingest(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="does not say what it is"):
        desk.send("x", ".txt")
    with pytest.raises(UsageError, match="cannot be called"):
        desk.send([make()], name="../web")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        desk.send("not parquet", ".parquet")
    desk.send([make()])
    with pytest.raises(UsageError, match="is of kind events"):
        desk.send([make()], kind="profiles")


def test_a_file_without_rows_makes_an_empty_dataset(desk):
    assert desk.send("") == (0, 0, 0)
    assert desk.rows() == []
    assert desk.send("who,at,what\n", ".csv", name="flat", mapping=FLAT) == (0, 0, 0)
    assert desk.send("{bad\n", name="bad") == (0, 0, 1)
    assert len(desk.rejects("bad")) == 1


def test_tells_how_far_it_is(desk, make):
    told = []
    desk.send([make(n) for n in range(100)], progress=lambda done, rows: told.append((done, rows)))
    assert told == sorted(told)
    assert told[-1] == (1.0, 100)


def test_leaves_no_work_behind(desk, make, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    desk.send([make()])
    with pytest.raises(MappingError):
        desk.send([make()], mapping=parse_mapping("timestamp: nothing"))
    assert list(scratch.iterdir()) == []


def test_files_sent_at_the_same_time_count_once(desk, make):
    files = [desk.write([make(number) for number in range(start, start + 20)]) for start in (0, 10, 0, 5)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(desk.ingest, files))
    assert len(desk.values("_id")) == len(set(desk.values("_id"))) == 30
    assert sum(result.accepted for result in found) == 30
