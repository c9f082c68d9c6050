"""Half-open spans of time in UTC.

A span ``[start, end)`` holds its start and not its end: an event exactly at a cut-off belongs to the outcome
window that begins there, never to the lookback window that ends there.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from likelier.errors import UsageError
from likelier.phrases import say

UTC = dt.UTC
DAY = dt.timedelta(days=1)
DAY_US = 86_400_000_000
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Span:
    """``[start, end)`` in UTC."""

    start: dt.datetime
    end: dt.datetime

    @property
    def days(self) -> float:
        return (self.end - self.start) / DAY

    def __contains__(self, moment: dt.datetime) -> bool:
        return self.start <= moment < self.end


def before(cut_off: dt.datetime, days: float) -> Span:
    """Span the given days that end at the cut-off."""
    return Span(cut_off - days * DAY, cut_off)


def after(cut_off: dt.datetime, days: float) -> Span:
    """Span the given days that begin at the cut-off."""
    return Span(cut_off, cut_off + days * DAY)


def to_us(moment: dt.datetime) -> int:
    """Microseconds since 1970-01-01 UTC.

    >>> to_us(dt.datetime(1970, 1, 2, tzinfo=UTC)) == DAY_US
    True
    """
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


def from_us(microseconds: int) -> dt.datetime:
    """Turn :func:`to_us` back."""
    return EPOCH + dt.timedelta(microseconds=int(microseconds))


def next_midnight(moment: dt.datetime) -> dt.datetime:
    """Give the first midnight UTC after a moment, so that an event at that moment lies before it.

    >>> next_midnight(dt.datetime(2024, 5, 1, 13, tzinfo=UTC)).isoformat()
    '2024-05-02T00:00:00+00:00'
    >>> next_midnight(dt.datetime(2024, 5, 1, tzinfo=UTC)).isoformat()
    '2024-05-02T00:00:00+00:00'
    """
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + DAY


def parse_moment(text: str) -> dt.datetime:
    """Read an ISO 8601 date or date-time; a date is its 00:00 UTC, a time without a zone is UTC.

    >>> parse_moment("2011-11-01").isoformat()
    '2011-11-01T00:00:00+00:00'
    """
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            say("'{text}' is not a date. Write it as 2011-11-01 or 2011-11-01T12:00:00Z.", text=text)
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
