"""What is asked of a person's events: a goal within an outcome window, a population within a lookback window.

``match: all`` asks for each of the events, in any order, ``match: any`` for one of them. An event rule with
``at_least: 3`` asks for three events that each satisfy the whole condition.

A goal that *will not occur* is the exact opposite of the same goal that will: "does not (purchase and review)" is met
by someone who purchases without a review.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from likelier.conditions.condition import Condition
from likelier.conditions.words import ANYTHING, Deed, Tense, days, deed, listed
from likelier.phrases import join, say

Match = Literal["all", "any"]


@dataclass(frozen=True)
class EventRule:
    """Events that satisfy a condition, at least so many of them.

    >>> from likelier.conditions.algebra import where
    >>> from likelier.datasets import Field, FieldType
    >>> bought = where(Field("commerce.purchases.value", FieldType.NUMBER), "exists")
    >>> EventRule("purchase", bought, at_least=3).words()
    'makes a purchase at least 3 times'
    """

    name: str
    condition: Condition
    at_least: int = 1

    def words(self, tense: Tense = "present") -> str:
        said = self._deed.said(tense)
        return join([said, say("at least {n} times", n=self.at_least)]) if self.at_least > 1 else said

    def denial(self, tense: Tense = "present") -> str:
        """Say that it does not happen."""
        if self.at_least > 1:
            return join([self._deed.said(tense), say("fewer than {n} times", n=self.at_least)])
        return self._deed.denied(tense)

    @property
    def _deed(self) -> Deed:
        return deed(self.condition, self.name)


@dataclass(frozen=True)
class Goal:
    """What a person will, or will not, do within the outcome window; further windows are shorter, shortest first."""

    events: tuple[EventRule, ...]
    match: Match = "all"
    occurs: bool = True
    window_days: int = 30
    shorter_windows: tuple[int, ...] = ()

    @property
    def windows(self) -> tuple[int, ...]:
        """All outcome windows in days, shortest first: the last is the main one."""
        return (*self.shorter_windows, self.window_days)

    def words(self) -> str:
        """Say what it is to meet the goal.

        >>> from likelier.conditions.algebra import where
        >>> from likelier.datasets import Field, FieldType
        >>> bought = EventRule("", where(Field("commerce.purchases.value", FieldType.NUMBER), "exists"))
        >>> came = EventRule("", where(Field("web.webPageDetails.name", FieldType.TEXT), "exists"))
        >>> Goal((bought,)).words()
        'makes a purchase within 30 days'
        >>> Goal((bought, came), "any", occurs=False, window_days=7).words()
        'does not make a purchase and does not visit a web page within 7 days'
        """
        return say("{deed} within {days}", deed=self._what("present"), days=days(self.window_days))

    def deed(self) -> str:
        """Say what those who meet the goal will do; reads after "will".

        >>> from likelier.conditions.algebra import where
        >>> from likelier.datasets import Field, FieldType
        >>> bought = EventRule("", where(Field("commerce.purchases.value", FieldType.NUMBER), "exists"))
        >>> Goal((bought,)).deed(), Goal((bought,), occurs=False).deed()
        ('make a purchase', 'not make a purchase')
        """
        return self._what("base")

    def _what(self, tense: Tense) -> str:
        if self.occurs:
            return listed([rule.words(tense) for rule in self.events], _joining(self.match))
        # Not (a and b) is (not a) or (not b), and the other way round.
        return listed([rule.denial(tense) for rule in self.events], _joining("any" if self.match == "all" else "all"))


@dataclass(frozen=True)
class Population:
    """Who is asked about: those with the events in the lookback window, without the excluding ones in it.

    No events means: any activity. `consent` is a condition on an attribute: who is not known to satisfy it is left out.
    """

    events: tuple[EventRule, ...] = ()
    match: Match = "all"
    lookback_days: int = 45
    exclude: tuple[EventRule, ...] = ()
    consent: Condition | None = None

    def words(self) -> str:
        """Say who belongs to it; reads after "who".

        >>> Population().words()
        'had any activity in the last 45 days'
        """
        what = listed([rule.words("past") for rule in self.events], _joining(self.match)) or ANYTHING.said("past")
        asked = say("{deed} in the last {days}", deed=what, days=days(self.lookback_days))
        if self.exclude:
            asked = self._without(asked)
        return say("{deed}, if {consent}", deed=asked, consent=self.consent.words()) if self.consent else asked

    def _without(self, asked: str) -> str:
        left_out = listed([rule.words("past") for rule in self.exclude], say("or"))
        return say("{deed}, except those who {others} in that time", deed=asked, others=left_out)


def _joining(match: Match) -> str:
    return say("and") if match == "all" else say("or")
