"""Activities that were sorted in parts are, put together, those that were sorted at once."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from likelier.activities import reduce
from likelier.activities.codes import Category, Codebook, Measure, Signal, Source
from likelier.activities.merge import cut, merge
from likelier.datasets import FieldType

CODEBOOK = Codebook(
    (Signal("any event", Source.ANY),),
    (Measure("price", "price", FieldType.NUMBER), Measure("pieces", "pieces", FieldType.NUMBER)),
    (Category("sku", "sku"),),
)
SCHEMA = pa.schema(
    [
        ("who", pa.string()),
        ("t", pa.timestamp("us", "UTC")),
        ("tie", pa.int64()),
        ("w0", pa.int64()),
        ("m0", pa.float32()),
        ("m1", pa.float32()),
        ("c0", pa.int32()),
    ]
)
PEOPLE = ["", "ann", "Zoe", "ann b", "ömer", "\U0001f600", "z"]
events = st.builds(
    lambda who, t, tie: {"who": who, "t": t, "tie": tie, "w0": tie % 7, "m0": t / 2, "m1": tie / 4, "c0": tie % 5},
    st.sampled_from(PEOPLE),
    st.integers(0, 5),
    st.integers(-50, 50),
)
shops = st.lists(events, max_size=40, unique_by=lambda event: (event["who"], event["t"], event["tie"]))


def left(rows, folder):
    """Leave rows as the engine would: in the order of the bytes of who it is, then of time and tie."""
    rows = sorted(rows, key=lambda row: (row["who"].encode(), row["t"], row["tie"]))
    reader = pa.Table.from_pylist(rows, SCHEMA).to_reader(7)
    folder.mkdir()
    reduce.join([reduce.write_part(CODEBOOK, folder, reader)], CODEBOOK, folder)
    return folder


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@settings(max_examples=60)
@given(rows=shops, draw=st.randoms())
def test_parts_together_are_the_whole(tmp_path_factory, rows, draw):
    folder = tmp_path_factory.mktemp("merge")
    early = [row for row in rows if draw.random() < 0.7]
    late = [row for row in rows if row not in early]
    merge(left(early, folder / "one"), left(late, folder / "other"), folder / "merged")
    assert files(folder / "merged") == files(left(rows, folder / "whole"))


@settings(max_examples=60)
@given(rows=shops, before=st.integers(0, 6))
def test_what_lies_before_a_moment_is_as_if_the_rest_had_never_come(tmp_path_factory, rows, before):
    folder = tmp_path_factory.mktemp("cut")
    cut(left(rows, folder / "whole"), before, folder / "cut")
    expected = files(left([row for row in rows if row["t"] < before], folder / "early"))
    assert files(folder / "cut") == {name: data for name, data in expected.items() if name != reduce.TIES}


def test_profiles_are_taken_a_few_at_a_time(tmp_path, monkeypatch):
    rows = [
        {"who": f"p{k % 37:02}", "t": k // 37, "tie": k, "w0": k, "m0": k, "m1": None, "c0": -1} for k in range(500)
    ]
    monkeypatch.setattr("likelier.activities.merge.CHUNK", 60)
    merge(left(rows[:450], tmp_path / "one"), left(rows[450:], tmp_path / "other"), tmp_path / "merged")
    assert files(tmp_path / "merged") == files(left(rows, tmp_path / "whole"))
    cut(tmp_path / "merged", 9, tmp_path / "cut")
    assert (tmp_path / "cut" / "words").read_bytes() == files(left(rows[:333], tmp_path / "early"))["words"]
