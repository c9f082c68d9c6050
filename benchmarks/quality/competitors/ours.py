"""Ours as anybody runs it: the public pipeline, default settings. `ours.py FOLDER ANSWERS LAKE SCRATCH`."""

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from likelier.backend import DuckDB
from likelier.instance.reading import make_instance
from likelier.lake import Lake
from likelier.pipeline import Inputs, run_stage, scores_file

SEED = 1


def main() -> None:
    folder, answers, lake, scratch = Path(sys.argv[1]), Path(sys.argv[2]), Lake(sys.argv[3]), Path(sys.argv[4])
    task = json.loads((folder / "task.json").read_text())
    instance = make_instance(json.loads((folder / "instance.json").read_text()))
    versions = {
        name: lake.version(f"datasets/{name}/{kind}")
        for name in instance.datasets
        for kind in ("events", "profiles")
        if lake.exists(f"datasets/{name}/{kind}")
    }
    parts = []
    for judge in map(datetime.fromisoformat, task["judges"]):
        shutil.rmtree(scratch, ignore_errors=True)
        inputs = Inputs(instance, judge.replace(tzinfo=UTC), SEED, versions)
        with DuckDB() as engine:
            for stage in ("read", "check", "train", "score"):
                run_stage(stage, inputs, engine=engine, lake=lake, folder=scratch)
        scored = pq.read_table(scores_file(scratch), columns=["id", "probability"]).rename_columns(
            ["customer_id", "probability"]
        )
        parts.append(scored.append_column("cut_off", pa.array([judge] * len(scored), pa.timestamp("us"))))
    shutil.rmtree(scratch, ignore_errors=True)
    pq.write_table(pa.concat_tables(parts), answers)


if __name__ == "__main__":
    main()
