"""One person's rows of a dataset, found by any of their ids without looking at everybody's.

A dataset's files are sorted by one of its namespaces at best, and each batch has its own. So the rows are published a
second time, on shelves sorted by the ids of each namespace. A shelf says which files of the dataset it covers, and
each of its rows which file it is from. Rows of files that no shelf covers are looked for in the files themselves,
which is slower and just as right; small ones, of events that came a moment ago, are kept in memory. Rows of files that
were rewritten since (joined with others, or somebody was deleted) do not count any more.

Publishing puts the files that came since on a new shelf, together with the earlier shelves that are not twice as
large or have lost half of their rows. So there are few shelves, and a row is rewritten only as often as its
surroundings double.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq

from likelier.backend import Engine
from likelier.datasets.dataset import Dataset, read_files
from likelier.events.schema import IDENTITY, OTHERS
from likelier.lake import Lake, Snapshot
from likelier.shelf import open_shelf, put_whole, read_whole, remove, write_shelf

KEY = ".id"
FILE = ".file"
TWICE = 2
FEW = 20_000
MOST_REMEMBERED = 64


@dataclass(frozen=True)
class Covered:
    """A file whose rows are on a shelf: by which number its rows name it, and how many there are."""

    file: str
    number: int
    rows: int


@dataclass(frozen=True)
class Part:
    """A shelf and what it covers."""

    shelf: str
    covers: tuple[Covered, ...]

    @property
    def rows(self) -> int:
        return sum(covered.rows for covered in self.covers)

    def within(self, files: Container[str]) -> tuple[Covered, ...]:
        """What of it still counts."""
        return tuple(covered for covered in self.covers if covered.file in files)


Parts = Mapping[str, Sequence[Part]]
"""The shelves of each namespace."""


def person_rows(engine: Callable[[], Engine], lake: Lake, dataset: Dataset, namespace: str, identity: str) -> pa.Table:
    """Give the rows that carry an id, alone or beside others of its namespace; the engine is asked for when needed."""
    snapshot = _newest(lake, dataset)
    files = {_name(file): file for file in snapshot.files}
    found = []
    for part in _published(lake, dataset).get(namespace, ()):
        counting = part.within(files)
        shelf = open_shelf(lake, part.shelf) if counting else None
        if shelf is not None:
            found.append(_as(_of(shelf.rows(identity), counting, part), snapshot.schema))
            for covered in counting:
                del files[covered.file]
    for name in list(files) if len(files) <= MOST_REMEMBERED else ():
        small = _small(lake, f"{dataset.table}/{name}")
        if small is not None:
            found.append(_as(_carrying(small, namespace, identity), snapshot.schema))
            del files[name]
    if files:
        rows = keyed(read_files(engine(), list(files.values()), snapshot.schema), namespace)
        found.append(_as(engine().table(rows.filter(rows[KEY] == identity).drop(KEY)), snapshot.schema))
    return pa.concat_tables(found) if found else snapshot.schema.empty_table()


@lru_cache(maxsize=MOST_REMEMBERED)
def _small(lake: Lake, name: str) -> pa.Table | None:
    """Read a file of few rows, such as events that came a moment ago, and remember it; files never change."""
    filesystem, path = lake.place(name)
    with filesystem.open_input_file(path) as file:
        parquet = pq.ParquetFile(file)
        if parquet.metadata.num_rows > FEW:
            return None
        rows = parquet.read(use_threads=False)
    return rows.cast(pa.schema([pa.field(field.name, _text(field.type)) for field in rows.schema]))


def _text(kind: pa.DataType) -> pa.DataType:
    """Give texts the type that Arrow compares; files may be written with views of them."""
    if pa.types.is_list(kind) or pa.types.is_list_view(kind):
        return pa.list_(_text(kind.value_type))
    return pa.string() if pa.types.is_string_view(kind) else kind


def _carrying(rows: pa.Table, namespace: str, identity: str) -> pa.Table:
    """Keep the rows that carry an id of a namespace, first those that carry it alone or in the first place."""
    column = f"{IDENTITY}{namespace}"
    if column not in rows.column_names:
        return rows.slice(0, 0)
    found = rows.filter(pc.equal(rows[column], identity))
    if column + OTHERS not in rows.column_names:
        return found
    others = rows[column + OTHERS].combine_chunks()
    places = pc.list_parent_indices(others).filter(pc.equal(pc.list_flatten(others), identity))
    return pa.concat_tables([found, rows.take(places)]) if len(places) else found


def _of(rows: pa.Table, counting: tuple[Covered, ...], part: Part) -> pa.Table:
    if len(counting) < len(part.covers):
        rows = rows.filter(pc.is_in(rows[FILE], pa.array([covered.number for covered in counting], pa.int64())))
    return rows.drop_columns([KEY, FILE])


def publish_rows(engine: Engine, lake: Lake, dataset: Dataset, *, strictly: bool = False) -> None:
    """Put what came since the last time on shelves, for every namespace, and make them the valid ones at once.

    `strictly`, no shelf stays that has any row which does not count any more, nor one that nobody looks at.
    """
    snapshot = _newest(lake, dataset)
    files = {_name(file): file for file in snapshot.files}
    before = _published(lake, dataset)
    after = {
        namespace: _grown(
            engine, lake, dataset, namespace, files, snapshot, _usable(before.get(namespace, ()), files, strictly)
        )
        for namespace in dataset.namespaces
    }
    if after != before:
        document = {namespace: [asdict(part) for part in parts] for namespace, parts in after.items()}
        put_whole(lake, _manifest(dataset), lambda sink: sink.write(json.dumps(document).encode()))
        for part in _all(before) - _all(after):
            remove(lake, part.shelf)
    if strictly:
        _clear(lake, dataset, {part.shelf for part in _all(after)})


def is_published(lake: Lake, dataset: Dataset) -> bool:
    """Whether any of a dataset's rows are on shelves."""
    return bool(_published(lake, dataset))


