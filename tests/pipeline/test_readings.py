"""What a run reads is the same whether earlier runs have kept anything or not."""

import datetime as dt
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from tests.pipeline import shop

from likelier.activities.codes import Category, Codebook, Measure, Signal, Source
from likelier.backend import DuckDB
from likelier.datasets import FieldType
from likelier.instance import Instance
from likelier.lake import Lake
from likelier.pipeline import Inputs
from likelier.pipeline.reading import bind, gather, measure
from likelier.pipeline.watching import arrivals
from likelier.readings import ABANDONED_SECONDS, Readings
from likelier.timespan import DAY

PLENTY = 1 << 30
CODEBOOK = Codebook(
    (
        Signal("any event", Source.ANY),
        Signal("purchase", Source.GOAL),
        Signal("page sale", Source.VALUE, "web.webPageDetails.name", "sale"),
    ),
    (Measure("priceTotal", "commerce.order.priceTotal", FieldType.NUMBER),),
    (Category("SKU", "productListItems.SKU", array=True),),
)
SALE = {"name": "sale", "conditions": [{"field": "web.webPageDetails.name", "operator": "equals", "value": "sale"}]}
TABLE = "datasets/shop/events"


class Shop:
    """A lake to which things happen, and what is kept beside it."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.readings = Lake(str(folder / "lake")), Readings(folder / "readings", PLENTY)
        self.folder, self.batches = folder, 0
        self.append(1, 30)

    def append(self, seed: int, days: int, start: dt.datetime = shop.START, people: int = 12) -> None:
        """Append the events of some days; those of an earlier start come late."""
        self.batches += 1
        rows = shop.events(people, days, seed, start=start)
        ids = pa.array([f"{self.batches}-{one}" for one in rows["_id"].to_pylist()])
        shop.put(self.lake, rows.set_column(0, "_id", ids), batch=f"{self.batches}")

    def delete(self, person: int) -> None:
        self.lake.delete(TABLE, f"\"identityMap.CRMID\" = 'p{person:05}'")

    def expire(self, days: int) -> None:
        self.lake.delete(TABLE, f"\"timestamp\" < '{shop.START + days * DAY}'")

    def compact(self) -> None:
        self.lake.compact(TABLE, 1 << 20)

    def read(self, engine: DuckDB, readings: Readings | None, **chosen):
        """Give what a run reads: activities, and how many came by day."""
        asked: Instance = chosen.get("asked", shop.instance())
        as_of, codebook = chosen.get("as_of", shop.START + 60 * DAY), chosen.get("codebook", CODEBOOK)
        inputs = Inputs(asked, as_of, 7, {"shop": self.lake.version(TABLE)})
        source = bind(inputs, engine, self.lake)
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            out = Path(place) / "read"
            gather(source, codebook, inputs, engine, self.lake, (as_of,), out, 0, lambda *_: None, readings)
            files = {path.name: path.read_bytes() for path in out.iterdir()}
        return files, measure(source, engine, inputs, readings)

    def agrees(self, engine: DuckDB, **chosen) -> bool:
        return self.read(engine, self.readings, **chosen) == self.read(engine, None, **chosen)


@pytest.fixture(scope="module")
def engine():
    with DuckDB(threads=1) as engine:
        yield engine


@pytest.fixture
def kept(tmp_path):
    return Shop(tmp_path)


def counted(engine, monkeypatch):
    """Count the rows that are sorted from here on."""
    seen, in_order = [], engine.in_order

    def counting(rows, by, task, count, **more):
        return in_order(rows, by, task, lambda n: (seen.append(n), count(n)), **more)

    monkeypatch.setattr(engine, "in_order", counting)
    return seen


def test_only_what_came_since_is_read(kept, engine, monkeypatch):
    kept.read(engine, kept.readings)
    kept.append(2, 3)
    seen = counted(engine, monkeypatch)
    assert kept.agrees(engine)
    last = kept.lake.rows(TABLE)
    assert seen[0] < last / 5
    assert sum(seen) == seen[0] + last


def test_what_nobody_changed_is_not_read_again(kept, engine, monkeypatch):
    kept.read(engine, kept.readings)
    seen = counted(engine, monkeypatch)
    kept.read(engine, kept.readings)
    assert seen == []


happenings = st.one_of(
    st.tuples(st.just("append"), st.integers(2, 9), st.integers(1, 9)),
    st.tuples(st.just("late"), st.integers(2, 9), st.integers(1, 9)),
    st.tuples(st.just("delete"), st.integers(0, 11)),
    st.tuples(st.just("expire"), st.integers(1, 20)),
    st.tuples(st.just("compact")),
    st.tuples(st.just("lost")),
    st.tuples(st.just("read")),
)


@settings(max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    happenings=st.lists(happenings, max_size=3),
    days=st.lists(st.integers(35, 70), min_size=1, max_size=1),
    hours=st.sampled_from([0, 0, 9]),
)
@example(happenings=[("late", 3, 4), ("delete", 3), ("append", 2, 3)], days=[50], hours=0)
@example(happenings=[("append", 2, 9), ("read",), ("expire", 9)], days=[45], hours=0)
@example(happenings=[("append", 2, 9), ("compact",)], days=[45], hours=9)
def test_whatever_happens_a_run_reads_what_it_would_read_from_scratch(happenings, days, hours, engine):
    with tempfile.TemporaryDirectory() as folder:
        here = Shop(Path(folder))
        here.read(engine, here.readings)
        for what, *how in happenings:
            if what == "append":
                here.append(how[0], how[1], shop.START + 30 * DAY)
            elif what == "late":
                here.append(how[0], how[1], shop.START - 5 * DAY)
            elif what == "delete":
                here.delete(*how)
            elif what == "expire":
                here.expire(*how)
            elif what == "compact":
                here.compact()
            elif what == "read":
                here.read(engine, here.readings)
            else:
                here.readings.forget()
        for day in days:
            assert here.agrees(engine, as_of=shop.START + day * DAY + hours * dt.timedelta(hours=1))


def test_what_is_unusual_lately_is_the_same(kept, engine):
    kept.append(2, 60, people=1500)

    def found(readings):
        inputs = Inputs(shop.instance(), shop.START + 60 * DAY, 7, {"shop": kept.lake.version(TABLE)})
        return arrivals(bind(inputs, engine, kept.lake), CODEBOOK, engine, inputs.as_of, readings=readings)

    assert found(kept.readings) == found(None)
    kept.lake.delete(TABLE, f"eventType = 'commerce.purchases' AND \"timestamp\" > '{shop.START + 45 * DAY}'")
    kept.append(3, 20, shop.START - 100 * DAY)
    gone = found(None)
    assert gone
    assert found(kept.readings) == gone


NOBODY = {"name": "sales", "conditions": SALE["conditions"]}


@pytest.mark.parametrize(
    ("asked", "codebook"),
    [
        (shop.instance(goal=shop.goal(events=[SALE])), CODEBOOK),
        (shop.instance(exclusions=[NOBODY]), CODEBOOK),
        (shop.instance(), replace(CODEBOOK, signals=CODEBOOK.signals[:2])),
    ],
    ids=["goal", "exclusions", "signals"],
)
def test_who_looks_for_anything_else_gets_that(kept, engine, asked, codebook):
    kept.read(engine, kept.readings)
    assert kept.agrees(engine, asked=asked, codebook=codebook)


def test_a_field_that_comes_later_is_there(kept, engine):
    kept.read(engine, kept.readings)
    rows = shop.events(12, 3, 5)
    ids = pa.array([f"more-{one}" for one in rows["_id"].to_pylist()])
    more = rows.set_column(0, "_id", ids).append_column("device.type", pa.array(["phone"] * len(rows)))
    shop.put(kept.lake, more, batch="more")
    assert kept.agrees(engine)


def test_other_lines_of_code_read_anew(kept, engine, monkeypatch):
    kept.read(engine, kept.readings)
    monkeypatch.setattr("likelier.readings._form", lambda: "other lines")
    seen = counted(engine, monkeypatch)
    kept.read(engine, kept.readings)
    assert sum(seen) == kept.lake.rows(TABLE)


def test_what_holds_rows_that_are_deleted_is_removed(kept, engine):
    kept.read(engine, kept.readings)
    kept.readings.tidy(kept.lake, [TABLE])
    assert kept.readings.bytes
    kept.delete(3)
    kept.readings.tidy(kept.lake, [TABLE])
    assert not kept.readings.bytes


def test_what_was_never_finished_is_removed_in_time(kept, engine):
    kept.read(engine, kept.readings)
    left = kept.readings.folder / ".left"
    left.mkdir()
    kept.readings.tidy(kept.lake, [TABLE])
    assert left.exists()
    os.utime(left, (0, 2 * ABANDONED_SECONDS))
    kept.readings.tidy(kept.lake, [TABLE])
    assert not left.exists()


def test_there_is_room_for_what_was_used_last(kept, engine):
    kept.read(engine, kept.readings)
    size = kept.readings.bytes
    some = replace(kept.readings, most_bytes=size + size // 2)
    kept.read(engine, some, codebook=replace(CODEBOOK, signals=CODEBOOK.signals[:2]))
    assert 0 < some.bytes <= some.most_bytes
    none = replace(kept.readings, most_bytes=10)
    assert kept.agrees(engine)
    kept.read(engine, replace(none, folder=kept.folder / "none"))
    assert not replace(none, folder=kept.folder / "none").bytes


def test_a_newer_reading_takes_the_place_of_the_one_before(kept, engine):
    kept.read(engine, kept.readings)
    count = len(list(kept.readings.folder.iterdir()))
    for seed in (2, 3):
        kept.append(seed, 2)
        kept.read(engine, kept.readings)
    assert len(list(kept.readings.folder.iterdir())) == count
