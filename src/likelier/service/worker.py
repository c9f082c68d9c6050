"""The part of a server that works by itself: queues what schedules ask for, and has queued runs carried on.

Each run has a process of its own, so that answering requests and learning do not wait for each other. It ends when
the server does, whatever ends that; the run is then free for the next process at once.

A process that is killed leaves folders behind, and so does a run that another machine finished: a server removes those
of runs that are over.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from likelier.access.identity import SCHEDULER
from likelier.errors import LikelierError
from likelier.logs import write_lines
from likelier.runs.owners import is_gone, this_process
from likelier.runs.records import WHEN_DUE, LeaseLostError, Run, State
from likelier.service.alerts import notice_schedules, send_waiting
from likelier.service.runs import claim, queue_run
from likelier.service.workspace import Workspace, open_workspace
from likelier.settings import PREFIX, ROWS, Settings, read_settings
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store import schedules
from likelier.store.runs import Ledger

LOOK_SECONDS = 1.0
MINUTE = dt.timedelta(minutes=1)
YIELDING = 10
"""The niceness of a run's process: whoever asks the server something waits now, a run's result is for later."""
SCRATCH = ".scratch"
OWNER = "owner"
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
            if instance and (run := queue_run(connection, workspace, SCHEDULER, instance, wish=WHEN_DUE)):
                queued.append(run)
    return queued


def release_orphans(workspace: Workspace) -> None:
    """Put the runs of processes that are certainly gone back into the queue: other machines need not wait for them."""
    with workspace.store.read() as connection:
        orphans = [run for run in records.waiting(connection) if run.lease and is_gone(run.lease.owner)]
    for run in orphans:
        with suppress(LeaseLostError):
            Ledger(workspace.store).release(run)


def tidy(workspace: Workspace) -> None:
    """Remove the folders of runs that are over."""
    # Listed before the runs are read: a run is in the queue before it has a folder.
    folders = [path for path in workspace.settings.runs.glob("*") if path.is_dir()]
    if folders:
        with workspace.store.read() as connection:
            under_way = {run.id for run in records.waiting(connection)}
        for folder in folders:
            if _is_left(folder) if folder.name.endswith(SCRATCH) else folder.name not in under_way:
                shutil.rmtree(folder, ignore_errors=True)


def tidy_readings(workspace: Workspace) -> None:
    """Remove what was read of rows that the lake has no more: somebody else may have deleted them, elsewhere."""
    if workspace.settings.readings.exists():
        tables = [f"datasets/{name}/events" for name in workspace.lake.names("datasets")]
        workspace.readings.tidy(workspace.lake, [table for table in tables if workspace.lake.exists(table)])


def _is_left(scratch: Path) -> bool:
    """Whether its process is gone; one that has ended its run may still be at what comes after it."""
    try:
        return is_gone((scratch / OWNER).read_text(encoding="utf-8"))
    except OSError:  # not there yet
        return False


def _remove_deleted(workspace: Workspace) -> None:
    from likelier.service.deleted import remove_for_good  # noqa: PLC0415 - loads the engine

    remove_for_good(workspace)


def _end_deliveries(workspace: Workspace) -> None:
    from likelier.service.exports import end_broken_off  # noqa: PLC0415 - loads the engine

    end_broken_off(workspace)


def _let_expire(workspace: Workspace) -> None:
    from likelier.service.retention import let_expire_when_due  # noqa: PLC0415 - it tidies, too

    if counts := let_expire_when_due(workspace):
        log.info("What has expired was deleted: %s", counts)


class Worker:
    """Looks every second for what is to be done; one run at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._over = workspace, threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._tells, self._tells_at = False, workspace.clock()
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop; a run under way is put back into the queue, and goes on elsewhere at the stage it has reached."""
        self._over.set()
        self._thread.join()
        if self._process:
            self._process.kill()
            self._process.wait()
        with suppress(LikelierError):  # whoever looks next sees that its process is gone
            release_orphans(self._workspace)
            tidy(self._workspace)

    def _work(self) -> None:
        while not self._over.wait(LOOK_SECONDS * 2 ** min(self._failures, 5)):
            try:
                self._look_for_missed()
                queue_due(self._workspace)
                self._begin_next()
                tidy(self._workspace)
                _remove_deleted(self._workspace)
                _end_deliveries(self._workspace)
                _let_expire(self._workspace)
                self._tell_alerts()
            except LikelierError as error:
                log.warning("Looking for work failed, and is tried again: %s", error)
            except Exception:
                log.exception("Looking for work failed, and is tried again.")

    def _look_for_missed(self) -> None:
        """Notice, once a minute, schedules that were missed: before they are caught up."""
        self._tells = self._tells_at <= self._workspace.clock()
        if self._tells:
            self._tells_at = self._workspace.clock() + MINUTE
            notice_schedules(self._workspace)
            tidy_readings(self._workspace)

    def _tell_alerts(self) -> None:
        if self._tells:
            send_waiting(self._workspace)

    def _begin_next(self) -> None:
        if self._process:
            status = self._process.poll()
            if status is None:
                return
            self._failures = self._failures + 1 if status else 0
            self._process = None
        with self._workspace.store.read() as connection:
            free = [run for run in records.waiting(connection) if self._is_free(run)]
        if free:
            words = [sys.executable, "-m", "likelier.service.worker", free[0].id]
            environment = environment_of(self._workspace.settings)
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, env=environment)  # noqa: S603 - our own words

    def _is_free(self, run: Run) -> bool:
        if run.state == State.QUEUED or run.lease is None:
            return True
        return is_gone(run.lease.owner) or run.lease.until < self._workspace.clock()


def environment_of(settings: Settings) -> dict[str, str]:
    """Give a further process of likelier the same settings."""
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    named = {row.variable: str(getattr(settings, row.name)) for row in ROWS}
    others = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    return {**others, **named, "PYTHONPATH": paths}


def work(run_id: str) -> None:
    """Be the process of one run."""
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(YIELDING)
    from likelier.service.work import work_on  # noqa: PLC0415 - the server itself needs no model libraries

    try:
        with open_workspace(read_settings()) as workspace:
            with workspace.store.read() as connection:
                run = records.find(connection, run_id)
            if run and (claimed := claim(workspace, run)):
                with _scratch(workspace.settings.runs / (run_id + SCRATCH)):
                    work_on(workspace, claimed)
    except LikelierError as error:  # the store cannot be reached or written: nobody could be told there
        log.warning("Run %s was left, and is taken up again: %s", run_id, error)
        sys.exit(1)


@contextmanager
def _scratch(folder: Path) -> Iterator[None]:
    """Let this process keep what it spills where it is found and removed when the process is killed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / OWNER).write_text(this_process("scratch"), encoding="utf-8")
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_with_the_server() -> None:
    # Not by `sys.stdin`: a thread that waits in it holds a lock that the interpreter wants when it ends.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    write_lines()
    work(sys.argv[1])
