"""Connected ids: union-find over the links known before a moment.

An id with more than :data:`MOST_LINKED` different neighbours is a hub: a shared device, a shop's own account, a
placeholder nobody thought of. It joins nobody, at the moments at which it has so many.
"""

from __future__ import annotations

import numba
import numpy as np

MOST_LINKED = 100


def connected(
    a: np.ndarray, b: np.ndarray, first: np.ndarray, before: int, nodes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Give each node the least node it is connected with, and say which are hubs.

    `a` and `b` are the ends of the links, each pair once; `first` says since when a link is known, `before` which
    links count: those known earlier.
    """
    return _connected(a, b, first, before, nodes, MOST_LINKED)


@numba.njit(nogil=True, cache=True)
def _connected(a, b, first, before, nodes, most):
    degree = np.zeros(nodes, np.int64)
    for link in range(len(a)):
        if first[link] < before:
            degree[a[link]] += 1
            degree[b[link]] += 1
    above = np.arange(nodes)
    for link in range(len(a)):
        if first[link] < before and degree[a[link]] <= most and degree[b[link]] <= most:
            one, other = a[link], b[link]
            while above[one] != one:
                above[one] = above[above[one]]
                one = above[one]
            while above[other] != other:
                above[other] = above[above[other]]
                other = above[other]
            if one < other:
                above[other] = one
            else:
                above[one] = other
    for place in range(nodes):  # those above have lesser places, so theirs are settled
        above[place] = above[above[place]]
    return above, degree > most


@numba.njit(nogil=True, cache=True)
def known_since(a, b, first, nodes):
    """Give the moment at which each node was first linked."""
    since = np.full(nodes, np.iinfo(np.int64).max, np.int64)
    for link in range(len(a)):
        since[a[link]] = min(since[a[link]], first[link])
        since[b[link]] = min(since[b[link]], first[link])
    return since


@numba.njit(nogil=True, cache=True)
def gathered(roots, since, named):
    """Tell of each root: the member that stands for it (-1 for none), and a number that tells sets of members apart.

    For a set stands the earliest linked of the members that are `named`, the least of equals.
    """
    stands = np.full(len(roots), -1, np.int64)
    digest = np.zeros(len(roots), np.uint64)
    for place in range(len(roots)):
        root = roots[place]
        mixed = np.uint64(place) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        digest[root] += mixed ^ (mixed >> np.uint64(31))
        if named[place] and (stands[root] < 0 or since[place] < since[stands[root]]):
            stands[root] = place
    return stands, digest
