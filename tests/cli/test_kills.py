"""SIGKILL at random moments of `likelier run`: what it publishes in the end is what an undisturbed run publishes."""

import multiprocessing
import os
import random
import shutil
import sys
import time
from pathlib import Path

import pytest

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["likelier.cli", "likelier.service.work", "likelier.service.instances"])
KILLS = 4


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_in_the_same_scores(shop, tmp_path):
    sys.path.insert(0, str(Path(__file__).parent))
    from victims import command  # noqa: PLC0415 - importable by name in the processes to be killed

    shutil.copytree(shop.home, tmp_path / "home")
    killed = type(shop)(tmp_path / "home")
    before = killed("runs", "Buy again", "--json").json
    moments, seconds = random.Random(7), 3.0
    for _ in range(KILLS):
        words = ["run", str(killed.home / "buy.yaml")]
        process = processes.Process(target=command, args=(killed.home, words, dict(os.environ)))
        began = time.monotonic()
        process.start()
        process.join(moments.uniform(0.1, seconds))
        process.kill()
        process.join()
        if process.exitcode == 0:
            seconds = max(0.5, time.monotonic() - began)
    assert killed("run", killed.home / "buy.yaml").code == 0
    after = killed("runs", "Buy again", "--json").json
    assert len(after) > len(before)
    assert {run["state"] for run in after} == {"success"}
    exports = set()
    for number, run in enumerate(after):
        killed("scores", "Buy again", "--run", run["id"], "-o", tmp_path / f"{number}.parquet")
        exports.add((tmp_path / f"{number}.parquet").read_bytes())
    assert len(exports) == 1
