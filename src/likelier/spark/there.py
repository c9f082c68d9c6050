"""What runs on the executors: plain functions of Arrow columns, light to load."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
from threadpoolctl import threadpool_limits

Part = TypeVar("Part")
Done = TypeVar("Done")
OnBatches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

COLUMN, ROWS, ANSWER = "x", "rows", "answer"
PACKED = "batch"
PLACE, COUNT, DONE = "place", "rows", "done"
OF_PART = pa.schema([(PLACE, pa.int32()), (COUNT, pa.int64()), (DONE, pa.binary())])


def pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Write each batch as one value, so that the driver can take a partition after the other."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
            writer.write_batch(batch)
        yield pa.RecordBatch.from_arrays([pa.array([sink.getvalue().to_pybytes()], pa.binary())], [PACKED])


def unpack(packed: bytes | bytearray) -> Iterator[pa.RecordBatch]:
    """Give back what :func:`pack` wrote."""
    with pa.ipc.open_stream(pa.py_buffer(packed)) as reader:
        yield from reader


def on_rows(task: Callable[[pa.RecordBatchReader], Any], schema: pa.Schema) -> OnBatches:
    """Do a task on the rows of a partition, if there are any, and say what came of it."""

    def do(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext  # noqa: PLC0415 - this is the one module of Spark's that is needed here

        seen = 0

        def passing() -> Iterator[pa.RecordBatch]:
            nonlocal seen
            for batch in itertools.chain([first], batches):
                seen += batch.num_rows
                yield batch.rename_columns(schema.names).cast(schema)

        first = next((batch for batch in batches if batch.num_rows), None)
        if first is None:
            return
        done = on_part(task)(pa.RecordBatchReader.from_batches(schema, passing()))
        said = pickle.dumps(done)
        yield pa.RecordBatch.from_pylist([{PLACE: TaskContext.get().partitionId(), COUNT: seen, DONE: said}], OF_PART)

    return do


def on_part(task: Callable[[Part], Done]) -> Callable[[Part], Done]:
    """Do a task as the driver would: one thread for matrix products, which round differently on several."""
    said = pickle.dumps(task)

    def do(part: Part) -> Done:
        with threadpool_limits(1, user_api="blas"):
            return _heard(said)(part)

    return do


@lru_cache(maxsize=1)
def _heard(said: bytes) -> Callable[[Any], Any]:
    """Give one and the same task for all its parts: what it has read for one, such as a model, serves the next."""
    return pickle.loads(said)  # noqa: S301 - the driver's own words


def answer_of(query: str) -> Callable[[pa.Array], pa.Array]:
    """Give the function that has DuckDB say something of each value of a column."""

    def answer(column: pa.Array) -> pa.Array:
        desk = _desk()
        desk.register(ROWS, pa.table({COLUMN: column}))
        try:
            return desk.sql(query).to_arrow_table()[ANSWER].combine_chunks()
        finally:
            desk.unregister(ROWS)

    return answer


@cache
def _desk() -> duckdb.DuckDBPyConnection:
    """Connect to a DuckDB of this Python worker, set as the engine of one machine sets its own."""
    return duckdb.connect(config={"threads": 1, "lambda_syntax": "ENABLE_SINGLE_ARROW"})
