"""Tokens: programs' right to act, shown once and stored as digests."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.access.roles import Role
from likelier.access.secrets import digest, new_token
from likelier.store import access as stored
from likelier.store.access import Token


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
