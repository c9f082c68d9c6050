"""Many more people quickly: those of a folder of `floor.py`, several times over under other names, all mixed together.

python benchmarks/scale/copies.py --of DIR --times 10 --folder OTHER [--activities]

To make and ingest 300 million events takes a processor most of an hour, this eight minutes. Each further time people
do what they do a minute later. OTHER is then what `floor.py` leaves after its step "ingest" or, with `--activities`,
after its step "read": those of DIR are taken several times as well, in the order in which reading would leave them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from floor import AS_OF, MEMORY

from likelier.activities import reduce, traits
from likelier.datasets import open_dataset
from likelier.events.schema import IDENTITY
from likelier.lake import Lake
from likelier.timespan import to_us

WHO = f"{IDENTITY}CRMID"
MINUTE = 60_000_000
CHUNK = 500_000  # events, before they are multiplied


def suffix(one: int) -> str:
    """Mark the names of further times; sorted, everybody's copies follow each other."""
    return str(one) if one else ""


def copy_lake(million: Path, folder: Path, times: int) -> int:
    """Leave a lake with everybody's events several times; say how many they are."""
    shutil.rmtree(folder / "lake", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-rl", million / "lake", folder / "lake"], check=True)
    lake = Lake(str(folder / "lake"))
    table = open_dataset(lake, "events").table
    files = lake.files(table)
    engine = duckdb.connect()
    engine.execute(f"SET memory_limit = '{MEMORY}'; SET temp_directory = '{folder}/spilled'; SET TimeZone = 'UTC'")
    for one in range(1, times):
        rows = engine.sql(
            f"SELECT * REPLACE (_id || '{suffix(one)}' AS _id, \"{WHO}\" || '{suffix(one)}' AS \"{WHO}\", "
            f"timestamp + INTERVAL {one} MINUTE AS timestamp) FROM read_parquet({files}, union_by_name = true)"
        )
        lake.append(table, rows.to_arrow_reader(100_000), batch=f"copy {one}")
    return lake.rows(table)


def copy_activities(million: Path, folder: Path, times: int) -> dict[str, Any]:
    """Leave in a run's folder everybody's activities several times; say what reading would have said."""
    activities, codebook = reduce.load(million / "run" / "read")
    shutil.rmtree(folder / "run", ignore_errors=True)
    out = folder / "run" / "read"
    out.mkdir(parents=True)
    before, names, counts = to_us(AS_OF), [], []
    with reduce.appending(out, reduce.ARRAYS) as files:
        for first, last in reduce.chunks(activities.starts, CHUNK):
            part = activities.part(first, last)
            rows, when, many = _order(part, times)
            kept = when < before  # a minute later may be too late
            rows, when = rows[kept], when[kept]
            when.tofile(files["times"])
            for name in ("words", "measures", "slots"):
                getattr(part, name).take(rows, axis=0).tofile(files[name])
            counts.append(np.add.reduceat(kept, np.cumsum(many) - many))
            names.append(_names(part.ids, times))
            part.let_go()
    events = np.concatenate(counts)
    there = events > 0
    ids = pa.concat_arrays(names).filter(pa.array(there))
    reduce.save_profiles(ids, events[there], out)
    reduce.save_codebook(codebook, out)
    traits.save(traits.no_traits(len(ids), len(codebook.traits)), out)
    said = json.loads((million / "run" / "read" / "said.json").read_text())
    said |= {"events": int(events.sum()), "profiles": len(ids)}
    (out / "said.json").write_text(json.dumps(said))
    return said


def _order(part: reduce.Activities, times: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the rows of a part, everybody's copies after each other, when they happened, and how many a copy has."""
    many = np.repeat(np.diff(part.starts), times)
    begins = np.cumsum(many) - many
    rows = np.arange(many.sum()) - np.repeat(begins - np.repeat(part.starts[:-1], times), many)
    later = np.repeat(np.tile(np.arange(times) * MINUTE, part.profiles), many)
    return rows, part.times.take(rows) + later, many


def _names(ids: pa.Array, times: int) -> pa.Array:
    copies = [pc.binary_join_element_wise(ids, suffix(one), "") for one in range(times)]
    place = np.arange(len(ids) * times).reshape(times, len(ids)).T.ravel()
    return pa.concat_arrays(copies).take(pa.array(place))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--of", type=Path, required=True, help="a folder of floor.py")
    parser.add_argument("--folder", type=Path, required=True, help="where to leave more people")
    parser.add_argument("--times", type=int, required=True)
    parser.add_argument("--activities", action="store_true", help="only the activities, of a run that was read")
    chosen = parser.parse_args()
    began = time.perf_counter()
    notes = chosen.folder / "measured.json"
    found: dict[str, Any] = json.loads(notes.read_text()) if notes.exists() else {}
    if chosen.activities:
        found["read"] = {"rows": copy_activities(chosen.of, chosen.folder, chosen.times)["events"]}
    else:
        found = {"make": {}, "ingest": {"rows": copy_lake(chosen.of, chosen.folder, chosen.times)}}
    notes.write_text(json.dumps(found))
    print(f"{found} in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
