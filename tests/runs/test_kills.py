"""SIGKILL at every step of a run: the next process goes on, and the outcome is that of an undisturbed run."""

import multiprocessing

import pytest
from workshop import found, prepare, scores, victim

from likelier.runs.records import State
from likelier.store import runs

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["likelier.instance", "likelier.runs.execute", "likelier.store.runs", "alembic"])


def live(*args) -> int:
    process = processes.Process(target=victim, args=args)
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.slow
def test_a_run_killed_at_every_step_is_published_once_and_whole(store, database, tmp_path):
    for moment in range(1, 100):
        home, run_id = tmp_path / str(moment), f"r{moment}"
        prepare(store, home, run_id)
        if live(database, home, "first", None, moment, run_id) == 0:
            break
        if found(store, run_id).state.active:
            victim(database, home, "second", "here/1/1/first", -1, run_id)
        last = found(store, run_id)
        assert (last.state, last.scored) == (State.SUCCESS, 3)
        assert scores(home) == [(run_id, f"p{number}-7") for number in range(3)]
    # before and after: settling what it runs on, five stages and their records, the append, the publication
    assert moment - 1 == 2 * (1 + 5 + 5 + 1 + 1)
    with store.read() as connection:
        assert runs.active(connection, "buy") is None
