"""How long the pages take on a home of a million: `python benchmarks/service/pages.py --folder DIR` prints seconds.

Makes a home as `profiles/lookup.py` does: people with events, attributes, and scores of two instances with the insights
of a real run on a small shop; then a segment of a quarter of them. What is made stays in the folder, step by step, so a
program that was cut off goes on.

Then opens every page and tab, first one after the other, then as several people do who each open one every few seconds.
A page counts from the request until the last of its places is filled: what is drawn later is waited for. It is the
server's time, in its own process, without network and browser. At last a question is changed and counted, as is done
beside the builder of goals.
"""

import argparse
import asyncio
import contextvars
import json
import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import httpx
import pyarrow.parquet as pq
from fastapi import FastAPI
from nicegui import background_tasks

sys.path.insert(0, str(Path(__file__).parents[1] / "profiles"))
from lookup import AS_OF, LIKELY, ME, begun, fill_events, fill_people, in_steps, score_rows, shelve
from served import quantiles

from likelier import scores
from likelier.datasets import list_datasets
from likelier.instance import make_instance
from likelier.profiles.published import publish_scores
from likelier.runs.execute import append_scores
from likelier.service.demo import demo_instances, fill_shop, run_demo
from likelier.service.instances import whole_instance
from likelier.service.reports import insights_of
from likelier.service.segments import Wanted, create_segment
from likelier.service.work import check_instance
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings
from likelier.store import instances as stored
from likelier.store.runs import Ledger
from likelier.ui.mount import mount
from likelier.ui.pages.create import LOOKED_AT as LOOKED_AT_EVENTS

INSTANCES = 2
INSIGHTS = "insights.json"
SEGMENT = "Likely to buy"
LOOKED_AT = 3.0
"""Seconds that a person looks at a page before the next, on average."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10, help="of each person")
    parser.add_argument("--batches", type=int, default=4, help="in which they came")
    parser.add_argument("--people", type=int, default=10, help="who look at once")
    parser.add_argument("--seconds", type=int, default=60, help="for which they do")
    chosen = parser.parse_args()
    with open_workspace(read_settings({}, home=chosen.folder / "home")) as workspace:
        in_steps(chosen.folder, steps(workspace, chosen))
        asyncio.run(measured(workspace, chosen))
        count_while_writing(workspace)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def steps(workspace, chosen):
    """What the home is made of, piece by piece."""
    yield "insights", lambda: learn_insights(chosen.folder)
    for number in range(chosen.batches):
        yield f"events-{number}", lambda number=number: fill_events(workspace, chosen, number)
    yield "people", lambda: fill_people(workspace, chosen)
    for number in range(INSTANCES):
        yield f"scores-{number}", lambda number=number: make_scores(workspace, chosen, number)
    for dataset in list_datasets(workspace.lake):
        yield f"shelf-{dataset.name}", lambda dataset=dataset: shelve(workspace, dataset)
    yield "segment", lambda: create_segment(workspace, ME, SEGMENT, Wanted(instance="Buy 0", bucket="high"))
    yield "another-segment", lambda: create_segment(workspace, ME, "Likely and active", Wanted(text=LIKELY))


def make_scores(workspace, chosen, number):
    """Publish scores as a run does, with the insights of a real run."""
    run = begun(workspace, number)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as work:
        file = Path(work) / "scores.parquet"
        with pq.ParquetWriter(file, scores.SCHEMA, compression="zstd") as writer:
            for first in range(0, chosen.profiles, 50_000):
                writer.write_table(score_rows(first, min(first + 50_000, chosen.profiles), number))
        append_scores(run, file, workspace.lake)
        publish_scores(workspace.lake, run.instance_id, run.id, file)
    document = json.loads((chosen.folder / INSIGHTS).read_text()) | {"instance": asked(workspace, run)}
    ledger = Ledger(workspace.store)
    ledger.pin(run, as_of=AS_OF, data_versions={"shop": 0})
    ledger.publish(run, scored=chosen.profiles, auc=0.8, document=document, now=workspace.clock())


def learn_insights(folder):
    """Keep what a run on a small shop has learnt."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as home,
        open_workspace(read_settings({}, home=home)) as workspace,
    ):
        fill_shop(workspace, ME, profiles=3_000, seed=1, tell=lambda *_: None)
        run = run_demo(workspace, ME, demo_instances()[0], seed=1, watch=lambda *_: None)
        (folder / INSIGHTS).write_text(json.dumps(insights_of(workspace, run)))


def asked(workspace, run):
    with workspace.store.read() as connection:
        return whole_instance(connection, stored.get(connection, run.instance_id)).dump()


