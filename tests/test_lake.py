"""Delta tables in a folder: all of a batch or none, each batch once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet
import pytest

from likelier.errors import StorageError
from likelier.lake import ConflictError, Lake


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


def table(**columns):
    return pa.table(columns).to_reader()


def stored(lake, name="people"):
    return pa.concat_tables((pa.parquet.read_table(file) for file in lake.files(name)), promote_options="default")


def test_appends_each_batch_once(lake):
    assert lake.append("people", table(who=["a", "b"]), batch="one") == 2
    assert lake.append("people", table(who=["a", "b"]), batch="one") == 0
    assert lake.append("people", table(who=["c"]), batch="two") == 1
    assert lake.rows("people") == 3
    assert lake.held("people", ["one", "two", "three"]) == {"one", "two"}


def test_new_columns_widen_the_table(lake):
    lake.append("people", table(who=["a"]), batch="one")
    lake.append("people", table(who=["b"], age=[3.0]), batch="two")
    assert lake.schema("people").names == ["who", "age"]
    assert sorted(stored(lake).to_pylist(), key=str) == [{"who": "a", "age": None}, {"who": "b", "age": 3.0}]


def test_names_with_dots_are_columns(lake):
    lake.append("people", table(**{"a.b": ["x"], "a.c": ["y"]}), batch="one")
    assert lake.delete("people", "\"a.b\" = 'x'") == 1
    assert lake.rows("people") == 0
    assert lake.schema("people").names == ["a.b", "a.c"]


def test_an_append_computed_on_an_older_version_is_refused(lake):
    lake.append("people", table(who=["a"]), batch="one", onto=-1)
    with pytest.raises(ConflictError):
        lake.append("people", table(who=["b"]), batch="two", onto=-1)
    lake.append("people", table(who=["b"]), batch="two", onto=0)
    with pytest.raises(ConflictError):
        lake.append("people", table(who=["c"]), batch="three", onto=0)
    assert lake.rows("people") == 2


def test_of_those_who_create_a_table_at_the_same_moment_one_does(tmp_path):
    ready = threading.Barrier(3)

    def create(lake, number):
        ready.wait()
        try:
            return lake.append("people", table(**{f"c{number}": ["x"]}), batch=f"b{number}", onto=-1)
        except ConflictError:
            return 0

    with ThreadPoolExecutor(3) as pool:
        for number in range(30):
            lake = Lake(str(tmp_path / str(number)))
            assert sum(pool.map(create, [lake] * 3, range(3))) == lake.rows("people") == 1
            assert len(lake.schema("people")) == 1


def test_a_reader_that_fails_leaves_nothing(lake):
    lake.append("people", table(who=["a"]), batch="one")

    def broken():
        yield pa.record_batch({"who": ["b"]})
        raise ValueError("no more")

    with pytest.raises(Exception, match="no more"):
        lake.append("people", pa.RecordBatchReader.from_batches(pa.schema({"who": pa.string()}), broken()), batch="two")
    assert (lake.version("people"), lake.rows("people")) == (0, 1)


def test_older_versions_stay_readable(lake):
    lake.append("people", table(who=["a"]), batch="one")
    lake.append("people", table(who=["b"], age=[3.0]), batch="two")
    assert lake.rows("people", 0) == 1
    assert lake.schema("people", 0).names == ["who"]
    assert len(lake.files("people", 0)) == 1


def test_replace_puts_rows_in_the_place_of_others(lake):
    lake.append("people", table(who=["a"]), batch="one")
    assert lake.replace("people", table(name=["z", "y"]), note={"why": "new"}) == 2
    assert stored(lake).to_pydict() == {"name": ["z", "y"]}


def test_knows_what_is_there(lake):
    assert lake.names("datasets") == []
    assert (lake.exists("datasets/web/events"), lake.version("datasets/web/events")) == (False, -1)
    lake.append("datasets/web/events", table(who=["a"]), batch="one")
    assert lake.names("datasets") == ["web"]
    assert lake.exists("datasets/web/events")
    with pytest.raises(StorageError, match="no table datasets/other"):
        lake.files("datasets/other/events")


def test_a_series_remembers_its_newest_number_only(lake):
    assert lake.next_of("people", "stream", -1) == "stream#1"
    lake.append("people", table(who=["a"]), batch="stream#1", onto=-1)
    lake.append("people", table(who=["b"]), batch=None)
    assert lake.next_of("people", "stream", 1) == "stream#2"
    lake.append("people", table(who=["c"]), batch="stream#2")
    assert lake.held("people", ["stream#1", "stream#2", "stream#3"]) == {"stream#1", "stream#2"}
    with pytest.raises(ConflictError):
        lake.append("people", table(who=["d"]), batch="stream#2")
    assert lake.rows("people") == 3


def test_small_files_are_joined_and_old_versions_stay_readable(lake):
    for name in "abc":
        lake.append("people", table(who=[name]), batch=name)
    lake.compact("people", below=1 << 20)
    assert len(lake.files("people")) == len(lake.sizes("people")) == 1
    assert lake.rows("people") == 3
    assert len(lake.files("people", 1)) == 2
    assert lake.held("people", "abc") == {"a", "b", "c"}
