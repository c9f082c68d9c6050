"""Tokens, users and the audit log: who may do what, and what is kept of it."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from likelier.access import tokens, users
from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.access.roles import Permission, Role
from likelier.access.users import SignInRefusedError
from likelier.errors import UnknownNameError, UsageError
from likelier.store import access, audit
from likelier.store.instances import NameTakenError
from likelier.store.tables import metadata

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
ANN = Actor("ann", Role.ADMIN, "10.0.0.7")
PASSWORD = "correct horse battery"


def issued(store, **changes):
    with store.write() as connection:
        return tokens.issue(
            connection, ANN, **{"token_id": "t1", "name": "nightly", "role": Role.MANAGE, "now": NOW, **changes}
        )


def bearer(store, secret, now=NOW):
    with store.read() as connection:
        return tokens.bearer(connection, secret, now=now, address="10.0.0.9")


def with_user(store, name="bob", role=Role.VIEW):
    with store.write() as connection:
        return users.create_user(connection, ANN, user_id=name, name=name, role=role, password=PASSWORD, now=NOW)


def sign_in(store, password=PASSWORD, now=NOW, name="bob"):
    return users.sign_in(store, name, password, now=now, address="10.0.0.9")


def entries(store, **wanted):
    with store.read() as connection:
        return audit.page(connection, audit.Filter(**wanted))


@pytest.mark.parametrize(
    ("role", "permitted"),
    [
        (Role.VIEW, {Permission.READ}),
        (Role.MANAGE, {Permission.READ, Permission.MANAGE}),
        (Role.AUDIT, {Permission.AUDIT}),
        (Role.ADMIN, {Permission.READ, Permission.MANAGE, Permission.AUDIT, Permission.ADMIN}),
    ],
)
def test_a_role_permits_just_this(role, permitted):
    assert role.permissions == permitted


def test_a_token_says_who_acts(store):
    assert bearer(store, issued(store)) == Actor("token nightly", Role.MANAGE, "10.0.0.9")


def test_an_unknown_an_expired_and_a_revoked_token_are_nobody(store):
    secret = issued(store, expires_at=NOW + MINUTE)
    assert bearer(store, secret + "x") is None
    assert bearer(store, "") is None
    assert bearer(store, secret, NOW + MINUTE) is None
    with store.write() as connection:
        tokens.revoke(connection, ANN, "t1", now=NOW)
    assert bearer(store, secret) is None
    with store.write() as connection, pytest.raises(UnknownNameError):
        tokens.revoke(connection, ANN, "t2", now=NOW)


def test_who_signs_in_holds_a_session_until_it_is_over(store):
    with_user(store)
    session = sign_in(store)
    with store.read() as connection:
        actor = users.visitor(connection, session.secret, now=NOW, address=None)
        assert actor == Actor("bob", Role.VIEW)
        assert users.visitor(connection, session.secret, now=NOW + users.SESSION, address=None) is None
        assert users.visitor(connection, session.csrf, now=NOW, address=None) is None
    with store.write() as connection:
        users.sign_out(connection, session.secret)
        assert users.visitor(connection, session.secret, now=NOW, address=None) is None


@pytest.mark.parametrize("change", ["disable", "password"])
def test_who_is_shut_out_is_out_at_once(store, change):
    with_user(store)
    session = sign_in(store)
    with store.write() as connection:
        if change == "disable":
            users.disable_user(connection, ANN, "bob", now=NOW)
        else:
            users.set_password(connection, ANN, "bob", "another long one", now=NOW)
        assert users.visitor(connection, session.secret, now=NOW, address=None) is None
    with pytest.raises(SignInRefusedError):
        sign_in(store)


def test_refusals_do_not_say_why(store):
    with_user(store)
    said = set()
    for name, password in (("bob", "wrong"), ("nobody", PASSWORD), ("", ""), ("bob", "x" * 100_000)):
        with pytest.raises(SignInRefusedError) as caught:
            sign_in(store, password, name=name)
        said.add(str(caught.value))
    assert len(said) == 1


def test_wrong_passwords_lock_for_longer_and_longer_and_the_right_one_does_not_help(store):
    with_user(store)
    for _ in range(5):
        with pytest.raises(SignInRefusedError):
            sign_in(store, "wrong")
    with pytest.raises(SignInRefusedError):
        sign_in(store, PASSWORD, NOW + dt.timedelta(seconds=29))
    with pytest.raises(SignInRefusedError):
        sign_in(store, "wrong", NOW + dt.timedelta(seconds=31))
    with pytest.raises(SignInRefusedError):
        sign_in(store, PASSWORD, NOW + dt.timedelta(seconds=31 + 59))
    assert sign_in(store, PASSWORD, NOW + dt.timedelta(seconds=31 + 61)).user.name == "bob"
    with store.read() as connection:
        assert access.get_user(connection, "bob").failures == 0


def test_many_guesses_at_once_are_counted_one_by_one(store, monkeypatch):
    monkeypatch.setattr(users, "is_password", lambda *_: False)  # looking properly would only take its time
    with_user(store)

    def guess(_):
        with pytest.raises(SignInRefusedError):
            sign_in(store, "wrong")

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(guess, range(10)))
    with store.read() as connection:
        user = access.get_user(connection, "bob")
    assert (user.failures, user.locked_until) == (users.FREE_FAILURES, NOW + users.FIRST_LOCK)


def test_a_request_from_another_site_cannot_know_the_csrf_token(store):
    with_user(store)
    session = sign_in(store)
    assert users.is_csrf(session.secret, session.csrf)
    for given_ in (None, "", session.secret, session.csrf[:-1], "é"):
        assert not users.is_csrf(session.secret, given_)


@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
def test_poor_passwords_are_refused(store, password):
    with pytest.raises(UsageError), store.write() as connection:
        users.create_user(connection, ANN, user_id="b", name="bob", role=Role.VIEW, password=password, now=NOW)


def test_a_user_is_named_once(store):
    with_user(store)
    with pytest.raises(NameTakenError):
        with_user(store)


def test_secrets_are_kept_as_digests_only(store, database, tmp_path):
    secret = issued(store)
    with_user(store)
    session = sign_in(store)
    with store.read() as connection:
        kept = "\n".join(str(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table)))
    for hidden in (secret, session.secret, session.csrf, PASSWORD):
        assert hidden not in kept
    for path in tmp_path.rglob("likelier.db*"):
        assert secret.encode() not in path.read_bytes()


def test_changes_are_logged_with_what_differs(store):
    secret = issued(store)
    with_user(store)
    with store.write() as connection:
        users.set_role(connection, ANN, "bob", Role.MANAGE, now=NOW + MINUTE)
    role, user, token = entries(store)
    assert (role.action, role.actor, role.address, role.object_name) == ("user.role", "ann", "10.0.0.7", "bob")
    assert (role.before, role.after, role.at) == ({"role": "view"}, {"role": "manage"}, NOW + MINUTE)
    assert [user.action, token.action] == ["user.create", "token.create"]
    assert secret not in str(token)


def test_sign_ins_are_logged_with_where_from(store):
    with_user(store)
    sign_in(store)
    with pytest.raises(SignInRefusedError):
        sign_in(store, "wrong")
    refused, right, _ = entries(store)
    assert (refused.action, refused.object_name, refused.address) == ("sign_in.refused", "bob", "10.0.0.9")
    assert (right.action, right.actor) == ("sign_in", "bob")


def test_the_log_is_filtered_and_paged(store):
    with store.write() as connection:
        for number in range(25):
            thing = Thing("run" if number % 2 else "instance", f"i{number % 3}", "x")
            record(connection, Actor(f"a{number % 5}"), "run.start", thing, now=NOW + number * MINUTE)
        assert len(audit.page(connection, audit.Filter(actor="a1"))) == 5
        assert len(audit.page(connection, audit.Filter(object_type="run", object_id="i1"))) == 4
        assert len(audit.page(connection, audit.Filter(words="A1"))) == 5
        assert audit.page(connection, audit.Filter(words="a_")) == []
        since, until = NOW + 3 * MINUTE, NOW + 7 * MINUTE
        assert len(audit.page(connection, audit.Filter(since=since, until=until))) == 4
        everything = list(audit.every(connection, audit.Filter(), size=10))
    assert [entry.at for entry in everything] == [NOW + number * MINUTE for number in reversed(range(25))]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'me'", "DELETE FROM audit"])
def test_the_database_itself_keeps_the_log(store, statement):
    issued(store)
    with pytest.raises(DBAPIError, match="only grows"), store.write() as connection:
        connection.execute(sa.text(statement))
    assert len(entries(store)) == 1
