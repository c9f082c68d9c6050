"""The score table in a file."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from likelier import scores

MEGABYTE = 1 << 20
ROWS = 1 << 16  # of a batch: 1.5 MB


def test_of_a_large_table_little_is_in_memory(tmp_path):
    chance = np.random.default_rng(1)
    numbers = [chance.random((3, ROWS)) for _ in range(20)]
    with pq.ParquetWriter(tmp_path / "scores.parquet", pa.schema({name: pa.float64() for name in "abc"})) as writer:
        for part in numbers:
            writer.write_table(pa.table(dict(zip("abc", part, strict=True))))
    before, held = pa.total_allocated_bytes(), []
    for batch, part in zip(scores.stream(tmp_path / "scores.parquet"), numbers, strict=True):
        held.append(pa.total_allocated_bytes() - before)
        assert np.array_equal(batch["c"], part[2])
    assert max(held) < 12 * MEGABYTE  # of 30
