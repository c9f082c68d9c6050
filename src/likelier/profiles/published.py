"""The scores of a run on a shelf, so that one person's are found at once, and beside them the model that gave them.

They stand before the run is made a success, and nobody looks at it before: that one transaction switches
every look-up from those before to these. A failed run leaves what was there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.fs

from likelier.lake import Lake
from likelier.model.versions import outdated
from likelier.scores import stream
from likelier.shelf import open_shelf, put_whole, remove, write_shelf


def publish_scores(lake: Lake, instance_id: str, run_id: str, scores: Path) -> int:
    """Put scores that are sorted by id on the run's shelf."""
    return write_shelf(lake, _shelf(instance_id, run_id), stream(scores), "id")


def publish_other_scores(lake: Lake, instance_id: str, run_id: str, scores: Path) -> int:
    """Put the scores of the model that lost on a shelf beside, for as long as the run's stand there."""
    return write_shelf(lake, _other(instance_id, run_id), stream(scores), "id")


def other_scores(lake: Lake, instance_id: str, run_id: str) -> pa.RecordBatchReader | None:
    """Give the scores of the model that lost; None when there was no other, or they are kept no more."""
    shelf = open_shelf(lake, _other(instance_id, run_id))
    return None if shelf is None else pa.RecordBatchReader.from_batches(shelf.schema, shelf.blocks())


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
    """Name the shelves of every run, whether or not they are there."""
    runs = [(one, run_id) for one in lake.names("profiles") for run_id in lake.names(_folder(one))]
    return [name(*run) for run in runs for name in (_shelf, _other)]


def has_scorer(lake: Lake, instance_id: str, run_id: str) -> bool:
    """Say whether the files with which one person is scored are there, and can still be used."""
    filesystem, path = lake.place(_scorer(instance_id, run_id))
    found = filesystem.get_file_info(pa.fs.FileSelector(path, allow_not_found=True))
    return bool(found) and not outdated([file.base_name for file in found])


def withdraw(lake: Lake, instance_id: str, *, but: Collection[str] = (), models: Collection[str] = ()) -> None:
    """Take away what was published of an instance's runs, but for some; of others only the `models` stay."""
    for run_id in lake.names(_folder(instance_id)):
        if run_id in but:
            continue
        if run_id in models:
            for shelf in (_shelf(instance_id, run_id), _other(instance_id, run_id)):
                remove(lake, shelf)
        else:
            remove(lake, f"{_folder(instance_id)}/{run_id}")


def _folder(instance_id: str) -> str:
    return f"profiles/{instance_id}"


def _shelf(instance_id: str, run_id: str) -> str:
    return f"{_folder(instance_id)}/{run_id}/scores.arrow"


def _other(instance_id: str, run_id: str) -> str:
    return f"{_folder(instance_id)}/{run_id}/other.arrow"


def _scorer(instance_id: str, run_id: str) -> str:
    return f"{_folder(instance_id)}/{run_id}/scorer"
