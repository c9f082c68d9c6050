"""What runs on the executors: plain functions of Arrow columns, light to load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import duckdb
import pyarrow as pa

COLUMN, ROWS, ANSWER = "x", "rows", "answer"
PACKED = "batch"


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
