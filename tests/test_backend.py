"""The engine's days are UTC days wherever the machine stands; what is remembered is asked once."""

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq

from likelier.backend import DuckDB, Remembering

DAY = """
import datetime as dt, pyarrow as pa
from likelier.backend import DuckDB
late = dt.datetime(2024, 1, 1, 23, tzinfo=dt.timezone.utc)
with DuckDB() as engine:
    events = engine.values(pa.table({"t": pa.array([late], pa.timestamp("us", "UTC"))}))
    print(engine.table(events.select(day=events.t.truncate("D")))["day"][0].as_py().isoformat())
"""


def test_days_are_utc_days():
    answer = subprocess.run(
        [sys.executable, "-c", DAY], env={**os.environ, "TZ": "Asia/Tokyo"}, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "2024-01-01T00:00:00+00:00"


def test_an_engine_that_remembers_answers_the_same_once(tmp_path):
    pq.write_table(pa.table({"n": [1, 2, 3]}), tmp_path / "a.parquet")
    asked = []

    class Counting(DuckDB):
        def table(self, expression):
            asked.append(expression)
            return super().table(expression)

    with Counting() as engine:
        remembering = Remembering(engine)
        sums = []
        for least in (1, 2, 1):
            table = remembering.read([str(tmp_path / "a.parquet")])
            named = remembering.named(table.filter(table.n >= least))
            sums.append(remembering.table(named.aggregate(n=named.n.sum()))["n"][0].as_py())
        assert sums == [6, 5, 6]
        assert len(asked) == 2
