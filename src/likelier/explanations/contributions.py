"""Exact contributions of every factor to every prediction: the Shapley values of TreeSHAP (Lundberg et al. 2020).

Our trees have so few splits that all their outcomes fit in a table (:mod:`likelier.model.trees`): each pattern of
answers decides a tree's Shapley values. They are computed once a pattern; a row then costs as many additions as
comparisons, hardly more than the prediction itself, which comes out as their sum.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import factorial
from typing import Any

import numba
import numpy as np

from likelier.model.train import Booster, Learnt
from likelier.model.trees import BLOCK, Splits, Tree, answered, trees_of, turned


@dataclass(frozen=True)
class Reasons:
    """What moves the predictions of trees and curves together: what moves each, weighed as they are."""

    base: float
    trees: Explainer
    learnt: Learnt
    factor_of: np.ndarray

    @classmethod
    def of(cls, learnt: Learnt, factor_of: np.ndarray) -> Reasons:
        """Tabulate a model whose features belong to factors as given, one index a feature."""
        trees = Explainer.of(learnt.forests, factor_of)
        return cls(learnt.blended(trees.base, learnt.curves.base), trees, learnt, factor_of)

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """Credit each factor with its part of each row's log-odds: float64, shape (rows, factors)."""
        of_curves = self.learnt.curves.contributions(matrix, self.factor_of)
        return self.learnt.blended(self.trees.contributions(matrix), of_curves)


@dataclass(frozen=True)
class Explainer:
    """The trees of forests as tables.

    `table` holds for each tree and pattern what each of its splits' factors is credited with; a factor that several
    splits share is credited at the first of them.
    """

    factors: int
    base: float
    splits: Splits
    factor: np.ndarray
    table: np.ndarray

    @classmethod
    def of(cls, forests: Sequence[Booster], factor_of: np.ndarray) -> Explainer:
        """Tabulate the mean of models whose features belong to factors as given, one index a feature.

        Raises ValueError for trees with more splits than a table should hold.
        """
        trees = [tree for booster in forests for tree in trees_of(booster)]
        splits, tables = Splits.of(trees), [_shapley(tree) for tree in trees]
        widest = max((len(tree.splits) for tree in trees), default=0)
        return cls(
            factors=int(factor_of.max()) + 1,
            base=sum(_expected(tree) for tree in trees) / len(forests),
            splits=splits,
            factor=factor_of[splits.feature],
            table=np.concatenate([np.pad(table, ((0, 0), (0, widest - table.shape[1]))) for table in tables])
            / len(forests),
        )

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """Credit each factor with its part of each row's log-odds: float64, shape (rows, factors).

        `matrix` is float32 of shape (rows, features), NaN where absent. Base plus a row's sum is the row's raw
        log-odds.
        """
        matrix, found = np.ascontiguousarray(matrix), np.zeros((len(matrix), self.factors))
        parts = (self.splits.parts, self.factor, self.table)
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        cuts = np.linspace(0, len(matrix), workers + 1).astype(int)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda a, b: _credit(matrix[a:b], found[a:b], *parts), cuts[:-1], cuts[1:]))
        return found


@numba.njit(nogil=True, cache=True)
def _credit(
    matrix: np.ndarray,
    found: np.ndarray,
    splits: tuple[np.ndarray, ...],
    factor: np.ndarray,
    table: np.ndarray,
) -> None:
    """Take some rows at a time, a feature of all of them after the other: the processor then compares several at once.

    What a row's factor is credited with is added in the order of the trees, whichever rows are beside it.
    """
    first, feature, threshold, missing_left, rows = splits
    pattern = np.empty(BLOCK, np.int32)
    values = np.empty((matrix.shape[1], BLOCK), np.float32)
    earned = np.empty((found.shape[1], BLOCK))
    for start in range(0, matrix.shape[0], BLOCK):
        here = min(BLOCK, matrix.shape[0] - start)
        turned(matrix, start, here, values)
        earned[:, :here] = 0
        for tree in range(len(first) - 1):
            begin, end = first[tree], first[tree + 1]
            answered(values, here, begin, end, feature, threshold, missing_left, pattern)
            for split in range(begin, end):
                mine = earned[factor[split]]
                for row in range(here):
                    mine[row] += table[rows[tree] + pattern[row], split - begin]
        found[start : start + here] = earned[:, :here].T


def _expected(tree: Tree) -> float:
    """Give the mean of a tree's leaves over the training rows."""
    nothing = [np.zeros((1, 1), bool)] * len(tree.splits)
    return float(_value(tree.structure, nothing, nothing)[0, 0])


def _shapley(tree: Tree) -> np.ndarray:
    """Give the credit of each split's feature for each pattern of answers, of shape (patterns, splits)."""
    splits = len(tree.splits)
    columns = [split["split_feature"] for split in tree.splits]
    players = sorted(set(columns), key=columns.index)
    coalitions = np.arange(2 ** len(players))[None, :]
    known = [(coalitions >> players.index(column) & 1).astype(bool) for column in columns]
    worth = np.broadcast_to(_value(tree.structure, tree.answers, known), (2**splits, coalitions.shape[1]))
    found = np.zeros((2**splits, splits))
    for player, column in enumerate(players):
        without = np.flatnonzero((coalitions[0] >> player & 1) == 0)
        sizes = np.array([int(c).bit_count() for c in without])
        orders = [factorial(size) * factorial(len(players) - size - 1) for size in sizes]
        gain = worth[:, without | 1 << player] - worth[:, without]
        found[:, columns.index(column)] = gain @ np.array(orders) / factorial(len(players))
    return found


def _value(node: dict[str, Any], answers: list[np.ndarray], known: list[np.ndarray]) -> np.ndarray:
    """Expect a tree's value when only the known splits are answered; the others go both ways, by their rows."""
    if "split_index" not in node:
        return np.full((1, 1), float(node["leaf_value"]))
    left, right = (_value(node[side], answers, known) for side in ("left_child", "right_child"))
    share = _rows(node["left_child"]) / max(_rows(node), 1)
    decided = np.where(answers[node["place"]], left, right)
    return np.where(known[node["place"]], decided, share * left + (1 - share) * right)


def _rows(node: dict[str, Any]) -> float:
    return float(node.get("internal_count", node.get("leaf_count", 0)))
