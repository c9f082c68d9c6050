"""What a server does by itself beside starting runs: it tidies, and hands over what it leaves."""

import subprocess
import sys

import pyarrow as pa

from likelier.readings import named
from likelier.runs.owners import this_process
from likelier.runs.records import State
from likelier.service.instances import create_instance
from likelier.service.worker import OWNER, SCRATCH, release_orphans, tidy, tidy_readings
from likelier.store import runs
from likelier.store.runs import Ledger

ONE_THAT_IS_GONE = "/".join([*this_process("x").rsplit("/", 3)[:1], "1", "started long ago", "x"])


def claimed(workspace, ann, make, owner):
    _, run = create_instance(workspace, ann, make())
    return Ledger(workspace.store).claim(run.id, owner, now=workspace.clock(), until=workspace.clock())


def state(workspace, run):
    with workspace.store.read() as connection:
        return runs.find(connection, run.id).state


def test_folders_of_runs_that_are_over_and_of_processes_that_are_gone_are_removed(workspace, ann, make):
    _, run = create_instance(workspace, ann, make())
    folder = workspace.settings.runs
    for name in (run.id, "over"):
        (folder / name / "train").mkdir(parents=True)
    for name, owner in (("gone", ONE_THAT_IS_GONE), ("after its run", this_process("x"))):
        (folder / (name + SCRATCH)).mkdir()
        (folder / (name + SCRATCH) / OWNER).write_text(owner)
    (folder / ("just made" + SCRATCH)).mkdir()
    (folder / "over.error.txt").write_text("what went wrong is kept")
    tidy(workspace)
    left = {run.id, "after its run" + SCRATCH, "just made" + SCRATCH, "over.error.txt"}
    assert {path.name for path in folder.iterdir()} == left


def test_what_was_read_of_rows_that_are_gone_is_removed(workspace):
    lake, kept = workspace.lake, workspace.readings
    rows = pa.table({"_id": ["a", "b"]})
    lake.append("datasets/shop/events", rows.to_reader(), batch="first")

    def read(_, out):
        out.mkdir(parents=True)
        (out / "found").write_text("c17")

    files = frozenset(map(named, lake.files("datasets/shop/events")))
    kept.of("look", files, read, None, workspace.settings.home / "work")
    tidy_readings(workspace)
    assert kept.bytes
    lake.delete("datasets/shop/events", "_id = 'a'")
    tidy_readings(workspace)
    assert not kept.bytes


def test_a_run_whose_process_is_gone_goes_back_into_the_queue(workspace, ann, make):
    run = claimed(workspace, ann, make, ONE_THAT_IS_GONE)
    assert state(workspace, run) == State.RUNNING
    release_orphans(workspace)
    assert state(workspace, run) == State.QUEUED


def test_a_run_whose_process_lives_or_may_live_elsewhere_is_left_alone(workspace, ann, make):
    for number, owner in enumerate((this_process("x"), "another machine/1/2/x")):
        run = claimed(workspace, ann, lambda number=number: make(name=f"Buy {number}"), owner)
        release_orphans(workspace)
        assert state(workspace, run) == State.RUNNING


def test_a_server_and_its_pages_load_no_model_libraries():
    """They take seconds to load: a server begins without, and loads them beside its first requests."""
    asked = (
        "import sys, likelier.api.frame, likelier.ui; print({'lightgbm', 'sklearn', 'scipy', 'numba'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
