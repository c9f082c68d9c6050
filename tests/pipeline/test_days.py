"""Odd days and rows: found, told, and no great harm to a model."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.lake import Lake
from likelier.pipeline import preflight
from likelier.pipeline.days import Days, silences, stopped, told
from likelier.timespan import DAY, Span, after
from likelier.windows import cut_off_step, is_silent, plan

LOST = Span(shop.START + 96 * DAY, shop.START + 103 * DAY)
BEGIN = dt.date(2024, 1, 1)


def days(counts, goal=None):
    return Days(BEGIN, np.array(counts), np.array(counts if goal is None else goal))


def found(counts, goal=None):
    return [(f"{each.first:%m-%d}", each.days, each.of_goal) for each in silences(days(counts, goal))]


STEADY = [50] * 84


def without(counts, first, count):
    return [*counts[:first], *[0] * count, *counts[first + count :]]


@pytest.mark.parametrize(
    ("counts", "goal", "expected"),
    [
        (STEADY, None, []),
        (without(STEADY, 40, 7), None, [("02-10", 7, False)]),
        (without(STEADY, 40, 1), None, []),  # one day is a holiday
        (without(STEADY, 77, 7), None, []),  # the end of the data is no gap in it
        (STEADY, without(STEADY, 40, 3), [("02-10", 3, True)]),
        (without(STEADY, 40, 7), without(STEADY, 40, 7), [("02-10", 7, False)]),  # told once
        ([9, *[0] * 20, *STEADY], None, []),  # the data has not begun in earnest
        ([*[90] * 40, *[2] * 9, *[30] * 40], None, [("02-10", 9, False)]),  # less came afterwards
        ([50, 50, 50, 50, 50, 0, 0] * 12, None, []),  # closed at weekends
        (without([50, 50, 50, 50, 50, 0, 0] * 12, 39, 5), None, [("02-09", 5, False)]),
        ([3] * 40 + [0] * 5 + [3] * 40, None, []),  # too few to tell from chance
    ],
)
def test_silence(counts, goal, expected):
    assert found(counts, goal) == expected


@pytest.mark.parametrize(
    ("counts", "after", "expected"),
    [
        (STEADY, 0, []),
        (STEADY, 1, []),  # one day is a holiday, or has not come in yet
        (STEADY, 7, [("03-25", 7, False)]),
        (STEADY, 60, [("03-25", 60, False)]),
        (([50, 50, 50, 50, 50, 0, 0] * 12)[:-2], 2, []),  # closed at weekends
        ([3] * 84, 5, []),  # too few to tell from chance
        ([*STEADY[:60], 1], 7, [("03-02", 7, False)]),
        ([*STEADY, *[0] * 20, 1], 7, []),  # it had ended before
        ([*STEADY, *[0] * 300, 1], 7, []),  # a clock that was wrong, not the last event
    ],
)
def test_nothing_came_any_more(counts, after, expected):
    midnight = dt.datetime.combine(BEGIN, dt.time(), dt.UTC) + (len(counts) + after) * DAY
    for as_of in (midnight, midnight + DAY / 2):
        found = stopped(days(counts), as_of)
        assert [(f"{each.first:%m-%d}", each.days, each.of_goal) for each in found] == expected


def test_a_stray_does_not_begin_the_history():
    counts = [1, *[0] * 1000, *[50] * 100]
    assert days(counts).usual == (1001, 1100)
    (words,) = told(days(counts), [])
    assert words.startswith("1 event lies more than a year before nearly all others, the first on 1 Jan 2024")
    assert days([0, *[50] * 100]).usual == (1, 100)


def test_a_stray_at_the_end_is_told():
    (words,) = told(days([*[50] * 100, *[0] * 300, 1]), [])
    assert "--as-of" in words
    assert words.startswith("1 event lies months after nearly all others")


def test_a_flood_is_told():
    (words,) = told(days([*STEADY[:40], 900, *STEADY[41:]]), [])
    assert words.startswith("On 10 Feb 2024 came 18 times the usual events")


def test_no_cut_off_learns_from_silence():
    calendar = plan(shop.START, shop.AS_OF, outcome_days=14, lookback_days=45, silent=(LOST,))
    plain = plan(shop.START, shop.AS_OF, outcome_days=14, lookback_days=45)
    left_out = {*plain.labelled} - {*calendar.labelled}
    assert left_out
    for cut_off in plain.labelled:
        window = after(cut_off, 14)
        shared = (min(window.end, LOST.end) - max(window.start, LOST.start)) / DAY
        assert (cut_off in left_out) == (shared > 0.2 * 14 and cut_off != plain.judge)


def test_an_earlier_cut_off_judges_when_the_last_outcomes_were_lost():
    lost = Span(shop.AS_OF - 9 * DAY, shop.AS_OF - 2 * DAY)
    calendar = plan(shop.START, shop.AS_OF, outcome_days=14, lookback_days=45, silent=(lost,))
    assert after(calendar.judge, 14).end - lost.start <= 0.2 * 14 * DAY
    assert is_silent(after(calendar.judge + cut_off_step(14), 14), [lost])
    assert all(after(cut_off, 14).end <= calendar.judge for cut_off in calendar.training)
    assert calendar.labelled[-1] == calendar.judge


def test_silence_everywhere_leaves_what_there_is():
    always = Span(shop.START, shop.AS_OF)
    calendar = plan(shop.START, shop.AS_OF, outcome_days=14, lookback_days=45, silent=(always,))
    assert calendar.training == plan(shop.START, shop.AS_OF, outcome_days=14, lookback_days=45).training


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A week is lost, a robot reads everything, a day is imported twice, and one clock stands at 1990."""
    events = shop.events()
    moments = events["timestamp"]
    lost = pc.and_(pc.greater_equal(moments, pa.scalar(LOST.start)), pc.less(moments, pa.scalar(LOST.end)))
    events = events.filter(pc.invert(lost))
    twice = events.slice(0, 200)
    twice = twice.set_column(0, "_id", pc.binary_join_element_wise("again", twice["_id"], "-"))
    robot = events.slice(0, 600)
    seconds = pa.array(np.arange(600) * 1_000_000, pa.duration("us"))
    robot = robot.set_column(0, "_id", pc.binary_join_element_wise("robot", robot["_id"], "-"))
    robot = robot.set_column(1, "timestamp", pc.add(pa.scalar(shop.START + 50 * DAY), seconds))
    robot = robot.set_column(2, "identityMap.CRMID", pa.array(["robot"] * 600))
    clock = events.slice(0, 1)
    clock = clock.set_column(0, "_id", pa.array(["clock"]))
    clock = clock.set_column(1, "timestamp", pa.array([dt.datetime(1990, 1, 1, tzinfo=dt.UTC)], moments.type))
    lake = Lake(str(tmp_path_factory.mktemp("odd")))
    shop.put(lake, pa.concat_tables([events, twice, robot, clock]))
    shop.put(lake, shop.attributes(), "people", "profiles")
    return lake


