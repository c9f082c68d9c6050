"""What a weekly run costs that keeps its model, against the first one, and whether it scores as one from scratch.

python benchmarks/scale/weekly.py --folder DIR

DIR is one of `floor.py` after its step "ingest"; its lake stays as it is. A first run reads everything and keeps what
it read. Then 1 % of the events come (those of the last two days once more, as others, and a tenth of them late), and a
second run two days later keeps the first one's model: once with what was kept, once without. Each run has a process of
its own; a program that was cut off goes on where it was. Told are the processor seconds that the engine took, with the
merging of what it read into what was there; of whole stages; and whether both end in the same bytes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import yaml
from floor import AS_OF, MEMORY
from made_events import INSTANCE
from numba.core.registry import cpu_target

from likelier.backend import DuckDB
from likelier.datasets import open_dataset
from likelier.instance import parse_instance
from likelier.lake import Lake
from likelier.pipeline import STAGES, Inputs, reading, run_stage, scores_file, with_champion
from likelier.readings import Readings

DAYS = dt.timedelta(days=2)
NEW = 0.01
RUNS = ("first", "second", "scratch")


class Timed(DuckDB):
    """DuckDB that knows how long it took."""

    spent = 0.0

    @contextmanager
    def _watched(self) -> Any:
        began = time.process_time()
        yield
        self.spent += time.process_time() - began

    def table(self, expression: Any) -> Any:
        with self._watched():
            return super().table(expression)

    def in_order(self, *given: Any, **chosen: Any) -> Any:
        with self._watched():
            return super().in_order(*given, **chosen)


def add_events(lake: Lake) -> int:
    """Append the events of the last two days as others two days later, and some of them as late ones; say how many."""
    table = open_dataset(lake, "events").table
    engine = duckdb.connect()
    engine.execute(f"SET memory_limit = '{MEMORY}'; SET TimeZone = 'UTC'")
    source = f"read_parquet({lake.files(table)}, union_by_name = true)"
    wanted = int(NEW * lake.rows(table))
    rows = engine.sql(
        f"SELECT * REPLACE ('new-' || _id AS _id, CASE WHEN hash(_id) % 10 = 0 THEN timestamp - INTERVAL 30 DAY "
        f"ELSE timestamp + INTERVAL 2 DAY END AS timestamp) FROM {source} "
        f"WHERE timestamp >= '{AS_OF - DAYS:%Y-%m-%d}' ORDER BY timestamp DESC LIMIT {wanted}"
    )
    return lake.append(table, rows.to_arrow_reader(100_000), batch="new")


def measured(folder: Path, name: str) -> dict[str, Any]:
    """Do one run; give the processor seconds of the engine, of merging and of each stage."""
    lake, out = Lake(str(folder / "lake")), folder / name
    shutil.rmtree(out, ignore_errors=True)
    as_of = AS_OF if name == "first" else AS_OF + DAYS
    inputs = Inputs(
        parse_instance(yaml.safe_dump(INSTANCE)), as_of, 7, {"events": open_dataset(lake, "events").version}
    )
    readings = None if name == "scratch" else Readings(folder / "readings", 1 << 40)
    if name != "first":
        inputs = with_champion(inputs, as_of=AS_OF, due=False, stale=False)
        shutil.copytree(folder / "first" / "train", out / "champion")
    spent: Counter[str] = Counter()
    start_compiled_loops()
    for step in ("merge", "cut"):
        setattr(reading, step, _timed(getattr(reading, step), step, spent))
    with Timed(MEMORY, spill=folder) as engine:
        for stage in STAGES:
            before, asked = time.process_time(), engine.spent
            run_stage(stage, inputs, engine=engine, lake=lake, folder=out, readings=readings)
            spent[stage] += time.process_time() - before
            spent[f"engine, {stage}"] += engine.spent - asked
    spent["engine"] = engine.spent
    return dict(spent)


def start_compiled_loops() -> None:
    """Do once what a process does at its first compiled loop, whichever that is, so that no stage is blamed for it."""
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def _timed(done: Callable[..., Any], name: str, spent: Counter[str]) -> Callable[..., Any]:
    def timed(*given: Any) -> Any:
        before = time.process_time()
        done(*given)
        spent[name] += time.process_time() - before

    return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    folder = chosen.folder / "weekly"
    if chosen.run:
        print(json.dumps(measured(folder, chosen.run)))
        return
    if not (folder / "lake").exists():
        folder.mkdir(exist_ok=True)
        subprocess.run(["cp", "-rl", chosen.folder / "lake", folder / "coming"], check=True)
        (folder / "coming").rename(folder / "lake")
    notes = folder / "measured.json"
    found: dict[str, dict[str, float]] = json.loads(notes.read_text()) if notes.exists() else {}
    for name in RUNS:
        if name in found:
            continue
        if name == "second":
            lake = Lake(str(folder / "lake"))
            print(f"{add_events(lake):,} new of {lake.rows(open_dataset(lake, 'events').table):,} events", flush=True)
        told = subprocess.run(
            [sys.executable, __file__, "--folder", chosen.folder, "--run", name],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found[name] = json.loads(told.stdout)
        notes.write_text(json.dumps(found))
        print(name, json.dumps({key: round(value, 2) for key, value in found[name].items()}), flush=True)
    second = found["second"]
    share = (second["engine"] + second.get("merge", 0) + second.get("cut", 0)) / found["first"]["engine"]
    same = scores_file(folder / "second").read_bytes() == scores_file(folder / "scratch").read_bytes()
    print(f"engine and merging: {share:.1%} of the first run; the same scores as from scratch: {same}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
