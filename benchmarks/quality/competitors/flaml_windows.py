"""FLAML chooses and tunes a model on the same windows: `flaml_windows.py FOLDER ANSWERS`, 60 seconds a cut-off.

Its examples are those of up to 24 cut-offs a third of the outcome window apart; it validates on the latest of them.
"""

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flaml import AutoML

from windows import features, moments_of, training

SECONDS = 60


def main() -> None:
    folder, answers = Path(sys.argv[1]), Path(sys.argv[2])
    task = json.loads((folder / "task.json").read_text())
    examples, matrix = features(folder)
    moments, labels = moments_of(examples), examples["label"].to_numpy(zero_copy_only=False).astype(int)
    parts = []
    for judge in map(datetime.fromisoformat, task["judges"]):
        rows = np.flatnonzero(training(moments, judge, timedelta(days=task["window_days"]), many=True))
        rows = rows[np.argsort(moments[rows], kind="stable")]
        model = AutoML()
        model.fit(
            matrix[rows], labels[rows], task="classification", metric="roc_auc", time_budget=SECONDS, seed=1, verbose=0,
            split_type="time", eval_method="holdout", estimator_list=["lgbm", "xgboost", "extra_tree", "rf"], n_jobs=2,
        )  # fmt: skip
        asked = moments == np.datetime64(judge, "us")
        given = examples.filter(asked).select(["customer_id", "cut_off"])
        probability = model.predict_proba(matrix[asked])[:, 1].astype(float)
        parts.append(given.append_column("probability", pa.array(probability)))
    pq.write_table(pa.concat_tables(parts), answers)


if __name__ == "__main__":
    main()
