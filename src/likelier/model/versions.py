"""What can be told of a kept model by its files alone, without the libraries that load it."""

from __future__ import annotations

from collections.abc import Sequence


def outdated(names: Sequence[str]) -> bool:
    """Say by the names of a model's files whether its shorter windows lean on the main one, as they did at first.

    >>> [outdated(names) for names in (["trees.txt"], ["forest-0.txt", "forest-7d-0.txt"], ["trees-7.txt"])]
    [False, False, True]
    """
    return any(name.startswith("trees-") for name in names)
