"""Daily counts one can read: what ceased, paused, is new or changed, and what did not."""

import datetime as dt

import numpy as np
import pytest

from likelier.insights.tracking import Daily, Values, findings, other_values, weight_of

FIRST = dt.date(2024, 1, 1)  # a Monday
DAYS, RECENT = 140, 28
STEADY = np.full(DAYS, 100)


def told(purchases, recent=RECENT, every=None):
    visits = STEADY
    rows = [
        Daily("any event", STEADY * 2 if every is None else every),
        Daily("visits", visits),
        Daily("purchases", purchases),
    ]
    return [(each["kind"], each["name"], each["since"]) for each in findings(rows, FIRST, recent)]


def with_days(values, start, end=DAYS):
    counts = STEADY.copy()
    counts[start:end] = values
    return counts


def test_nothing_is_said_of_what_goes_on_as_before():
    assert told(STEADY) == []


def test_what_stops_from_one_day_to_the_next_is_broken_tracking():
    assert told(with_days(2, DAYS - 5)) == [("tracking", "purchases", "2024-05-15")]


def test_what_stopped_for_some_days_and_came_back_is_a_gap():
    rows = [Daily("any event", STEADY * 2), Daily("purchases", with_days(0, DAYS - 12, DAYS - 9))]
    (found,) = findings(rows, FIRST, RECENT)
    assert (
        found["words"]
        == "Hardly any purchases from 8 May 2024 to 10 May 2024, then as before: tracking was lost for that time."
    )


def test_a_shop_that_is_closed_on_sundays_is_not_broken():
    counts = STEADY.copy()
    counts[6::7] = 0
    assert told(counts) == []


def test_an_event_of_every_monday_that_stops_is_seen():
    counts = np.zeros(DAYS, int)
    counts[::7] = 100
    counts[-14:] = 0
    assert told(counts) == [("tracking", "purchases", "2024-05-06")]


def test_when_nothing_at_all_arrives_the_delivery_is_named_and_not_each_kind():
    assert told(with_days(0, DAYS - 3), every=with_days(1, DAYS - 3)) == [("delivery", "any event", "2024-05-17")]


def test_what_becomes_less_by_degrees_is_behaviour_not_tracking():
    counts = STEADY.copy()
    counts[-14:] = 45
    assert told(counts) == [("behaviour", "purchases", "2024-05-06")]


def test_a_rhythm_that_was_always_there_is_no_change():
    fortnights = np.repeat(np.where(np.arange(10) % 2, 160, 80), 14)
    assert told(fortnights) == []


def test_what_was_never_there_before_is_new():
    assert told(with_days(0, 0, DAYS - 8)) == [("new", "purchases", "2024-05-12")]


def test_a_few_days_of_data_say_nothing():
    rows = [Daily("any event", np.full(30, 100)), Daily("purchases", np.full(30, 50))]
    assert findings(rows, FIRST, RECENT) == []


@pytest.mark.parametrize("seed", range(30))
def test_counts_that_only_chance_moves_raise_no_alarm(seed):
    rng = np.random.default_rng(seed)
    week = np.tile([1.0, 1.0, 1.0, 1.1, 1.3, 0.8, 0.6], DAYS // 7)
    rows = [Daily(f"kind {k}", rng.poisson(week * rate)) for k, rate in enumerate((300, 100, 30, 8, 3, 1, 0.2))]
    assert findings(rows, FIRST, RECENT) == []


def test_weight_is_the_part_of_the_model_that_rests_on_it():
    assert weight_of("nothing", {"Count of purchases": 1.0}) == 0


@pytest.mark.parametrize(("level", "times"), [(200, "2.0 times as often"), (50, "2.0 times less often")])
def test_what_all_kinds_do_alike_is_a_season_told_once(level, times):
    counts = with_days(level, DAYS - 14)
    rows = [Daily("any event", 2 * counts), Daily("visits", counts), Daily("purchases", counts)]
    (season,) = findings(rows, FIRST, RECENT)
    assert (season["kind"], season["since"]) == ("season", "2024-05-06")
    assert season["words"].startswith(f"Events of all kinds came {times}")


def prices(of_day):
    """100 values a day: the mean and the spread of their logarithms by day, and how many there are."""
    means, spread = np.log(np.array([of_day(day) for day in range(DAYS)])), 0.5
    counts = np.full(DAYS, 100.0)
    return Values("price", counts, counts * means, counts * (means**2 + spread**2))


def test_prices_that_rise_are_told_with_what_they_were():
    (found,) = other_values(prices(lambda day: 20.0 if day < DAYS - 14 else 25.0), FIRST)
    assert (found["kind"], found["name"], found["since"]) == ("values", "price", "2024-05-06")
    assert found["words"] == (
        "The values of price are 1.25 times what they were: 25 in the last two weeks, 20 in the two before."
    )


@pytest.mark.parametrize(
    "quiet",
    [
        prices(lambda _: 20.0),
        prices(lambda day: 20.0 if day < DAYS - 14 else 22.0),  # a tenth more is nothing great
        prices(lambda day: 20.0 + 6 * (day // 14 % 2)),  # up and down every fortnight is usual
        Values("price", *(np.full(DAYS, value) for value in (1.0, 3.0, 9.1))),  # too few to say
    ],
)
def test_prices_that_go_on_as_before_are_not_told(quiet):
    assert list(other_values(quiet, FIRST)) == []
