"""What runs have read of the events, kept for the runs after them.

A file of the lake never changes. So what was read of some files holds as long as they are there: a run that looks for
the same reads only the files that came since, and puts both together. How late an event is does not matter; it is in
a file that came since. Where a file is gone, as after a delete or when small ones were joined, or where a run looks
for anything else, all is read anew.

A *look* is what was looked for: whoever asks for it under the same words gets what was read under them, so the words
have to tell all that decides it but the files. What is kept is a copy of what the lake holds, and may be deleted at any
time. Of each look the newest is kept; those that nobody used for longest make room.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from likelier.lake import Lake

COVERS = "covers.json"
TALLY = "tally.arrow"
ABANDONED_SECONDS = 86_400.0
"""What is still unfinished after so long was left by a process that is gone."""
ROOMS = ("activities", "conditions", "datasets", "pipeline")

Files = frozenset[str]
Read = Callable[[Files, Path], None]
"""Leaves in a folder what is found in some files."""
Merge = Callable[[Path, Path, Path], None]
"""Leaves in a third folder what two others hold of different files."""


@dataclass(frozen=True)
class Readings:
    """A folder in which what was read is kept, as long as it takes no more than so many bytes."""

    folder: Path
    most_bytes: int

    def of(self, look: str, files: Files, read: Read, merge: Merge, work: Path) -> Path:
        """Give a folder, below `work`, with what is found in files; only those that nobody read before are read."""
        kept = work / "kept"
        covered = self._borrow(look, files, kept)
        if covered and covered == files:
            return kept
        fresh, whole = work / "fresh", work / "whole"
        read(files - covered, fresh)
        if covered:
            merge(kept, fresh, whole)
        else:
            whole = fresh
        with suppress(OSError):  # a disk that is full: the next run reads more
            self._keep(look, files, whole)
        return whole

    def tidy(self, lake: Lake, tables: Sequence[str]) -> None:
        """Remove what holds rows of files that the newest versions of tables lack, and what was never finished."""
        if not self.folder.exists():
            return
        there = frozenset(named(file) for table in tables for file in lake.files(table))
        for place in self._every():
            if not _covers(place) <= there:
                shutil.rmtree(place, ignore_errors=True)
        for place in self.folder.glob(".*"):
            with suppress(OSError):
                if place.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    shutil.rmtree(place)

    def forget(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def bytes(self) -> int:
        """How much is kept."""
        return sum(map(_size, self._every()))

    def _every(self) -> list[Path]:
        return [place for place in self.folder.glob("[!.]*") if place.is_dir()]

    def _borrow(self, look: str, files: Files, out: Path) -> Files:
        """Share the most that is kept of some files with a folder, and say of which; another process may remove it."""
        found = [(covers, place) for place in self.folder.glob(f"{look}.*") if (covers := _covers(place)) <= files]
        for covers, place in sorted(found, key=lambda each: -len(each[0])):
            try:
                os.utime(place)
                _share_all(place, out)
            except OSError:
                shutil.rmtree(out, ignore_errors=True)
            else:
                return covers
        return frozenset()

    def _keep(self, look: str, files: Files, whole: Path) -> None:
        """Keep what was read, in one rename, in the place of what was there of the same look."""
        earlier = list(self.folder.glob(f"{look}.*"))
        place, coming = self.folder / f"{look}.{digest(sorted(files))}", self.folder / f".{uuid.uuid4().hex}"
        if self._make_room(_size(whole), earlier):
            try:
                _share_all(whole, coming)
                (coming / COVERS).write_text(json.dumps(sorted(files)))
                _settle(coming)
                if not place.exists():  # another process may have been quicker
                    coming.rename(place)
            finally:
                shutil.rmtree(coming, ignore_errors=True)
        for old in earlier:
            if old != place:
                shutil.rmtree(old, ignore_errors=True)

    def _make_room(self, size: int, instead_of: Sequence[Path]) -> bool:
        others = sorted(set(self._every()) - set(instead_of), key=_used)
        taken = size + sum(map(_size, others))
        if size > self.most_bytes:
            return False
        for place in others:
            if taken <= self.most_bytes:
                break
            taken -= _size(place)
            shutil.rmtree(place, ignore_errors=True)
        return True


def tally(
    readings: Readings | None,
    look: str,
    files: Files,
    keys: Sequence[str],
    count: Callable[[Files | None], pa.Table],
    before: dt.datetime,
) -> pa.Table:
    """Count by day and other keys before a moment; `count` does it for some files, or before the moment for all.

    Counts of different files are added up, and of ``first`` and ``last`` the first and the last stands.
    """
    if readings is None or before.time() != dt.time():
        return count(None)

    def read(files: Files, out: Path) -> None:
        _write(count(files), out)

    def merge(one: Path, other: Path, out: Path) -> None:
        _write(added([_table(one), _table(other)], keys), out)

    with tempfile.TemporaryDirectory(prefix="likelier-") as work:
        found = _table(readings.of(look, files, read, merge, Path(work)))
    return found.filter(pc.less(found["day"], pa.scalar(before, found.schema.field("day").type)))


def added(tables: Sequence[pa.Table], keys: Sequence[str]) -> pa.Table:
    """Add up tables of the same columns by their keys.

    >>> one = pa.table({"day": [1, 2], "n": [3, 4], "last": [1.5, 2.5]})
    >>> added([one, one.slice(1)], ["day"]).to_pydict()
    {'day': [1, 2], 'n': [3, 8], 'last': [1.5, 2.5]}
    """
    told = [name for name in tables[0].column_names if name not in keys]
    how = [(name, {"first": "min", "last": "max"}.get(name, "sum")) for name in told]
    found = pa.concat_tables(tables).group_by(list(keys), use_threads=False).aggregate(how)  # in the order they come
    found = found.rename_columns({f"{name}_{what}": name for name, what in how}).select(tables[0].column_names)
    return found.cast(tables[0].schema)


def share(file: Path, other: Path) -> None:
    """Let a file that is never written again be another, too."""
    try:
        os.link(file, other)
    except OSError:  # not every file system can
        shutil.copyfile(file, other)


def look(*words: Any) -> str:
    """Name what is looked for."""
    return digest([_form(), *words])


@cache
def _form() -> str:
    """Tell apart what codes events: other lines here, or another DuckDB, may code the same events in another way."""
    package = Path(__file__).parent
    lines = [file.read_bytes() for room in ROOMS for file in sorted((package / room).glob("*.py"))]
    return digest([version("duckdb"), lines])


def digest(words: Any) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]


def named(file: str) -> str:
    """Name a file of the lake, wherever the lake is: no two have the same name."""
    return file.rpartition("/")[2]


def _share_all(place: Path, other: Path) -> None:
    other.mkdir(parents=True)
    for file in place.iterdir():
        if file.name != COVERS:
            share(file, other / file.name)


def _settle(place: Path) -> None:
    """Have the disk keep files before they get their name: what a power cut left in part must never be read."""
    for file in place.iterdir():
        opened = os.open(file, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _covers(place: Path) -> Files:
    with suppress(OSError, ValueError):
        return frozenset(json.loads((place / COVERS).read_text()))
    return frozenset([""])  # of no file that there is


def _size(place: Path) -> int:
    return sum(_bytes(file) for file in _files(place))


def _files(place: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from place.iterdir()


def _bytes(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size
    return 0


def _used(place: Path) -> float:
    with suppress(OSError):
        return place.stat().st_mtime
    return 0.0


def _write(table: pa.Table, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(folder / TALLY), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _table(folder: Path) -> pa.Table:
    with pa.OSFile(str(folder / TALLY)) as source:
        return pa.ipc.open_file(source).read_all()
