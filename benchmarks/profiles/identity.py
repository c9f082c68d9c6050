"""Who is who at size: `python benchmarks/profiles/identity.py` resolves ten million links, and says how long it takes.

Makes rows in which a login and a cookie stand together, no pair twice: most people have a few cookies of their own,
some share one with another person, and a few devices are everybody's. The links are gathered from the rows and resolved
at several cut-offs; then the rows are gathered by person. With `--auc` it simulates a shop whose visitors often do
not sign in, runs an instance with and without stitching on the same events, and compares how well they rank.
"""

import argparse
import datetime as dt
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from likelier.backend import DuckDB
from likelier.datasets import Dataset
from likelier.events.ingest import ingest
from likelier.events.schema import fields_of, namespaces_of
from likelier.identity.links import links, person_of
from likelier.identity.persons import persons
from likelier.instance import make_instance
from likelier.lake import Lake
from likelier.pipeline import STAGES, Inputs, insights_of, newest_event, run_stage
from likelier.simulate import simulate
from likelier.timespan import DAY, next_midnight

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAYS = 180
CUT_OFFS = tuple(START + days * DAY for days in (90, 120, 150, 180))
DEVICES = 50
"""Devices that everybody uses."""
ROWS = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--links", type=int, default=10_000_000)
    parser.add_argument("--auc", action="store_true")
    parser.add_argument("--profiles", type=int, default=20_000, help="of the simulated shop")
    parser.add_argument("--days", type=int, default=180, help="of the simulated shop")
    parser.add_argument("--anonymous", type=float, default=0.7, help="share of the days on which nobody signs in")
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as work:
        compare(chosen, Path(work)) if chosen.auc else resolve(chosen, Path(work))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def resolve(chosen: argparse.Namespace, folder: Path) -> None:
    file = folder / "events.parquet"
    people = chosen.links // 3
    with pq.ParquetWriter(file, SHOP) as writer:
        for first in range(0, chosen.links, ROWS):
            writer.write_table(pairs(first, min(ROWS, chosen.links - first), people))
    with DuckDB() as engine:
        rows = engine.read([str(file)])
        dataset = Dataset("web", "events", fields_of(SHOP), namespaces_of(SHOP), 0)
        began, busy = time.perf_counter(), time.process_time()
        found = links([(dataset, rows)])
        assert found is not None
        who = persons(engine, found, "CRMID", CUT_OFFS, folder / "work")
        resolved, worked = time.perf_counter() - began, time.process_time() - busy
        mine = who.by_person(rows.select("_id", who=person_of(rows, dataset, "CRMID")))
        began, busy = time.perf_counter(), time.process_time()
        told = engine.table(mine.aggregate(rows=mine.count(), people=mine.who.nunique())).to_pylist()[0]
        spent = time.perf_counter() - began, time.process_time() - busy
    print(f"{chosen.links:,} links resolved at {len(CUT_OFFS)} cut-offs in {resolved:.0f} s (processor {worked:.0f} s)")
    print("gathered by person in {:.0f} s (processor {:.0f} s): ".format(*spent), told, flush=True)


SHOP = pa.schema(
    [
        pa.field("_id", pa.string()),
        pa.field("timestamp", pa.timestamp("us", "UTC")),
        pa.field("identityMap.CRMID", pa.string()),
        pa.field("identityMap.ECID", pa.string()),
    ]
)


def pairs(first: int, rows: int, people: int) -> pa.Table:
    """Rows of a login and a cookie, no pair twice."""
    rng = np.random.default_rng(first)
    number = np.arange(first, first + rows)
    who = number % people
    cookie = number.copy()
    shared = rng.random(rows) < 0.02
    cookie[shared] = (cookie[shared] + 1) % (3 * people)  # the cookie of who comes next
    devices = rng.random(rows) < 0.001
    cookie[devices] = 10**9 + who[devices] % DEVICES
    seconds = rng.integers(0, DAYS * 86_400, rows).astype("timedelta64[s]")
    return pa.table(
        [
            pa.array(np.char.add("e", number.astype(str))),
            pa.array(np.datetime64("2024-01-01", "us") + seconds).cast(SHOP.field("timestamp").type),
            pa.array(np.char.add("c", who.astype(str))),
            pa.array(np.char.add("cookie-", cookie.astype(str))),
        ],
        schema=SHOP,
    )


def compare(chosen: argparse.Namespace, folder: Path) -> None:
    made = simulate(folder / "shop", profiles=chosen.profiles, days=chosen.days, anonymous=chosen.anonymous)
    lake = Lake(str(folder / "lake"))
    ingest(lake, "shop", list(made.event_files), now=dt.datetime.now(dt.UTC))
    with DuckDB() as engine:
        rows = engine.read(lake.files("datasets/shop/events"))
        unknown = engine.table(rows.aggregate(share=rows["identityMap.CRMID"].isnull().mean()))["share"][0].as_py()
        print(f"{unknown:.0%} of {lake.rows('datasets/shop/events'):,} events have no login")
        as_of = next_midnight(newest_event(engine, lake, ("shop",)))
        for stitch in (False, True):
            began = time.perf_counter()
            inputs = Inputs(make_instance({**ASKED, "stitch": stitch}), as_of, 1, {})
            for stage in STAGES:
                run_stage(stage, inputs, engine=engine, lake=lake, folder=folder / str(stitch))
            found = insights_of(folder / str(stitch))
            auc = found["metrics"]["auc"]
            print(
                f"{'stitched' if stitch else 'not stitched'}: AUC {auc['value']:.4f} [{auc['low']:.4f}, "
                f"{auc['high']:.4f}], {found['counts']['scored']:,} scored, {time.perf_counter() - began:.0f} s",
                flush=True,
            )


ASKED = {
    "name": "Buy",
    "propensity_type": "conversion",
    "datasets": ["shop"],
    "namespace": "CRMID",
    "goal": {
        "events": [{"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}],
        "window_days": 30,
    },
}


if __name__ == "__main__":
    main()
