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
    with tempfile.NamedTemporaryFile(prefix=PREFIX, suffix=LOCK) as lock:
        _lock(lock)  # before the folder is there, so that nobody can take it for abandoned
        folder = Path(lock.name.removesuffix(LOCK))
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(root: Path) -> None:
    for folder in root.glob(f"{PREFIX}*"):
        lock = folder.with_name(folder.name + LOCK)
        if not folder.is_dir():
            continue
        with contextlib.suppress(OSError):
            if lock.exists():
                with lock.open("rb") as held:
                    _lock(held)
            if fcntl is not None:
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink(missing_ok=True)


def _lock(file: IO[bytes]) -> None:
    """Lock a file until it is closed; fails when another process has it."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
