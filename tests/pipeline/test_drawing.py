"""Some people with all of their events are drawn, kept, and read again only where files came since."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.datasets import open_dataset
from likelier.lake import Lake
from likelier.pipeline import drawing, preflight
from likelier.readings import Readings

WHO = "identityMap.CRMID"
EVENTS = "datasets/shop/events"


@pytest.fixture
def lake(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    shop.put(lake, shop.events(400))
    return lake


@pytest.fixture
def readings(tmp_path):
    return Readings(tmp_path / "readings", 10**9)


def rows(files, *columns):
    table = pa.concat_tables([pq.read_table(file) for file in files], promote_options="default")
    return sorted(zip(*(table[column].to_pylist() for column in columns), strict=True))


def draw(lake, folder, most_events, **how):
    with DuckDB() as engine:
        found, part = drawing.draw(
            [open_dataset(lake, "shop")], "CRMID", engine, lake, most_events=most_events, folder=folder, **how
        )
    return found.get("shop"), part


def test_who_is_drawn_is_there_with_all_events(lake, tmp_path):
    every = rows(lake.files(EVENTS), WHO, "_id")
    drawn, part = draw(lake, tmp_path / "work", len(every) // 3)
    people = {who for who, _ in rows(drawn, WHO, "_id")}
    assert part == 1 / 4
    assert rows(drawn, WHO, "_id") == [row for row in every if row[0] in people]
    assert len(people) == pytest.approx(100, abs=4 * 100**0.5)


def test_where_there_are_few_nobody_is_drawn(lake, tmp_path):
    assert draw(lake, tmp_path / "work", 10**6) == (None, 1.0)


def test_only_files_that_came_since_are_read(lake, tmp_path, readings, monkeypatch):
    most = len(rows(lake.files(EVENTS), "_id")) // 3
    draw(lake, tmp_path / "first", most, readings=readings)
    more = shop.events(60, 20, seed=5).append_column(
        "device.type", pa.array(["phone"] * shop.events(60, 20, seed=5).num_rows)
    )
    shop.put(lake, more, batch="second")
    anew, part = draw(lake, tmp_path / "anew", most)
    looked_at = []
    read_files = drawing.read_files
    monkeypatch.setattr(drawing, "read_files", lambda *how: looked_at.append(how[1]) or read_files(*how))
    kept, same = draw(lake, tmp_path / "kept", most, readings=readings)
    assert same == part
    assert sorted(*looked_at) == sorted({*lake.files(EVENTS, 1)} - {*lake.files(EVENTS, 0)})
    assert rows(kept, WHO, "_id", "eventType") == rows(anew, WHO, "_id", "eventType")
    draw(lake, tmp_path / "again", most, readings=readings)
    assert len(looked_at) == 1


def test_a_pre_flight_says_the_same_of_people_who_were_kept(lake, tmp_path, readings):
    def said(asked, **how):
        with DuckDB() as engine:
            return preflight(asked, shop.AS_OF, engine=engine, lake=lake, most_events=1500, **how)

    weekly = shop.instance(goal=shop.goal(window_days=7))
    of_other_pages = shop.instance(
        exclusions=[{"conditions": [{"field": "web.webPageDetails.name", "operator": "equals", "value": "help"}]}]
    )
    for asked in (shop.instance(), weekly, of_other_pages):
        assert said(asked, readings=readings) == said(asked)
        assert said(asked, readings=readings)["sampled"] < 1
