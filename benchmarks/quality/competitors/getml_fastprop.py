"""getML FastProp features, then XGBoost, all in getML's own engine: `getml_fastprop.py FOLDER ANSWERS`.

Trained on up to 24 cut-offs a third of the outcome window apart; events join up to the cut-off by time, of everything
before it and of the last outcome window. The rest is as getML's documentation shows it.
"""

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import getml
import pandas as pd

IDS = 0.5  # a text with more different values than this part of the rows is an identifier


def roles(frame: pd.DataFrame, name: str, *, target: bool = False) -> getml.DataFrame:
    frame = frame.copy()
    frame = frame.loc[:, [column for column in frame if frame[column].notna().any()]]
    for column in frame.columns:
        if frame[column].dtype == bool:
            frame[column] = frame[column].astype(float)
        elif str(frame[column].dtype) in {"object", "str", "category"}:
            frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    data = getml.DataFrame.from_pandas(frame, name)
    data.set_role("customer_id", getml.data.roles.join_key)
    for column in frame.columns:
        if column == "customer_id":
            continue
        kind = str(frame[column].dtype)
        if column in {"timestamp", "cut_off"}:
            data.set_role(column, getml.data.roles.time_stamp)
        elif target and column == "label":
            data.set_role(column, getml.data.roles.target)
        elif kind.startswith("datetime"):
            continue
        elif kind == "object":
            if frame[column].nunique() <= IDS * len(frame):
                data.set_role(column, getml.data.roles.categorical)
        else:
            data.set_role(column, getml.data.roles.numerical)
    return data


def main() -> None:
    folder, answers = Path(sys.argv[1]), Path(sys.argv[2])
    task = json.loads((folder / "task.json").read_text())
    window = timedelta(days=task["window_days"])
    getml.engine.launch(launch_browser=False)
    getml.set_project("tournament")
    examples = pd.read_parquet(folder / "examples.parquet")
    if (folder / "profiles.parquet").exists():
        people = pd.read_parquet(folder / "profiles.parquet").sort_values("known_since")
        examples = pd.merge_asof(
            examples.sort_values("cut_off"), people, left_on="cut_off", right_on="known_since", by="customer_id",
            allow_exact_matches=False,
        ).drop(columns="known_since")  # fmt: skip
    events = roles(pd.read_parquet(folder / "events.parquet"), "events")
    parts = []
    for number, judge in enumerate(map(datetime.fromisoformat, task["judges"])):
        steps = [judge - window - k * window / 3 for k in range(24)]
        taught, asked = examples[examples["cut_off"].isin(steps)], examples[examples["cut_off"] == judge]
        train, test = (
            roles(part, f"{name}{number}", target=True) for part, name in ((taught, "train"), (asked, "test"))
        )
        model = getml.data.DataModel(train.to_placeholder("population"))
        model.add(events.to_placeholder("events"))
        for memory in (None, window.total_seconds()):
            model.population.join(
                model.events, on="customer_id", time_stamps=("cut_off", "timestamp"), memory=memory,
                horizon=1e-6, lagged_targets=False,
            )  # fmt: skip
        container = getml.data.Container(train=train, test=test)
        container.add(events)
        pipeline = getml.Pipeline(
            data_model=model,
            feature_learners=[
                getml.feature_learning.FastProp(loss_function=getml.feature_learning.loss_functions.CrossEntropyLoss)
            ],
            predictors=[getml.predictors.XGBoostClassifier(n_jobs=1)],
        )
        pipeline.fit(container.train, check=False)
        given = asked[["customer_id", "cut_off"]].copy()
        given["probability"] = pipeline.predict(container.test)[:, 0]
        parts.append(given)
    pd.concat(parts).to_parquet(answers, index=False)
    getml.engine.shutdown()


if __name__ == "__main__":
    main()
