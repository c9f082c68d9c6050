"""Instances and their versions."""

import datetime as dt
from dataclasses import replace

import pytest

from likelier.store import instances
from likelier.store.instances import EditedMeanwhileError, NameTakenError

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "name", ["Buy again", "", "O'Hara; DROP TABLE runs; --", "名前 🎈 \u202eabc", "../../etc", "x" * 5000, "%_\\"]
)
def test_what_was_added_is_found(store, made, name):
    instance = made(name, id="i", draft={"goal": {"events": []}}, schedule={"every": "weekly"})
    with store.write() as connection:
        instances.add(connection, instance)
    with store.read() as connection:
        assert instances.find(connection, "i") == instance == instances.find_named(connection, name)
        assert instances.names(connection) == [name]


def test_a_name_is_given_once(store, made):
    with store.write() as connection:
        instances.add(connection, made("Buy"))
    with pytest.raises(NameTakenError, match="'Buy' already"), store.write() as connection:
        instances.add(connection, made("Buy", id="other"))


def test_a_refused_name_leaves_the_transaction_usable(store, made):
    with store.write() as connection:
        instances.add(connection, made("Buy"))
        with pytest.raises(NameTakenError):
            instances.add(connection, made("Buy", id="other"))
        instances.add(connection, made("Leave"))
    with store.read() as connection:
        assert instances.names(connection) == ["Buy", "Leave"]


def test_renaming_to_a_name_in_use_is_refused(store, made):
    with store.write() as connection:
        instances.add(connection, made("Buy"))
        instances.add(connection, made("Leave"))
        with pytest.raises(NameTakenError):
            instances.edit(connection, made("Buy", id="leave", revision=2), was=1)


def test_a_deleted_instance_frees_its_name(store, made):
    with store.write() as connection:
        instances.add(connection, made("Buy"))
        instances.put_away(connection, "buy", now=NOW, until=NOW)
        instances.add(connection, made("Buy", id="second"))
    with store.read() as connection:
        assert instances.find(connection, "buy") is None
        assert instances.find_named(connection, "Buy").id == "second"


def test_of_two_edits_from_one_reading_the_second_is_refused(store, made):
    with store.write() as connection:
        instances.add(connection, made("Buy"))
        instances.edit(connection, made("Buy", description="first", revision=2), was=1)
        with pytest.raises(EditedMeanwhileError):
            instances.edit(connection, made("Buy", description="second", revision=2), was=1)
        assert instances.find(connection, "buy").description == "first"


def test_every_version_of_a_definition_stays(store, made):
    first = made("Buy")
    second = replace(first, version=2, revision=2)
    with store.write() as connection:
        instances.add(connection, first)
        instances.add_version(connection, first, {"goal": 1}, now=NOW, by="ann")
        instances.edit(connection, second, was=1)
        instances.add_version(connection, second, {"goal": 2}, now=NOW, by="bob")
    with store.read() as connection:
        assert instances.definition(connection, "buy", 1) == {"goal": 1}
        assert [(row["version"], row["created_by"]) for row in instances.versions(connection, "buy")] == [
            (2, "bob"),
            (1, "ann"),
        ]


def test_pages_follow_each_other(store, made):
    with store.write() as connection:
        for name in "dbeca":
            instances.add(connection, made(name))
    with store.read() as connection:
        first = instances.page(connection, limit=2)
        rest = instances.page(connection, after=first[-1].name, limit=10)
    assert [instance.name for instance in first + rest] == list("abcde")
