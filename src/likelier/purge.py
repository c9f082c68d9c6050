"""Leaving no trace of what was deleted from a table.

A delete writes a table's files anew, but those before stay for whoever reads an older version, and the table's log goes
on telling the least and greatest values of each, ids among them, and what was deleted, in the words it was asked in. A
purge removes the files that the newest version does not have and strikes all that out. What each commit brought, and
which batches were appended, stays in the log. Of a purged table only the newest version can be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow.fs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from likelier.errors import StorageError
from likelier.lake import KEEP_LOGS, Lake
from likelier.shelf import put_whole, remove

ABANDONED_HOURS = 24
"""A file that no commit names and that is older than this was left by a writer that is gone."""
_ENTRY = re.compile(r"\d{20}\.json")


def tables(lake: Lake) -> list[str]:
    """List every table of a lake, by name."""
    filesystem, root = lake.place("")
    chosen = _everything_below(root.rstrip("/"))
    logs = (item.path for item in filesystem.get_file_info(chosen) if item.base_name == "_delta_log")
    return sorted(path.rpartition("/")[0].removeprefix(root) for path in logs)


def purge(lake: Lake, table: str) -> None:
    """Remove what the newest version of a table does not hold, and strike it out of the log."""
    try:
        delta = DeltaTable(f"{lake.root.rstrip('/')}/{table}")
        for hours, full in ((0, False), (ABANDONED_HOURS, True)):
            delta.vacuum(
                hours,
                dry_run=False,
                enforce_retention_duration=False,
                full=full,
                post_commithook_properties=KEEP_LOGS,
            )
        delta = DeltaTable(delta.table_uri)
        delta.create_checkpoint()
    except DeltaError as error:
        raise StorageError(f"The table {table} cannot be purged: {error}") from error
    _strike_out(lake, table, _paths(delta), delta.version())


def _everything_below(folder: str) -> pyarrow.fs.FileSelector:
    return pyarrow.fs.FileSelector(folder, recursive=True, allow_not_found=True)


def _paths(delta: DeltaTable) -> frozenset[str]:
    return frozenset(uri.rpartition("/")[2] for uri in delta.file_uris())


def _strike_out(lake: Lake, table: str, there: frozenset[str], version: int) -> None:
    filesystem, log = lake.place(f"{table}/_delta_log")
    for item in filesystem.get_file_info(pyarrow.fs.FileSelector(log)):
        number = int(item.base_name[:20]) if item.base_name[:20].isdigit() else version + 1
        if number < version and ".checkpoint." in item.base_name:
            remove(lake, f"{table}/_delta_log/{item.base_name}")
        elif number <= version and _ENTRY.fullmatch(item.base_name):
            with filesystem.open_input_file(item.path) as file:
                before = file.read().decode()
            after = "\n".join(_struck(before, there))
            if after != before:
                put_whole(lake, f"{table}/_delta_log/{item.base_name}", partial(_write, after))


def _write(text: str, sink: Any) -> None:
    sink.write(text.encode())


def _struck(entry: str, there: frozenset[str]) -> Iterator[str]:
    """Write the actions of a commit without the values of files that are gone.

    >>> list(_struck('{"add":{"path":"a","stats":"{}"}}', frozenset()))
    ['{"add":{"path":"a"}}']
    >>> list(_struck('{"add":{"path":"a","stats":"{}"}}', frozenset("a")))
    ['{"add":{"path":"a","stats":"{}"}}']
    """
    for line in entry.split("\n"):
        action: dict[str, Any] = json.loads(line) if line else {}
        told = action.get("add", {})
        asked = action.get("commitInfo", {}).get("operationParameters", {})
        gone = "stats" in told and told["path"].rpartition("/")[2] not in there
        if gone or "predicate" in asked:
            told.pop("stats", None)
            asked.pop("predicate", None)
            yield json.dumps(action, separators=(",", ":"))
        else:
            yield line
