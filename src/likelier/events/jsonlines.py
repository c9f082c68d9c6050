"""JSON files as lines, and the structures of those lines.

DuckDB reads JSON lines fast once it knows what to look for. Finding that out exactly, over all lines, is done here: a
compiled walk over the bytes gives each line a number that depends on its keys and on the kinds of its values but not on
the values, so only one line per number need be parsed to know the structure of all. Files below :data:`SMALL` are
parsed line by line instead, which gives the same and needs no compiler.

JSON arrays, and objects printed over several lines, are first rewritten as lines.
"""

from __future__ import annotations

import gzip
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

SMALL = 8 << 20
BLOCK = 8 << 20
NOT_JSON = ""  # the structure of a line that cannot be parsed
MIXED, JUMBLE = "mixed", "jumble"  # a list of values of several types; one of values and objects

PACKED = {".gz", ".zst"}


def unpacked(file: Path) -> IO[bytes]:
    """Open a file for reading, unpacked."""
    suffix = file.suffix.lower()
    if suffix == ".gz":
        return io.BufferedReader(gzip.open(file, "rb"))
    if suffix == ".zst":
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file.open("rb"), read_across_frames=True))
    return file.open("rb")


# ---- lines ---------------------------------------------------------------------------------------------------------


def as_lines(file: Path, target: Path) -> Path:
    """Give the file when it holds JSON lines already, else write them to the target."""
    with unpacked(file) as stream:
        start = stream.peek(65_536)[:65_536] if isinstance(stream, io.BufferedReader) else b""
    if start.startswith(b"\xef\xbb\xbf"):
        return _rewritten(file, target, _splitter(start[3:]), skip=3)
    splitter = _splitter(start)
    return file if splitter is None else _rewritten(file, target, splitter, skip=0)


def _splitter(start: bytes) -> int | None:
    """Tell at which depth the events of a file lie, None when they are lines already."""
    lines = [line.strip() for line in start.split(b"\n") if line.strip()]
    if not lines or (len(lines) > 1 and structure(lines[0]) != NOT_JSON):
        return None
    if lines[0].startswith(b"["):
        return 1
    printed = lines[0] == b"{" and len(lines) > 1 and lines[1].startswith((b'"', b"}"))
    return 0 if printed else None


def _rewritten(file: Path, target: Path, depth: int | None, *, skip: int) -> Path:
    state = np.zeros(3, dtype=np.int64)
    with unpacked(file) as stream, target.open("wb") as lines:
        stream.read(skip)
        for block in iter(lambda: stream.read(BLOCK), b""):
            data = np.frombuffer(block, dtype=np.uint8).copy()
            if depth is not None:
                _compiled(split, small=len(block) < 1 << 18)(data, state, depth)
            lines.write(data.tobytes())
    return target


def split(data: Any, state: Any, depth: int) -> None:
    """Put each value at a depth on a line of its own, in place; `state` carries over to the next block."""
    level, inside, escaped = state[0], state[1], state[2]
    for i in range(len(data)):
        byte = data[i]
        if inside:
            if escaped:
                escaped = 0
            elif byte == 92:  # \
                escaped = 1
            elif byte == 34:  # "
                inside = 0
            continue
        if byte == 34:
            inside = 1
        elif byte in (123, 91):  # { [
            if level < depth:
                data[i] = 32
            level += 1
        elif byte in (125, 93):  # } ]
            level -= 1
            if level < depth:
                data[i] = 10
        elif byte == 44 and level == depth:
            data[i] = 10
        elif byte in (10, 13):
            data[i] = 10 if level == depth == 0 else 32
    state[0], state[1], state[2] = level, inside, escaped


# ---- structures ----------------------------------------------------------------------------------------------------


@dataclass
class Lines:
    """The lines of a file: how often each structure occurs, and which line has which."""

    file: Path
    counts: Counter[str]
    numbers: dict[int, str]  # a structure's number to the structure
    kept: Path  # the number of each line, as they come
    longest: int

    @property
    def count(self) -> int:
        return self.counts.total()

    def write_faults(self, faults: Mapping[str, str], target: Path) -> bool:
        """Write the lines whose structure is a fault, with the reason; say whether there are any."""
        reasons = {number: faults[text] for number, text in self.numbers.items() if text in faults}
        if not reasons:
            return False
        wanted = np.array(sorted(reasons), dtype=np.uint64)
        said = pa.array([reasons[int(number)] for number in wanted])
        schema = pa.schema({".line": pa.int64(), ".fault": pa.string()})
        numbers = np.memmap(self.kept, dtype=np.uint64, mode="r")
        with pq.ParquetWriter(target, schema) as writer:
            for start in range(0, len(numbers), 1 << 20):
                part = numbers[start : start + (1 << 20)]
                lines = np.flatnonzero(np.isin(part, wanted))
                found = said.take(pa.array(np.searchsorted(wanted, part[lines])))
                writer.write_table(pa.table([pa.array(lines + start + 1), found], schema=schema))
        return True


