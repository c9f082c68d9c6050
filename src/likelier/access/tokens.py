"""Tokens: programs' right to act, shown once and stored as digests."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.access.roles import Role
from likelier.access.secrets import digest, new_token
from likelier.errors import UsageError
from likelier.store import access as stored
from likelier.store.access import Token
from likelier.timespan import parse_moment


def issue(
    connection: Connection,
    actor: Actor,
    *,
    token_id: str,
    name: str,
    role: Role,
    now: dt.datetime,
    expires_at: dt.datetime | None = None,
) -> str:
    """Make a token and answer its secret, which nobody can ask for again."""
    secret = new_token()
    stored.add_token(connection, Token(token_id, name, role, digest(secret), now, actor.name, expires_at))
    told = {"role": str(role), "expires_at": expires_at.isoformat() if expires_at else None}
    record(connection, actor, "token.create", Thing("token", token_id, name), now=now, after=told)
    return secret


def expiry(text: str, now: dt.datetime) -> dt.datetime:
    """Read when a token is to end: a date, a moment, or a number of days from now.

    >>> expiry("90d", dt.datetime(2024, 5, 1, tzinfo=dt.UTC)).isoformat()
    '2024-07-30T00:00:00+00:00'
    >>> expiry("2024-04-30", dt.datetime(2024, 5, 1, tzinfo=dt.UTC))
    Traceback (most recent call last):
    likelier.errors.UsageError: A token ends later than now, not at 2024-04-30.
    """
    days = text.strip().removesuffix("d")
    if days != text.strip() and days.isascii() and days.isdigit() and len(days) < 6:
        ends = now + dt.timedelta(days=int(days))
    else:
        ends = parse_moment(text)
    if ends <= now:
        raise UsageError(f"A token ends later than now, not at {text}.")
    return ends


def told(token: Token) -> dict[str, Any]:
    """All that anybody is told of a token."""
    return {key: value for key, value in vars(token).items() if key != "digest"}


def revoke(connection: Connection, actor: Actor, token_id: str, *, now: dt.datetime) -> None:
    """End a token at once."""
    token = stored.get_token(connection, token_id)
    stored.revoke_token(connection, token_id, now=now)
    record(connection, actor, "token.revoke", Thing("token", token_id, token.name), now=now)


def bearer(connection: Connection, secret: str, *, now: dt.datetime, address: str | None) -> Actor | None:
    """Who acts with this secret; None when it is unknown, expired or revoked."""
    token = stored.find_token(connection, digest(secret))
    if token is None or not token.valid(now):
        return None
    return Actor(f"token {token.name}", Role(token.role), address)
