"""Opening the store: connections, transactions, migrations.

SQLite writes in one process at a time: a writing transaction takes the write lock when it begins (``BEGIN IMMEDIATE``)
and others wait up to :data:`PATIENCE` seconds, so no transaction fails half-way because it wanted to write late.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InternalError, OperationalError

from likelier.errors import StorageError, TransientError, UsageError
from likelier.store.tables import Moment, audit

PATIENCE = 30.0
AUDITED = "0003"  # before it there was no log
HEAD = "0011"
_MIGRATION_LOCK = 0x6C696B656C696572  # "likelier": PostgreSQL names its advisory locks by numbers


class Store:
    """A database with the tables of :mod:`likelier.store.tables`."""

    def __init__(self, url: str) -> None:
        self.url = _usable(url)
        self._engine = _engine(self.url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent look at the store."""
        with _explained(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: all of it happens when the block ends well, else nothing."""
        with _explained(), self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def let_go(self) -> None:
        """Keep nothing of what was deleted in a log of changes; PostgreSQL sees to its own."""
        if self.url.drivername == "sqlite":
            with _explained(), closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @property
    def place(self) -> str:
        """Where it is, without the password."""
        return self.url.render_as_string(hide_password=True)


def open_store(url: str) -> Store:
    """Open a store, creating it or bringing its tables up to date."""
    store = Store(url)
    if store.url.drivername == "sqlite" and store.url.database:
        Path(store.url.database).parent.mkdir(parents=True, exist_ok=True)
    try:
        with store.read() as connection:
            found = _revision(connection)
        if found != HEAD:
            _migrate(store, found)
    except BaseException:
        store.close()
        raise
    return store


@dataclass(frozen=True)
class Inspection:
    """What a look at a store tells: how its tables stand, its clock against ours, the newest entry of its log."""

    revision: str | None
    damage: bool
    ahead: dt.timedelta
    newest: dt.datetime | None


def inspect(store: Store, clock: Callable[[], dt.datetime]) -> Inspection | None:
    """Look at a store without changing it; None when its file is not there."""
    if store.url.drivername == "sqlite" and not Path(store.url.database or "").exists():
        return None
    with store.read() as connection:
        damage, ahead = False, dt.timedelta()
        if connection.dialect.name == "sqlite":
            damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok"
        else:
            theirs = connection.scalar(sa.select(sa.func.clock_timestamp(type_=Moment)))
            ahead = theirs - clock() if theirs else ahead
        revision = None if damage else _revision(connection)
        newest = connection.scalar(sa.select(sa.func.max(audit.c.at))) if revision and revision >= AUDITED else None
    return Inspection(revision, damage, ahead, newest)


def _usable(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UsageError(
            "LIKELIER_DATABASE is not a database URL. Write it as sqlite:////folder/likelier.db or "
            "postgresql://user:password@host/database."
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite":
        return parsed
    raise UsageError(f"LIKELIER_DATABASE names '{parsed.drivername}'. The store works on sqlite or postgresql.")


def _engine(url: URL) -> sa.Engine:
    if url.drivername != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, json_deserializer=_read_json)
    arguments = {"timeout": PATIENCE, "isolation_level": None}
    engine = sa.create_engine(url, connect_args=arguments, json_deserializer=_read_json)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _read_json(text: str) -> Any:
    """Read quickly what is usual, and slowly what only Python writes (NaN, whole numbers of any size)."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    _keep_a_log(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not only out of sight


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Have changes written to a log first; of several who open a new file at once, SQLite lets one and fails others."""
    end = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _explained() -> Iterator[None]:
    """Say what a database error means; a message of the driver may hold values, so it is not repeated."""
    try:
        yield
    except IntegrityError:
        raise
    except (OperationalError, InternalError) as error:
        if "disk is full" in str(error.orig) or "No space left" in str(error.orig):
            raise StorageError("The store cannot be written: its disk is full.") from error
        raise TransientError(f"The store cannot be reached or is busy: {_reason(error)}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise TransientError("The connection to the store was lost.") from error
        raise


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def _migrate(store: Store, found: str | None) -> None:
    """Bring the tables up to date; of several processes that open a store at once, one does it."""
    from alembic.config import Config  # noqa: PLC0415 - a store that is up to date opens faster without it
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "likelier.store:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    if found and found not in {script.revision for script in scripts.walk_revisions()}:
        raise StorageError(f"The store was written by a newer likelier (its tables are at {found}). Upgrade likelier.")

    def steps(revision: Any, _: Any) -> Any:
        return scripts._upgrade_revs(HEAD, revision)  # noqa: SLF001 - what `alembic upgrade` itself calls

    with store.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        with EnvironmentContext(config, scripts, fn=steps, destination_rev=HEAD) as environment:
            environment.configure(connection=connection, transaction_per_migration=False)
            environment.run_migrations()
