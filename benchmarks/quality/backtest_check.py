"""Hold a backtest's figures against an independent count over the raw file.

    likelier backtest examples/online_retail_30.yaml --cut-offs 6 --json > backtest.json
    python benchmarks/quality/backtest_check.py online_retail.parquet examples/online_retail_30.yaml backtest.json

The goal is said once more, as SQL over the raw file, where it is no purchase: a fourth word, such as
"event_type = 'coupon_redeemed'".

Each cut-off is run again by itself (`likelier run --as-of`), for the probabilities; who is eligible and who bought is
counted with DuckDB in the raw file, the AUC is scikit-learn's. Prints the greatest difference of each figure.
"""

import datetime as dt
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import yaml
from sklearn.metrics import roc_auc_score

raw, instance, found = sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
goal = sys.argv[4] if len(sys.argv) > 4 else "event_type = 'purchase'"
asked = yaml.safe_load(instance.read_text())
lookback, window = asked["eligible_population"]["lookback_days"], asked["goal"]["window_days"]


def likelier(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "likelier.cli", *words], check=True, stdout=subprocess.DEVNULL)


def people(start: dt.datetime, end: dt.datetime, which: str = "true") -> set[str]:
    query = (
        f"SELECT DISTINCT customer_id::VARCHAR FROM '{raw}' "
        f"WHERE timestamp >= '{start:%Y-%m-%d}' AND timestamp < '{end:%Y-%m-%d}' AND {which}"
    )
    return {row[0] for row in duckdb.sql(query).fetchall()}


worst: dict[str, float] = {}
for row in found["cut_offs"]:
    if "problem" in row:
        print(f"{row['cut_off'][:10]} has no model: {row['problem']['message']}")
        continue
    cut_off = dt.datetime.fromisoformat(row["cut_off"])
    with tempfile.TemporaryDirectory() as folder:
        likelier("run", str(instance), "--as-of", row["cut_off"])
        likelier("scores", asked["name"], "-o", f"{folder}/scores.parquet")
        scores = pq.read_table(f"{folder}/scores.parquet").to_pylist()
    eligible = people(cut_off - dt.timedelta(lookback), cut_off)
    bought = people(cut_off, cut_off + dt.timedelta(window), goal)
    came = np.array([each["id"] in bought for each in scores])
    probability = np.array([each["probability"] for each in scores])
    best = np.argsort(-probability, kind="stable")[: -(-len(scores) // 10)]
    differences = {
        "scored": abs(row["scored"] - len(eligible)) + len(eligible ^ {each["id"] for each in scores}),
        "bought": abs(row["all"]["qualifying"] - int(came.sum())),
        "expected rate": abs(row["all"]["expected"] - probability.mean()),
        "AUC": abs(row["auc"]["value"] - roc_auc_score(came, probability)),
        "lift in the top 10 %": abs(row["lift"]["value"] - came[best].mean() / came.mean()),
    }
    for bucket, told in row["buckets"].items():
        mine = np.array([each["bucket"] == bucket for each in scores])
        differences[f"{bucket}: expected"] = abs(told["expected"] - probability[mine].mean())
        differences[f"{bucket}: actual"] = abs(told["rate"] - came[mine].mean())
    worst = {name: max(worst.get(name, 0.0), float(value)) for name, value in differences.items()}
for name, value in worst.items():
    print(f"{name:22} differs by at most {value:.2e}")
