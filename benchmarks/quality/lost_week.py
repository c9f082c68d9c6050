"""What a week without tracking costs: `python benchmarks/quality/lost_week.py DATA WORK [--task NAME]`.

Each task of the tournament is run at its last judge with everything, and again with all events of a week taken out of
the past: at several places of the training window, the last right before the people are scored. The people are those
of the run with everything; who is not eligible without the week gets the mean probability. Prints AUCs against what
then happened.
"""

import argparse
import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.metrics import roc_auc_score
from tasks import TASKS, ingested, lay_out

from likelier.backend import DuckDB
from likelier.instance.reading import make_instance
from likelier.lake import Lake
from likelier.pipeline import Inputs, run_stage, scores_file

WEEKS_BEFORE = (1, 3, 6, 10)  # the lost week ends so many weeks less one before the people are scored


def run(task, lake: Lake, as_of: dt.datetime, work: Path) -> dict[str, float]:
    instance = make_instance(task.instance())
    versions = {
        name: lake.version(f"datasets/{name}/{kind}")
        for name in instance.datasets
        for kind in ("events", "profiles")
        if lake.exists(f"datasets/{name}/{kind}")
    }
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    with DuckDB() as engine:
        for stage in ("read", "check", "train", "score"):
            run_stage(stage, Inputs(instance, as_of, 1, versions), engine=engine, lake=lake, folder=folder)
    table = pq.read_table(scores_file(folder), columns=["id", "probability"])
    return dict(zip(table["id"].to_pylist(), table["probability"].to_pylist(), strict=True))


def without(lake: Lake, task, first: dt.datetime, work: Path) -> Lake:
    """Copy a task's datasets, all but a week of the events."""
    shutil.rmtree(work / "lost", ignore_errors=True)
    lost = Lake(str(work / "lost"))
    for name in task.instance()["datasets"]:
        for kind in ("events", "profiles"):
            if not lake.exists(f"datasets/{name}/{kind}"):
                continue
            files = lake.files(f"datasets/{name}/{kind}")
            rows = pa.concat_tables([pq.read_table(file) for file in files], promote_options="default")
            if kind == "events":
                lost_ones = pc.and_(
                    pc.greater_equal(rows["timestamp"], pa.scalar(first)),
                    pc.less(rows["timestamp"], pa.scalar(first + dt.timedelta(days=7))),
                )
                rows = rows.filter(pc.invert(lost_ones))
            lost.append(f"datasets/{name}/{kind}", rows.to_reader(), batch="all")
    return lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--task", default="", help="only the tasks whose name contains this")
    chosen = parser.parse_args()
    costs: dict[int, list[float]] = {weeks: [] for weeks in WEEKS_BEFORE}
    for task in TASKS:
        if chosen.task not in task.name:
            continue
        folder, lake = lay_out(task, chosen.data, chosen.work), ingested(task, chosen.data, chosen.work)
        judge = dt.datetime.fromisoformat(json.loads((folder / "task.json").read_text())["judges"][-1])
        truth = pq.read_table(folder / "examples.parquet").filter(
            pq.read_table(folder / "examples.parquet", columns=["cut_off"])["cut_off"].to_numpy()
            == np.datetime64(judge)
        )
        who = [str(each) for each in truth["customer_id"].to_pylist()]
        came = np.array(truth["label"].to_pylist())
        as_of = judge.replace(tzinfo=dt.UTC)

        def auc(given: dict[str, float], who=who, came=came) -> float:
            mean = float(np.mean(list(given.values())))
            return float(roc_auc_score(came, [given.get(each, mean) for each in who]))

        whole = auc(run(task, lake, as_of, chosen.work))
        for weeks in WEEKS_BEFORE:
            lost = without(lake, task, as_of - dt.timedelta(weeks=weeks), chosen.work)
            found = auc(run(task, lost, as_of, chosen.work))
            costs[weeks].append(whole - found)
            print(
                f"{task.name:38} whole {whole:.4f}, {weeks:2} weeks before {found:.4f}, {found - whole:+.4f}",
                flush=True,
            )
    for weeks, each in costs.items():
        print(f"{weeks:2} weeks before: mean cost {np.mean(each):.4f}, worst {np.max(each):.4f}")


if __name__ == "__main__":
    main()
