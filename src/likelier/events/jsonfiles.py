"""JSON files as sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import orjson

from likelier.errors import UsageError
from likelier.events import sql
from likelier.events.jsonlines import NOT_JSON, SMALL, Lines, as_lines, read_lines, unpacked
from likelier.events.schema import Field, FieldType
from likelier.events.shapes import Leaf, Node, Shape, Steps, dotted, settle_shape
from likelier.events.sources import Column, Ids, Raw, Seen, Source, entry_ids, sort_out, source_of
from likelier.events.sql import Kind
from likelier.phrases import say

Desk = duckdb.DuckDBPyConnection

BROKEN = "broken JSON"
SMALL_BATCH = 256 << 10  # a process that takes in batch after batch has the compiler at hand
USUAL_LONGEST, LONGEST = 16 << 20, 256 << 20  # bytes of an event
_READ_AS = {Kind.NUMBER: "DOUBLE", Kind.FLAG: "BOOLEAN"}


@dataclass(frozen=True)
class JsonFiles:
    """The JSON files of a batch, whose shape is settled together."""

    given: tuple[Path, ...]
    lines: tuple[Lines, ...]
    folder: Path
    shape: Shape

    @property
    def seen(self) -> dict[str, Seen]:
        """Say how often each path holds which kind."""
        found: dict[str, Seen] = {}
        for leaf in self.shape.leaves():
            kinds = {(kind, leaf.array): count for kind, count in leaf.kinds.items()}
            found.setdefault(leaf.path, Counter()).update(kinds)
        fields, _ = sort_out({path: Column("", Kind.TEXT) for path in found})
        return {path: found[path] for path in fields if not path.startswith("identityMap") and path not in OWN}

    def sources(self, types: Mapping[str, FieldType]) -> list[Source]:
        """Open the files, given the types that are already settled."""
        kinds = {leaf.steps: _kind(leaf, types) for leaf in self.shape.leaves()}
        structures = {text for lines in self.lines for text in lines.counts}
        judged = {text: self._fault(text, kinds) for text in structures}
        faults = {text: reason for text, reason in judged.items() if reason is not None}
        return [self._source(number, kinds, faults) for number in range(len(self.lines))]

    def _fault(self, structure: str, kinds: Mapping[Steps, Kind]) -> str | None:
        return BROKEN if structure == NOT_JSON else self.shape.fault(orjson.loads(structure), kinds)

    def _source(self, number: int, kinds: Mapping[Steps, Kind], faults: Mapping[str, str]) -> Source:
        lines = self.lines[number]
        types = _types(self.shape, kinds) or {"_id": "VARCHAR"}
        relation = f'(SELECT row_number() OVER () AS ".line", * FROM {_read(lines, types)})'
        faulty = self.folder / f"faults-{number}.parquet"
        some = lines.write_faults(faults, faulty)
        if some:
            joined = f'LEFT JOIN read_parquet({sql.text(str(faulty))}) f USING (".line")'
            relation = f'(SELECT r.*, f.".fault" FROM {relation} r {joined})'
        columns, identities = _columns(self.shape, kinds), _identities(self.shape)
        source = source_of(
            self.given[number],
            relation,
            columns,
            identities,
            _raw(lines.file, rewritten=lines.file != self.given[number]),
        )
        return replace(source, fault='".fault"' if some else "NULL", rows=lines.count)


OWN = ("_id", "timestamp")


def open_json(files: Sequence[Path], folder: Path, kept: Mapping[str, Field], *, lines: bool = False) -> JsonFiles:
    """Look at the structure of every event and settle the shape, given the fields that are kept already.

    `lines` when every line is sure to be an event, or a fault of its own.
    """
    read = []
    for number, file in enumerate(files):
        written = file if lines else as_lines(file, folder / f"lines-{number}.jsonl")
        small = SMALL_BATCH if lines else SMALL
        read.append(read_lines(written, folder / f"numbers-{number}", small=small))
        if read[-1].longest > LONGEST:
            raise UsageError(
                say(
                    "{name} has an event of {longest} MB; the largest can have {most}.",
                    name=file.name,
                    longest=read[-1].longest >> 20,
                    most=LONGEST >> 20,
                )
            )
    counts: Counter[str] = Counter()
    for found in read:
        counts.update(found.counts)
    return JsonFiles(tuple(files), tuple(read), folder, settle_shape(counts, kept))


def _read(lines: Lines, types: Mapping[str, str]) -> str:
    typed = ", ".join(f"{sql.text(key)}: {sql.text(kind)}" for key, kind in types.items())
    size = max(USUAL_LONGEST, lines.longest + 1)
    return (
        f"read_json({sql.text(str(lines.file))}, format='newline_delimited', ignore_errors=true, "
        f"maximum_object_size={size}, columns={{{typed}}})"
    )


def _kind(leaf: Leaf, types: Mapping[str, FieldType]) -> Kind:
    if leaf.path.startswith("identityMap."):
        return Kind.FLAG if leaf.path.endswith(".primary") else Kind.TEXT
    if leaf.path == "_id":
        return Kind.TEXT
    if leaf.path == "timestamp":
        return Kind.MOMENT
    if leaf.path in types:
        return Kind(types[leaf.path].value)
    # The most frequent; text when it is a tie.
    return max(leaf.kinds, key=lambda kind: (leaf.kinds[kind], kind is Kind.TEXT))


def _types(shape: Shape, kinds: Mapping[Steps, Kind]) -> dict[str, str]:
    """Write the DuckDB type of each key of an event."""

    def written(node: Node, steps: Steps) -> str | None:
        if node.is_object:
            below = {key: written(child, (*steps, key)) for key, child in node.below.items()}
            parts = [f"{sql.name(key)} {kind}" for key, kind in below.items() if kind]
            inner = f"STRUCT({', '.join(parts)})" if parts else None
        else:
            inner = _READ_AS.get(kinds[steps], "VARCHAR") if steps in kinds else None
        return inner and inner + "[]" * node.depth

    found = {key: written(node, (key,)) for key, node in shape.root.below.items()}
    return {key: kind for key, kind in found.items() if kind}


def _columns(shape: Shape, kinds: Mapping[Steps, Kind]) -> dict[str, Column]:
    """Take the events apart: a column per leaf, those of an identityMap left out."""
    columns: dict[str, Column] = {}

    def add(node: Node, steps: Steps, value: str, *, array: bool) -> None:
        if dotted(steps) == "identityMap" and node.is_object:
            return
        for _ in range(node.depth - (0 if array else 1)):
            value = f"flatten({value})"
        inside = array or node.depth > 0
        if node.is_object:
            for key, child in node.below.items():
                if _holds(child, (*steps, key), kinds):
                    below = sql.name(key)
                    inner = f"list_transform({value}, lambda e: e.{below})" if inside else f"{value}.{below}"
                    add(child, (*steps, key), inner, array=inside)
        elif steps in kinds:
            kind = Kind.TEXT if kinds[steps] is Kind.MOMENT else kinds[steps]
            columns[dotted(steps)] = Column(value, kind, inside, finite=True)

    for key, node in shape.root.below.items():
        add(node, (key,), sql.name(key), array=False)
    return columns


def _holds(node: Node, steps: Steps, kinds: Mapping[Steps, Kind]) -> bool:
    """Say whether a place holds any leaf, so that it was read."""
    if not node.is_object:
        return steps in kinds
    return any(_holds(child, (*steps, key), kinds) for key, child in node.below.items())


def _identities(shape: Shape) -> dict[str, Ids]:
    found = {}
    for key, node in shape.root.below.items():
        if dotted([key]) == "identityMap" and node.is_object and not node.depth:
            for namespace, entries in node.below.items():
                inside = entries.below
                if "id" in inside and inside["id"].found:
                    value = f"{sql.name(key)}.{sql.name(namespace)}"
                    marked = "primary" in inside and bool(inside["primary"].found)
                    found[namespace] = entry_ids(value if entries.depth else f"[{value}]", marked=marked)
    return found


def _raw(file: Path, *, rewritten: bool) -> Callable[[Sequence[int]], Iterator[Raw]]:
    """Read the text of some events, and why it is broken where it is; the events of an array count as lines."""

    def read(rows: Sequence[int]) -> Iterator[Raw]:
        wanted = set(rows)
        with unpacked(file) as stream:
            filled = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
            for row, (number, line) in enumerate(filled, 1):
                if row in wanted:
                    text = line.decode("utf-8", errors="replace").strip()
                    yield row, row if rewritten else number, text, _why_broken(line)

    return read


def _why_broken(line: bytes) -> str | None:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"{BROKEN}: {error}"
    return None
