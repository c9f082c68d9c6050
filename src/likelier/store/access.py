"""Users, their sessions, and tokens; of secrets only digests."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from likelier.errors import UnknownNameError
from likelier.store.instances import NameTakenError
from likelier.store.tables import sessions, tokens, users


@dataclass(frozen=True)
class User:
    """A person who signs in: with a password, or through the identity provider that knows the `subject`."""

    id: str
    name: str
    role: str
    password: str | None
    subject: str | None
    created_at: dt.datetime
    created_by: str
    disabled_at: dt.datetime | None = None
    failures: int = 0
    locked_until: dt.datetime | None = None


@dataclass(frozen=True)
class Token:
    """A program's right to act."""

    id: str
    name: str
    role: str
    digest: str
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None

    def valid(self, now: dt.datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def add_user(connection: Connection, user: User) -> None:
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(users).values(**vars(user)))
    except IntegrityError as error:
        raise NameTakenError(f"There is a user named '{user.name}' already.") from error


def edit_user(connection: Connection, user_id: str, **changes: Any) -> None:
    connection.execute(sa.update(users).where(users.c.id == user_id).values(**changes))


def find_user(connection: Connection, name: str, *, hold: bool = False) -> User | None:
    """Find a user by name; `hold` lets no other transaction change it until this one ends."""
    return _user(connection, users.c.name == name, hold=hold)


def get_user(connection: Connection, name: str) -> User:
    """Find a user by name or id, or tell who there is."""
    found = find_user(connection, name) or _user(connection, users.c.id == name)
    if found is None:
        raise UnknownNameError("user", name, [user.name for user in list_users(connection)])
    return found


def find_subject(connection: Connection, subject: str) -> User | None:
    return _user(connection, users.c.subject == subject)


def list_users(connection: Connection) -> list[User]:
    return [User(**row._mapping) for row in connection.execute(sa.select(users).order_by(users.c.name))]  # noqa: SLF001


def add_session(
    connection: Connection, *, digest: str, user_id: str, now: dt.datetime, expires_at: dt.datetime
) -> None:
    connection.execute(sa.delete(sessions).where(sessions.c.expires_at < now))
    connection.execute(
        sa.insert(sessions).values(digest=digest, user_id=user_id, created_at=now, expires_at=expires_at)
    )


def session_user(connection: Connection, digest: str, now: dt.datetime) -> User | None:
    """Whose session it is, when it is not over."""
    row = connection.execute(_SESSION_USER, {"digest": digest, "now": now}).one_or_none()
    return User(**row._mapping) if row else None  # noqa: SLF001


def end_session(connection: Connection, digest: str) -> None:
    connection.execute(sa.delete(sessions).where(sessions.c.digest == digest))


def end_sessions_of(connection: Connection, user_id: str) -> None:
    connection.execute(sa.delete(sessions).where(sessions.c.user_id == user_id))


def add_token(connection: Connection, token: Token) -> None:
    connection.execute(sa.insert(tokens).values(**vars(token)))


# Every request asks for one of these: they are made once.
_TOKEN = sa.select(tokens).where(tokens.c.digest == sa.bindparam("digest"))
_SESSION_USER = sa.select(users).where(
    users.c.disabled_at.is_(None),
    users.c.id
    == sa.select(sessions.c.user_id)
    .where(sessions.c.digest == sa.bindparam("digest"), sessions.c.expires_at > sa.bindparam("now"))
    .scalar_subquery(),
)


def find_token(connection: Connection, digest: str) -> Token | None:
    row = connection.execute(_TOKEN, {"digest": digest}).one_or_none()
    return Token(**row._mapping) if row else None  # noqa: SLF001


def get_token(connection: Connection, token_id: str) -> Token:
    found = _token(connection, tokens.c.id == token_id)
    if found is None:
        raise UnknownNameError("token", token_id, [token.id for token in list_tokens(connection)])
    return found


def list_tokens(connection: Connection) -> list[Token]:
    """Every token, newest first."""
    query = sa.select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.id)
    return [Token(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001


def revoke_token(connection: Connection, token_id: str, *, now: dt.datetime) -> None:
    connection.execute(
        sa.update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def _user(connection: Connection, *conditions: sa.ColumnElement[bool], hold: bool = False) -> User | None:
    query = sa.select(users).where(*conditions)
    row = connection.execute(query.with_for_update() if hold else query).one_or_none()
    return User(**row._mapping) if row else None  # noqa: SLF001


def _token(connection: Connection, condition: sa.ColumnElement[bool]) -> Token | None:
    row = connection.execute(sa.select(tokens).where(condition)).one_or_none()
    return Token(**row._mapping) if row else None  # noqa: SLF001
