"""What a full run costs at size, a stage at a time, against the least that anybody would need: the floor.

python benchmarks/scale/floor.py --profiles 100000 --folder DIR [--keep] [--no-floor]
python benchmarks/scale/floor.py --picture

Makes events (about 30 a profile), ingests them, and does the stages of a run, each in a process of its own whose
seconds, peak memory and bytes read are told. Then the floor, in the same way: a hand-written DuckDB query of the same
feature columns (`floor_query.py`) for as many training rows and for everybody who is scored, then LightGBM's own train
and predict with the same settings: no choice of features, no judging, no calibration, no reasons. What was measured is
kept in DIR, so that a program that was cut off goes on where it was, and one line in `scale.json` makes the table and
the picture. `copies.py` leaves a DIR of many more people sooner.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import yaml
from floor_query import Floor
from made_events import INSTANCE, MAPPING, make

from likelier.activities.reduce import load
from likelier.activities.traits import load_traits
from likelier.backend import DuckDB
from likelier.datasets import open_dataset
from likelier.events.ingest import ingest
from likelier.events.mapping import parse_mapping
from likelier.events.schema import IDENTITY
from likelier.features.kernel import compute
from likelier.instance import parse_instance
from likelier.lake import Lake
from likelier.model import artifact
from likelier.model.train import fit_forests
from likelier.pipeline import STAGES, Inputs, run_stage, scores_file
from likelier.pipeline.asking import load_asked
from likelier.pipeline.learning import MOST_TRAINING_ROWS
from likelier.profiles.published import publish_scores
from likelier.timespan import UTC, to_us
from likelier.windows import Row

HERE = Path(__file__).parent
KEPT = HERE / "scale.json"
PICTURE = HERE / "scale.svg"
AS_OF = dt.datetime(2024, 6, 29, tzinfo=UTC)
MEMORY = "1500MB"
COMPARED = 5_000
Line = list[tuple[int, float]]  # size and value
GOAL = '"commerce.purchases.value" IS NOT NULL'


def inputs_of(lake: Lake) -> Inputs:
    instance = parse_instance(yaml.safe_dump(INSTANCE))
    return Inputs(instance, AS_OF, 7, {"events": open_dataset(lake, "events").version})


def do_make(folder: Path, profiles: int) -> dict[str, Any]:
    return {"files": len(make(folder / "made", profiles))}


def do_ingest(folder: Path, _: int) -> dict[str, Any]:
    """Ingest month by month, as events come; one that came in before is gone."""
    lake = Lake(str(folder / "lake"))
    for file in sorted((folder / "made").glob("*.parquet")):
        ingest(lake, "events", [file], mapping=parse_mapping(MAPPING), now=dt.datetime(2024, 7, 1, tzinfo=UTC))
        file.unlink()
    return {"rows": lake.rows(open_dataset(lake, "events").table)}


def do_stage(name: str) -> Callable[[Path, int], dict[str, Any]]:
    def do(folder: Path, _: int) -> dict[str, Any]:
        lake = Lake(str(folder / "lake"))
        with DuckDB(MEMORY, spill=folder) as engine:
            said = run_stage(name, inputs_of(lake), engine=engine, lake=lake, folder=folder / "run")
        rows = {"read": "events", "train": "training_rows", "score": "scored"}
        found = {"rows": said[rows[name]]} if name in rows else {}
        return {**found, "auc": said["metrics"]["auc"]["value"]} if name == "train" else found

    return do


def do_publish(folder: Path, _: int) -> dict[str, Any]:
    return {"rows": publish_scores(Lake(str(folder / "lake")), "instance", "run", scores_file(folder / "run"))}


class Clock:
    """A moment, on the wall's clock and on this process's."""

    def __init__(self) -> None:
        self._moment = time.perf_counter(), time.process_time()

    def since(self, other: Clock) -> dict[str, float]:
        """Give seconds and processor seconds from another moment on."""
        seconds, processor = (mine - before for mine, before in zip(self._moment, other._moment, strict=True))
        return {"seconds": seconds, "processor": processor}


def do_floor(folder: Path, _: int) -> dict[str, Any]:
    """Query, train, predict; and see that the query's features are those of the run."""
    lake, run = Lake(str(folder / "lake")), folder / "run"
    model = artifact.load(run / "train")
    checked = json.loads((run / "check" / "said.json").read_text())
    cut_offs = [dt.datetime.fromisoformat(text) for text in checked["windows"]["refit_cut_offs"]]
    floor = Floor(model.codebook, model.features, GOAL)
    engine = duckdb.connect()
    engine.execute(f"SET memory_limit = '{MEMORY}'; SET temp_directory = '{folder}/spilled'; SET TimeZone = 'UTC'")
    engine.execute("SET preserve_insertion_order = false")
    files = lake.files(open_dataset(lake, "events").table)
    engine.execute(
        f'CREATE VIEW events AS SELECT *, "{IDENTITY}CRMID" AS who FROM read_parquet({files}, union_by_name = true) '
        f"WHERE timestamp < '{AS_OF:%Y-%m-%d}'"
    )
    began = Clock()
    taught = examples(engine, cut_offs, checked["windows"]["lookback_days"], 30, most=MOST_TRAINING_ROWS)
    engine.execute(eligible("scored", [AS_OF], checked["windows"]["lookback_days"]))
    engine.execute("CREATE TABLE numbered AS SELECT row_number() OVER () - 1 AS place, * FROM scored")
    matrices = [floor.matrix(engine, "events", table) for table in ("taught", "numbered")]
    asked = Clock()
    forests = fit_forests(matrices[0], taught, seed=7, people=len(taught))
    learnt = Clock()
    for booster in forests:
        booster.predict(matrices[1])
    predicted = Clock()
    return {
        "rows": len(matrices[1]),
        "query": asked.since(began),
        "train": learnt.since(asked),
        "predict": predicted.since(learnt),
        "differences": differences(run, model, engine, matrices[1]),
    }


