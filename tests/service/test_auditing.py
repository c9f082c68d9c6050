"""The audit log as a file, and the days of a dataset."""

from __future__ import annotations

import csv
import datetime as dt

import pyarrow as pa
from tests.pipeline.shop import put

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.service.auditing import export_audit
from likelier.service.data import days_of
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def test_the_log_is_written_newest_first_and_no_spreadsheet_runs_it(tmp_path):
    with open_workspace(read_settings({}, home=tmp_path)) as workspace:
        with workspace.store.write() as connection:
            for name in ("first", "=1+1"):
                record(
                    connection, Actor("ann"), "instance.edit", Thing("instance", name, name), now=NOON, after={"a": 1}
                )
        assert export_audit(workspace, Actor("bob"), tmp_path / "audit.csv") == 2
        assert export_audit(workspace, Actor("bob"), tmp_path / "again.csv") == 3
    with (tmp_path / "audit.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["object_name"] for row in rows] == ["'=1+1", "first"]
    assert {row["after"] for row in rows} == {'{"a": 1}'}


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
