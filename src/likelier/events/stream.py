"""Events as they happen: what several senders sent within a short time becomes one batch.

Each sender is told what became of its own lines. A batch is the next of a series, and needs no name made of its
content: an event is known by its `_id`, or where it has none by a hash of all it says, so sending it again, in whatever
company, adds nothing. Rows set aside are written after the rows that count: who is killed in between has told nobody,
and the senders send again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np

from likelier.errors import TransientError
from likelier.events import fresh
from likelier.events.batch import Batch, usable
from likelier.events.ingest import check_name, persistently
from likelier.events.known import KnownIds
from likelier.events.sources import Source
from likelier.lake import Lake

SERIES = "stream"
MANY = 32  # files of a tier that are joined into one
TIERS = (4 << 20, 64 << 20)
MARK = b"\xef\xbb\xbf"  # some programs begin a text with it


@dataclass(frozen=True)
class Sent:
    """Lines that came together, and what to call them where one is set aside."""

    name: str
    body: bytes

    @cached_property
    def prefixed(self) -> bool:
        """Whether keys carry the prefix `xdm:`. In one batch a field is written one way, so the two do not mix."""
        return b'"xdm:' in self.body

    @cached_property
    def lines(self) -> list[tuple[int, bytes]]:
        """The lines that hold anything, with their numbers."""
        lines = self.body.removeprefix(MARK).split(b"\n")
        return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


@dataclass(frozen=True)
class Counts:
    """What became of the lines of one sender, and in which batch."""

    accepted: int
    duplicate: int
    rejected: int
    batch: str | None


def append_lines(
    lake: Lake, name: str, sent: Sequence[Sent], *, now: dt.datetime, memory: str, known: KnownIds
) -> list[Counts]:
    """Append events to a dataset, all in one commit."""
    check_name(lake, name, "events")
    if not any(each.lines for each in sent):
        return [Counts(0, 0, 0, None) for _ in sent]

    def attempt(folder: Path, desk: duckdb.DuckDBPyConnection) -> list[Counts]:
        file = folder / "stream.ndjson"
        # Each ends its line: of a file of a single byte DuckDB reads nothing.
        file.write_bytes(b"".join(line + b"\n" for each in sent for _, line in each.lines))
        batch = Batch(lake, f"datasets/{name}", "", "events", now, desk, folder, known=known, lines=True)
        batch.batch = lake.next_of(batch.table, SERIES, batch.version)
        return _Division(sent).append(batch, file)

    return persistently(attempt, memory)


class _Division:
    """Whose the lines of a batch are."""

    def __init__(self, sent: Sequence[Sent]) -> None:
        self._sent = sent
        self._sizes = np.array([len(each.lines) for each in sent])
        self._ends = np.cumsum(self._sizes)

    def append(self, batch: Batch, file: Path) -> list[Counts]:
        opened, fields = batch.open([file], None)
        staged = batch.stage(opened, fields)
        rows = usable(staged)
        good = self._shares(batch.desk, f'SELECT ".line" FROM {rows}')
        batch.remembered, batch.place = bool((good < self._sizes).any()), self._place
        _, appended = batch.commit(staged)
        new = self._shares(batch.desk, fresh.new_lines(rows))
        batch.set_aside(opened, staged, once=False)
        name = batch.batch if appended or batch.remembered else None
        shares = zip(new.tolist(), (good - new).tolist(), (self._sizes - good).tolist(), strict=True)
        return [Counts(*share, batch=name) for share in shares]

    def _shares(self, desk: duckdb.DuckDBPyConnection, lines: str) -> np.ndarray:
        """Count how many of some lines are whose."""
        found = desk.sql(lines).fetchnumpy()[".line"]
        whose = np.searchsorted(self._ends, found - 1, side="right")
        return np.bincount(whose, minlength=len(self._sent))

    def _place(self, _: Source, line: int) -> tuple[str, int]:
        whose = int(np.searchsorted(self._ends, line - 1, side="right"))
        first = int(self._ends[whose] - self._sizes[whose])
        return self._sent[whose].name, self._sent[whose].lines[line - 1 - first][0]


def tidy(lake: Lake, name: str, known: KnownIds) -> None:
    """Join the many small files that a stream leaves, those of like size together, so that no row is moved often."""
    table = f"datasets/{name}/events"
    for below in TIERS if lake.exists(table) else ():
        if sum(size < below for size in lake.sizes(table)) >= MANY:
            try:
                lake.compact(table, below)
            except TransientError:  # somebody else changed the files; there will be a next time
                return
            known.forget(lake.files(table))