def eligible(table: str, cut_offs: list[dt.datetime], lookback_days: int) -> str:
    """Write who did anything in the days before each cut-off."""
    each = " UNION ALL ".join(
        f"SELECT DISTINCT who, TIMESTAMP '{cut_off:%Y-%m-%d %H:%M:%S.%f}' AS cut_off FROM events "
        f"WHERE timestamp < '{cut_off:%Y-%m-%d %H:%M:%S.%f}' "
        f"AND timestamp >= '{cut_off - lookback_days * dt.timedelta(days=1):%Y-%m-%d %H:%M:%S.%f}'"
        for cut_off in cut_offs
    )
    return f"CREATE OR REPLACE TABLE {table} AS {each}"


def examples(
    engine: duckdb.DuckDBPyConnection, cut_offs: list[dt.datetime], lookback_days: int, outcome_days: int, *, most: int
) -> np.ndarray:
    """Draw who is learnt from into the table "taught", and give what came of them."""
    engine.execute(eligible("all_of_them", cut_offs, lookback_days))
    engine.execute(
        f"CREATE TABLE drawn AS SELECT * FROM all_of_them USING SAMPLE reservoir({most} ROWS) REPEATABLE (7)"
    )
    engine.execute("CREATE TABLE taught AS SELECT row_number() OVER () - 1 AS place, * FROM drawn")
    came = engine.sql(
        f"SELECT place, coalesce(bool_or({GOAL}), false) AS met FROM taught t LEFT JOIN events e ON e.who = t.who "
        f"AND e.timestamp >= t.cut_off AND e.timestamp < t.cut_off + INTERVAL {outcome_days} DAY "
        "GROUP BY place ORDER BY place"
    ).to_arrow_table()
    return came["met"].to_numpy()


def differences(run: Path, model: artifact.Model, engine: duckdb.DuckDBPyConnection, matrix: np.ndarray) -> dict:
    """Hold some rows of the floor's matrix against the kernel's: the columns must mean the same."""
    activities, _ = load(run / "read")
    who = engine.sql(f"SELECT who FROM numbered WHERE place < {COMPARED} ORDER BY place").to_arrow_table()["who"]
    place_of = {one: place for place, one in enumerate(activities.ids.to_pylist())}
    profiles = np.array([place_of[one] for one in who.to_pylist()], np.int64)
    eligible_now = load_asked(run).eligible[:, -1]
    rows = Row(profiles, np.full(len(profiles), to_us(AS_OF), np.int64))
    ours = compute(activities, load_traits(run / "read"), model.codebook, model.features, rows)
    theirs = matrix[: len(profiles)]
    same = np.isclose(ours, theirs, rtol=1e-4, atol=1e-4, equal_nan=True)
    worst = np.flatnonzero((~same).any(axis=0))
    return {
        "eligible": bool(eligible_now[profiles].all() and eligible_now.sum() == len(matrix)),
        "values": int((~same).sum()),
        "of": int(same.size),
        "columns": [f"{model.features.features[k].name}: {int((~same[:, k]).sum())}" for k in worst[:10]],
    }


