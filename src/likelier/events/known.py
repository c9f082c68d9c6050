"""Which ids a dataset has, known without reading its ids each time.

A table's files never change, so what ids a file holds is worked out once: their digests, 16 bytes each, sorted, in a
file beside. A batch looks its own ids up by bisection in those of the files that are active at its version. Appends by
whomever, deletes and compaction need no care: what they write are new files, whose digests are made when they are first
asked for. The folder can be removed at any time; it holds nothing that the table does not say.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from likelier.events import sql

DIGEST = np.dtype("S16")
SUFFIX = ".ids"
AT_ONCE = 262_144


@dataclass(frozen=True)
class KnownIds:
    """The ids of a table's files, in a folder of the table's own."""

    folder: Path

    def among(self, desk: duckdb.DuckDBPyConnection, asked: str, files: Sequence[str]) -> Iterator[pa.Table]:
        """Give the ids of a query with a column `id` that any of the files holds, in parts."""
        kept = [self._digests(desk, file) for file in files]
        reader = desk.cursor().sql(f"SELECT DISTINCT id, {_halves('id')} FROM ({asked})").to_arrow_reader(AT_ONCE)
        for batch in reader:
            held = _held(_joined(batch.column("upper"), batch.column("lower")), kept)
            yield pa.table({"id": batch.column("id").filter(pa.array(held))})

    def forget(self, files: Iterable[str]) -> None:
        """Remove what is kept of files other than these."""
        wanted = {_name(file) for file in files}
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def _digests(self, desk: duckdb.DuckDBPyConnection, file: str) -> np.ndarray:
        path = self.folder / _name(file)
        with contextlib.suppress(FileNotFoundError):
            return _read(path)
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{uuid.uuid4().hex}.part")
        try:
            with beside.open("xb") as target:
                for digests in _sorted_digests(desk, file):
                    digests.tofile(target)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        return _read(path)


def _name(file: str) -> str:
    return hashlib.sha256(file.encode()).hexdigest()[:32] + SUFFIX


def _read(path: Path) -> np.ndarray:
    if path.stat().st_size == 0:  # nothing can be mapped
        return np.empty(0, DIGEST)
    return np.memmap(path, DIGEST, mode="r")


def _sorted_digests(desk: duckdb.DuckDBPyConnection, file: str) -> Iterator[np.ndarray]:
    read = f"SELECT {_halves('_id')} FROM read_parquet({sql.text(file)}) ORDER BY ALL"
    for batch in desk.cursor().sql(read).to_arrow_reader(AT_ONCE):
        yield _joined(batch.column("upper"), batch.column("lower"))


def _halves(column: str) -> str:
    return f"md5_number_upper({column}) AS upper, md5_number_lower({column}) AS lower"


def _joined(upper: pa.Array, lower: pa.Array) -> np.ndarray:
    """Write the halves of digests as bytes, which sort as the numbers do."""
    halves = np.empty((len(upper), 2), ">u8")
    halves[:, 0], halves[:, 1] = upper.to_numpy(), lower.to_numpy()
    return halves.view(DIGEST).ravel()


def _held(digests: np.ndarray, kept: Iterable[np.ndarray]) -> np.ndarray:
    """Tell which digests stand in any of some sorted arrays.

    >>> _held(np.array([b"a", b"b", b"z"]), [np.array([b"b", b"c"]), np.array([b"a"])])
    array([ True,  True, False])
    """
    held = np.zeros(len(digests), dtype=bool)
    order = np.argsort(digests)  # neighbours are looked up in the same pages
    wanted = digests[order]
    for array in kept:
        if len(array):
            place = np.minimum(np.searchsorted(array, wanted), len(array) - 1)
            held[order] |= array[place] == wanted
    return held
