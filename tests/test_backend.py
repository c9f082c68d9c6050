"""The engine's days are UTC days wherever the machine stands."""

import os
import subprocess
import sys

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
