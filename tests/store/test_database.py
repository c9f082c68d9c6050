"""Opening the store."""

import datetime as dt
import sqlite3
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from likelier.errors import StorageError, TransientError, UsageError
from likelier.store.database import HEAD
from likelier.store.tables import Moment, metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """The URL of a new database, without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'likelier.db'}"
    return request.getfixturevalue("make_database")()


@pytest.fixture(autouse=True)
def step_by_step(every_migration, monkeypatch):
    monkeypatch.setattr("likelier.store.database._migrate", every_migration)


def test_migrations_make_the_tables_that_the_code_uses(database, opened):
    with opened(database).read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_partial_indexes_are_there(database, opened):
    with opened(database).read() as connection:
        found = {index["name"]: index["unique"] for index in sa.inspect(connection).get_indexes("runs")}
    assert bool(found["runs_one_active"])


def test_opening_again_changes_nothing(database, opened):
    opened(database)
    with opened(database).read() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == HEAD


def test_many_open_a_new_store_at_once(database, opened):
    faults = []

    def open_it():
        try:
            opened(database)
        except Exception as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_store_of_a_newer_likelier_is_refused(database, opened):
    with opened(database).write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer likelier"):
        opened(database)


def test_a_migration_that_fails_leaves_nothing(database, monkeypatch, opened):
    def fail(*_, **__):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.op.create_index", fail)
        with pytest.raises(RuntimeError):
            opened(database)
    with opened(database).read() as connection:
        assert sa.inspect(connection).has_table("runs")


def test_moments_keep_their_instant_and_come_back_in_utc(database, opened):
    east = dt.timezone(dt.timedelta(hours=9))
    moment = dt.datetime(2024, 3, 10, 1, 2, 3, 456789, tzinfo=east)
    with opened(database).read() as connection:
        back = connection.scalar(sa.select(sa.literal(moment, Moment)))
    assert (back, back.tzinfo) == (moment, dt.UTC)


def test_a_write_that_fails_is_undone(database, opened):
    store = opened(database)

    def fail():
        with store.write() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = 'x'"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.read() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == HEAD


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/db", "sqlite+aiosqlite:///x.db"])
def test_other_urls_are_refused_in_words(url, opened):
    with pytest.raises(UsageError, match="LIKELIER_DATABASE"):
        opened(url)


def test_a_server_that_is_not_there_is_a_passing_fault_and_its_password_is_not_told(opened):
    with pytest.raises(TransientError) as caught:
        opened("postgresql://me:secret@127.0.0.1:1/db")
    assert "secret" not in str(caught.value)


def test_a_database_that_somebody_holds_is_a_passing_fault(tmp_path, monkeypatch, opened):
    monkeypatch.setattr("likelier.store.database.PATIENCE", 0.05)
    store = opened(f"sqlite:///{tmp_path / 'likelier.db'}")
    other = sqlite3.connect(tmp_path / "likelier.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransientError, match="busy"), store.write():
        pass
    other.close()
