"""The scores of a run on a shelf, so that one person's are found at once.

A run's shelf stands before the run is made a success, and nobody looks at it before: that one transaction switches
every look-up from the scores before to these. A failed run leaves what was there.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from likelier.lake import Lake
from likelier.shelf import open_shelf, remove, write_shelf


def publish_scores(lake: Lake, instance_id: str, run_id: str, scores: Path) -> int:
    """Put scores that are sorted by id on the run's shelf."""
    file = pq.ParquetFile(scores)
    reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())
    return write_shelf(lake, _shelf(instance_id, run_id), reader, "id")


def find_scores(lake: Lake, instance_id: str, run_id: str, identity: str) -> pa.Table | None:
    """Give the score of an id, or no row; None when the run has no shelf."""
    shelf = open_shelf(lake, _shelf(instance_id, run_id))
    return None if shelf is None else shelf.rows(identity)


def withdraw(lake: Lake, instance_id: str, *, but: tuple[str, ...] = ()) -> None:
    """Take away what was published of an instance's runs, but for some."""
    for run_id in lake.names(_folder(instance_id)):
        if run_id not in but:
            remove(lake, f"{_folder(instance_id)}/{run_id}")


def _folder(instance_id: str) -> str:
    return f"profiles/{instance_id}"


def _shelf(instance_id: str, run_id: str) -> str:
    return f"{_folder(instance_id)}/{run_id}/scores.arrow"
