"""Shelves: files sorted by an id, in which the rows of one id are found in about a millisecond.

A shelf is an Arrow IPC file of small compressed blocks. Its last block is empty and carries the first id of every
other, so that opening reads one block and a look-up another. A shelf is written beside its place and moved there when
it is whole, and never changed afterwards; what it holds stands in the lake as well, so a shelf may be removed at any
time, and a reader that finds none reads the lake.
"""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs

from likelier.lake import Lake

BLOCK = 128
"""Rows of a block: fewer make the file larger, more make a look-up slower."""
# A block is too small to share out between threads.
_WRITTEN = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_READ = pa.ipc.IpcReadOptions(use_threads=False)


def write_shelf(lake: Lake, name: str, reader: pa.RecordBatchReader, key: str) -> int:
    """Put rows that come sorted by the text column `key` on a shelf, and say how many."""

    def write(sink: Any) -> int:
        firsts: list[str] = []
        rows = 0
        with pa.ipc.new_file(sink, reader.schema, options=_WRITTEN) as writer:
            for batch in reader:
                for start in range(0, batch.num_rows, BLOCK):
                    block = batch.slice(start, BLOCK)
                    firsts.append(block[key][0].as_py())
                    writer.write_batch(block)
                rows += batch.num_rows
            writer.write_batch(_empty(reader.schema), custom_metadata={"key": key, "firsts": _packed(firsts)})
        return rows

    return put_whole(lake, name, write)


def take_off(lake: Lake, name: str, gone: Callable[[pa.RecordBatch], pa.Array]) -> int:
    """Write a shelf anew without the rows that are `gone`, and say how many those were; 0 when it is not there."""
    shelf = open_shelf(lake, name)
    if shelf is None or not (lost := sum(pc.sum(gone(block)).as_py() or 0 for block in shelf.blocks())):
        return 0
    kept = (block.filter(pc.invert(gone(block))) for block in shelf.blocks())
    write_shelf(lake, name, pa.RecordBatchReader.from_batches(shelf.schema, kept), shelf.key)
    return int(lost)


def put_whole(lake: Lake, name: str, write: Callable[[Any], Any]) -> Any:
    """Write a file beside the tables of a lake, which nobody sees before it is whole."""
    filesystem, path = lake.place(name)
    beside = f"{path}.{uuid.uuid4().hex}.part"
    filesystem.create_dir(path.rpartition("/")[0], recursive=True)
    try:
        with filesystem.open_output_stream(beside, buffer_size=1 << 20) as sink:
            answer = write(sink)
        filesystem.move(beside, path)
    except BaseException:
        remove(lake, f"{name}{beside.removeprefix(path)}")
        raise
    return answer


def remove(lake: Lake, name: str) -> None:
    """Take away a file or a folder that stands beside the tables, if it is there."""
    filesystem, path = lake.place(name)
    found = filesystem.get_file_info(path).type
    if found is pa.fs.FileType.File:
        filesystem.delete_file(path)
    elif found is pa.fs.FileType.Directory:
        filesystem.delete_dir(path)


def read_whole(lake: Lake, name: str, read: Callable[[pa.NativeFile], Any]) -> Any:
    """Read a file beside the tables, None when it is not there; read again only when it has changed."""
    filesystem, path = lake.place(name)
    found = filesystem.get_file_info(path)
    if found.type is not pa.fs.FileType.File:
        return None
    try:
        return _read_once(lake, name, found.mtime_ns, found.size, read)
    except FileNotFoundError:  # taken away in this moment
        return None


@lru_cache(maxsize=512)
def _read_once(lake: Lake, name: str, _: int, __: int, read: Callable[[pa.NativeFile], Any]) -> Any:
    filesystem, path = lake.place(name)
    if isinstance(filesystem, pa.fs.LocalFileSystem):
        return read(pa.memory_map(path))
    return read(filesystem.open_input_file(path))


@dataclass
class Shelf:
    """An open shelf."""

    _reader: pa.RecordBatchFileReader
    _key: str
    _firsts: list[str]
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, file: pa.NativeFile) -> Shelf:
        reader = pa.ipc.open_file(file, options=_READ)
        _, told = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)
        return cls(reader, told[b"key"].decode(), _unpacked(told[b"firsts"]))

    @property
    def key(self) -> str:
        return self._key

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """Give all rows, a block at a time."""
        for place in range(len(self._firsts)):
            with self._one_at_a_time:
                block = self._reader.get_batch(place)
            yield block

    @property
    def schema(self) -> pa.Schema:
        return self._reader.schema

    def rows(self, wanted: str) -> pa.Table:
        """Give the rows of an id, in the order they were put there."""
        found = []
        # Equal ids may begin in the block before the first that begins with them.
        place = max(bisect_left(self._firsts, wanted) - 1, 0)
        while place < len(self._firsts) and self._firsts[place] <= wanted:
            with self._one_at_a_time:
                block = self._reader.get_batch(place)
            found.append(block.slice(*_run_of(block[self._key], wanted)))
            place += 1
        return pa.Table.from_batches(found, self.schema)


def _run_of(ids: pa.Array, wanted: str) -> tuple[int, int]:
    """Where an id begins among sorted ones, and how often it is there."""
    first = bisect_left(range(len(ids)), wanted, key=lambda place: ids[place].as_py())
    after = bisect_right(range(len(ids)), wanted, lo=first, key=lambda place: ids[place].as_py())
    return first, after - first


def open_shelf(lake: Lake, name: str) -> Shelf | None:
    """Open a shelf, None when it is not there."""
    shelf: Shelf | None = read_whole(lake, name, Shelf.read)
    return shelf


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def _packed(firsts: list[str]) -> bytes:
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"first": pa.array(firsts, pa.string())})
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _unpacked(packed: bytes) -> list[str]:
    firsts: list[str] = pa.ipc.open_stream(packed).read_all()["first"].to_pylist()
    return firsts
