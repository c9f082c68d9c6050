"""What could keep likelier from working here, looked at without changing anything."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from likelier.datasets import list_datasets, open_dataset
from likelier.errors import LikelierError, UsageError
from likelier.lake import Lake
from likelier.readings import Readings
from likelier.runs.owners import is_gone
from likelier.runs.records import State
from likelier.service.workspace import GB, Workspace
from likelier.settings import EngineName, Settings
from likelier.spark import reach
from likelier.store import runs as records
from likelier.store.database import HEAD, Store, inspect

LEAST_FREE = 1 * GB // 4
SOON_FULL = 5 * GB
CLOCKS_APART = dt.timedelta(seconds=5)


class Verdict(StrEnum):
    WELL = "ok"
    WARNING = "warning"
    TROUBLE = "trouble"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and what to do."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""


def examine(settings: Settings, clock: Callable[[], dt.datetime]) -> list[Finding]:
    """Look at the home folder, the database, the lake, the engine, the disk, the clock and the runs."""
    findings = [*_home(settings.home), *_disk(settings), *_readings(settings)]
    store = None
    try:
        store = Store(settings.database)
        findings += _database(store, clock)
    except Exception as error:  # noqa: BLE001 - a file that is no database, a server that speaks otherwise, ...
        findings.append(Finding("database", Verdict.TROUBLE, _kind(error), "Look at LIKELIER_DATABASE and its server."))
    finally:
        if store:
            store.close()
    return [*findings, *_lake(settings), *_engine(settings)]


def readiness(workspace: Workspace) -> list[str]:
    """What keeps a server from serving; empty when nothing does."""
    found = [*_disk(workspace.settings), *_reachable(workspace)]
    return [f"{finding.subject}: {finding.found}" for finding in found if finding.verdict is Verdict.TROUBLE]


def _reachable(workspace: Workspace) -> Iterator[Finding]:
    try:
        with workspace.store.read() as connection:
            records.count_by_state(connection)
        workspace.lake.names("datasets")
    except (LikelierError, OSError) as error:
        yield Finding("store and lake", Verdict.TROUBLE, _kind(error))


def _home(home: Path) -> Iterator[Finding]:
    if not home.exists():
        yield Finding("home folder", Verdict.WARNING, f"{home} is not there yet.", "It is made at the first use.")
        return
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"likelier")
    except OSError as error:
        advice = "Give it to the user that runs likelier, or choose another: LIKELIER_HOME."
        yield Finding("home folder", Verdict.TROUBLE, f"{home} cannot be written: {error.strerror}.", advice)
        return
    if home.stat().st_mode & 0o007 and os.name == "posix":
        advice = f"chmod o-rwx {home}"
        yield Finding("home folder", Verdict.WARNING, f"{home} is open to every user of this machine.", advice)
        return
    yield Finding("home folder", Verdict.WELL, str(home))


def _disk(settings: Settings) -> Iterator[Finding]:
    places = {"home": settings.home, "temporary files": Path(tempfile.gettempdir())}
    if "://" not in settings.lake:
        places["lake"] = Path(settings.lake)
    seen: set[int] = set()
    for name, place in places.items():
        there = next(path for path in (place, *place.parents) if path.exists())
        if there.stat().st_dev in seen:
            continue
        seen.add(there.stat().st_dev)
        free = shutil.disk_usage(there).free
        said = f"{free / GB:,.1f} GB are free for {name} ({there})."
        if free < LEAST_FREE:
            yield Finding("disk", Verdict.TROUBLE, said, "Make room: runs and events cannot be written.")
        elif free < SOON_FULL:
            yield Finding(
                "disk", Verdict.WARNING, said, "Make room soon: a run of ten million events needs about 5 GB."
            )
        else:
            yield Finding("disk", Verdict.WELL, said)


def _readings(settings: Settings) -> Iterator[Finding]:
    if taken := Readings(settings.readings, 0).bytes:
        said = (
            f"{taken / GB:,.1f} of {settings.readings_gb:g} GB hold what runs have read of the events, so that later "
            f"ones read only what came since. {settings.readings} may be deleted at any time, and is in no backup."
        )
        yield Finding("readings", Verdict.WELL, said)


def _database(store: Store, clock: Callable[[], dt.datetime]) -> Iterator[Finding]:
    found = inspect(store, clock)
    if found is None:
        yield Finding("database", Verdict.WARNING, f"{store.place} is not there yet.", "It is made at the first use.")
        return
    if found.damage:
        yield Finding("database", Verdict.TROUBLE, f"{store.place} is damaged.", "likelier restore the last backup.")
    elif found.revision is None:
        yield Finding("database", Verdict.WARNING, f"{store.place} is empty.", "It is filled at the first use.")
    elif found.revision > HEAD:
        advice = "Upgrade likelier, or restore a backup made with this version."
        yield Finding("database", Verdict.TROUBLE, f"{store.place} was written by a newer likelier.", advice)
    elif found.revision < HEAD:
        advice = "The next command brings its tables up to date."
        yield Finding("database", Verdict.WARNING, f"{store.place} was written by an older likelier.", advice)
    else:
        yield Finding("database", Verdict.WELL, f"{store.place}, tables at {found.revision}")
    if abs(found.ahead) > CLOCKS_APART:
        said = f"The database's clock is {found.ahead.total_seconds():+.0f} s off this machine's."
        yield Finding("clock", Verdict.TROUBLE, said, "Let both follow a time server: leases and schedules need it.")
    elif found.newest and found.newest > clock() + CLOCKS_APART:
        said = f"It is {clock():%Y-%m-%d %H:%M} here, and the log has an entry of {found.newest:%Y-%m-%d %H:%M}."
        yield Finding("clock", Verdict.TROUBLE, said, "Set the clock: runs and schedules would be taken for done.")
    else:
        yield Finding("clock", Verdict.WELL, f"{clock():%Y-%m-%d %H:%M:%S} UTC")
    if found.revision == HEAD:
        yield from _runs(store, clock())


def _runs(store: Store, now: dt.datetime) -> Iterator[Finding]:
    with store.read() as connection:
        waiting = records.waiting(connection)
    left = [run for run in waiting if run.lease and (is_gone(run.lease.owner) or run.lease.until < now)]
    queued = [run for run in waiting if run.state == State.QUEUED]
    if left or queued:
        said = f"{len(queued)} queued, {len(left)} left by a process that is gone."
        yield Finding("runs", Verdict.WARNING, said, "A server takes them up: likelier serve.")
    else:
        yield Finding("runs", Verdict.WELL, f"{len(waiting)} under way, none waits." if waiting else "None waits.")


def _lake(settings: Settings) -> Iterator[Finding]:
    lake = Lake(settings.lake)
    try:
        names = lake.names("datasets")
        broken = [name for name in names if not _opens(lake, name)]
    except (LikelierError, OSError) as error:
        advice = "Look at LIKELIER_LAKE and the right to read it."
        yield Finding("lake", Verdict.TROUBLE, f"{settings.lake} cannot be read: {_kind(error)}", advice)
        return
    if broken:
        advice = "Put their folders back from a copy of the lake."
        yield Finding("lake", Verdict.TROUBLE, f"Datasets that cannot be opened: {', '.join(broken)}.", advice)
    else:
        yield Finding("lake", Verdict.WELL, f"{settings.lake}, {len(list_datasets(lake))} datasets")


def _opens(lake: Lake, name: str) -> bool:
    try:
        open_dataset(lake, name)
    except Exception:  # noqa: BLE001 - whatever it is, it cannot be opened
        return False
    return True


def _engine(settings: Settings) -> Iterator[Finding]:
    from likelier.backend import DuckDB  # noqa: PLC0415 - takes a second to load

    try:
        with DuckDB(settings.memory, settings.threads or None):
            pass
    except Exception as error:  # noqa: BLE001 - whatever it is, no run would work
        advice = "Look at LIKELIER_MEMORY and LIKELIER_THREADS."
        yield Finding("engine", Verdict.TROUBLE, f"DuckDB does not start: {_kind(error)}", advice)
        return
    yield Finding("engine", Verdict.WELL, f"DuckDB, {settings.memory} of memory")
    if settings.engine is EngineName.SPARK:
        yield _spark(settings.spark)


def _spark(master: str) -> Finding:
    """Look for what a run on Spark needs at the least, without starting one."""
    try:
        reach.look(master)
    except UsageError as error:
        return Finding("spark", Verdict.TROUBLE, str(error), "See docs/spark.md.")
    return Finding("spark", Verdict.WELL, f"Spark at {master}")


def _kind(error: Exception) -> str:
    return (
        str(error)
        if isinstance(error, LikelierError)
        else f"{getattr(error, 'strerror', None) or type(error).__name__}."
    )


def worst(findings: Sequence[Finding]) -> Verdict:
    """The worst verdict of all.

    >>> str(worst([Finding("disk", Verdict.WELL, ""), Finding("clock", Verdict.TROUBLE, "")]))
    'trouble'
    """
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.WELL)