def read_lines(file: Path, kept: Path, small: int = SMALL) -> Lines:
    """Find the structure of every line that is not blank."""
    found = Lines(file, Counter(), {}, kept, 0)
    ask = _each if file.stat().st_size < small and file.suffix not in PACKED else _by_number
    with unpacked(file) as stream, kept.open("wb") as numbers:
        for block in _blocks(stream):
            numbers.write(ask(block, found).tobytes())
    return found


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Read whole lines at a time."""
    rest = b""
    for block in iter(lambda: stream.read(BLOCK), b""):
        whole = rest + block
        end = whole.rfind(b"\n") + 1
        rest = whole[end:]
        if end:
            yield whole[:end]
    if rest:
        yield rest + b"\n"


def _each(block: bytes, found: Lines) -> np.ndarray:
    """Parse every line."""
    known = {text: number for number, text in found.numbers.items()}
    numbers = []
    for line in block.split(b"\n"):
        if line.strip():
            text = structure(line)
            numbers.append(known.setdefault(text, len(known) + 1))
            found.counts[text] += 1
            found.longest = max(found.longest, len(line))
    found.numbers.update({number: text for text, number in known.items()})
    return np.array(numbers, dtype=np.uint64)


def _by_number(block: bytes, found: Lines) -> np.ndarray:
    """Number every line and parse one of each number; a number whose line is broken says nothing of the others."""
    data = np.frombuffer(block, dtype=np.uint8)
    limit = block.count(b"\n")
    numbers, starts, ends = (np.zeros(limit, dtype=kind) for kind in (np.uint64, np.int64, np.int64))
    count = _compiled(number_lines, small=False)(data, numbers, starts, ends)
    numbers, starts, ends = numbers[:count], starts[:count], ends[:count]
    if count:
        found.longest = max(found.longest, int((ends - starts).max()))
    for number, first, many in zip(*np.unique(numbers, return_index=True, return_counts=True), strict=True):
        text = found.numbers.get(int(number))
        if text is None:
            text = structure(block[starts[first] : ends[first]])
            if text == NOT_JSON:
                _look_at_each(block, int(number), (numbers, starts, ends), found)
                continue
            found.numbers[int(number)] = text
        found.counts[text] += int(many)
    return numbers


BROKEN_NUMBER = 0


def _look_at_each(block: bytes, number: int, lines: tuple[np.ndarray, np.ndarray, np.ndarray], found: Lines) -> None:
    """Parse all lines of a number whose first line is broken; the broken ones get a number of their own."""
    numbers, starts, ends = lines
    found.numbers[BROKEN_NUMBER] = NOT_JSON
    for i in np.flatnonzero(numbers == number):
        text = structure(block[starts[i] : ends[i]])
        found.counts[text] += 1
        if text == NOT_JSON:
            numbers[i] = BROKEN_NUMBER
        else:
            found.numbers[number] = text


def number_lines(data: Any, numbers: Any, starts: Any, ends: Any) -> int:
    """Number the structure of each line; give how many lines there are."""
    count = 0
    i = 0
    size = len(data)
    mix = np.uint64(0x9E3779B97F4A7C15)
    shift = np.uint64(29)
    while i < size:
        start = i
        blank = True
        line = np.uint64(0x243F6A8885A308D3)
        while i < size and data[i] != 10:
            byte = data[i]
            i += 1
            if byte in (32, 9, 13):
                continue
            blank = False
            token = np.uint64(byte)
            if byte == 34:  # a text: its content counts only when it is a key
                content = np.uint64(1)
                while i < size and data[i] != 34 and data[i] != 10:
                    if data[i] == 92:
                        i += 1
                        if i >= size or data[i] == 10:
                            break
                    content = (content ^ np.uint64(data[i])) * mix
                    content ^= content >> shift
                    i += 1
                if i < size and data[i] == 34:
                    i += 1
                j = i
                while j < size and data[j] in (32, 9, 13):
                    j += 1
                token = content | np.uint64(256) if j < size and data[j] == 58 else np.uint64(34)
            elif byte == 45 or 48 <= byte <= 57:  # a number
                token = np.uint64(48)
                while i < size and (48 <= data[i] <= 57 or data[i] in (43, 45, 46, 69, 101)):
                    i += 1
            elif byte in (116, 102):  # true, false
                token = np.uint64(116)
                while i < size and 97 <= data[i] <= 122:
                    i += 1
            line = (line ^ token) * mix
            line ^= line >> shift
        if not blank:
            numbers[count] = line | np.uint64(1)
            starts[count] = start
            ends[count] = i
            count += 1
        i += 1
    return count


@cache
def _machine_code(function: Callable[..., Any]) -> Callable[..., Any]:
    import numba  # noqa: PLC0415  (takes a second to load, and only large files need it)

    return numba.njit(cache=True, nogil=True)(function)


def _compiled(function: Callable[..., Any], *, small: bool) -> Callable[..., Any]:
    return function if small else _machine_code(function)


# ---- one line ------------------------------------------------------------------------------------------------------


def structure(line: bytes) -> str:
    """Write the structure of a line as JSON, the keys sorted.

    >>> structure(b'{"a": [1, 2], "b": {"c": "x", "d": null}}')
    '{"a":["number"],"b":{"c":"text","d":"null"}}'
    >>> structure(b'{"a"')
    ''
    """
    try:
        return orjson.dumps(_described(orjson.loads(line)), option=orjson.OPT_SORT_KEYS).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return NOT_JSON


def _described(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _described(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_merged(map(_described, value))]
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "flag"
    return "null" if value is None else "number"


def _merged(structures: Iterable[Any]) -> Any:
    """Merge the structures of a list's elements."""
    merged: Any = "null"
    for found in structures:
        merged = _both(merged, found)
    return merged


def _both(one: Any, other: Any) -> Any:
    if one in ("null", other):
        return other
    if other == "null":
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _both(one.get(key, "null"), other.get(key, "null")) for key in one | other}
    if isinstance(one, list) and isinstance(other, list):
        return [_both(one[0], other[0])]
    if isinstance(one, str) and isinstance(other, str) and JUMBLE not in (one, other):
        return MIXED
    return JUMBLE
