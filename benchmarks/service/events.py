"""Events posted at a steady rate while runs go on and the server is killed: each is found exactly once.

    python benchmarks/service/events.py --seconds 300 --rate 5000 --kills 5

A request that gets no answer, or one that says to try again, is sent again until it is answered.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import duckdb
import httpx
import orjson
from served import Served, quantiles, runs_going_on

from likelier.lake import Lake

SENDERS = 64


def body(first, count, chance, people):
    """Some events of a shop, as lines."""
    lines = []
    for number in range(first, first + count):
        kind = chance.choice(("productViews", "productListAdds", "purchases"))
        lines.append(
            orjson.dumps(
                {
                    "_id": f"live-{number:010}",
                    "timestamp": f"2024-03-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:{number % 60:02}:00Z",
                    "identityMap": {"CRMID": [{"id": f"live-{chance.randrange(people)}", "primary": True}]},
                    "eventType": f"commerce.{kind}",
                    "commerce": {kind: {"value": 1}},
                    "productListItems": [{"SKU": f"s{chance.randrange(500)}", "quantity": 1, "priceTotal": 9.5}],
                }
            )
        )
    return b"\n".join(lines)


async def send(client, content, waits, again):
    """Send until it is answered."""
    began = time.monotonic()
    while True:
        try:
            answer = await client.post("/datasets/live/events", content=content)
            if answer.status_code == 200:
                waits.append(time.monotonic() - began)
                return answer.json()
            assert answer.status_code == 503, answer.text
        except httpx.TransportError:
            pass
        again.append(1)
        await asyncio.sleep(0.2)


async def stream(served, chosen, waits, again):
    """Send at the rate that was chosen; a server that cannot follow makes it late."""
    chance, room, pending = random.Random(7), asyncio.Semaphore(SENDERS), set()
    counts, latest = {"accepted": 0, "duplicate": 0, "rejected": 0}, 0.0
    limits = httpx.Limits(max_connections=SENDERS)
    async with httpx.AsyncClient(
        base_url=served.url + "/api/v1", headers=served.headers, timeout=120, limits=limits
    ) as client:

        async def one(content):
            try:
                found = await send(client, content, waits, again)
            finally:
                room.release()
            for key in counts:
                counts[key] += found[key]

        began = time.monotonic()
        for number in range(chosen.rate * chosen.seconds // chosen.size):
            due = began + number * chosen.size / chosen.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await room.acquire()
            latest = max(latest, time.monotonic() - due)
            task = asyncio.create_task(one(body(number * chosen.size, chosen.size, chance, chosen.people)))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        return counts, time.monotonic() - began, latest


async def killed_now_and_then(served, chosen, kills):
    chance = random.Random(8)
    for number in range(chosen.kills):
        every = chosen.seconds / (chosen.kills + 1)
        await asyncio.sleep(every + (chance.uniform(-0.3, 0.3) * every if number else 0))
        served.kill()
        await asyncio.to_thread(served.start)
        kills.append(time.monotonic())


async def measure(served, chosen, waits, again, kills):
    killing = asyncio.create_task(killed_now_and_then(served, chosen, kills))
    told = await stream(served, chosen, waits, again)
    await killing
    return told


def found(home):
    """How many different ids there are, how many rows, and how many files."""
    lake = Lake(str(home / "lake"))
    files = lake.files("datasets/live/events")
    asked = "SELECT count(DISTINCT _id), count(*) FROM read_parquet($1, union_by_name = true)"
    return (*duckdb.execute(asked, [files]).fetchall()[0], len(files), lake.version("datasets/live/events"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--rate", type=int, default=5000, help="events a second")
    parser.add_argument("--size", type=int, default=100, help="events of a request")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--profiles", type=int, default=20_000, help="of the shop whose runs go on; 0: none")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="likelier-bench-") as folder:
        home = Path(folder)
        served = Served(home)
        if chosen.profiles:
            served.say("demo", "--profiles", chosen.profiles)
        served.start()
        waits, again, kills = [], [], []
        with runs_going_on(served) if chosen.profiles else nullcontext("none wanted") as ended:
            counts, seconds, latest = asyncio.run(measure(served, chosen, waits, again, kills))
        memory = served.memory()
        served.stop()
        sent = chosen.rate * chosen.seconds // chosen.size * chosen.size
        different, rows, files, version = found(home)
    middle, most, nearly_all = quantiles(waits)
    print(f"sent {sent:,} events in {seconds:.0f} s: {sent / seconds:,.0f}/s, at most {latest:.1f} s late")
    print(f"answers: {counts}; sent again {len(again)} times; {len(kills)} kills; runs that ended: {ended}")
    print(f"an answer took {middle:.2f} s (p50), {most:.2f} s (p95), {nearly_all:.2f} s (p99)")
    print(
        f"{version + 1} commits, {files} files, server at most {memory / 2**20:,.0f} MB, "
        f"{served.spent:.0f} processor seconds, {1e6 * served.spent / sent:.0f} us an event"
    )
    print(f"found exactly once: {different if different == rows else 'no'} of {sent} ({rows} rows)")
    sys.exit(not different == rows == sent)


if __name__ == "__main__":
    main()
