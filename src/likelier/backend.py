"""The analytic engine behind Ibis: read Parquet files, materialise, stream Arrow.

Stages ask an :class:`Engine` for what it does, never for its name.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import ibis
import pyarrow as pa

MOST_REMEMBERED = 100_000  # rows of one answer
MOST_SORTED = 100_000_000  # rows at once: what of them is not in memory takes some 8 GB of disk meanwhile
SAMPLED = 100_000  # names, to see where to cut
Asked = Callable[[Mapping[str, ibis.Table]], ibis.Table]
Answer = Callable[[Mapping[str, pa.Table]], pa.Table]
Part = TypeVar("Part")
Done = TypeVar("Done")
Seen = Callable[[int], None]


class Engine(Protocol):
    """What a stage may ask of the engine."""

    def read(self, files: Sequence[str], *, file: str | None = None) -> ibis.Table:
        """Read Parquet files as one table; a column that a file lacks is null there.

        `file` names a further column that says which file a row is from.
        """

    def values(self, table: pa.Table) -> ibis.Table:
        """Hand a small Arrow table to the engine."""

    def stream(self, expression: ibis.Table, rows: int = 131_072) -> pa.RecordBatchReader:
        """Compute an expression, in batches of at most `rows` rows."""

    def table(self, expression: ibis.Table) -> pa.Table:
        """Compute an expression whose result is small."""

    def named(self, expression: ibis.Table) -> ibis.Table:
        """Give an expression of which much is asked a name: it is compiled once, and computed each time."""

    def repeated(self, schemas: Mapping[str, pa.Schema], asked: Asked) -> Answer:
        """Compile what is asked of some tables once, to compute it for other rows again and again."""

    def each(self, task: Callable[[Part], Done], parts: Sequence[Part]) -> Iterable[Done]:
        """Do a task for each part where the engine computes; what comes of it is in the order of the parts.

        A task that is cut off is done anew, so it must leave the same again. Files that it reads and leaves are on a
        path that all machines share.
        """

    def in_order(
        self,
        rows: ibis.Table,
        by: Sequence[str],
        task: Callable[[pa.RecordBatchReader], Done],
        seen: Seen,
        *,
        without: Sequence[str] = (),
        names: ibis.Table | None = None,
    ) -> list[Done]:
        """Sort rows and hand them, in one part or several, to a task that is done where the engine computes.

        Parts, and the rows in each, are in order; rows that have the same first of `by`, a text, are in one part.
        `seen` is told how many rows went by. Columns that the task can do `without` are only sorted by. Where to cut
        the rows is seen from the only column of `names`, if it is cheaper to compute than the first of `by`, and much
        the same. Of tasks holds what :meth:`each` says of them.
        """


class DuckDB:
    """DuckDB in this process; what does not fit in `memory` spills to a temporary folder."""

    def __init__(self, memory: str = "2GB", threads: int | None = None, spill: Path | None = None) -> None:
        self._numbers, self._one_at_a_time = itertools.count(), threading.Lock()
        self._held: list[ibis.Table] = []
        self._spill = tempfile.TemporaryDirectory(prefix="likelier-", dir=spill)
        settings: dict[str, Any] = {"memory_limit": memory, "temp_directory": self._spill.name}
        if threads:
            settings["threads"] = threads
        try:
            self._ibis = ibis.duckdb.connect(**settings)
        except BaseException:
            self._spill.cleanup()
            raise
        # Ibis 12 still writes lambdas with the arrow that DuckDB 2 refuses unless asked.
        self._ibis.raw_sql("SET lambda_syntax = 'ENABLE_SINGLE_ARROW'")
        # Whatever it says its default is, it draws a bar on standard output, where answers go.
        self._ibis.raw_sql("SET enable_progress_bar = false")

    def read(self, files: Sequence[str], *, file: str | None = None) -> ibis.Table:
        options = {"filename": file} if file else {}
        return self._ibis.read_parquet(list(files), union_by_name=True, **options)

    def values(self, table: pa.Table) -> ibis.Table:
        return ibis.memtable(table)

    def stream(self, expression: ibis.Table, rows: int = 131_072) -> pa.RecordBatchReader:
        return self._relation(expression).to_arrow_reader(rows)

    def table(self, expression: ibis.Table) -> pa.Table:
        return self._relation(expression).to_arrow_table()

    def named(self, expression: ibis.Table) -> ibis.Table:
        name = f"named_{next(self._numbers)}"
        self._ibis._register_in_memory_tables(expression)  # noqa: SLF001 - as below
        self._held.append(expression)  # the small tables in it go when it goes
        self._ibis.con.sql(f'CREATE TEMP VIEW "{name}" AS {self._ibis.compile(expression)}')
        return ibis.table(expression.schema(), name=name)

    def repeated(self, schemas: Mapping[str, pa.Schema], asked: Asked) -> Answer:
        names = {name: f"rows_{next(self._numbers)}" for name in schemas}
        tables = {
            name: ibis.table(ibis.Schema.from_pyarrow(schema), name=names[name]) for name, schema in schemas.items()
        }
        expression = asked(tables)
        self._ibis._register_in_memory_tables(expression)  # noqa: SLF001 - as below
        query = self._ibis.compile(expression)

        def answer(rows: Mapping[str, pa.Table]) -> pa.Table:
            assert expression is not None  # the small tables in it go when it goes
            with self._one_at_a_time:
                for name, known_as in names.items():
                    self._ibis.con.register(known_as, rows[name])
                return self._ibis.con.sql(query).to_arrow_table()

        return answer

    def each(self, task: Callable[[Part], Done], parts: Sequence[Part]) -> Iterable[Done]:
        return map(task, parts)

    def in_order(
        self,
        rows: ibis.Table,
        by: Sequence[str],
        task: Callable[[pa.RecordBatchReader], Done],
        seen: Seen,
        *,
        without: Sequence[str] = (),
        names: ibis.Table | None = None,
    ) -> list[Done]:
        found = self._cuts(rows.select(by[0]) if names is None else names)
        parts = (part.order_by(*by).drop(*without) for part in _between(rows, by[0], found))
        return [task(watched(self.stream(part), seen)) for part in parts]

    def _cuts(self, names: ibis.Table) -> list[str]:
        many = self.table(names.aggregate(many=names.count()))["many"][0].as_py()
        if many <= MOST_SORTED:
            return []
        sampled = self.table(names.sample(min(SAMPLED / many, 1), seed=0))
        return cuts(sampled.column(0), -(-many // MOST_SORTED))

    def close(self) -> None:
        self._ibis.disconnect()
        self._spill.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _relation(self, expression: ibis.Table) -> Any:
        # Ibis 12 streams through a cursor method that DuckDB 2 no longer has; its relations still stream.
        self._ibis._register_in_memory_tables(expression)  # noqa: SLF001
        return self._ibis.con.sql(self._ibis.compile(expression))


class Remembering:
    """An engine that several runs ask much the same of the same files, which never change: it answers that once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._read: dict[Any, ibis.Table] = {}
        self._named: dict[Any, ibis.Table] = {}
        self._answers: dict[Any, pa.Table] = {}

    def read(self, files: Sequence[str], *, file: str | None = None) -> ibis.Table:
        key = (tuple(files), file)
        if key not in self._read:
            self._read[key] = self._engine.read(files, file=file)
        return self._read[key]

    def named(self, expression: ibis.Table) -> ibis.Table:
        key = expression.op()
        if key not in self._named:
            self._named[key] = self._engine.named(expression)
        return self._named[key]

    def table(self, expression: ibis.Table) -> pa.Table:
        key = expression.op()
        found = self._answers.get(key)
        if found is None:
            found = self._engine.table(expression)
            if found.num_rows <= MOST_REMEMBERED:
                self._answers[key] = found
        return found

    def values(self, table: pa.Table) -> ibis.Table:
        return self._engine.values(table)

    def stream(self, expression: ibis.Table, rows: int = 131_072) -> pa.RecordBatchReader:
        return self._engine.stream(expression, rows)

    def repeated(self, schemas: Mapping[str, pa.Schema], asked: Asked) -> Answer:
        return self._engine.repeated(schemas, asked)

    def each(self, task: Callable[[Part], Done], parts: Sequence[Part]) -> Iterable[Done]:
        return self._engine.each(task, parts)

    def in_order(
        self,
        rows: ibis.Table,
        by: Sequence[str],
        task: Callable[[pa.RecordBatchReader], Done],
        seen: Seen,
        *,
        without: Sequence[str] = (),
        names: ibis.Table | None = None,
    ) -> list[Done]:
        return self._engine.in_order(rows, by, task, seen, without=without, names=names)


def cuts(names: pa.ChunkedArray, parts: int) -> list[str]:
    """Say at which names to cut all of them, sorted, into parts of much the same size, from some of them.

    >>> cuts(pa.chunked_array([["d", "a", "c", "b", "b", "b"]]), 3)
    ['b', 'c']
    """
    ordered = sorted(names.to_pylist())
    parts = min(parts, len(ordered))
    return sorted({ordered[len(ordered) * part // parts] for part in range(1, parts)})


def _between(rows: ibis.Table, by: str, cut_at: Sequence[str]) -> Iterator[ibis.Table]:
    """Give the rows before the first cut, those from each up to the next, and those from the last on."""
    for first, last in itertools.pairwise([None, *cut_at, None]):
        part = rows if first is None else rows.filter(rows[by] >= first)
        yield part if last is None else part.filter(part[by] < last)


def watched(reader: pa.RecordBatchReader, seen: Seen) -> pa.RecordBatchReader:
    """Tell how many rows went by."""

    def passing() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield batch
            seen(batch.num_rows)

    return pa.RecordBatchReader.from_batches(reader.schema, passing())


def batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Iterate over the batches that hold rows."""
    return (batch for batch in reader if batch.num_rows)
