"""Does drift cry wolf, and does it see the wolf? `python benchmarks/quality/drift_alarms.py [--shops N] [--weeks N]`

Small shops in which nothing changes are run weekly: every finding is a false alarm. Then one thing changes in a shop at
a known day, and the two weekly runs after it should name it. Beside it the estimated AUC is held against the realised.
"""

import argparse
import datetime as dt
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.insights.performance import Outcome, came_true
from likelier.lake import Lake
from likelier.pipeline import STAGES, Inputs, insights_of, outcomes, run_stage, scores_file
from likelier.timespan import DAY

PEOPLE, DAYS, WINDOW = 1500, 280, 14
CHANGE = shop.START + 238 * DAY


def moved(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def after(table: pa.Table) -> np.ndarray:
    return pc.greater_equal(table["timestamp"], pa.scalar(CHANGE, pa.timestamp("us", "UTC"))).to_numpy()


def tracking_lost(table: pa.Table) -> pa.Table:
    bought = pc.is_valid(table["commerce.purchases.value"]).to_numpy()
    return table.filter(pa.array(~(bought & after(table))))


def price_change(table: pa.Table) -> pa.Table:
    price = table["commerce.order.priceTotal"].to_numpy()
    prices = pa.array(np.where(after(table), price * 2.5, price), from_pandas=True)
    return moved(table, "commerce.order.priceTotal", prices)


def new_channel(table: pa.Table) -> pa.Table:
    page = table["web.webPageDetails.name"].to_numpy(zero_copy_only=False).astype(object)
    chosen = after(table) & (np.random.default_rng(5).random(len(table)) < 0.3)
    return moved(table, "web.webPageDetails.name", pa.array(np.where(chosen, "app", page)))


def base_rate_doubled(table: pa.Table) -> pa.Table:
    """Every visit of some people ends in a purchase that did not."""
    rng = np.random.default_rng(6)
    who = np.char.lstrip(np.array(table["identityMap.CRMID"].to_pylist()), "p").astype(int)
    bought = pc.is_valid(table["commerce.purchases.value"]).to_numpy()
    more = after(table) & ~bought & (who % 2 == 0) & (rng.random(len(table)) < 0.8)
    table = moved(table, "commerce.purchases.value", pa.array(np.where(bought | more, 1.0, np.nan), from_pandas=True))
    kinds = np.where(bought | more, "commerce.purchases", "web.webpagedetails.pageViews")
    return moved(table, "eventType", pa.array(kinds))


def season(table: pa.Table) -> pa.Table:
    """Everybody comes twice as often."""
    again = table.filter(pa.array(after(table)))
    later = pc.add(again["timestamp"], pa.scalar(dt.timedelta(hours=3)))
    again = moved(
        moved(again, "timestamp", later.cast(pa.timestamp("us", "UTC"))),
        "_id",
        pc.binary_join_element_wise("x", again["_id"], ""),
    )
    return pa.concat_tables([table, again])


SHIFTS = {f.__name__: f for f in (tracking_lost, price_change, new_channel, base_rate_doubled, season)}


def run(lake: Lake, as_of: dt.datetime, known_until: dt.datetime) -> tuple[list[dict], tuple[float, dict] | None]:
    asked = shop.instance()
    versions = shop.versions(lake, ["shop"])
    with DuckDB(threads=1) as engine, tempfile.TemporaryDirectory() as folder:
        for stage in STAGES:
            run_stage(stage, Inputs(asked, as_of, 7, versions), engine=engine, lake=lake, folder=Path(folder))
        said = insights_of(Path(folder))
        if as_of + WINDOW * DAY > known_until:
            return said["drift"]["findings"], None
        came = outcomes(
            Inputs(asked, known_until, 7, versions), (as_of,), engine=engine, lake=lake, folder=Path(folder) / "came"
        )
        scored = pq.read_table(scores_file(Path(folder)), columns=["id", "probability", "score"])
        _, reached = came.of(scored["id"].combine_chunks(), as_of)
        auc = came_true(Outcome(scored["probability"].to_numpy(), scored["score"].to_numpy(), reached))["auc"]["value"]
        return said["drift"]["findings"], (auc, said["estimate"]["auc"])


def show(*words: object) -> None:
    print(*words, flush=True)


def shifted() -> None:
    for name, shift in SHIFTS.items():
        with tempfile.TemporaryDirectory() as folder:
            lake = Lake(folder)
            shop.put(lake, shift(shop.events(PEOPLE, DAYS, 1)))
            for week in (1, 2):
                found, _ = run(lake, CHANGE + 7 * week * DAY, CHANGE)
                show(f"{name}, {week} weeks after:", "" if found else "nothing")
                for each in found[:6]:
                    show(f"    {each['weight']:.2f} {each['kind']}: {each['words']}")


def quiet(shops: int, weeks: int) -> None:
    end = shop.START + DAYS * DAY
    wrong, errors, inside = 0, [], []
    for seed in range(1, shops + 1):
        with tempfile.TemporaryDirectory() as folder:
            lake = Lake(folder)
            shop.put(lake, shop.events(PEOPLE, DAYS, seed))
            for week in range(weeks):
                found, judged = run(lake, end - 7 * week * DAY, end)
                wrong += bool(found)
                for each in found:
                    show(f"    false alarm, shop {seed}, week {week}: {each['kind']}: {each['words']}")
                if judged:
                    came, estimated = judged
                    errors.append(estimated["value"] - came)
                    inside.append(estimated["low"] <= came <= estimated["high"])
        show(f"quiet runs with an alarm: {wrong} of {seed * weeks}")
    if errors:
        size = f"mean {np.mean(errors):+.4f}, mean size {np.mean(np.abs(errors)):.4f}"
        show(f"estimated less realised AUC: {size}; inside the interval {sum(inside)} of {len(inside)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=10)
    parser.add_argument("--weeks", type=int, default=5)
    given = parser.parse_args()
    shifted()
    quiet(given.shops, given.weeks)


main()
