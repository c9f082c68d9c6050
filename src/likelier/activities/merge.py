"""Put sorted activities together, and take what came too late out of them.

What is left is, byte for byte, what the engine would have left had it sorted all of the events at once: the order of
activities depends on what they are, never on when they were read. Only a part is in memory at a time.
"""

from __future__ import annotations

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
CHUNK = 2_000_000  # events in memory at a time


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


def merge(one: Path, other: Path, out: Path) -> None:
    """Leave in a folder the activities of two others, which hold other events, read by the same codebook."""
    parts = [_Part(folder, codebook_of(one)) for folder in (one, other)]
    ids = _every([part.ids for part in parts])
    ranges = [part.ranges(ids) for part in parts]
    starts = np.sum(ranges, axis=0)
    out.mkdir(parents=True, exist_ok=True)
    with appending(out, ALL) as files:
        for first, last in chunks(starts, CHUNK):
            here = [each[first : last + 1] for each in ranges]
            order = _order(parts, here)
            for name, file in files.items():
                rows = [part.arrays[name][each[0] : each[-1]] for part, each in zip(parts, here, strict=True)]
                np.concatenate(rows).take(order, axis=0).tofile(file)
                let_go(*rows)
    save_profiles(ids, np.diff(starts), out)
    share(one / CODEBOOK, out / CODEBOOK)


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


def _order(parts: Sequence[_Part], ranges: Sequence[np.ndarray]) -> np.ndarray:
    """Say in which order the events of some profiles, those of both parts one after the other, follow each other."""
    (times, ties), (other_times, other_ties) = (
        [part.arrays[name][each[0] : each[-1]] for name in ("times", TIES)]
        for part, each in zip(parts, ranges, strict=True)
    )
    begins = [each - each[0] for each in ranges]
    mine, others = (times, ties, begins[0]), (other_times, other_ties, begins[1])
    return _merged(*map(read_only, (*mine, *others)))


@numba.njit(nogil=True, cache=True)
def _merged(times, ties, starts, other_times, other_ties, other_starts):
    order = np.empty(len(times) + len(other_times), np.int64)
    place = 0
    for profile in range(len(starts) - 1):
        mine, end = starts[profile], starts[profile + 1]
        other, other_end = other_starts[profile], other_starts[profile + 1]
        while mine < end or other < other_end:
            if other == other_end:
                first = True
            elif mine == end:
                first = False
            elif times[mine] != other_times[other]:
                first = times[mine] < other_times[other]
            else:
                first = ties[mine] <= other_ties[other]
            if first:
                order[place] = mine
                mine += 1
            else:
                order[place] = len(times) + other
                other += 1
            place += 1
    return order