STEPS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "make": do_make,
    "ingest": do_ingest,
    **{name: do_stage(name) for name in STAGES},
    "publish": do_publish,
    "floor": do_floor,
}
OURS = (*STAGES, "publish")
FLOOR = ("query", "train", "predict")


def measured(name: str, folder: Path, profiles: int) -> None:
    """Do one step in this process, and print what it took."""
    began, spent = time.perf_counter(), time.process_time()
    found = STEPS[name](folder, profiles)
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - began,
                "processor": time.process_time() - spent,
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
                "read": int(Path("/proc/self/io").read_text().split()[1]) / 2**30,
                "load": os.getloadavg()[0],
                **found,
            }
        )
    )


def every_step(folder: Path, profiles: int, anew: list[str], *, floor: bool) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    notes = folder / "measured.json"
    found = json.loads(notes.read_text()) if notes.exists() else {}
    for name in STEPS:
        if (name in found and name not in anew) or (name == "floor" and not floor):
            continue
        if name in STAGES:
            shutil.rmtree(folder / "run" / name, ignore_errors=True)
        told = subprocess.run(
            [sys.executable, __file__, "--step", name, "--folder", folder, "--profiles", str(profiles)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found[name] = json.loads(told.stdout.splitlines()[-1])
        notes.write_text(json.dumps(found))
        print(line(name, found[name]), flush=True)
    return found


def line(name: str, found: dict[str, Any]) -> str:
    rows = f"{found['rows'] / found['seconds']:>11,.0f} rows/s" if found.get("rows") else " " * 18
    return (
        f"{name:9}{found['seconds']:9.1f} s{found['processor']:9.1f} CPU s{rows}{found['memory']:7.2f} GiB"
        f"{found['read']:7.2f} GiB read   load {found['load']:.1f}"
    )


def summary(profiles: int, found: dict[str, Any]) -> dict[str, Any]:
    stages = {name: found[name] for name in OURS if "processor" in found.get(name, {})}
    return {
        "profiles": profiles,
        "events": found["ingest"]["rows"],
        "scored": found["score"]["rows"],
        "stages": {name: {k: v for k, v in each.items() if k not in {"auc", "load"}} for name, each in stages.items()},
        "memory": max(stage["memory"] for stage in stages.values()),
        "auc": found["train"]["auc"],
        **(against(stages, found["floor"]) if "floor" in found else {}),
    }


def against(stages: dict[str, dict[str, Any]], found: dict[str, Any]) -> dict[str, Any]:
    """Hold the stages against the floor, which need not have been measured at every size."""
    floor = {name: found[name] for name in FLOOR}
    return {
        "floor": floor,
        "floor_memory": found["memory"],
        "ratio": total(stages, "seconds") / total(floor, "seconds"),
        "processor_ratio": total(stages, "processor") / total(floor, "processor"),
    }


def total(parts: dict[str, dict[str, Any]], what: str) -> float:
    return sum(part[what] for part in parts.values())


def keep(one: dict[str, Any]) -> None:
    kept = (
        [each for each in json.loads(KEPT.read_text()) if each["profiles"] != one["profiles"]] if KEPT.exists() else []
    )
    KEPT.write_text(json.dumps(sorted([*kept, one], key=lambda each: each["profiles"]), indent=1) + "\n")


def table() -> str:
    """Write what is kept as the table of the README: a column a size, of each step seconds, speed and memory."""
    kept = json.loads(KEPT.read_text())

    def row(name: str, told: Callable[[dict[str, Any]], str], needs: str = "profiles") -> str:
        return f"| {' | '.join([name, *(told(one) if needs in one else '' for one in kept)])} |"

    return "\n".join(
        [
            row("", lambda one: f"{one['profiles']:,} profiles, {one['events']:,} events"),
            row("---", lambda _: "---"),
            *(row(name, lambda one, name=name: _told(one["stages"].get(name))) for name in OURS),
            row(
                "**a full run**", lambda one: f"{_spent(one['stages'])}, {one['memory']:.2f} GiB" if _whole(one) else ""
            ),
            *(row(f"floor: {k}", lambda one, k=k: _took(one["floor"][k]), "floor") for k in FLOOR),
            row("**the floor**", lambda one: f"{_spent(one['floor'])}, {one['floor_memory']:.2f} GiB", "floor"),
            row("**ratio**", lambda one: f"**{one['processor_ratio']:.2f}** ({one['ratio']:.2f})", "floor"),
        ]
    )


def _told(stage: dict[str, Any] | None) -> str:
    if stage is None:
        return ""
    speed = f", {stage['rows'] / stage['processor']:,.0f} rows/s" if stage.get("rows") else ""
    return f"{_took(stage)}{speed}, {stage['memory']:.2f} GiB, {stage['read']:.2f} GiB read"


def _took(part: dict[str, Any]) -> str:
    return f"{part['processor']:.1f} s ({part['seconds']:.0f})"


def _whole(one: dict[str, Any]) -> bool:
    """Say whether every stage was measured: activities may have been copied instead of read."""
    return len(one["stages"]) == len(OURS)


def _spent(parts: dict[str, dict[str, Any]]) -> str:
    return f"**{total(parts, 'processor'):.0f} s** ({total(parts, 'seconds'):.0f})"


def picture() -> None:
    """Draw processor seconds and memory against the number of profiles, both on logarithmic scales, as SVG."""
    kept = json.loads(KEPT.read_text())
    floors = [one for one in kept if "floor" in one]

    def over(of: list[dict[str, Any]], told: Callable[[dict[str, Any]], float]) -> Line:
        return [(one["profiles"], told(one)) for one in of]

    panels = [
        (
            "processor seconds",
            {
                "a full run": over(list(filter(_whole, kept)), lambda one: total(one["stages"], "processor")),
                "the floor": over(floors, lambda one: total(one["floor"], "processor")),
            },
        ),
        (
            "peak memory, GiB",
            {
                "a full run": over(kept, lambda one: one["memory"]),
                "the floor": over(floors, lambda one: one["floor_memory"]),
            },
        ),
    ]
    drawn = [panel(x, title, lines) for x, (title, lines) in enumerate(panels)]
    PICTURE.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 300" font-family="sans-serif" font-size="12">'
        f'<rect width="720" height="300" fill="white"/>{"".join(drawn)}</svg>\n'
    )


def panel(place: int, title: str, lines: dict[str, Line]) -> str:
    left, top, width, height = 60 + 360 * place, 40, 270, 200
    sizes = sorted({size for line in lines.values() for size, _ in line})
    values = [value for line in lines.values() for _, value in line]
    x_low, x_high = np.log10(min(sizes)) - 0.1, np.log10(max(sizes)) + 0.1
    y_low, y_high = np.floor(np.log10(min(values))), np.ceil(np.log10(max(values)))

    def at(size: float, value: float) -> str:
        x = left + (np.log10(size) - x_low) / (x_high - x_low) * width
        y = top + height - (np.log10(value) - y_low) / (y_high - y_low) * height
        return f"{x:.1f},{y:.1f}"

    parts = [f'<text x="{left}" y="{top - 14}" font-weight="bold">{title}</text>']
    parts.append(f'<path d="M{left},{top} v{height} h{width}" fill="none" stroke="#888"/>')
    for power in range(int(y_low), int(y_high) + 1):
        x, y = at(10**x_low, 10.0**power).split(",")
        parts.append(f'<text x="{float(x) - 6}" y="{float(y) + 4}" text-anchor="end">{10.0**power:g}</text>')
    for size in sizes:
        x, y = at(size, 10**y_low).split(",")
        parts.append(f'<text x="{x}" y="{float(y) + 18}" text-anchor="middle">{size / 1e6:g}</text>')
    parts.append(f'<text x="{left + width}" y="{top + height + 34}" text-anchor="end">million profiles</text>')
    for place, ((name, line), colour) in enumerate(zip(lines.items(), ("#1f6feb", "#c2410c"), strict=True)):
        points = [at(size, value) for size, value in line]
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3" fill="{colour}"/>' for p in points]
        parts.append(f'<text x="{left + 90 * place}" y="{top + height + 44}" fill="{colour}">{name}</text>')
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true", help="write the figures to scale.json and draw them")
    parser.add_argument("--anew", nargs="*", default=[], choices=list(STEPS), help="steps to do once more")
    parser.add_argument("--no-floor", action="store_true", help="only what is ours: the floor takes far longer")
    parser.add_argument("--picture", action="store_true", help="only draw what is kept")
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        measured(chosen.step, chosen.folder, chosen.profiles)
        return
    if not chosen.picture:
        found = every_step(chosen.folder, chosen.profiles, chosen.anew, floor=not chosen.no_floor)
        told = summary(chosen.profiles, found)
        print(json.dumps({**told, "differences": found.get("floor", {}).get("differences")}, indent=1))
        if chosen.keep:
            keep(told)
    if chosen.picture or chosen.keep:
        picture()
        print(table())


if __name__ == "__main__":
    main()
