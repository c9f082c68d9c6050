"""One person's rows, wherever they are: on shelves, in files that no shelf covers, in rewritten files."""

import datetime as dt
import itertools

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelier.backend import DuckDB
from likelier.datasets import forget_rows, open_dataset, person_rows, publish_rows, trails
from likelier.lake import Lake
from likelier.timespan import UTC

PEOPLE = ["a", "b", "c"]
ROW = st.tuples(st.sampled_from([*PEOPLE, None]), st.sampled_from([*PEOPLE, None]), st.sets(st.sampled_from("xyz")))
STEP = st.one_of(
    st.lists(ROW, min_size=1, max_size=6), st.just("publish"), st.sampled_from([*PEOPLE, "forget", "join"])
)


@pytest.fixture(scope="module")
def engine():
    with DuckDB() as engine:
        yield engine


def batch(number, rows):
    texts = pa.string()
    moments = [dt.datetime(2024, 1, 1, k, tzinfo=UTC) for k in range(len(rows))]
    return pa.table(
        {
            "_id": [f"{number}-{k}" for k in range(len(rows))],
            "timestamp": pa.array(moments, pa.timestamp("us", "UTC")),
            "identityMap.CRMID": pa.array([crm for crm, _, _ in rows], texts),
            "identityMap.ECID": pa.array([ecid for _, ecid, _ in rows], texts),
            "identityMap.ECID.others": pa.array([sorted(more) or None for _, _, more in rows], pa.list_(texts)),
            f"late{number % 2}": pa.array([float(number)] * len(rows)),
        }
    )


def told(rows):
    return sorted((row["_id"], row.get("late0"), row.get("late1")) for row in rows.to_pylist())


@settings(max_examples=8)
@given(steps=st.lists(STEP, min_size=1, max_size=7))
def test_the_rows_are_those_of_a_plain_look_at_everything(engine, tmp_path_factory, steps):
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    lake.append("datasets/web/events", batch(0, [("a", "b", {"x"})]).to_reader(), batch="0")
    known = [(row, 0) for row in batch(0, [("a", "b", {"x"})]).to_pylist()]
    for number, step in enumerate(steps, 1):
        if step == "publish":
            publish_rows(engine, lake, open_dataset(lake, "web"))
        elif step == "forget":
            forget_rows(lake, open_dataset(lake, "web"))
        elif step == "join":
            lake.compact("datasets/web/events", 1 << 30)
        elif isinstance(step, str):
            lake.delete("datasets/web/events", f"\"identityMap.CRMID\" = '{step}'")
            known = [(row, n) for row, n in known if row["identityMap.CRMID"] != step]
        else:
            lake.append("datasets/web/events", batch(number, step).to_reader(), batch=str(number))
            known += [(row, number) for row in batch(number, step).to_pylist()]
    dataset = open_dataset(lake, "web")
    for namespace, ids in (("CRMID", PEOPLE), ("ECID", [*PEOPLE, *"xyz"])):
        column = f"identityMap.{namespace}"
        for one in ids:
            expected = sorted(
                (row["_id"], row.get("late0"), row.get("late1"))
                for row, _ in known
                if row[column] == one or one in (row.get(f"{column}.others") or ())
            )
            assert told(person_rows(lambda: engine, lake, dataset, namespace, one)) == expected
            with pytest.MonkeyPatch.context() as large:  # files that are not read whole
                large.setattr(trails, "_small", lambda *_: None)
                assert told(person_rows(lambda: engine, lake, dataset, namespace, one)) == expected


def test_few_shelves_hold_many_batches(engine, tmp_path):
    """The largest shelf first, each at least twice as large as the one after it."""
    lake = Lake(str(tmp_path))
    for number in range(7):
        lake.append("datasets/web/events", batch(number, [("a", None, set())] * 4).to_reader(), batch=str(number))
        publish_rows(engine, lake, open_dataset(lake, "web"))
    parts = trails._published(lake, open_dataset(lake, "web"))["CRMID"]
    assert sum(part.rows for part in parts) == 28
    assert sum(len(part.covers) for part in parts) == 7
    assert all(larger.rows >= 2 * smaller.rows for larger, smaller in itertools.pairwise(parts))
    assert len(list((tmp_path / "trails/web/CRMID").iterdir())) == len(parts)


def test_once_published_no_engine_is_needed(engine, tmp_path):
    lake = Lake(str(tmp_path))
    lake.append("datasets/web/events", batch(0, [("a", "b", {"x"})]).to_reader(), batch="0")
    publish_rows(engine, lake, open_dataset(lake, "web"))

    def none():
        raise AssertionError("an engine was asked for")

    dataset = open_dataset(lake, "web")
    assert told(person_rows(none, lake, dataset, "ECID", "x")) == [("0-0", 0.0, None)]
    assert told(person_rows(none, lake, dataset, "ECID", "nobody")) == []
    publish_rows(None, lake, dataset)  # nothing came since: nothing to do
