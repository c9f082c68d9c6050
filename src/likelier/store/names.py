"""Names that nothing else has."""

from __future__ import annotations

from collections.abc import Container
from itertools import chain, count


def free_name(name: str, taken: Container[str]) -> str:
    """Give the name, with a number where it is taken.

    >>> free_name("Buy", {"Buy", "Buy 2"})
    'Buy 3'
    """
    return next(each for each in chain([name], (f"{name} {number}" for number in count(2))) if each not in taken)
