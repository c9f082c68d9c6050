"""Several outcome windows in one run against a run for each: `python benchmarks/quality/several_windows.py DATA WORK`.

At cut-offs whose outcomes are all known, one instance asks for the windows 7, 30 and 90 together (shorter ones where
the data is short) and one instance asks for each alone. Prints, of each window, both AUCs against what then happened,
both mean probabilities and the rate; how often the probabilities decrease; and seconds together over seconds of the
longest window alone.
"""

import argparse
import datetime as dt
import shutil
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
from sklearn.metrics import roc_auc_score
from tasks import BOUGHT, HOUSEHOLD, JOURNEY, MESSAGES, RETAIL, SHOPPER, Task, ingested, of_type, simulated

from likelier.backend import DuckDB
from likelier.instance.reading import make_instance
from likelier.pipeline import STAGES, Inputs, run_stage, scores_file

CASES = [
    (Task("retail, buy", RETAIL, 90, 120, BOUGHT, "event_type = 'purchase'"), (7, 30, 90)),
    (Task("journey, buy", JOURNEY, 90, 45, BOUGHT, "event_type = 'purchase'", attributes=HOUSEHOLD), (7, 30, 90)),
    (
        Task(
            "journey, redeem a coupon", JOURNEY, 90, 120, of_type("coupon_redeemed"),
            "event_type = 'coupon_redeemed'", attributes=HOUSEHOLD,
        ),
        (7, 30, 90),
    ),
    (Task("messages, send one", MESSAGES, 30, 45, of_type("message_sent"), "event_type = 'message_sent'"), (3, 7, 30)),
    (
        Task("simulated shop, buy", simulated("shop"), 60, 45, BOUGHT, '"commerce.purchases.value" IS NOT NULL',
             attributes=SHOPPER),
        (7, 30, 60),
    ),
]  # fmt: skip


def run(task: Task, windows: int | list[int], as_of: dt.datetime, lake, work: Path) -> tuple[dict, float]:
    asked = task.instance()
    asked["goal"]["window_days"] = windows
    instance = make_instance(asked)
    versions = {
        name: lake.version(f"datasets/{name}/{kind}")
        for name in instance.datasets
        for kind in ("events", "profiles")
        if lake.exists(f"datasets/{name}/{kind}")
    }
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    began = time.process_time(), time.perf_counter()
    with DuckDB() as engine:
        for stage in STAGES:
            run_stage(stage, Inputs(instance, as_of, 1, versions), engine=engine, lake=lake, folder=folder)
    seconds = time.process_time() - began[0]
    table = pq.read_table(scores_file(folder))
    names = [name for name in table.column_names if name == "id" or name.startswith(("probability", "expected"))]
    return {name: np.array(table[name].to_pylist()) for name in names}, seconds


def first_after(task: Task, data: Path, ids: np.ndarray, as_of: dt.datetime) -> np.ndarray:
    """Days from an instant to each person's first goal event, infinite where there is none."""
    moment = as_of.replace(tzinfo=None)
    found = dict(
        duckdb.sql(
            "SELECT customer_id::VARCHAR, "
            f"min(epoch(make_timestamp(epoch_us(timestamp)) - TIMESTAMP '{moment}')) / 86400 "
            f"FROM ({task.source.flat.format(data=data)}) WHERE ({task.goal_sql}) "
            f"AND make_timestamp(epoch_us(timestamp)) >= TIMESTAMP '{moment}' GROUP BY ALL"
        ).fetchall()
    )
    return np.array([found.get(who, np.inf) for who in ids.tolist()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--task", default="", help="only the tasks whose name contains this")
    parser.add_argument("--cut-offs", type=int, default=2)
    chosen = parser.parse_args()
    differences, ratios = [], []
    for task, windows in CASES:
        if chosen.task not in task.name:
            continue
        lake = ingested(task, chosen.data, chosen.work)
        place = chosen.work / task.source.name if task.source.name.startswith("simulated") else chosen.data
        last = duckdb.sql(
            f"SELECT max(make_timestamp(epoch_us(timestamp))) FROM ({task.source.flat.format(data=place)})"
        ).fetchall()[0][0]
        end = last.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=dt.UTC) + dt.timedelta(days=1)
        for back in range(chosen.cut_offs):
            as_of = end - dt.timedelta(days=windows[-1]) - back * dt.timedelta(days=windows[-1] / 3)
            if not differences:
                run(task, windows[-1], as_of, lake, chosen.work)  # compiles what is compiled once
            together, seconds = run(task, list(windows), as_of, lake, chosen.work)
            every = np.stack([together[f"probability_{days}d"] for days in windows], axis=1)
            decreasing = int((np.diff(every, axis=1) < 0).any(axis=1).sum())
            waited = first_after(task, place, together["id"], as_of)
            alone_seconds = 0.0
            for column, days in enumerate(windows):
                alone, alone_seconds = run(replace(task, window_days=days), days, as_of, lake, chosen.work)
                assert (alone["id"] == together["id"]).all()
                came = waited < days
                aucs = roc_auc_score(came, every[:, column]), roc_auc_score(came, alone["probability"])
                differences.append(aucs[0] - aucs[1])
                print(
                    f"{task.name:26} {as_of:%Y-%m-%d} {days:3} days: AUC {aucs[0]:.4f}, alone {aucs[1]:.4f}, "
                    f"{aucs[0] - aucs[1]:+.4f}; mean {every[:, column].mean():.3f}, alone "
                    f"{alone['probability'].mean():.3f}, came true {came.mean():.3f}",
                    flush=True,
                )
            ratios.append(seconds / alone_seconds)
            capped = np.minimum(waited, windows[-1])
            print(
                f"{'':26} {decreasing} of {len(every):,} decrease; "
                f"expected days {together['expected_days'].mean():.1f}, came {capped.mean():.1f}; "
                f"processor seconds {seconds:.1f}, longest alone {alone_seconds:.1f}, ratio {ratios[-1]:.2f}",
                flush=True,
            )
    print(
        f"mean difference of AUC {np.mean(differences):+.4f}, worst {np.min(differences):+.4f}; "
        f"mean ratio {np.mean(ratios):.2f}"
    )


if __name__ == "__main__":
    main()
