"""A PostgreSQL table that is filled, whatever happens half-way: all rows or those before."""

import datetime as dt
import itertools

import psycopg
import pyarrow as pa
import pytest

from likelier.errors import TransientError, UsageError
from likelier.exports import postgresql as _module

_count = itertools.count()
FACTOR = pa.struct([("code", pa.string()), ("contribution", pa.float64())])


@pytest.fixture
def table():
    return f"scores_{next(_count)}"


def rows(*scores, start=0):
    moment = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    return pa.table(
        {
            "namespace": ["CRMID"] * len(scores),
            "id": [f"p{number}" for number in range(start, start + len(scores))],
            "score": list(scores),
            "percentile": pa.array([1] * len(scores), pa.int32()),
            "score_date": pa.array([moment] * len(scores), pa.timestamp("us", "UTC")),
            "factors": pa.array([[{"code": 'a "b"\n\t\\', "contribution": 0.5}]] * len(scores), pa.list_(FACTOR)),
        }
    )


def read(url, table):
    with psycopg.connect(url) as connection:
        return dict(connection.execute(f"SELECT id, score FROM {table} ORDER BY id").fetchall())


def deliver(url, table, some, mode="replace", **changes):
    return _module.deliver(url, table, some.to_reader(max_chunksize=2), mode, **changes)


def test_replace_leaves_these_rows_alone(postgresql, table):
    assert deliver(postgresql, table, rows(1.0, 2.0, 3.0)) == 3
    assert deliver(postgresql, table, rows(9.0)) == 1
    assert read(postgresql, table) == {"p0": 9.0}


def test_upsert_leaves_others(postgresql, table):
    deliver(postgresql, table, rows(1.0, 2.0, 3.0), "upsert")
    deliver(postgresql, table, rows(7.0, 8.0, start=2), "upsert")
    deliver(postgresql, table, rows(7.0, 8.0, start=2), "upsert")
    assert read(postgresql, table) == {"p0": 1.0, "p1": 2.0, "p2": 7.0, "p3": 8.0}


def test_values_come_back_as_they_were(postgresql, table):
    deliver(postgresql, table, rows(1.5))
    with psycopg.connect(postgresql) as connection:
        found = connection.execute(f"SELECT * FROM {table}").fetchone()
    assert found[:4] == ("CRMID", "p0", 1.5, 1)
    assert found[4] == dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    assert found[5] == [{"code": 'a "b"\n\t\\', "contribution": 0.5}]


@pytest.mark.parametrize("mode", ["replace", "upsert"])
def test_killed_half_way_it_changes_nothing_and_is_whole_the_next_time(postgresql, table, mode):
    deliver(postgresql, table, rows(1.0))
    some = rows(*map(float, range(50)))

    def batches():
        for number, batch in enumerate(some.to_batches(max_chunksize=5)):
            yield batch
            if number == 5:
                with psycopg.connect(postgresql) as connection:
                    ended = connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY \"likelier%'"
                    ).fetchall()
                    assert ended == [(True,)]

    reader = pa.RecordBatchReader.from_batches(some.schema, batches())
    with pytest.raises(TransientError, match="broke off"):
        _module.deliver(postgresql, table, reader, mode)
    assert read(postgresql, table) == {"p0": 1.0}
    deliver(postgresql, table, some, mode)
    assert read(postgresql, table) == {f"p{number}": float(number) for number in range(50)}


def test_a_server_that_hangs_is_given_up(postgresql, table):
    deliver(postgresql, table, rows(1.0))
    with psycopg.connect(postgresql) as other:
        other.execute(f"LOCK TABLE {table}")
        with pytest.raises(TransientError, match="statement timeout"):
            deliver(postgresql, table, rows(2.0), patience=1)
    assert read(postgresql, table) == {"p0": 1.0}


def test_a_table_of_another_form_and_no_server(postgresql, table):
    with psycopg.connect(postgresql) as connection:
        connection.execute(f"CREATE TABLE {table} (x int)")
    with pytest.raises(UsageError, match=f"refused the rows for {table}: column"):
        deliver(postgresql, table, rows(1.0))
    with pytest.raises(TransientError, match="broke off"):
        deliver("postgresql://127.0.0.1:9/x", table, rows(1.0), patience=1)
    with pytest.raises(UsageError, match="names no table"):
        deliver(postgresql, "a.b.c", rows(1.0))
