"""The scores of a run on a shelf, so that one person's are found at once, and beside them the model that gave them.

They stand before the run is made a success, and nobody looks at it before: that one transaction switches
every look-up from those before to these. A failed run leaves what was there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from likelier.lake import Lake
from likelier.shelf import open_shelf, put_whole, remove, write_shelf


def publish_scores(lake: Lake, instance_id: str, run_id: str, scores: Path) -> int:
    """Put scores that are sorted by id on the run's shelf."""
    file = pq.ParquetFile(scores)
    reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())
    return write_shelf(lake, _shelf(instance_id, run_id), reader, "id")


def find_scores(lake: Lake, instance_id: str, run_id: str, identity: str) -> pa.Table | None:
    """Give the score of an id, or no row; None when the run has no shelf."""
    shelf = open_shelf(lake, _shelf(instance_id, run_id))
    return None if shelf is None else shelf.rows(identity)


def publish_scorer(lake: Lake, instance_id: str, run_id: str, files: Sequence[Path]) -> None:
    """Keep the files with which one person is scored later."""
    for file in files:
        put_whole(lake, f"{_scorer(instance_id, run_id)}/{file.name}", partial(_copy, file))


def _copy(file: Path, sink: pa.NativeFile) -> None:
    sink.write(file.read_bytes())


def fetch_scorer(lake: Lake, instance_id: str, run_id: str, folder: Path) -> bool:
    """Copy the files with which one person is scored into a folder; False when the run kept none."""
    filesystem, path = lake.place(_scorer(instance_id, run_id))
    if filesystem.get_file_info(path).type is pa.fs.FileType.NotFound:
        return False
    pa.fs.copy_files(path, str(folder), source_filesystem=filesystem, destination_filesystem=pa.fs.LocalFileSystem())
    return True


def scores_shelves(lake: Lake) -> list[str]:
    """Name the shelf of every run that has one, or had."""
    return [_shelf(one, run_id) for one in lake.names("profiles") for run_id in lake.names(_folder(one))]


def withdraw(lake: Lake, instance_id: str, *, but: tuple[str, ...] = ()) -> None:
    """Take away what was published of an instance's runs, but for some."""
    for run_id in lake.names(_folder(instance_id)):
        if run_id not in but:
            remove(lake, f"{_folder(instance_id)}/{run_id}")


def _folder(instance_id: str) -> str:
    return f"profiles/{instance_id}"


def _shelf(instance_id: str, run_id: str) -> str:
    return f"{_folder(instance_id)}/{run_id}/scores.arrow"


def _scorer(instance_id: str, run_id: str) -> str:
    return f"{_folder(instance_id)}/{run_id}/scorer"
