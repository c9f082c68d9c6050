"""Deep feature synthesis with featuretools, then LightGBM with its default settings.

`featuretools_dfs.py FOLDER ANSWERS`. Features over the customer's events at each cut-off, of everything before it and
of the last outcome window, also where the event is of a common type or the goal; trained on up to six cut-offs.
"""

import json
import sys
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import featuretools as ft
import lightgbm as lgb
import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
AGGREGATIONS = [
    "count",
    "sum",
    "mean",
    "max",
    "min",
    "std",
    "num_unique",
    "time_since_last",
    "time_since_first",
    "trend",
]
MOMENT = timedelta(microseconds=1)  # featuretools uses what is known at the cut-off itself, we what was known before


def entities(folder: Path) -> ft.EntitySet:
    events = pd.read_parquet(folder / "events.parquet")
    events["event_number"] = np.arange(len(events))
    for column in events.columns:
        if str(events[column].dtype) in {"object", "str", "string", "category"} and column != "customer_id":
            events[column] = events[column].astype("category")
    few = ["event_type", "is_goal"]
    data = ft.EntitySet()
    types = {column: "Categorical" for column in events if str(events[column].dtype) == "category"}
    data.add_dataframe(
        dataframe_name="events", dataframe=events, index="event_number", time_index="timestamp",
        logical_types={**types, "customer_id": "Categorical", "is_goal": "Boolean"},
    )  # fmt: skip
    data.normalize_dataframe("events", "customers", "customer_id", make_time_index=False)
    common = events["event_type"].value_counts().index[:6].tolist()
    data.add_interesting_values(dataframe_name="events", values={few[0]: common, few[1]: [True]})
    return data


def features(folder: Path, task: dict, wanted: list[datetime]) -> tuple[pd.DataFrame, pd.DataFrame]:
    data = entities(folder)
    examples = pd.read_parquet(folder / "examples.parquet")
    examples = examples[examples["cut_off"].isin(wanted)].sort_values(["cut_off", "customer_id"]).reset_index(drop=True)
    times = pd.DataFrame({"customer_id": examples["customer_id"], "time": examples["cut_off"] - MOMENT})
    parts = []
    for window in (None, f"{task['window_days']} days"):
        matrix, _ = ft.dfs(
            entityset=data, target_dataframe_name="customers", cutoff_time=times, agg_primitives=AGGREGATIONS,
            where_primitives=["count", "time_since_last"], trans_primitives=[], max_depth=2, training_window=window,
            include_cutoff_time=True,
        )  # fmt: skip
        numeric = matrix.select_dtypes(["number", "bool", "boolean"]).astype(float).reset_index(drop=True)
        parts.append(numeric.add_suffix("" if window is None else " lately"))
    return examples, pd.concat(parts, axis=1)


def main() -> None:
    folder, answers = Path(sys.argv[1]), Path(sys.argv[2])
    task = json.loads((folder / "task.json").read_text())
    window = timedelta(days=task["window_days"])
    judges = [datetime.fromisoformat(judge) for judge in task["judges"]]
    learnt_from = {judge: [judge - k * window for k in range(1, 7)] for judge in judges}
    examples, matrix = features(
        folder, task, sorted({*judges, *(step for steps in learnt_from.values() for step in steps)})
    )
    if (folder / "profiles.parquet").exists():
        people = pd.read_parquet(folder / "profiles.parquet").sort_values("known_since")
        keyed = examples.reset_index().sort_values("cut_off")
        known = pd.merge_asof(
            keyed, people, left_on="cut_off", right_on="known_since", by="customer_id", allow_exact_matches=False
        ).sort_values("index")
        for column in people.columns.difference(["customer_id", "known_since"]):
            matrix[f"person {column}"] = known[column].astype("category").cat.codes.to_numpy().astype(float)
    matrix.columns = [f"f{k}" for k in range(matrix.shape[1])]
    parts = []
    for judge in judges:
        rows, asked = examples["cut_off"].isin(learnt_from[judge]), examples["cut_off"] == judge
        model = lgb.LGBMClassifier(verbose=-1, random_state=1).fit(matrix[rows], examples.loc[rows, "label"])
        given = examples.loc[asked, ["customer_id", "cut_off"]].copy()
        given["probability"] = model.predict_proba(matrix[asked])[:, 1]
        parts.append(given)
    pd.concat(parts).to_parquet(answers, index=False)


if __name__ == "__main__":
    main()
