"""Users: they sign in, with a password or through an identity provider, and hold a session for some hours.

Wrong passwords lock a user for a time that doubles with each further one, so a password cannot be guessed by trying;
an answer never says whether the name, the password or the lock was the reason.
"""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.access.roles import Role
from likelier.access.secrets import digest, hash_password, is_password
from likelier.errors import LikelierError, UsageError
from likelier.phrases import say
from likelier.store import access as stored
from likelier.store.access import User
from likelier.store.database import Store

FREE_FAILURES = 5
FIRST_LOCK = dt.timedelta(seconds=30)
LONGEST_LOCK = dt.timedelta(hours=1)
SESSION = dt.timedelta(hours=12)


class SignInRefusedError(LikelierError):
    """Name and password do not belong together, or too many were tried."""

    def __init__(self) -> None:
        super().__init__(
            say("That name and password do not belong together, or too many were tried: wait, and try again.")
        )


@dataclass(frozen=True)
class Session:
    """A signed-in visit: `secret` goes into the cookie, `csrf` into every form and request that changes something."""

    secret: str
    user: User

    @property
    def csrf(self) -> str:
        return csrf_of(self.secret)


def create_user(
    connection: Connection, actor: Actor, *, user_id: str, name: str, role: Role, password: str, now: dt.datetime
) -> User:
    """Make a user who signs in with a password."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > 200:
        raise UsageError("A user's name has 1 to 200 printable characters.")
    user = User(user_id, name, role, hash_password(password), None, now, actor.name)
    stored.add_user(connection, user)
    record(connection, actor, "user.create", _thing(user), now=now, after={"role": str(role)})
    return user


def set_password(connection: Connection, actor: Actor, name: str, password: str, *, now: dt.datetime) -> None:
    """Give a user another password; whoever is signed in as that user is signed out."""
    user = stored.get_user(connection, name)
    stored.edit_user(connection, user.id, password=hash_password(password), failures=0, locked_until=None)
    stored.end_sessions_of(connection, user.id)
    record(connection, actor, "user.password", _thing(user), now=now)


def set_role(connection: Connection, actor: Actor, name: str, role: Role, *, now: dt.datetime) -> None:
    user = stored.get_user(connection, name)
    stored.edit_user(connection, user.id, role=role)
    record(connection, actor, "user.role", _thing(user), now=now, before={"role": user.role}, after={"role": str(role)})


def disable_user(connection: Connection, actor: Actor, name: str, *, now: dt.datetime) -> None:
    """Shut a user out, at once."""
    user = stored.get_user(connection, name)
    stored.edit_user(connection, user.id, disabled_at=now)
    stored.end_sessions_of(connection, user.id)
    record(connection, actor, "user.disable", _thing(user), now=now)


def enable_user(connection: Connection, actor: Actor, name: str, *, now: dt.datetime) -> None:
    """Let a user in again who was shut out."""
    user = stored.get_user(connection, name)
    stored.edit_user(connection, user.id, disabled_at=None, failures=0, locked_until=None)
    record(connection, actor, "user.enable", _thing(user), now=now)


def told(user: User) -> dict[str, Any]:
    """All that anybody is told of a user."""
    shown = {key: getattr(user, key) for key in ("id", "name", "role", "created_at", "created_by", "disabled_at")}
    return {**shown, "signs_in_with": "the identity provider" if user.subject else "a password"}


def sign_in(store: Store, name: str, password: str, *, now: dt.datetime, address: str | None) -> Session:
    """Open a session, or raise :class:`SignInRefusedError`."""
    with store.read() as connection:
        user = stored.find_user(connection, name)
    # The password is looked at in any case: how long an answer takes tells nothing.
    right = is_password(password, user.password if user else None)
    with store.write() as connection:
        # Read again and held: of many guesses at once, those beyond the free ones meet the lock of the others.
        user = stored.find_user(connection, name, hold=True)
        locked = user is not None and user.locked_until is not None and now < user.locked_until
        refused = user is None or user.disabled_at is not None or locked or not right
        if refused:
            _count_failure(connection, user, locked=locked, now=now)
            tried = Thing("user", "", name[:200])
            record(connection, Actor(name[:200], address=address), "sign_in.refused", tried, now=now)
    if user is None or refused:
        raise SignInRefusedError
    return open_session(store, user, now=now, address=address)


def open_session(store: Store, user: User, *, now: dt.datetime, address: str | None) -> Session:
    """Open a session for a user who is known to be that user."""
    secret = secrets.token_urlsafe(32)
    with store.write() as connection:
        stored.edit_user(connection, user.id, failures=0, locked_until=None)
        stored.add_session(connection, digest=digest(secret), user_id=user.id, now=now, expires_at=now + SESSION)
        record(connection, Actor(user.name, Role(user.role), address), "sign_in", _thing(user), now=now)
    return Session(secret, user)


def visitor(connection: Connection, secret: str, *, now: dt.datetime, address: str | None) -> Actor | None:
    """Whose session it is; None when it is over, or the user was disabled."""
    user = stored.session_user(connection, digest(secret), now)
    return Actor(user.name, Role(user.role), address) if user else None


def sign_out(connection: Connection, secret: str) -> None:
    stored.end_session(connection, digest(secret))


def csrf_of(secret: str) -> str:
    """What only pages of ours can know of a session: another site can send the cookie, not read this."""
    return digest("csrf " + secret)


def is_csrf(secret: str, given: str | None) -> bool:
    return given is not None and hmac.compare_digest(csrf_of(secret).encode(), given.encode())


def _count_failure(connection: Connection, user: User | None, *, locked: bool, now: dt.datetime) -> None:
    if user is None or locked:
        return
    failures = user.failures + 1
    over = failures - FREE_FAILURES
    until = now + min(LONGEST_LOCK, FIRST_LOCK * 2 ** min(over, 20)) if over >= 0 else None
    stored.edit_user(connection, user.id, failures=failures, locked_until=until)


def _thing(user: User) -> Thing:
    return Thing("user", user.id, user.name)