def forget_rows(lake: Lake, dataset: Dataset) -> None:
    """Take all shelves of a dataset away; its files still answer, slower, until it is published again."""
    remove(lake, _folder(dataset))


def keyed(rows: ibis.Table, namespace: str) -> ibis.Table:
    """Give each row under each id of a namespace that it carries."""
    column = f"{IDENTITY}{namespace}"
    if column not in rows.columns:
        return rows.mutate(**{KEY: ibis.null("string")}).filter(ibis.literal(False))
    first = rows.filter(rows[column].notnull()).mutate(**{KEY: rows[column]})
    if column + OTHERS not in rows.columns:
        return first
    several = rows.filter(rows[column + OTHERS].length() > 0)
    return first.union(several.mutate(**{KEY: several[column + OTHERS].unnest()}))


def _grown(
    engine: Engine,
    lake: Lake,
    dataset: Dataset,
    namespace: str,
    files: Mapping[str, str],
    snapshot: Snapshot,
    parts: list[Part],
) -> list[Part]:
    kept = [part for part in parts if TWICE * _rows(part.within(files)) > part.rows]
    covered = {one.file for part in kept for one in part.covers}
    fresh = [name for name in files if name not in covered]
    if not fresh:
        return kept
    counted = _counted(engine, keyed(_read(engine, files, fresh, snapshot.schema), namespace), fresh)
    while kept and _rows(kept[-1].within(files)) < TWICE * _rows(counted):
        counted = (*kept.pop().within(files), *counted)
    shelf = f"{_folder(dataset)}/{quote(namespace, safe='')}/{uuid.uuid4().hex}.arrow"
    wanted = keyed(_read(engine, files, [one.file for one in counted], snapshot.schema), namespace)
    numbered = wanted.mutate(**{FILE: _number(wanted)}).order_by([KEY, "timestamp"])
    write_shelf(lake, shelf, engine.stream(numbered), KEY)
    return [*kept, Part(shelf, counted)]


def _usable(parts: Sequence[Part], files: Container[str], strictly: bool) -> list[Part]:  # noqa: FBT001
    return [part for part in parts if not strictly or len(part.within(files)) == len(part.covers)]


def _clear(lake: Lake, dataset: Dataset, valid: Container[str]) -> None:
    """Remove the shelves that were written for a manifest that never came."""
    for namespace in lake.names(_folder(dataset)):
        filesystem, folder = lake.place(f"{_folder(dataset)}/{namespace}")
        for item in filesystem.get_file_info(pa.fs.FileSelector(folder)):
            name = f"{_folder(dataset)}/{namespace}/{item.base_name}"
            if name not in valid:
                remove(lake, name)


def _rows(covered: Sequence[Covered]) -> int:
    return sum(one.rows for one in covered)


def _counted(engine: Engine, rows: ibis.Table, names: Sequence[str]) -> tuple[Covered, ...]:
    counts = rows.group_by(FILE).aggregate(number=_number(rows).max(), rows=rows.count())
    found = {
        _name(row[FILE]): Covered(_name(row[FILE]), row["number"], row["rows"])
        for row in engine.table(counts).to_pylist()
    }
    return tuple(found.get(name, Covered(name, 0, 0)) for name in names)


def _number(rows: ibis.Table) -> Any:
    return rows[FILE].hash()


def _read(engine: Engine, files: Mapping[str, str], names: Sequence[str], schema: pa.Schema) -> ibis.Table:
    return read_files(engine, [files[name] for name in names], schema, file=FILE)


def _newest(lake: Lake, dataset: Dataset) -> Snapshot:
    snapshot = lake.snapshot(dataset.table)
    assert snapshot is not None
    return snapshot


def _published(lake: Lake, dataset: Dataset) -> Parts:
    return read_whole(lake, _manifest(dataset), _read_manifest) or {}


def _read_manifest(file: pa.NativeFile) -> Parts:
    document: dict[str, list[dict[str, Any]]] = json.loads(file.read())
    return {
        namespace: [Part(part["shelf"], tuple(Covered(**one) for one in part["covers"])) for part in parts]
        for namespace, parts in document.items()
    }


def _all(parts: Parts) -> set[Part]:
    return {part for some in parts.values() for part in some}


def _folder(dataset: Dataset) -> str:
    return f"trails/{dataset.name}"


def _manifest(dataset: Dataset) -> str:
    return f"{_folder(dataset)}/manifest.json"


def _name(file: str) -> str:
    """Name a file without its folder, which may move."""
    return file.rpartition("/")[2]


def _as(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give rows the columns that the dataset has by now."""
    if rows.schema.equals(schema):
        return rows
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
