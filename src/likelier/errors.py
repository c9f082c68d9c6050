"""Everything likelier raises on purpose.

::

    LikelierError
    ├── UsageError            what a person typed or configured cannot be used; exit status 2
    │   ├── UnknownNameError  a dataset, field, instance ... that is not there; carries the nearest names
    │   ├── InstanceError     an instance file; names the key
    │   ├── ConditionError    a condition that does not fit its field
    │   └── MappingError      a mapping file
    ├── RunError              a run that cannot give a result; carries a code of 400-414; exit status 1
    ├── TransientError        may well succeed when tried again (a lost connection)
    └── StorageError          the lake or the store cannot be read or written (a full disk)

A message says what was found, where, what was expected and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from likelier.phrases import join, say


class LikelierError(Exception):
    """Base of all errors raised on purpose."""


class UsageError(LikelierError):
    """What a person typed or configured cannot be used."""


class UnknownNameError(UsageError):
    """A name that is not there, of one of the :data:`KINDS`."""

    def __init__(self, kind: str, found: str, known: Iterable[str]) -> None:
        known = list(known)
        self.kind, self.found, self.nearest = kind, found, nearest(found, known)
        said = say("There is no {kind} '{found}'.", kind=KINDS.get(kind, kind), found=found)
        super().__init__(join([part for part in (said, did_you_mean(found, known)) if part]))


KINDS = {
    kind: kind
    for kind in (
        say("dataset"),
        say("field"),
        say("attribute"),
        say("namespace"),
        say("instance"),
        say("deleted instance that can be put back"),
        say("run"),
        say("bucket"),
        say("factor"),
        say("segment"),
        say("deleted segment that can be put back"),
        say("export"),
        say("delivery"),
        say("status"),
        say("user"),
        say("token"),
        say("alert"),
        say("kind of shop"),
        say("profile attribute"),
        say("field of an event"),
    )
}
"""What can be named, in words that know other languages."""


class InstanceError(UsageError):
    """An instance that cannot be used; `problems` pairs each key at fault with what is wrong there."""

    def __init__(self, message: str, problems: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class ConditionError(UsageError):
    """A condition that does not fit its field; `key` names its part at fault."""

    def __init__(self, message: str, key: str = "value") -> None:
        super().__init__(message)
        self.key = key


class MappingError(UsageError):
    """A mapping file that cannot be used."""


class TransientError(LikelierError):
    """May well succeed when tried again."""


class StorageError(LikelierError):
    """The lake or the store cannot be read or written."""


TITLES = {
    400: say("NOT ENOUGH OBJECTIVE"),
    401: say("NOT ENOUGH POPULATION"),
    402: say("BAD MODEL"),
    403: say("INELIGIBLE SCORES"),
    405: say("NO SCORING DATA"),
    407: say("NOT ENOUGH HISTORICAL EVENT DATA"),
    408: say("NO RECENT DATA FOR ELIGIBLE"),
    409: say("NO OBJECTIVE"),
    410: say("NO POPULATION"),
    411: say("NO INPUT DATA AFTER ETL"),
    412: say("NO EVENT AFTER ETL"),
    413: say("SINGLE VALUE IN OBJECTIVE"),
    414: say("NO INFLUENTIAL FACTORS"),
}


@dataclass
class RunError(LikelierError):
    """A run that cannot give a result.

    >>> raise RunError(410, "Nobody was active in the 45 days before 2024-05-01.", ["Look back further."])
    Traceback (most recent call last):
    likelier.errors.RunError: 410 NO POPULATION: Nobody was active in the 45 days before 2024-05-01.
    """

    code: int
    message: str
    suggestions: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        super().__init__(self.code, self.message, list(self.suggestions))

    @property
    def title(self) -> str:
        return TITLES[self.code]

    def __str__(self) -> str:
        return join([f"{self.code} ", self.title, ": ", self.message], "")


def nearest(found: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Give the known names most like the one found, best first.

    >>> nearest("commerce.purchase.value", ["commerce.purchases.value", "web.webPageDetails.name"])
    ['commerce.purchases.value']
    """
    folded = {name.casefold(): name for name in known}
    return [folded[hit] for hit in difflib.get_close_matches(found.casefold(), folded, n=count, cutoff=0.5)]


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Say which known names are meant, or list a few when none is near."""
    names = sorted(known)
    if close := nearest(found, names):
        return say("Did you mean {names}?", names=join([f"'{name}'" for name in close], say(" or ")))
    if not names:
        return ""
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return say("Known: {names}.", names=shown)
