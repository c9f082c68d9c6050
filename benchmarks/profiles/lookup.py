"""Publishing, segments and look-ups at size: `python benchmarks/profiles/lookup.py` prints seconds and milliseconds.

Makes a home of so many people, each with events of a shop, an attribute row, and scores with eleven factors of several
instances; publishes them as a run does; counts a segment of them by score, factor and events; then looks random people
up at a steady rate, each look-up begun when it is due and timed from then, so that waiting counts.
"""

import argparse
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from likelier import scores
from likelier.access.identity import Actor
from likelier.datasets import Dataset, list_datasets, publish_rows
from likelier.explanations.factors import FACTOR_TYPE
from likelier.instance import make_instance
from likelier.profiles.published import publish_scores
from likelier.runs.execute import append_scores
from likelier.runs.records import Run, State
from likelier.service.instances import save_instance
from likelier.service.profiles import find_profile
from likelier.service.runs import claim
from likelier.service.segments import Wanted, estimate_segment
from likelier.service.workspace import Workspace, open_workspace
from likelier.settings import read_settings
from likelier.store.runs import Ledger, queue

START = np.datetime64("2024-01-01", "us")
AS_OF = dt.datetime(2024, 7, 1, tzinfo=dt.UTC)
ME = Actor("benchmark")
FACTORS = 11
LIKELY = (
    'score of "Buy 0" >= 50 and factor "Count of event 7 in 30 days" of "Buy 0" raises and value > 20 '
    "and did (commerce.purchases.value exists) in the last 60 days"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--instances", type=int, default=5)
    parser.add_argument("--events", type=int, default=10, help="of each person")
    parser.add_argument("--batches", type=int, default=4, help="in which they came")
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as work:
        settings = read_settings({}, home=Path(work) / "home")
        with open_workspace(settings) as workspace:
            fill(workspace, chosen)
            publish(workspace, chosen, Path(work))
            segment(workspace)
            look_up(workspace, chosen)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def fill(workspace: Workspace, chosen: argparse.Namespace) -> None:
    for number in range(chosen.batches):
        fill_events(workspace, chosen, number)
    fill_people(workspace, chosen)


def fill_events(workspace: Workspace, chosen: argparse.Namespace, number: int) -> None:
    rng = np.random.default_rng([1, number])
    batch = pa.RecordBatchReader.from_batches(SHOP, event_batches(rng, chosen, number))
    workspace.lake.append("datasets/shop/events", batch, batch=str(number))


def fill_people(workspace: Workspace, chosen: argparse.Namespace) -> None:
    rng, everybody = np.random.default_rng(1), np.arange(chosen.profiles)
    people = pa.table(
        {
            "_id": ids(everybody, "a"),
            "timestamp": pa.array(np.repeat(START, chosen.profiles)).cast(pa.timestamp("us", "UTC")),
            "identityMap.CRMID": ids(everybody),
            "tier": pa.array(rng.choice(["gold", "silver", "none"], chosen.profiles)),
            "age": pa.array(rng.integers(18, 90, chosen.profiles).astype(float)),
        }
    )
    workspace.lake.append("datasets/people/profiles", people.to_reader(), batch="people")


def shelve(workspace: Workspace, dataset: Dataset) -> None:
    """Publish the rows of a dataset, as is done after a run."""
    with workspace.engine() as engine:
        publish_rows(engine, workspace.lake, dataset)


def in_steps(folder: Path, steps: Iterable[tuple[str, Callable[[], Any]]]) -> None:
    """Do what has not been done in a folder yet, so that a program that was cut off goes on."""
    for name, step in steps:
        mark = folder / f"{name}.done"
        if not mark.exists():
            began, busy = time.perf_counter(), time.process_time()
            step()
            mark.touch()
            spent = time.perf_counter() - began, time.process_time() - busy
            print("{}: {:.0f} s (processor {:.0f})".format(name, *spent), flush=True)


SHOP = pa.schema(
    [
        pa.field("_id", pa.string()),
        pa.field("timestamp", pa.timestamp("us", "UTC")),
        *(pa.field(f"identityMap.{name}", pa.string()) for name in ("CRMID", "ECID")),
        *(pa.field(name, pa.string()) for name in ("eventType", "web.webPageDetails.name", "search.keywords")),
        *(pa.field(name, pa.float64()) for name in ("commerce.purchases.value", "commerce.order.priceTotal")),
        pa.field("productListItems.SKU", pa.list_(pa.string())),
    ]
)


def event_batches(rng: np.random.Generator, chosen: argparse.Namespace, number: int, people: int = 50_000):
    """Sorted by person and time, as ingest leaves them."""
    each = max(chosen.events // chosen.batches, 1)
    for first in range(0, chosen.profiles, people):
        who = np.repeat(np.arange(first, min(first + people, chosen.profiles)), each)
        days = np.sort(rng.integers(0, 180 * 86_400, (len(who) // each, each)), axis=1).ravel()
        buys = rng.random(len(who)) < 0.1
        amount = pa.array(np.where(buys, rng.integers(5, 90, len(who)), np.nan), from_pandas=True)
        columns = [
            pa.array([f"{number}-{first}-{k}" for k in range(len(who))]),
            pa.array(START + days.astype("timedelta64[s]")).cast(pa.timestamp("us", "UTC")),
            ids(who),
            ids(who, "cookie"),
            pa.array(np.where(buys, "commerce.purchases", "web.webpagedetails.pageViews")),
            pa.array(rng.choice(["home", "sale", "help"], len(who))),
            pa.nulls(len(who), pa.string()),
            pa.array(np.where(buys, 1.0, np.nan), from_pandas=True),
            amount,
            pa.array(rng.integers(0, 999, (len(who), 1)).astype(str).tolist(), pa.list_(pa.string())),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=SHOP)


def publish(workspace: Workspace, chosen: argparse.Namespace, folder: Path) -> None:
    spent = []
    for number in range(chosen.instances):
        run = begun(workspace, number)
        file = folder / "scores.parquet"
        with pq.ParquetWriter(file, scores.SCHEMA, compression="zstd") as writer:
            for first in range(0, chosen.profiles, 50_000):
                writer.write_table(score_rows(first, min(first + 50_000, chosen.profiles), number))
        began, busy = time.perf_counter(), time.process_time()
        append_scores(run, file, workspace.lake)
        appended, lake = time.perf_counter(), time.process_time() - busy
        publish_scores(workspace.lake, run.instance_id, run.id, file)
        spent.append(time.perf_counter() - began)
        shelf = time.process_time() - busy - lake
        ledger = Ledger(workspace.store)
        ledger.pin(run, as_of=AS_OF, data_versions={"shop": 0})
        ledger.publish(run, scored=chosen.profiles, auc=0.8, document={}, now=workspace.clock())
        parts = (appended - began, lake, spent[-1] - (appended - began), shelf)
        print(
            "an instance: lake {:.1f} s (processor {:.1f}), shelf {:.1f} s (processor {:.1f})".format(*parts),
            flush=True,
        )
    print(f"scores of {chosen.instances} instances published in {sum(spent):.1f} s")
    with workspace.engine() as engine:
        for dataset in list_datasets(workspace.lake):
            began, busy = time.perf_counter(), time.process_time()
            publish_rows(engine, workspace.lake, dataset)
            rows = workspace.lake.rows(dataset.table)
            print(
                f"{dataset.name}: {rows:,} rows under {len(dataset.namespaces)} namespaces published in "
                f"{time.perf_counter() - began:.1f} s (processor {time.process_time() - busy:.1f} s)",
                flush=True,
            )


def begun(workspace: Workspace, number: int) -> Run:
    purchase = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
    asked = {"propensity_type": "conversion", "datasets": ["shop"], "namespace": "CRMID"}
    goal = {"events": [purchase], "window_days": 30}
    instance = save_instance(workspace, ME, make_instance({"name": f"Buy {number}", "goal": goal, **asked}))
    run = Run(
        id=workspace.new_id(),
        instance_id=instance.id,
        instance=instance.name,
        version=1,
        state=State.QUEUED,
        seed=1,
        started_by=ME.name,
        queued_at=workspace.clock(),
    )
    with workspace.store.write() as connection:
        queue(connection, run)
    claimed = claim(workspace, run)
    assert claimed is not None
    return claimed


def score_rows(first: int, last: int, number: int) -> pa.Table:
    rng = np.random.default_rng([number, first])
    rows = last - first
    probability = rng.random(rows)
    names = np.array([f"Count of event {k} in 30 days" for k in range(60)], object)
    parts = [
        pa.array(names[rng.integers(0, 60, FACTORS * rows)], pa.string()),
        pa.array(rng.integers(0, 99, FACTORS * rows).astype(str)),
        pa.array(np.array(["low", "medium", "high"], object)[rng.integers(0, 3, FACTORS * rows)], pa.string()),
        pa.array(rng.normal(size=FACTORS * rows)),
    ]
    structs = pa.StructArray.from_arrays(parts, fields=list(FACTOR_TYPE))
    starts = pa.array(np.arange(0, FACTORS * rows + 1, FACTORS, dtype=np.int32))
    return scores.table(
        ids(np.arange(first, last)),
        probability,
        100 * probability,
        scores.percentiles(probability),
        pa.ListArray.from_arrays(starts, structs),
        -1.0,
        namespace="CRMID",
        propensity_type="conversion",
        score_date=AS_OF,
        windows={},
    )


def ids(numbers: np.ndarray, letter: str = "c") -> pa.Array:
    return pa.array(np.char.add(letter, np.char.zfill(numbers.astype(str), 8)), pa.string())


def segment(workspace: Workspace) -> None:
    for _ in range(3):
        began, busy = time.perf_counter(), time.process_time()
        found = estimate_segment(workspace, Wanted(text=LIKELY))
        spent = time.perf_counter() - began, time.process_time() - busy
        print("a segment of {:,}: {:.1f} s (processor {:.1f})".format(found["size"], *spent), flush=True)


def look_up(workspace: Workspace, chosen: argparse.Namespace) -> None:
    rng = np.random.default_rng(3)
    wanted = [f"c{number:08}" for number in rng.integers(0, chosen.profiles, chosen.rate * chosen.seconds)]
    began = time.perf_counter()
    find_profile(workspace, "CRMID", wanted[0])
    print(f"the first look-up takes {1e3 * (time.perf_counter() - began):.1f} ms")
    began, busy = time.perf_counter(), time.process_time()
    alone = []
    for one in wanted[:200]:
        at = time.perf_counter()
        found = find_profile(workspace, "CRMID", one)
        alone.append(time.perf_counter() - at)
        assert (len(found["scores"]), len(found["attributes"]), len(found["identities"])) == (chosen.instances, 2, 2)
    told("one after the other", alone)
    print(f"processor {1e3 * (time.process_time() - busy) / len(alone):.2f} ms a look-up")
    start = time.perf_counter() + 0.1

    def look(number: int) -> float:
        due = start + number / chosen.rate
        time.sleep(max(due - time.perf_counter(), 0))
        find_profile(workspace, "CRMID", wanted[number])
        return time.perf_counter() - due

    with ThreadPoolExecutor(chosen.threads) as pool:
        told(f"{chosen.rate} a second for {chosen.seconds} s", list(pool.map(look, range(len(wanted)))))


def told(what: str, seconds: list[float]) -> None:
    p50, p95, p99 = (1e3 * np.percentile(seconds, share) for share in (50, 95, 99))
    print(f"{what}: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
