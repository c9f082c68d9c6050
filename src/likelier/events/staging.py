"""A place for work in progress: a temporary folder and a DuckDB connection in it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import IO

import duckdb

try:
    import fcntl
except ImportError:  # pragma: no cover  (Windows: a killed process leaves its folder)
    fcntl = None  # type: ignore[assignment]

PREFIX = "likelier-ingest-"
LOCK = ".lock"


@contextlib.contextmanager
def staging_folder() -> Iterator[Path]:
    """Give a folder that is removed at the end; those of processes that were killed are removed at the beginning."""
    root = Path(tempfile.gettempdir())
    _remove_abandoned(root)
    with _own_lock() as lock:  # before the folder is there, so that nobody can take it for abandoned
        folder = Path(lock.name.removesuffix(LOCK))
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _own_lock() -> Iterator[IO[bytes]]:
    """Hold a lock file of our own; one that somebody tidied away before we had locked it is made anew."""
    while True:
        with tempfile.NamedTemporaryFile(prefix=PREFIX, suffix=LOCK, delete=False) as lock:
            _lock(lock, wait=True)
            path = Path(lock.name)
            if path.exists():
                try:
                    yield lock
                finally:
                    path.unlink(missing_ok=True)
                return


def _remove_abandoned(root: Path) -> None:
    if fcntl is None:
        return
    for name in {path.name.removesuffix(LOCK) for path in root.glob(f"{PREFIX}*")}:
        lock = root / (name + LOCK)
        with contextlib.suppress(OSError), lock.open("ab") as held:
            _lock(held)
            shutil.rmtree(root / name, ignore_errors=True)
            lock.unlink()


def _lock(file: IO[bytes], *, wait: bool = False) -> None:
    """Lock a file until it is closed; unless told to wait, fail when another process has it."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@contextlib.contextmanager
def open_desk(memory: str, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to a DuckDB that spills into the folder."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": "false",  # nothing is fetched from anywhere
        "autoload_known_extensions": "false",
    }
    with duckdb.connect(config=settings) as desk:
        # A time without a zone is UTC, wherever the machine stands.
        desk.execute("SET TimeZone = 'UTC'")
        desk.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        yield desk


def run(desk: duckdb.DuckDBPyConnection, query: str, progress: Callable[[float], None]) -> None:
    """Run a query without result, and tell how far it is."""
    with ThreadPoolExecutor(1) as pool:
        running: Future[object] = pool.submit(desk.execute, query)
        try:
            while True:
                with contextlib.suppress(NotYet):
                    running.result(timeout=0.2)
                    return
                progress(max(0.0, desk.query_progress()) / 100)
        except BaseException:
            desk.interrupt()
            raise
