"""Rows of one id, found in a sorted file."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelier import shelf
from likelier.lake import Lake
from likelier.shelf import open_shelf, put_whole, remove, write_shelf

IDS = st.sampled_from(["a", "b", "ba", "é", "z", "\U0001f600", "￮"])


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return Lake(str(tmp_path_factory.mktemp("lake")))


def put(lake, ids, *, batch=1000):
    rows = pa.table({"id": pa.array(ids, pa.string()), "n": pa.array(range(len(ids)), pa.int64())})
    return write_shelf(lake, "one.arrow", rows.to_reader(batch), "id")


@given(ids=st.lists(IDS, max_size=40).map(sorted), wanted=IDS, block=st.integers(1, 5), batch=st.integers(1, 9))
def test_finds_exactly_the_rows_of_an_id_in_their_order(lake, ids, wanted, block, batch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "BLOCK", block)
        assert put(lake, ids, batch=batch) == len(ids)
    expected = [number for number, one in enumerate(ids) if one == wanted]
    assert open_shelf(lake, "one.arrow").rows(wanted)["n"].to_pylist() == expected


def test_a_shelf_put_in_the_place_of_another_is_read_from_then_on(lake):
    put(lake, ["a"])
    assert len(open_shelf(lake, "one.arrow").rows("b")) == 0
    put(lake, ["a", "b", "b"])
    assert len(open_shelf(lake, "one.arrow").rows("b")) == 2


def test_a_shelf_that_was_taken_away_is_not_read_any_more(lake):
    put(lake, ["a"])
    assert open_shelf(lake, "one.arrow")
    remove(lake, "one.arrow")
    remove(lake, "one.arrow")
    assert open_shelf(lake, "one.arrow") is None


def test_nobody_sees_half_a_file(lake):
    put(lake, ["a"])

    def half(sink):
        sink.write(b"half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        put_whole(lake, "one.arrow", half)
    assert len(open_shelf(lake, "one.arrow").rows("a")) == 1
    filesystem, folder = lake.place("")
    assert [found.base_name for found in filesystem.get_file_info(pa.fs.FileSelector(folder.rstrip("/")))] == [
        "one.arrow"
    ]
