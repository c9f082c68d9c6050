"""When a schedule falls due.

A schedule names a wall-clock hour in a time zone, weekly on a weekday or monthly on a day. Where the clocks jump over
that hour it falls due when they have jumped; where they go through it twice, the first time. A month without that day
takes its last.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from likelier.errors import UsageError
from likelier.phrases import say

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOUR = 6
KEYS = {"every": str, "weekday": str, "day": int, "hour": int, "time_zone": str}


@dataclass(frozen=True)
class Schedule:
    """Weekly or monthly, at an hour of a time zone; a weekly one looks at `weekday`, a monthly one at `day`."""

    every: Literal["weekly", "monthly"]
    weekday: str = "monday"
    day: int = 1
    hour: int = HOUR
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.every not in ("weekly", "monthly"):
            raise UsageError(say("A schedule is weekly or monthly, not '{every}'.", every=self.every))
        if self.weekday not in WEEKDAYS:
            raise UsageError(
                say("'{weekday}' is no weekday. Write one of {known}.", weekday=self.weekday, known=", ".join(WEEKDAYS))
            )
        if not 1 <= self.day <= 31 or not 0 <= self.hour <= 23:
            raise UsageError(say("A schedule's day is 1 to 31 and its hour 0 to 23."))
        _zone(self.time_zone)

    @classmethod
    def of(cls, timing: Mapping[str, Any]) -> Self:
        """Make a schedule of its keys; UsageError for one that it does not have, or of another type."""
        for key, value in timing.items():
            if key not in KEYS:
                raise UsageError(say("A schedule has no '{key}'. It has {known}.", key=key, known=", ".join(KEYS)))
            if type(value) is not KEYS[key]:
                wanted = say("a whole number") if KEYS[key] is int else say("a text")
                raise UsageError(
                    say("A schedule's {key} is {wanted}, not {value!r}.", key=key, wanted=wanted, value=value)
                )
        return cls(**timing)

    def next_after(self, moment: dt.datetime) -> dt.datetime:
        """When it falls due next, strictly after a moment.

        >>> noon = dt.datetime(2024, 5, 31, 12, tzinfo=dt.UTC)
        >>> Schedule("monthly", day=31, hour=9, time_zone="Europe/Berlin").next_after(noon).isoformat()
        '2024-06-30T07:00:00+00:00'
        """
        zone = _zone(self.time_zone)
        # A day early: the zone's date may differ from the moment's.
        today = moment.astimezone(zone).date() - dt.timedelta(days=1)
        instants = (self._instant(date, zone) for date in self._dates(today))
        return next(instant for instant in instants if instant > moment)

    def _dates(self, today: dt.date) -> Iterator[dt.date]:
        if self.every == "weekly":
            first = today + dt.timedelta(days=(WEEKDAYS.index(self.weekday) - today.weekday()) % 7)
            yield from (first + dt.timedelta(weeks=number) for number in range(3))
        for number in range(3):
            year, month = divmod(today.year * 12 + today.month - 1 + number, 12)
            last = calendar.monthrange(year, month + 1)[1]
            yield dt.date(year, month + 1, min(self.day, last))

    def _instant(self, date: dt.date, zone: ZoneInfo) -> dt.datetime:
        return dt.datetime.combine(date, dt.time(self.hour), zone).astimezone(dt.UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(say("'{name}' is no time zone. Write it as Europe/Berlin.", name=name)) from None
