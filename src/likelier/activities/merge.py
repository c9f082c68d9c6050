"""Put sorted activities together, and take what came too late out of them.

What is left is, byte for byte, what the engine would have left had it sorted all of the events at once: the order of
activities depends on what they are, never on when they were read. Only a part is in memory at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from likelier.activities.codes import Codebook
from likelier.activities.reduce import (
    ARRAYS,
    CODEBOOK,
    IDS,
    STARTS,
    TIES,
    appending,
    chunks,
    codebook_of,
    ids_of,
    let_go,
    mapped,
    save_profiles,
    starts_of,
)
from likelier.readings import share
from likelier.windows import read_only

ALL = (*ARRAYS, TIES)
CHUNK = 200_000
"""Events in memory at a time: so few that the memory is used again, which costs less than to be given other."""


@dataclass(frozen=True)
class _Part:
    """Activities in a folder."""

    folder: Path
    codebook: Codebook

    @cached_property
    def ids(self) -> pa.Array:
        return ids_of(self.folder)

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        return {name: mapped(self.folder, name, self.codebook) for name in ALL}

    def ranges(self, ids: pa.Array) -> np.ndarray:
        """Say where among its events those of some profiles begin; where it knows nobody, none lie between."""
        events = np.append(np.diff(starts_of(self.folder)), 0)  # the last stands for those that it does not know
        counts = events[pc.fill_null(pc.index_in(ids, self.ids), -1).to_numpy()]
        return np.concatenate([[0], np.cumsum(counts)])


def merge(earlier: Path, later: Path, out: Path) -> None:
    """Leave in a folder the activities of two others, which hold other events, read by the same codebook."""
    parts = [_Part(folder, codebook_of(earlier)) for folder in (earlier, later)]
    ids = _every([part.ids for part in parts])
    ranges = [part.ranges(ids) for part in parts]
    starts = np.sum(ranges, axis=0)
    out.mkdir(parents=True, exist_ok=True)
    with appending(out, ALL) as files:
        for first, last in chunks(starts, CHUNK):
            here = [each[first : last + 1] for each in ranges]
            before = _before(parts, here)
            for name, file in files.items():
                one, other = (part.arrays[name][each[0] : each[-1]] for part, each in zip(parts, here, strict=True))
                _spliced(one, other, before).tofile(file)
                let_go(one, other)
    save_profiles(ids, np.diff(starts), out)
    share(earlier / CODEBOOK, out / CODEBOOK)


def cut(folder: Path, before: int, out: Path) -> None:
    """Leave in a folder those of another's activities that lie before a moment (microseconds), without ties."""
    whole, starts = _Part(folder, codebook_of(folder)), starts_of(folder)
    out.mkdir(parents=True, exist_ok=True)
    share(folder / CODEBOOK, out / CODEBOOK)
    if _latest(whole.arrays["times"], before) < before:
        for name in (*ARRAYS, IDS, STARTS):
            share(folder / name, out / name)
        return
    counts = np.empty(len(starts) - 1, np.int64)
    with appending(out, ARRAYS) as files:
        for first, last in chunks(starts, CHUNK):
            here = slice(starts[first], starts[last])
            early = whole.arrays["times"][here] < before
            so_far = np.concatenate([[0], np.cumsum(early)])
            counts[first:last] = np.diff(so_far[starts[first : last + 1] - starts[first]])
            for name, file in files.items():
                whole.arrays[name][here][early].tofile(file)
                let_go(whole.arrays[name])
    save_profiles(whole.ids.filter(pa.array(counts > 0)), counts[counts > 0], out)


def _latest(times: np.ndarray, before: int) -> int:
    """Give the latest of some times, just below `before` where there are none."""
    latest = before - 1
    for first in range(0, len(times), CHUNK):
        latest = max(latest, int(times[first : first + CHUNK].max()))
        let_go(times)
    return latest


def _every(ids: Sequence[pa.Array]) -> pa.Array:
    """Give every id once, in the order the engine sorts texts by: that of their bytes."""
    found = pc.unique(pa.concat_arrays(list(ids)))
    return found.take(pc.sort_indices(found))


def _before(parts: Sequence[_Part], ranges: Sequence[np.ndarray]) -> np.ndarray:
    """Say for each event that some profiles have in the other part how many of the one part come before it."""
    (times, ties), (other_times, other_ties) = (
        [part.arrays[name][each[0] : each[-1]] for name in ("times", TIES)]
        for part, each in zip(parts, ranges, strict=True)
    )
    begins = [each - each[0] for each in ranges]
    return _counted_before(*map(read_only, (times, ties, begins[0], other_times, other_ties, begins[1])))


@numba.njit(nogil=True, cache=True)
def _counted_before(times, ties, starts, other_times, other_ties, other_starts):
    before = np.empty(len(other_times), np.int64)
    for profile in range(len(starts) - 1):
        mine, end = starts[profile], starts[profile + 1]
        for other in range(other_starts[profile], other_starts[profile + 1]):
            while mine < end and (
                times[mine] < other_times[other]
                or (times[mine] == other_times[other] and ties[mine] <= other_ties[other])
            ):
                mine += 1
            before[other] = mine
    return before


def _spliced(one: np.ndarray, other: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Put the rows of an array between those of another, each behind so many of them."""
    whole = np.empty((len(one) + len(other), *one.shape[1:]), one.dtype)
    _splice(read_only(_cells(one)), read_only(_cells(other)), read_only(before), _cells(whole))
    return whole


def _cells(rows: np.ndarray) -> np.ndarray:
    """See rows of any kind as so many four-byte cells each: one compiled loop copies all kinds."""
    return rows.reshape(len(rows), math.prod(rows.shape[1:])).view(np.int32)


@numba.njit(nogil=True, cache=True)
def _splice(one, other, before, whole):
    mine, row = 0, 0
    for place in range(len(other) + 1):
        end = before[place] if place < len(other) else len(one)
        while mine < end:
            for cell in range(one.shape[1]):
                whole[row, cell] = one[mine, cell]
            mine += 1
            row += 1
        if place < len(other):
            for cell in range(other.shape[1]):
                whole[row, cell] = other[place, cell]
            row += 1
