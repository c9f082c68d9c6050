"""The audit log as a file, and the days of a dataset."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pyarrow as pa
from tests.pipeline.shop import put

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.service.audits import export_log
from likelier.service.data import days_of
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings
from likelier.store.audit import Filter

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def taken_along(workspace, wanted):
    """Export what is wanted; the newest entry, if it tells of that, apart from the others."""
    written = b"".join(export_log(workspace, Actor("bob"), wanted, "csv")).decode()
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    told = [row for row in rows if row["action"] == "audit.export"]
    return (told or [None])[0], [row for row in rows if row not in told]


def test_the_log_is_written_newest_first_and_no_spreadsheet_runs_it(tmp_path):
    with open_workspace(read_settings({}, home=tmp_path)) as workspace:
        with workspace.store.write() as connection:
            for name in ("first", "=1+1"):
                record(
                    connection, Actor("ann"), "instance.edit", Thing("instance", name, name), now=NOON, after={"a": 1}
                )
        exported, rows = taken_along(workspace, Filter())
        assert exported["action"] == "audit.export"
        assert [row["object_name"] for row in rows] == ["'=1+1", "first"]
        assert {row["after"] for row in rows} == {'{"a":1}'}
        assert [row["object_name"] for row in taken_along(workspace, Filter(words="IRS"))[1]] == ["first"]


def test_days_without_events_are_counted_as_none(tmp_path):
    days = [1, 1, 2, 5]
    events = pa.table(
        {
            "_id": [str(number) for number in range(len(days))],
            "timestamp": pa.array([NOON.replace(day=day) for day in days], pa.timestamp("us", "UTC")),
            "eventType": ["x"] * len(days),
            "identityMap.CRMID": ["p"] * len(days),
        }
    )
    with open_workspace(read_settings({}, home=tmp_path)) as workspace:
        put(workspace.lake, events)
        assert days_of(workspace, "shop") == [
            ("2024-05-01", 2),
            ("2024-05-02", 1),
            ("2024-05-03", 0),
            ("2024-05-04", 0),
            ("2024-05-05", 1),
        ]