async def measured(workspace, chosen):
    import_module("likelier.pipeline")  # as a server does beside its first requests
    app = FastAPI()
    mount(app, workspace, begin=lambda _: None)
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://here") as site:
        pages = pages_of(workspace, chosen)
        print("page, first ms (processor) / then ms (processor)")
        for name, addresses in pages.items():
            first = await timed(site, addresses[:1])
            again = await timed(site, (addresses[1:] or addresses * 3)[:9])
            print("{:28} {:6.0f} ({:.0f}) {:6.0f} ({:.0f})".format(name, *first, *again), flush=True)
        waits = defaultdict(list)
        until = time.perf_counter() + chosen.seconds
        await asyncio.gather(*(look_around(site, pages, waits, until, random.Random(n)) for n in range(chosen.people)))
    everything = sorted(each for spent in waits.values() for each in spent)
    print(f"{chosen.people} people at once, {len(everything)} pages, p50 / p95 / most ms")
    for name, spent in [*waits.items(), ("all", everything)]:
        print(
            "{:28} {:6.0f} {:6.0f} {:6.0f}".format(name, *(1e3 * each for each in (*quantiles(spent)[:2], max(spent))))
        )


def count_while_writing(workspace):
    """Have counted what a run would find, for one question after the other, as beside the builder of goals."""
    workspace.readings.forget()
    goal = [{"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}]
    print("counts beside the builder, ms (processor)")
    for days in (30, 14, 7, 60):
        question = {"name": "Buy", "propensity_type": "conversion", "datasets": ["shop"], "namespace": "CRMID"}
        instance = make_instance(question | {"goal": {"window_days": days, "events": goal}}, "the question")
        began, busy = time.perf_counter(), time.process_time()
        found = check_instance(workspace, instance, None, most_events=LOOKED_AT_EVENTS)
        spent = 1e3 * (time.perf_counter() - began), 1e3 * (time.process_time() - busy)
        print("{:3} days, {:.1%} of the people {:9.0f} ({:.0f})".format(days, found["sampled"], *spent), flush=True)


def pages_of(workspace, chosen):
    """The addresses of each page; several where each opens another."""
    with workspace.store.read() as connection:
        one = stored.get(connection, "Buy 0").id
    someone = [f"/profiles?namespace=CRMID&id=c{number:08}" for number in range(7, chosen.profiles, 99_991)]
    tabs = {
        "insights": "scores",
        "model evaluation": "evaluation",
        "run history": "runs",
        "performance": "performance",
    }
    return {
        "instances": ["/"],
        **{name: [f"/instances/{one}?tab={tab}"] for name, tab in tabs.items()},
        "new instance": ["/instances/new"],
        "edit": [f"/instances/new?edit={one}"],
        "datasets": ["/datasets"],
        "dataset of events": ["/datasets/shop"],
        "dataset of attributes": ["/datasets/people"],
        "profiles": ["/profiles"],
        "a profile": someone,
        "segments": ["/segments"],
        "a segment": [f"/segments?name={SEGMENT}"],
        "audit": ["/audit"],
    }


async def timed(site, addresses):
    """Open pages one after the other; the middle one's milliseconds, and those of the processor for each."""
    busy = time.process_time()
    spent = [await opened(site, address) for address in addresses]
    return 1e3 * quantiles(spent)[0], 1e3 * (time.process_time() - busy) / len(spent)


async def opened(site, address):
    """Open a page, and wait until all its places are filled; the seconds it took."""
    began, mine = time.perf_counter(), []
    token = PLACES.set(mine)
    try:
        answer = await site.get(address)
        answer.raise_for_status()
        assert "Server error" not in answer.text, address
        if mine:
            await asyncio.gather(*mine)
        return time.perf_counter() - began
    finally:
        PLACES.reset(token)


async def look_around(site, pages, waits, until, chance):
    """Be somebody who opens a page, looks at it, and opens another."""
    await asyncio.sleep(chance.uniform(0, LOOKED_AT))
    while time.perf_counter() < until:
        name = chance.choice(list(pages))
        waits[name].append(await opened(site, chance.choice(pages[name])))
        await asyncio.sleep(chance.uniform(0, 2 * LOOKED_AT))


PLACES = contextvars.ContextVar("places", default=None)
"""What fills the places of the page that is being opened."""


def remembering(create):
    def create_and_remember(*words, **more):
        task = create(*words, **more)
        if PLACES.get() is not None and more.get("name") == "later":
            PLACES.get().append(task)
        return task

    return create_and_remember


background_tasks.create = remembering(background_tasks.create)


if __name__ == "__main__":
    main()
