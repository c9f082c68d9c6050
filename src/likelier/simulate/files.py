"""Write tables as Parquet or as XDM JSON lines."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from likelier.simulate.tables import flattened

Format = Literal["parquet", "jsonl"]
ENDINGS = {"parquet": "parquet", "jsonl": "jsonl.zst"}
ROWS = 20_000


def write_table(table: pa.Table, path: Path, file_format: Format) -> None:
    """Write one file; Parquet columns come back as plain strings, whatever they were encoded as."""
    if file_format == "parquet":
        pq.write_table(table, path, compression="zstd", store_schema=False)
        return
    with path.open("wb") as raw, zstandard.ZstdCompressor(level=3).stream_writer(raw) as packed:
        for batch in flattened(table).to_batches(ROWS):
            lines = io.BytesIO()
            for row in batch.to_pylist():
                lines.write(orjson.dumps(nested(row), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))
            packed.write(lines.getvalue())


def nested(row: dict[str, Any]) -> dict[str, Any]:
    """Nest leaf paths as XDM does.

    >>> nested({"a.b": 1, "a.c": None, "identityMap.CRMID": "x", "items.SKU": ["p", "q"]})
    {'a': {'b': 1}, 'identityMap': {'CRMID': [{'id': 'x', 'primary': True}]}, 'items': [{'SKU': 'p'}, {'SKU': 'q'}]}
    """
    whole: dict[str, Any] = {}
    for path, value in row.items():
        if value is None:
            continue
        if path.startswith("identityMap."):
            whole.setdefault("identityMap", {})[path.removeprefix("identityMap.")] = [{"id": value, "primary": True}]
            continue
        *above, leaf = path.split(".")
        if isinstance(value, list):
            entries = whole.setdefault(above[0], [{} for _ in value])
            for entry, each in zip(entries, value, strict=True):
                entry[leaf] = each
            continue
        place = whole
        for step in above:
            place = place.setdefault(step, {})
        place[leaf] = value
    return whole
