"""The store in one file, and back, on either database."""

import datetime as dt
import gzip
import io

import pytest
import sqlalchemy as sa

from likelier.access import tokens, users
from likelier.access.identity import Actor
from likelier.access.roles import Role
from likelier.errors import UsageError
from likelier.store import audit, backup, instances, runs
from likelier.store.tables import metadata

NOW = dt.datetime(2024, 5, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)
ANN = Actor("ann", Role.ADMIN, "10.0.0.7")


@pytest.fixture
def filled(store, made):
    """A store with something in it of each kind."""
    with store.write() as connection:
        instance = made("Kaufen – 買う")
        instances.add(connection, instance)
        instances.add_version(connection, instance, {"goal": {"window_days": 30}}, now=NOW, by="ann")
        tokens.issue(connection, ANN, token_id="t1", name="nightly", role=Role.VIEW, now=NOW)
        user = users.User("u1", "bob", Role.VIEW, "argon2...", None, NOW, "ann")
        users.stored.add_user(connection, user)
    users.open_session(store, user, now=NOW, address=None)
    return store


def dumped(store) -> bytes:
    file = io.BytesIO()
    backup.dump(store, file, now=NOW)
    return file.getvalue()


def rows(store):
    with store.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table))))
            for table in metadata.sorted_tables
            if table.name not in backup.PASSING
        }


def test_what_is_restored_is_what_was_kept(filled, opened, tmp_path):
    kept = dumped(filled)
    other = opened(f"sqlite:///{tmp_path / 'other.db'}")
    read = backup.load(other, io.BytesIO(kept))
    assert read["instances"] == read["tokens"] == read["users"] == 1
    assert rows(other) == rows(filled)
    assert dumped(other) == kept


def test_a_backup_of_sqlite_goes_into_any_database(store, made, opened, tmp_path):
    before = opened(f"sqlite:///{tmp_path / 'before.db'}")
    with before.write() as connection:
        instances.add(connection, made("Buy"))
        for number in range(3):
            tokens.issue(connection, ANN, token_id=f"t{number}", name="x", role=Role.VIEW, now=NOW)
    backup.load(store, io.BytesIO(dumped(before)))
    assert rows(store) == rows(before)
    with store.write() as connection:  # the log goes on behind what was restored
        tokens.issue(connection, ANN, token_id="t9", name="x", role=Role.VIEW, now=NOW)
        assert [entry.id for entry in audit.page(connection, audit.Filter())] == [4, 3, 2, 1]


def test_who_was_signed_in_is_left_out(filled):
    assert b"sessions" not in gzip.decompress(dumped(filled))


def test_a_filled_store_is_not_restored_into(filled):
    with pytest.raises(UsageError, match="empty store"):
        backup.load(filled, io.BytesIO(dumped(filled)))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: lines[:-1], "not whole"),
        (lambda lines: [*lines[:2], *lines[3:]], "not whole"),
        (lambda lines: lines[1:], "no backup"),
        (lambda lines: [lines[0].replace(backup.HEAD.encode(), b"0001"), *lines[1:]], "0001"),
        (lambda lines: [*lines[:2], b"{", *lines[2:]], "no backup"),
    ],
)
def test_what_is_no_whole_backup_changes_nothing(filled, opened, tmp_path, spoil, said):
    lines = gzip.decompress(dumped(filled)).splitlines(keepends=True)
    other = opened(f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(UsageError, match=said):
        backup.load(other, io.BytesIO(gzip.compress(b"".join(spoil(lines)))))
    assert not any(rows(other).values())


@pytest.mark.parametrize("cut", [0, 1, 20, -9])
def test_a_file_that_was_cut_off_changes_nothing(filled, opened, tmp_path, cut):
    other = opened(f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(UsageError, match="backup"):
        backup.load(other, io.BytesIO(dumped(filled)[:cut]))
    assert not any(rows(other).values())


def test_runs_can_be_counted_by_stage(store):
    with store.read() as connection:
        assert runs.stage_seconds(connection) == {}
