"""Links that somebody declared wrong. A cut link counts as never seen, in whatever begins after the cut.

What was scored before stays as it is: a run names the version of the cuts that it ran on.
"""

from __future__ import annotations

import datetime as dt

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from likelier.backend import Engine
from likelier.lake import MOMENT, Lake

CUTS = "identity/cuts"
"""The lake's table of cuts; as no dataset is named like this, runs keep its version among those of their datasets."""

SCHEMA = pa.schema(
    [
        pa.field("a", pa.string()),
        pa.field("b", pa.string()),
        pa.field("id", pa.string()),
        pa.field("at", MOMENT),
        pa.field("by", pa.string()),
    ]
)


def cut(lake: Lake, one: str, other: str, *, at: dt.datetime, by: str, id_: str) -> None:
    """Cut the link of two nodes; the audit log knows the cut by its id."""
    a, b = sorted((one, other))
    row = pa.Table.from_pylist([{"a": a, "b": b, "id": id_, "at": at, "by": by}], SCHEMA)
    lake.append(CUTS, row.to_reader(), batch=id_)


def restore(lake: Lake, one: str, other: str) -> None:
    """Let the link of two nodes count again."""
    a, b = (node.replace("'", "''") for node in sorted((one, other)))
    lake.delete(CUTS, f"a = '{a}' AND b = '{b}'")


def cut_links(lake: Lake, version: int | None = None) -> list[tuple[str, str]]:
    """List the links that are cut, by now or at a version of the cuts (-1: before there were any)."""
    if version == -1 or lake.snapshot(CUTS) is None:
        return []
    filesystem, folder = lake.place(CUTS)
    files = [f"{folder}/{file.rpartition('/')[2]}" for file in lake.files(CUTS, version)]
    return sorted(
        {(row["a"], row["b"]) for file in files for row in pq.read_table(file, filesystem=filesystem).to_pylist()}
    )


def without(engine: Engine, links: ibis.Table, cuts: list[tuple[str, str]]) -> ibis.Table:
    """Leave cut links out."""
    if not cuts:
        return links
    gone = engine.values(pa.table({"a": [a for a, _ in cuts], "b": [b for _, b in cuts]}))
    return links.anti_join(gone, ["a", "b"])
