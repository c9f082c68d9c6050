"""What a data scientist writes in an afternoon: counts and sums in windows, recency, LightGBM.

`windows.py FOLDER ANSWERS [default|small]`: default settings on up to six cut-offs one outcome window apart, or trees
of four leaves on up to 24 cut-offs a third of it apart. Writes customer_id, cut_off, probability.
"""

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAYS = (7, 30, 90, 365)
SMALL = {
    "learning_rate": 0.03, "n_estimators": 300, "num_leaves": 4, "min_child_samples": 40, "reg_lambda": 5,
    "subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.15,
}  # fmt: skip


def features(folder: Path):
    """Give examples (customer_id, cut_off, label) and a matrix with its column names."""
    database = duckdb.connect()
    database.sql(f"CREATE TABLE events AS FROM '{folder / 'events.parquet'}'")
    database.sql(f"CREATE TABLE examples AS SELECT *, row_number() OVER () AS n FROM '{folder / 'examples.parquet'}'")
    described = database.execute("DESCRIBE events").fetchall()
    numbers = [name for name, kind, *_ in described if kind in {"DOUBLE", "BIGINT", "HUGEINT", "FLOAT", "INTEGER"}]
    top = "SELECT event_type FROM events GROUP BY 1 ORDER BY count(*) DESC LIMIT 15"
    types = [kind for (kind,) in database.execute(top).fetchall()]
    tests = ["true", "is_goal", *(f"event_type = '{kind}'" for kind in types)]
    columns = []
    for test in tests:
        columns += [f"count(*) FILTER ({test})", f"min(age) FILTER ({test})", f"max(age) FILTER ({test})"]
        columns += [f"count(*) FILTER ({test} AND age <= {days})" for days in DAYS]
    for number in numbers:
        columns += [f'sum("{number}")', *(f'sum("{number}") FILTER (age <= {days})' for days in (30, 90))]
    listed = ", ".join(f"{column} AS f{k}" for k, column in enumerate(columns))
    parts = []
    for (cut_off,) in database.execute("SELECT DISTINCT cut_off FROM examples ORDER BY 1").fetchall():
        moment = f"TIMESTAMP '{cut_off.isoformat()}'"
        parts.append(
            database.sql(f"""
                SELECT n, {listed} FROM examples
                JOIN (SELECT *, date_diff('second', timestamp, {moment}) / 86400 AS age FROM events
                WHERE timestamp < {moment}) USING (customer_id) WHERE cut_off = {moment} GROUP BY n""").to_arrow_table()
        )
    found = pa.concat_tables(parts).sort_by("n")
    examples = database.sql("FROM examples ORDER BY n").to_arrow_table()
    assert found["n"].equals(examples["n"])
    matrix = [found[f"f{k}"].to_numpy().astype(float) for k in range(len(columns))]
    if (folder / "profiles.parquet").exists():
        matrix += attributes(database, folder)
    return examples, np.stack(matrix, axis=1)


def attributes(database, folder: Path):
    """Give the attributes known at the cut-off, texts as numbers in the order of the alphabet."""
    database.sql(f"CREATE TABLE people AS FROM '{folder / 'profiles.parquet'}'")
    names = [
        name
        for name, *_ in database.execute("DESCRIBE people").fetchall()
        if name not in {"customer_id", "known_since"}
    ]
    known = database.sql(
        "SELECT n, " + ", ".join(f'people."{name}"::VARCHAR AS "{name}"' for name in names)
        + " FROM examples ASOF LEFT JOIN people ON examples.customer_id = people.customer_id"
        " AND known_since < cut_off ORDER BY n"
    ).to_arrow_table()  # fmt: skip
    columns = []
    for name in names:
        values = known[name].to_pylist()
        place = {value: k for k, value in enumerate(sorted({value for value in values if value is not None}))}
        columns.append(np.array([place.get(value, np.nan) for value in values]))
    return columns


def training(moments: np.ndarray, judge: datetime, window: timedelta, *, many: bool) -> np.ndarray:
    """Choose the examples whose outcome was known at the judge cut-off."""
    steps = [judge - window - k * window / (3 if many else 1) for k in range(24 if many else 6)]
    return np.isin(moments, np.array(steps, "datetime64[us]"))


def moments_of(examples) -> np.ndarray:
    return examples["cut_off"].cast(pa.timestamp("us")).to_numpy()


def main() -> None:
    folder, answers, style = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    task = json.loads((folder / "task.json").read_text())
    examples, matrix = features(folder)
    moments, labels = moments_of(examples), examples["label"].to_numpy(zero_copy_only=False)
    parts = []
    for judge in map(datetime.fromisoformat, task["judges"]):
        rows = training(moments, judge, timedelta(days=task["window_days"]), many=style == "small")
        model = lgb.LGBMClassifier(verbose=-1, random_state=1, **(SMALL if style == "small" else {}))
        model.fit(matrix[rows], labels[rows])
        asked = moments == np.datetime64(judge, "us")
        given = examples.filter(asked).select(["customer_id", "cut_off"])
        parts.append(given.append_column("probability", pa.array(model.predict_proba(matrix[asked])[:, 1])))
    pq.write_table(pa.concat_tables(parts), answers)


if __name__ == "__main__":
    main()
