"""What ten goals on the same events cost against one.

python benchmarks/scale/many_goals.py --folder DIR [--stages read]

DIR is one of `floor.py` after its step "ingest". One goal is run by itself, stage by stage; then ten that read the
events together, each then going on by itself. Processor seconds count: on a busy machine the clock on the wall counts
other people's work; each side has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml
from floor import AS_OF, MEMORY
from made_events import INSTANCE

from likelier.backend import DuckDB, Engine, Remembering
from likelier.datasets import open_dataset
from likelier.instance import Instance, parse_instance
from likelier.lake import Lake
from likelier.pipeline import STAGES, Inputs, read_together, run_stage
from likelier.readings import Readings


def rule(field: str, operator: str = "exists", value: object = None, **more: object) -> dict:
    given = {} if value is None else {"value": value}
    return {"conditions": [{"field": field, "operator": operator, **given}], **more}


BOUGHT, SEEN, ADDED = (rule(f"commerce.{name}.value", name=name) for name in ("purchases", "productViews", "checkouts"))
GOALS = {
    "Buy in 30 days": (BOUGHT, 30),
    "Buy in 14 days": (BOUGHT, 14),
    "Buy in 7 days": (BOUGHT, 7),
    "Buy twice": ({**BOUGHT, "at_least": 2}, 30),
    "Come in 7 days": (SEEN, 7),
    "Fill a cart": (ADDED, 14),
    "Search": (rule("search.keywords"), 14),
    "Spend much": (rule("commerce.order.priceTotal", "greater_than", 50, name="great order"), 30),
    "First category": (rule("productListItems.category", "equals", "category0"), 7),
    "By phone": (rule("device.type", "equals", "phone"), 7),
}


def instances() -> list[Instance]:
    """Name ten questions about the same people."""
    return [
        parse_instance(yaml.safe_dump(INSTANCE | {"name": name, "goal": {"events": [event], "window_days": days}}))
        for name, (event, days) in GOALS.items()
    ]


def measured(folder: Path, goals: int, stages: Sequence[str]) -> dict[str, float]:
    """Run so many goals; give the processor seconds of each stage."""
    lake, spent = Lake(str(folder / "lake")), Counter[str]()
    versions = {"events": open_dataset(lake, "events").version}
    work = folder / f"goals{goals}"
    shutil.rmtree(work, ignore_errors=True)
    wanted = [
        (Inputs(instance, AS_OF, 7, versions), work / str(place)) for place, instance in enumerate(instances()[:goals])
    ]
    began, readings = time.perf_counter(), Readings(work / "readings", 1 << 40)
    with DuckDB(MEMORY, spill=folder) as opened:
        engine: Engine = Remembering(opened) if goals > 1 else opened  # as the command has it
        if goals > 1:
            before = time.process_time()
            assert read_together(wanted, engine=engine, lake=lake) == goals
            spent["read"] += time.process_time() - before
        for inputs, place in wanted:
            for stage in stages:
                before = time.process_time()
                run_stage(stage, inputs, engine=engine, lake=lake, folder=place, readings=readings)
                spent[stage] += time.process_time() - before
    shutil.rmtree(work)
    return {**spent, "together": sum(spent.values()), "wall": time.perf_counter() - began}


def _apart(folder: Path, goals: int, stages: Sequence[str]) -> dict[str, float]:
    words = [sys.executable, __file__, "--folder", folder, "--goals", str(goals), "--stages", *stages]
    return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="only these, from the first on")
    parser.add_argument("--goals", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.goals:
        print(json.dumps(measured(chosen.folder, chosen.goals, chosen.stages)))
        return
    one, ten = (_apart(chosen.folder, goals, chosen.stages) for goals in (1, len(GOALS)))
    for name, spent in ten.items():
        print(f"{name:9}{one[name]:9.1f} s{spent:9.1f} s{spent / one[name]:7.2f} x")


if __name__ == "__main__":
    main()
