"""The same events in any format, and split over any files, are the same table; what is broken is set aside."""

import gzip
import json

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from likelier.events import jsonlines
from likelier.timespan import from_us

from .conftest import Desk

SHORT = settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(alphabet='aé"\\,{}\n ', min_size=1, max_size=5)
numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 3)) | st.integers(-(10**6), 10**6)
moments = st.integers(10**15, 17 * 10**14).map(lambda number: from_us(number).isoformat(timespec="microseconds"))


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(below) for key, below in value.items() if below is not None}
    return value


items = st.fixed_dictionaries({"SKU": texts, "quantity": numbers | st.none()})
events = st.fixed_dictionaries(
    {
        "_id": st.integers(0, 30).map(lambda number: f"e{number:02}"),
        "timestamp": moments,
        "identityMap": st.fixed_dictionaries(
            {"CRMID": st.lists(st.fixed_dictionaries({"id": st.sampled_from("abc")}), min_size=1, max_size=2)}
        ),
        "eventType": texts,
        "web": st.none()
        | st.fixed_dictionaries({"webPageDetails": st.fixed_dictionaries({"name": texts | st.none()})}),
        "commerce": st.none() | st.fixed_dictionaries({"order": st.fixed_dictionaries({"priceTotal": numbers})}),
        "productListItems": st.none() | st.lists(items, min_size=1, max_size=3),
        "returning": st.booleans() | st.none(),
    }
).map(without_nulls)


@SHORT
@given(st.lists(events, min_size=1, max_size=12), st.integers(1, 5))
def test_every_format_gives_the_same_table(tmp_path_factory, rows, parts):
    desk = Desk(tmp_path_factory.mktemp("round"))
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    table = desk.folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.Table.from_pylist([wide(row) for row in rows]).schema), table)
    splits = [rows[start::parts] for start in range(parts)]
    sent = {
        "lines": [desk.write(lines)],
        "array": [desk.write(json.dumps(rows, indent=2), ".json")],
        "gz": [desk.write(gzip.compress(lines), ".json.gz")],
        "zst": [desk.write(zstandard.compress(lines), ".ndjson.zst")],
        "parquet": [table],
    }
    results = {}
    for name, files in sent.items():
        found = desk.ingest(*files, name=name)
        results[name] = (found.accepted, found.duplicate, found.rejected, desk.rows(name))
    ids = {row["_id"] for row in rows}
    assert results["lines"][:3] == (len(ids), len(rows) - len(ids), 0)
    for name, result in results.items():
        assert result == results["lines"], name
    for part in splits:
        desk.send(part, name="parts")
    assert {row["_id"] for row in desk.rows("parts")} == ids


def wide(row):
    """Fill in one value of everything, so that Arrow knows all types."""
    full = {"web": {"webPageDetails": {"name": "x"}}, "commerce": {"order": {"priceTotal": 0.5}}, "returning": True}
    return {**row, **full, "productListItems": [{"SKU": "x", "quantity": 0.5}]}


broken = st.sampled_from(
    [b"{", b"[]", b"7", b'{"_id":"x"}', b'{"a":tru}', b'{"a":"\xff"}', b'{"_id":1}{', b"nul", b'"x"']
)
blank = st.sampled_from([b"", b"   ", b"\t", b"\r"])


@SHORT
@given(st.lists(events.map(orjson.dumps) | broken | blank, min_size=2, max_size=20), st.booleans())
def test_broken_lines_are_set_aside_by_number_and_the_others_accepted(tmp_path_factory, lines, compiled):
    desk = Desk(tmp_path_factory.mktemp("broken"))
    file = desk.write(b"\n".join(lines))
    small, jsonlines.SMALL = jsonlines.SMALL, 0 if compiled else 1 << 30
    try:
        found = desk.ingest(file)
    finally:
        jsonlines.SMALL = small
    if b"".join(lines).strip() == b"[]":
        return  # that is an array without events
    given_ = [line for line in lines if line.strip()]
    good = [line for line in given_ if b'"_id":"e' in line]
    bad = [number for number, line in enumerate(lines, 1) if line.strip() and line not in good]
    ids = {json.loads(line)["_id"] for line in good}
    assert (found.accepted, found.duplicate, found.rejected) == (len(ids), len(good) - len(ids), len(bad)), lines
    assert [line for line, _ in desk.rejects()] == bad
    assert {row["_id"] for row in desk.rows()} == ids


anything = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.just("2024-01-01"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "A", "b", "xdm:a", 'q"', "é", ""]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(SHORT, max_examples=10)
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "xdm:b", "B"]), anything, max_size=3), min_size=1, max_size=8)
)
def test_every_line_is_accounted_for_whatever_it_holds(tmp_path_factory, rows):
    desk = Desk(tmp_path_factory.mktemp("anything"))
    base = {"timestamp": "2024-01-01", "identityMap": {"CRMID": [{"id": "a"}]}}
    rows = [{**base, "_id": f"e{number}", **row} for number, row in enumerate(rows)]
    middle = (len(rows) + 1) // 2
    accepted = 0
    for part in (rows[:middle], rows[middle:], rows):
        found = desk.ingest(desk.write("\n".join(map(json.dumps, part))))
        assert found.accepted + found.duplicate + found.rejected == len(part), part
        accepted += found.accepted
    assert len(desk.rows()) == accepted, rows
