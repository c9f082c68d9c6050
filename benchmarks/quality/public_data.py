"""Accuracy on public data: `python benchmarks/quality/public_data.py DATA_FOLDER` prints a table.

Ingests the files through the mappings in `examples/`, runs the instances there as of dates in the past, and compares
the probabilities with what really happened afterwards, read from the raw files by a plain loop. "Windows" is what
recency, frequency and amount windows with LightGBM reached on the same cut-off, "BG/NBD" what that model did.
"""

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

EXAMPLES = Path(__file__).parents[2] / "examples"
TASKS = {  # instance: datasets, as of, outcome days, goal, lookback days, windows, BG/NBD
    "online_retail_30": (["online_retail"], "2011-11-01", 30, "purchase", 120, 0.733, 0.692),
    "online_retail_90": (["online_retail"], "2011-09-01", 90, "purchase", 120, 0.743, 0.715),
    "completejourney_coupon_60": (
        ["completejourney", "completejourney_demographics"], "2017-10-01", 60, "coupon_redeemed", 120, 0.860, None,
    ),
    "completejourney_purchase_7": (
        ["completejourney", "completejourney_demographics"], "2017-12-01", 7, "purchase", 45, 0.724, 0.724,
    ),
    "collegemsg_14": (["collegemsg"], "2004-07-01", 14, "message_sent", 45, 0.854, 0.782),
}  # fmt: skip


def likelier(home: Path, *arguments: object) -> None:
    command = [sys.executable, "-m", "likelier.cli", *map(str, arguments), "--home", str(home)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def happened(file: Path, as_of: str, days: int, goal: str, lookback: int) -> dict[str, bool]:
    """Say of everybody with an event in the lookback whether the goal came true, by a plain loop."""
    start = dt.datetime.fromisoformat(as_of).replace(tzinfo=dt.UTC)
    eligible, done = set(), set()
    table = pq.read_table(file, columns=["customer_id", "timestamp", "event_type"])
    for who, when, what in zip(*(column.to_pylist() for column in table.columns), strict=True):
        if start - dt.timedelta(days=lookback) <= when < start:
            eligible.add(who)
        if start <= when < start + dt.timedelta(days=days) and what == goal:
            done.add(who)
    return {who: who in done for who in eligible}


def measured(task: str, data: Path, home: Path) -> dict[str, float]:
    datasets, as_of, days, goal, lookback, windows, bgnbd = TASKS[task]
    for name in datasets:
        kind = "profiles" if name.endswith("demographics") else "events"
        likelier(
            home,
            "ingest",
            name,
            data / f"{name}.parquet",
            "--mapping",
            EXAMPLES / f"{name}.mapping.yaml",
            "--kind",
            kind,
        )
    began = time.perf_counter()
    likelier(home, "run", EXAMPLES / f"{task}.yaml", "--as-of", as_of)
    seconds = time.perf_counter() - began
    runs = subprocess.run(
        [sys.executable, "-m", "likelier.cli", "runs", "--json", "--home", str(home)],
        check=True,
        capture_output=True,
        text=True,
    )
    likelier(home, "scores", json.loads(runs.stdout)[0]["instance"], "-o", home / "scores.parquet")
    table = pq.read_table(home / "scores.parquet", columns=["id", "probability"])
    given = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
    truth = happened(data / f"{datasets[0]}.parquet", as_of, days, goal, lookback)
    assert set(given) == set(truth), "exactly the eligible are scored"
    labels = np.array([truth[who] for who in truth])
    probability = np.array([given[who] for who in truth])
    auc = roc_auc_score(labels, probability)
    return {
        "AUC": auc,
        "windows": windows,
        "difference": auc - windows,
        "BG/NBD": bgnbd or float("nan"),
        "PR-AUC": average_precision_score(labels, probability),
        "Brier": brier_score_loss(labels, probability),
        "mean p": probability.mean(),
        "came true": labels.mean(),
        "people": len(labels),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    differences = []
    for task in TASKS:
        with tempfile.TemporaryDirectory() as home:
            row = measured(task, data, Path(home))
        if not differences:
            print(f"{'task':28}" + "".join(f"{name:>12}" for name in row))
        differences.append(row["difference"])
        print(
            f"{task:28}" + "".join(f"{value:12.4f}" if value < 100 else f"{value:12,.0f}" for value in row.values()),
            flush=True,
        )
    print(f"mean difference {np.mean(differences):+.4f}")


if __name__ == "__main__":
    main()
