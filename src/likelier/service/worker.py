"""The part of a server that works by itself: queues what schedules ask for, and has queued runs carried on.

Each run has a process of its own, so that answering requests and learning do not wait for each other. It ends when
the server does, whatever ends that; the run is then free for the next process at once.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

from likelier.access.identity import SCHEDULER
from likelier.errors import LikelierError
from likelier.runs.owners import is_gone
from likelier.runs.records import Run, State
from likelier.service.runs import claim, queue_run
from likelier.service.workspace import Workspace, open_workspace
from likelier.settings import PREFIX, ROWS, Settings, read_settings
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store import schedules

LOOK_SECONDS = 1.0
log = logging.getLogger(__name__)


def queue_due(workspace: Workspace) -> list[Run]:
    """Queue a run of each instance whose schedule fell due, however often it did meanwhile."""
    now = workspace.clock()
    queued = []
    with workspace.store.write() as connection:
        for found in schedules.due(connection, now):
            if not schedules.advance(connection, found, next_at=found.schedule.next_after(now)):
                continue
            instance = stored.find(connection, found.instance_id)
            if instance and (run := queue_run(connection, workspace, SCHEDULER, instance)):
                queued.append(run)
    return queued


class Worker:
    """Looks every second for what is to be done; one run at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._over = workspace, threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop; a run under way is left for the next server, at the stage it has reached."""
        self._over.set()
        self._thread.join()
        if self._process:
            self._process.kill()
            self._process.wait()

    def _work(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                queue_due(self._workspace)
                self._begin_next()
            except LikelierError as error:
                log.warning("Looking for work failed, and is tried again: %s", error)

    def _begin_next(self) -> None:
        if self._process and self._process.poll() is None:
            return
        with self._workspace.store.read() as connection:
            free = [run for run in records.waiting(connection) if self._is_free(run)]
        if free:
            words = [sys.executable, "-m", "likelier.service.worker", free[0].id]
            environment = _environment(self._workspace.settings)
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, env=environment)  # noqa: S603 - our own words

    def _is_free(self, run: Run) -> bool:
        if run.state == State.QUEUED or run.lease is None:
            return True
        return is_gone(run.lease.owner) or run.lease.until < self._workspace.clock()


def _environment(settings: Settings) -> dict[str, str]:
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    named = {row.variable: str(getattr(settings, row.name)) for row in ROWS}
    others = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    return {**others, **named, "PYTHONPATH": paths}


def work(run_id: str) -> None:
    """Be the process of one run."""
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    from likelier.service.work import work_on  # noqa: PLC0415 - the server itself needs no model libraries

    with open_workspace(read_settings()) as workspace:
        with workspace.store.read() as connection:
            run = records.find(connection, run_id)
        if run and (claimed := claim(workspace, run)):
            work_on(workspace, claimed)


def _end_with_the_server() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    work(sys.argv[1])
