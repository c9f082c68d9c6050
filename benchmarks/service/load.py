"""Mixed reads at a steady rate while runs go on: how long an answer takes.

    python benchmarks/service/load.py --seconds 60 --rate 200

Requests are sent when they are due, whether or not the ones before were answered, and an answer's time counts from
then. Profiles are asked of different people; everything else is what a person or a program looks at again and again.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx
from served import Served, quantiles, runs_going_on

MOST_AT_ONCE = 500


def paths_in(served, chance):
    """What there is to read, with how often it is."""
    with httpx.Client(base_url=served.url + "/api/v1", headers=served.headers, timeout=120) as client:
        instance = next(each for each in client.get("/instances").json()["items"] if each["published_run"])
        made = {"name": f"Likely {time.time()}", "instance": instance["name"], "bucket": "high"}
        segment = client.post("/segments", json=made).json()["id"]
        members = client.get(f"/segments/{segment}/members", params={"limit": 1000}).json()["items"]
        here, run = f"/instances/{instance['id']}", instance["published_run"]["id"]
        people = [f"/profiles/{each['namespace']}/{each['id']}" for each in members]
        kinds = {
            "instances": (3, ["/instances"]),
            "instance": (3, [here]),
            "runs": (2, [here + "/runs"]),
            "run": (3, [f"/runs/{run}"]),
            "insights": (2, [here + "/insights"]),
            "datasets": (1, ["/datasets"]),
            "dataset": (1, ["/datasets/shop"]),
            "segments": (1, ["/segments"]),
            "segment": (1, [f"/segments/{segment}"]),
            "members": (1, [f"/segments/{segment}/members"]),
            "profile": (2, people),
            "audit": (1, ["/audit"]),
        }
        for _, paths in kinds.values():
            client.get(chance.choice(paths)).raise_for_status()
    return kinds


async def ask(served, chosen, kinds, chance):
    """Send at the rate that was chosen; give how long each kind took, and what was refused."""
    names = [name for name, (weight, _) in kinds.items() for _ in range(weight)]
    waits, refused, pending = defaultdict(list), [], set()
    limits = httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE)
    options = {"base_url": served.url + "/api/v1", "headers": served.headers, "timeout": 60, "limits": limits}
    async with httpx.AsyncClient(**options) as client:

        async def one(name, path, due):
            try:
                answer = await client.get(path)
                if not answer.is_success:
                    refused.append(f"{answer.status_code} {path}")
            except httpx.TransportError as error:
                refused.append(f"{type(error).__name__} {path}")
            waits[name].append(time.monotonic() - due)

        began = time.monotonic()
        for number in range(chosen.rate * chosen.seconds):
            due = began + number / chosen.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            name = chance.choice(names)
            task = asyncio.create_task(one(name, chance.choice(kinds[name][1]), due))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        return waits, refused, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=200, help="requests a second")
    parser.add_argument("--profiles", type=int, default=20_000)
    parser.add_argument("--home", type=Path, help="a home with a demo in it; default: one is made")
    parser.add_argument("--alone", action="store_true", help="without runs beside")
    chosen = parser.parse_args()
    chance = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="likelier-bench-") as folder:
        served = Served(chosen.home or Path(folder))
        if not chosen.home:
            served.say("demo", "--profiles", chosen.profiles)
        served.start()
        kinds = paths_in(served, chance)
        spent = served.seconds()
        if chosen.alone:
            ended, (waits, refused, seconds) = "none wanted", asyncio.run(ask(served, chosen, kinds, chance))
        else:
            with runs_going_on(served) as ended:
                time.sleep(5)  # until one is under way
                waits, refused, seconds = asyncio.run(ask(served, chosen, kinds, chance))
        spent, memory = served.seconds() - spent, served.memory()
        served.stop()
    asked = sum(map(len, waits.values()))
    print(
        f"{asked} reads in {seconds:.0f} s: {asked / seconds:.0f}/s; runs that ended: {ended}; refused: {refused[:5]}"
    )
    print(f"{1000 * spent / asked:.1f} ms of the server's processor each; server at most {memory / 2**20:,.0f} MB")
    told = {"all": [wait for each in waits.values() for wait in each], **waits}
    for name, found in told.items():
        print(
            f"{name:10} p50 {{:6.0f}}  p95 {{:6.0f}}  p99 {{:6.0f}} ms".format(
                *(1000 * one for one in quantiles(found))
            )
        )


if __name__ == "__main__":
    main()
