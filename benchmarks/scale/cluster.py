"""One run on one machine and on a Spark cluster whose workers are killed: are the scores the same?

python benchmarks/scale/cluster.py --lake LAKE --instance FILE --as-of DATE --folder DIR [--kill read score] [--part N]

Starts a standalone master and two workers (each a process with one core and an executor of its own), does the run on
DuckDB and on them, each in a process of its own, and holds every score, reason and base against the other's. With
`--kill`, a worker and its executor get SIGKILL as soon as the first part of that stage shows, and another worker
comes in its place, as a supervisor would have it. What was done is kept in DIR: a program cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyspark

from likelier.backend import DuckDB, Engine
from likelier.datasets import open_dataset
from likelier.instance import load_instance
from likelier.lake import Lake
from likelier.pipeline import STAGES, Inputs, run_stage, scores_file, scoring

PROGRAM = Path(pyspark.__file__).parent / "bin" / "spark-class"
HOST = "127.0.0.1"
PARTS = {"read": "*", "score": "*.arrow"}  # begun, and done
LOOK = 0.05


class Cluster:
    """A standalone master and workers, processes of this machine that talk to nobody else."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.workers: list[subprocess.Popen] = []
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.master = f"spark://{HOST}:{free.getsockname()[1]}"
        host, port = self.master.removeprefix("spark://").split(":")
        self._master = self._start("master.Master", "--port", port)
        wait_until(lambda: answers(host, int(port)))

    def add_worker(self) -> None:
        number = len(self.workers)
        work = ("--work-dir", str(self.folder / f"worker{number}"), self.master)
        self.workers.append(self._start("worker.Worker", "--cores", "1", "--memory", "2g", *work))

    def kill(self, worker: int) -> None:
        """Take a worker away with its executor, as a machine that goes down does."""
        os.killpg(self.workers[worker].pid, signal.SIGKILL)
        self.workers[worker].wait()

    def close(self) -> None:
        for number in (number for number, worker in enumerate(self.workers) if worker.poll() is None):
            self.kill(number)
        os.killpg(self._master.pid, signal.SIGKILL)

    def _start(self, name: str, *arguments: str) -> subprocess.Popen:
        environment = {"SPARK_LOCAL_DIRS": str(self.folder), "SPARK_LOCAL_IP": HOST, **os.environ}
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                [PROGRAM, f"org.apache.spark.deploy.{name}", "--host", HOST, "--webui-port", "0", *arguments],
                env={"PYSPARK_PYTHON": sys.executable, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port)):
        return True
    return False


def wait_until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(LOOK)


def do_run(chosen: argparse.Namespace, engine: Engine, folder: Path) -> None:
    """Do all stages in a folder and print what each took."""
    lake, instance = Lake(str(chosen.lake)), load_instance(chosen.instance)
    as_of = dt.datetime.fromisoformat(chosen.as_of).replace(tzinfo=dt.UTC)
    inputs = Inputs(instance, as_of, 7, {name: open_dataset(lake, name).version for name in instance.datasets})
    scoring.BATCH = chosen.part
    folder.mkdir(parents=True, exist_ok=True)
    for stage in STAGES:
        began = time.perf_counter()
        said = run_stage(stage, inputs, engine=engine, lake=lake, folder=folder)
        rows = said.get({"read": "events", "score": "scored"}.get(stage, ""), "")
        spent = f"{time.perf_counter() - began:8.1f} s{time.process_time():10.1f} CPU s in this process so far"
        print(f"{folder.name:8}{stage:10}{rows:>12}{spent}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{folder.name:8}{peak:.2f} GiB at most in the driver, load {os.getloadavg()[0]:.1f}", flush=True)


@contextlib.contextmanager
def engine_named(name: str) -> Iterator[Engine]:
    if name == "duckdb":
        with DuckDB("1500MB") as engine:
            yield engine
    else:
        from likelier.spark.engine import Spark  # noqa: PLC0415 - the other run needs no Spark

        with Spark(name) as engine:
            yield engine


def begun(folder: Path, stage: str) -> bool:
    """Say whether a stage is under way, on the workers."""
    return any((folder / f".{stage}" / "parts").glob(PARTS[stage]))


def on_cluster(chosen: argparse.Namespace, folder: Path) -> None:
    cluster = Cluster(chosen.folder / "cluster")
    cluster.add_worker()
    cluster.add_worker()
    run = subprocess.Popen([sys.executable, *sys.argv, "--engine", cluster.master])
    try:
        for number, stage in enumerate(chosen.kill):
            wait_until(lambda stage=stage: begun(folder, stage) or run.poll() is not None)
            if run.poll() is None:
                cluster.kill(number)
                print(f"        {stage}: killed a worker", flush=True)
                cluster.add_worker()
        if run.wait():
            sys.exit("The run on the cluster failed.")
    finally:
        run.kill()
        cluster.close()


def compare(mine: Path, other: Path) -> None:
    """Print how far apart the scores of two runs are at most; differences beyond 1e-6 end in an error."""
    one, two = (pq.read_table(scores_file(folder)) for folder in (mine, other))
    assert one["id"].equals(two["id"]), "other people were scored"
    far = {name: apart(one[name], two[name]) for name in ("score", "probability", "base_log_odds")}
    reasons = [pc.list_flatten(table["factors"]).combine_chunks() for table in (one, two)]
    assert reasons[0].field("code").equals(reasons[1].field("code")), "other reasons were given"
    far["contribution"] = apart(*(each.field("contribution") for each in reasons))
    print(
        f"{len(one):,} scores, {len(reasons[0]):,} reasons; at most apart: {json.dumps(far)}; equal: {one.equals(two)}"
    )
    if max(far.values()) > 1e-6:
        sys.exit("The scores differ.")


def apart(one: pa.ChunkedArray | pa.Array, two: pa.ChunkedArray | pa.Array) -> float:
    return float(np.max(np.abs(one.to_numpy() - two.to_numpy())))


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Cut off."))  # and take the cluster along
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--instance", type=Path, required=True)
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where to work")
    parser.add_argument("--kill", nargs="*", choices=PARTS, default=[], help="stages in which a worker is killed")
    parser.add_argument("--part", type=int, default=scoring.BATCH, help="profiles that are scored as one task")
    parser.add_argument("--engine", help="do one run only: duckdb, or a master's URL")
    chosen = parser.parse_args()
    alone, together = chosen.folder / "duckdb", chosen.folder / "spark"
    if chosen.engine:
        with engine_named(chosen.engine) as engine:
            do_run(chosen, engine, alone if chosen.engine == "duckdb" else together)
        return
    subprocess.run([sys.executable, *sys.argv, "--engine", "duckdb"], check=True)
    on_cluster(chosen, together)
    compare(alone, together)


if __name__ == "__main__":
    main()