def test_what_is_odd_is_told_before_a_run(odd):
    with DuckDB() as engine:
        said = preflight(shop.ASKED, shop.AS_OF, engine=engine, lake=odd)
    assert said["gaps"] == [{"first": "2024-04-06", "days": 7, "of_goal": False}]
    assert said["windows"]["history_start"].startswith("2024-01-01")
    warnings = "\n".join(said["warnings"])
    for part in (
        "Hardly any event on 7 days from 2024-04-06",
        "1 event lies more than a year before",
        "1 id has more than 500 events on some day",
        "200 events (2.",
        "On 20 Feb 2024 came ",
    ):
        assert part in warnings


def test_when_the_last_week_was_lost_an_earlier_one_judges(tmp_path):
    events = shop.events()
    lake = Lake(str(tmp_path))
    lost = shop.AS_OF - 7 * DAY
    shop.put(lake, events.filter(pc.less(events["timestamp"], pa.scalar(lost))))
    asked = shop.instance(goal=shop.goal(window_days=7))
    with DuckDB() as engine:
        said = preflight(asked, shop.AS_OF, engine=engine, lake=lake)
    assert said["gaps"] == [{"first": f"{lost:%Y-%m-%d}", "days": 7, "of_goal": False}]
    (judge,) = (row for row in said["counts"]["per_cut_off"] if row["role"] == "judge")
    assert judge["cut_off"] == (lost - 7 * DAY).isoformat()
    assert judge["qualifying"] > 0


def test_what_is_odd_costs_little(odd, done, tmp_path):
    said = shop.run(odd, tmp_path / "run", shop.ASKED)
    usual = done[1]["insights"]["metrics"]["auc"]["value"]
    assert said["insights"]["metrics"]["auc"]["value"] > usual - 0.02
    assert any(note.startswith("Hardly any event on 7 days") for note in said["insights"]["notes"])
