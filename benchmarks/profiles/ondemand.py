"""Scores on demand at size: `python benchmarks/profiles/ondemand.py` compares them with a run and times them.

Makes the home of `lookup.py`, runs an instance on it, and asks for the score of random people: each must be the one
that the run gave. Times them, then again after a small batch of new events arrived in a file that no shelf covers. What
is made stays in the folder, step by step, so a program that was cut off goes on.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from lookup import ME, SHOP, event_batches, fill_events, fill_people, in_steps, shelve, told

from likelier.datasets import list_datasets
from likelier.instance import make_instance
from likelier.runs.records import State
from likelier.service.instances import save_instance
from likelier.service.ondemand import score_now
from likelier.service.profiles import find_profile
from likelier.service.runs import start_run
from likelier.service.work import carry_on_here
from likelier.service.workspace import Workspace, open_workspace
from likelier.settings import read_settings

PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
ASKED = {
    "name": "Buy",
    "propensity_type": "conversion",
    "datasets": ["shop", "people"],
    "namespace": "CRMID",
    "goal": {"events": [PURCHASE], "window_days": 14},
    "profile_attributes": [{"name": "Tier", "field": "tier"}, {"name": "Age", "field": "age"}],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=30, help="of each person")
    parser.add_argument("--batches", type=int, default=5, help="in which they came")
    parser.add_argument("--people", type=int, default=1000, help="to score")
    chosen = parser.parse_args()
    settings = read_settings({}, home=chosen.folder / "home", minimum_auc=0.0)  # these people buy at random
    with open_workspace(settings) as workspace:
        in_steps(chosen.folder, steps(workspace, chosen))
        people = np.random.default_rng(4).integers(0, chosen.profiles, chosen.people)
        time_them(workspace, "all of it published", people)
        few = argparse.Namespace(profiles=2000, events=1, batches=1)
        reader = pa.RecordBatchReader.from_batches(SHOP, event_batches(np.random.default_rng(9), few, 99))
        workspace.lake.append("datasets/shop/events", reader, batch="new")
        time_them(workspace, "with a new file of 2,000 events", range(0, 2000, 20))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def steps(workspace: Workspace, chosen: argparse.Namespace) -> Iterator[tuple[str, Callable[[], None]]]:
    """What the home is made of, piece by piece."""
    for number in range(chosen.batches):
        yield f"events-{number}", partial(fill_events, workspace, chosen, number)
    yield "people", partial(fill_people, workspace, chosen)
    for dataset in list_datasets(workspace.lake):
        yield f"shelf-{dataset.name}", partial(shelve, workspace, dataset)
    yield "run", partial(run, workspace)
    yield "compare", partial(compare, workspace, chosen)


def run(workspace: Workspace) -> None:
    instance = save_instance(workspace, ME, make_instance(ASKED))
    done = carry_on_here(workspace, start_run(workspace, ME, instance, as_of=None, seed=None))
    assert done.state is State.SUCCESS, done.error
    print(f"{done.scored:,} scored; seconds of each stage {done.timings}", flush=True)


def compare(workspace: Workspace, chosen: argparse.Namespace) -> None:
    same = near = scored = 0
    for number in np.random.default_rng(3).integers(0, chosen.profiles, chosen.people):
        who = f"c{number:08}"
        published = find_profile(workspace, "CRMID", who)["scores"]
        fresh = score_now(workspace, "CRMID", who, "Buy")["score"]
        assert (fresh is not None) == bool(published), who
        if published:
            scored += 1
            same += fresh == published[0]
            near = max(near, abs(fresh["probability"] - published[0]["probability"]))
    print(f"{scored:,} of {chosen.people:,} people have a score, {same:,} the very same; largest difference {near:g}")


def time_them(workspace: Workspace, what: str, people) -> None:
    spent, busy = [], time.process_time()
    for number in people:
        began = time.perf_counter()
        score_now(workspace, "CRMID", f"c{number:08}", "Buy")
        spent.append(time.perf_counter() - began)
    told(what, spent)
    print(f"processor {1e3 * (time.process_time() - busy) / len(spent):.1f} ms each")


if __name__ == "__main__":
    main()
