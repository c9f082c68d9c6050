"""Expected against actual by the values of an attribute.

Numbers are cut into quarters of the people, texts and flags into their common values. A slice with few people has a
wide interval, and that is what it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from likelier.explanations.factors import readable
from likelier.insights.performance import Outcome, expected_and_actual
from likelier.model import evaluate
from likelier.phrases import say

MOST_VALUES = 12
QUARTERS = 4
LEAST_FOR_ORDER = 30
"""Of how many people of each outcome there must be before an AUC is told."""


def by_value(outcome: Outcome, values: Sequence[Any]) -> list[dict[str, Any]]:
    """Hold expected beside actual for each value; `values` has one a person, None where none is known.

    >>> rows = Outcome(np.array([0.2, 0.4, 0.6]), np.array([30.0, 50.0, 70.0]), np.array([False, True, True]))
    >>> [(part["value"], part["profiles"], part["rate"]) for part in by_value(rows, ["gold", None, "gold"])]
    [('gold', 2, 0.5), ('no value', 1, 1.0)]
    """
    return [{"value": name, **_told(outcome.where(mine))} for name, mine in _parts(values) if mine.any()]


def _told(outcome: Outcome) -> dict[str, Any]:
    did = int(outcome.reached.sum())
    enough = min(did, len(outcome.reached) - did) >= LEAST_FOR_ORDER
    auc = evaluate.auc(outcome.probability, outcome.reached) if enough else None
    return {**expected_and_actual(outcome), "auc": auc}


def _parts(values: Sequence[Any]) -> Iterator[tuple[str, np.ndarray]]:
    known = np.array([value is not None for value in values], bool)
    numbers = known.any() and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values if value is not None
    )
    yield from _quarters(values) if numbers else _values(values)
    yield say("no value"), ~known


def _quarters(values: Sequence[Any]) -> Iterator[tuple[str, np.ndarray]]:
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, QUARTERS + 1)))
    if len(edges) == 1:
        yield readable(edges[0]), numbers == edges[0]
    for place in range(len(edges) - 1):
        last = place == len(edges) - 2
        inside = (numbers >= edges[place]) & ((numbers <= edges[-1]) if last else (numbers < edges[place + 1]))
        yield f"{readable(edges[place])} – {readable(edges[place + 1])}", inside


def _values(values: Sequence[Any]) -> Iterator[tuple[str, np.ndarray]]:
    texts = np.array(["" if value is None else _text(value) for value in values], object)
    known = np.array([value is not None for value in values], bool)
    names, counts = np.unique(texts[known].astype(str), return_counts=True)
    common = [names[k] for k in np.argsort(-counts, kind="stable")[:MOST_VALUES]]
    for name in common:
        yield str(name), known & (texts == name)
    yield say("other values"), known & ~np.isin(texts.astype(str), common)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
