"""BG/NBD (Fader, Hardie, Lee 2005): people who did the goal before, from how often and how lately alone.

`bgnbd.py FOLDER ANSWERS`. Fits r, alpha, a and b by maximum likelihood on the active days of the goal event before the
cut-off. Who never did it gets the rate that such people had one outcome window earlier.
"""

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.optimize import minimize
from scipy.special import gammaln

HISTORY = """
    SELECT e.customer_id, e.label, count(DISTINCT timestamp::DATE) - 1 AS x,
    coalesce(date_diff('day', min(timestamp)::DATE, max(timestamp)::DATE), 0) AS recency,
    coalesce(date_diff('second', min(timestamp), $moment) / 86400, 0) AS age
    FROM examples e LEFT JOIN events g ON g.customer_id = e.customer_id AND g.is_goal AND g.timestamp < $moment
    WHERE e.cut_off = $moment GROUP BY ALL ORDER BY e.customer_id"""


def log_likelihood(parameters: np.ndarray, x: np.ndarray, recency: np.ndarray, age: np.ndarray) -> np.ndarray:
    r, alpha, a, b = np.exp(parameters)
    first = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    second = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    alive = -(r + x) * np.log(alpha + age)
    gone = np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + recency), -np.inf)
    return first + second + np.logaddexp(alive, gone)


def chance(parameters: np.ndarray, x: np.ndarray, recency: np.ndarray, age: np.ndarray, days: float) -> np.ndarray:
    """P(at least one more active day in the next days)."""
    r, alpha, a, b = np.exp(parameters)
    odds_gone = np.where(x > 0, a / (b + np.maximum(x, 1) - 1) * ((alpha + age) / (alpha + recency)) ** (r + x), 0)
    return (1 - ((alpha + age) / (alpha + age + days)) ** (r + x)) / (1 + odds_gone)


def main() -> None:
    folder, answers = Path(sys.argv[1]), Path(sys.argv[2])
    task = json.loads((folder / "task.json").read_text())
    window = timedelta(days=task["window_days"])
    database = duckdb.connect()
    database.sql(f"CREATE TABLE events AS SELECT customer_id, timestamp, is_goal FROM '{folder / 'events.parquet'}'")
    database.sql(f"CREATE TABLE examples AS FROM '{folder / 'examples.parquet'}'")

    def history(moment: datetime):
        found = database.execute(HISTORY, {"moment": moment}).to_arrow_table()
        return found, *(found[name].to_numpy().astype(float) for name in ("x", "recency", "age"))

    parts = []
    for judge in map(datetime.fromisoformat, task["judges"]):
        found, x, recency, age = history(judge)
        known = x >= 0
        fitted = minimize(
            lambda p, x=x[known], t=recency[known], age=age[known]: -log_likelihood(p, x, t, age).mean(),
            np.log([1.0, 30.0, 1.0, 2.5]), method="Nelder-Mead", options={"maxiter": 3000},
        ).x if known.any() else np.zeros(4)  # fmt: skip
        earlier, before, *_ = history(judge - window)
        strangers = earlier["label"].to_numpy(zero_copy_only=False)[before < 0]
        probability = np.where(
            known,
            chance(fitted, np.maximum(x, 0), recency, age, task["window_days"]),
            strangers.mean() if len(strangers) else 0.5,
        )
        given = pa.table({"customer_id": found["customer_id"], "probability": np.clip(probability, 0.001, 0.999)})
        parts.append(given.append_column("cut_off", pa.array([judge] * len(given), pa.timestamp("us"))))
    pq.write_table(pa.concat_tables(parts), answers)


if __name__ == "__main__":
    main()
