"""Who consents: what people said, and since when it is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from likelier.backend import Engine, batches
from likelier.conditions.condition import Condition
from likelier.timespan import to_us

CONSENTS = "consents.npz"


@dataclass(frozen=True)
class Consents:
    """What each profile said; profile p's stands at ``starts[p]:starts[p + 1]``, in the order it became known."""

    starts: np.ndarray
    times: np.ndarray
    given: np.ndarray

    def at(self, cut_offs: Sequence[dt.datetime]) -> np.ndarray:
        """Say who may be looked at as of some cut-offs; booleans (profiles, cut-offs).

        Who consented by then, and has not taken it back since.
        """
        now = self._last(np.ones(len(self.times), bool))
        return np.stack([now & self._last(self.times < to_us(cut_off)) for cut_off in cut_offs], axis=1)

    def _last(self, known: np.ndarray) -> np.ndarray:
        """Say of whom the last of what is known is a consent; those of whom nothing is known do not consent."""
        before = np.concatenate([[0], np.cumsum(known)])
        first, count = self.starts[:-1], before[self.starts[1:]] - before[self.starts[:-1]]
        found = np.zeros(len(first), bool)
        said = count > 0
        found[said] = self.given[first[said] + count[said] - 1]
        return found

    def part(self, first: int, last: int) -> Consents:
        """Take some of the profiles."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        return Consents(self.starts[first : last + 1] - begin, self.times[begin:end], self.given[begin:end])

    def save(self, folder: Path) -> None:
        np.savez(folder / CONSENTS, starts=self.starts, times=self.times, given=self.given)


def load_consents(folder: Path) -> Consents | None:
    """Give what was saved in a folder, None where nothing was asked for."""
    if not (folder / CONSENTS).exists():
        return None
    with np.load(folder / CONSENTS) as kept:
        return Consents(kept["starts"], kept["times"], kept["given"])


def said(condition: Condition, path: str, rows: ibis.Table) -> ibis.Table:
    """Give of each row that says something: ``who`` says it, since when that is known (``t``), whether it is ``given``.

    `rows` have the columns ``who``, ``timestamp`` and the attribute's path.
    """
    told = rows.filter(rows[path].notnull() & rows.who.notnull())
    return told.select(who=told.who, t=told.timestamp, given=condition.holds(told))


def read_consents(engine: Engine, said: ibis.Table, ids: pa.Array, before: dt.datetime) -> Consents:
    """Read what some profiles said before a moment."""
    return gathered(batches(engine.stream(said.filter(said.t < ibis.literal(before)))), ids)


def gathered(told: Iterable[pa.RecordBatch], ids: pa.Array) -> Consents:
    """Sort what was said by profile and time. Of two answers since the same moment the refusal counts."""
    who, times, given = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, bool)]
    for batch in told:
        profile = pc.index_in(batch["who"], ids)
        kept = profile.is_valid()
        who.append(profile.filter(kept).to_numpy(zero_copy_only=False).astype(np.int64))
        times.append(batch["t"].filter(kept).view(pa.int64()).to_numpy())
        given.append(batch["given"].filter(kept).to_numpy(zero_copy_only=False).astype(bool))
    people, moments, consents = np.concatenate(who), np.concatenate(times), np.concatenate(given)
    order = np.lexsort((~consents, moments, people))
    starts = np.searchsorted(people[order], np.arange(len(ids) + 1))
    return Consents(starts.astype(np.int64), moments[order], consents[order])
