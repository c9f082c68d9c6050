"""When schedules fall due: time zones, clocks that jump, ends of months."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelier.errors import UsageError
from likelier.runs.schedule import WEEKDAYS, Schedule

UTC = dt.UTC


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        # 2024-05-01 is a Wednesday
        (Schedule("weekly", "monday"), "2024-05-01T12:00", "2024-05-06T06:00"),
        (Schedule("weekly", "wednesday", hour=13), "2024-05-01T12:00", "2024-05-01T13:00"),
        (Schedule("weekly", "wednesday", hour=12), "2024-05-01T12:00", "2024-05-08T12:00"),
        (Schedule("weekly", "wednesday", hour=12), "2024-05-01T11:59", "2024-05-01T12:00"),
        (Schedule("monthly", day=1), "2024-12-31T23:00", "2025-01-01T06:00"),
        (Schedule("monthly", day=31), "2024-01-31T06:00", "2024-02-29T06:00"),
        (Schedule("monthly", day=31), "2023-02-01T00:00", "2023-02-28T06:00"),
        (Schedule("monthly", day=30), "2024-02-29T06:00", "2024-03-30T06:00"),
        # half past the date line: Monday there is Sunday in UTC
        (Schedule("weekly", "monday", hour=0, time_zone="Pacific/Kiritimati"), "2024-05-01T12:00", "2024-05-05T10:00"),
        (Schedule("weekly", "monday", hour=23, time_zone="Pacific/Niue"), "2024-05-06T12:00", "2024-05-07T10:00"),
        # the clocks in Berlin jump from 2 to 3 on 2024-03-31, and go through 2 to 3 twice on 2024-10-27; both Sundays
        (Schedule("weekly", "sunday", hour=2, time_zone="Europe/Berlin"), "2024-03-30T12:00", "2024-03-31T01:00"),
        (Schedule("weekly", "sunday", hour=2, time_zone="Europe/Berlin"), "2024-03-31T01:00", "2024-04-07T00:00"),
        (Schedule("weekly", "sunday", hour=2, time_zone="Europe/Berlin"), "2024-10-26T12:00", "2024-10-27T00:00"),
        (Schedule("weekly", "sunday", hour=2, time_zone="Europe/Berlin"), "2024-10-27T00:30", "2024-11-03T01:00"),
        (Schedule("monthly", day=31, hour=2, time_zone="Europe/Berlin"), "2024-03-01T00:00", "2024-03-31T01:00"),
        # midnight does not exist in Santiago on 2024-09-08
        (Schedule("weekly", "sunday", hour=0, time_zone="America/Santiago"), "2024-09-07T12:00", "2024-09-08T04:00"),
    ],
)
def test_it_falls_due(schedule, now, due):
    assert schedule.next_after(at(now)) == at(due)


schedules = st.builds(
    Schedule,
    every=st.sampled_from(["weekly", "monthly"]),
    weekday=st.sampled_from(WEEKDAYS),
    day=st.integers(1, 31),
    hour=st.integers(0, 23),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)


@given(
    schedules, st.integers(0, 40 * 366 * 86_400).map(lambda seconds: at("2000-01-01") + dt.timedelta(seconds=seconds))
)
def test_it_falls_due_later_and_soon_enough_and_on_its_day(schedule, now):
    due = schedule.next_after(now)
    assert now < due <= now + dt.timedelta(days=7 if schedule.every == "weekly" else 31, hours=2)
    local = due.astimezone(ZoneInfo(schedule.time_zone))
    if schedule.every == "weekly":
        assert WEEKDAYS[local.weekday()] == schedule.weekday
    assert local.hour in (schedule.hour, schedule.hour + 1)
    assert schedule.next_after(due - dt.timedelta(microseconds=1)) == due


@pytest.mark.parametrize(
    "timing",
    [
        {"every": "daily"},
        {"every": "weekly", "weekday": "someday"},
        {"every": "monthly", "day": 0},
        {"every": "weekly", "hour": 24},
        {"every": "weekly", "time_zone": "Mars/Olympus"},
        {"every": "weekly", "time_zone": "../../etc/passwd"},
        {"every": "weekly", "time_zone": ""},
        {"every": "weekly", "time_zone": 1},
        {"every": "weekly", "hour": "6"},
        {"every": "monthly", "day": True},
        {"every": "weekly", "minute": 30},
    ],
)
def test_what_is_no_schedule_is_refused(timing):
    with pytest.raises(UsageError):
        Schedule.of(timing)
