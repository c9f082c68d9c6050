"""Is a change seen, and named rightly? `python benchmarks/quality/drift_alarms.py`

A model is made of a small shop, and kept. Then one thing changes in the shop at a known day, and the two weekly runs
after it should name it. Whether quiet weeks are called quiet tells `over_time.py`.
"""

import datetime as dt
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.quality.over_time import Watched
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.timespan import DAY

PEOPLE, DAYS = 1500, 280
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


def main() -> None:
    events, made = shop.events(PEOPLE, DAYS, 1), CHANGE - 7 * DAY
    with DuckDB(threads=1) as engine, tempfile.TemporaryDirectory() as folder:
        model = Watched(Path(folder), events, made, engine).train()
        for name, shift in SHIFTS.items():
            with tempfile.TemporaryDirectory() as other:
                watched = Watched(Path(other), shift(events), made, engine)
                watched.read(model)
                for week in (1, 2):
                    found = watched.week(CHANGE + 7 * week * DAY, judge=False)["findings"]
                    print(f"{name}, {week} weeks after:", "" if found else "nothing", flush=True)
                    for kind, weight, words in found[:6]:
                        print(f"    {weight:.2f} {kind}: {words}", flush=True)


if __name__ == "__main__":
    main()
