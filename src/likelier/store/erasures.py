"""Who was deleted: proofs that tell a known id again, and nothing to somebody who does not know it.

An erasure that is under way keeps every process from taking up a run, which would read what is being deleted. Should
its process die, that ends by itself after :data:`PATIENCE`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from likelier.store.tables import erasures, metadata, replies

PATIENCE = dt.timedelta(minutes=10)
PERSONAL = frozenset({erasures.c.salt, erasures.c.digests, replies.c.digest, replies.c.request, replies.c.body})
"""Columns that are not texts of people's."""


@dataclass(frozen=True)
class Erasure:
    """One erasure: a digest, with a salt of its own, of each id that was deleted, and how much there was."""

    id: str
    salt: str
    digests: Sequence[str]
    requested_at: dt.datetime
    requested_by: str
    busy_until: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    counts: Mapping[str, Any] | None = None

    def is_of(self, namespace: str, identity: str) -> bool:
        return any(hmac.compare_digest(proof(self.salt, namespace, identity), one) for one in self.digests)


def proof(salt: str, namespace: str, identity: str) -> str:
    """Digest an id slowly, so that trying all telephone numbers takes long.

    >>> proof("00", "CRMID", "c1") == proof("01", "CRMID", "c1")
    False
    """
    said = f"{namespace}\x1f{identity}".encode()
    return hashlib.scrypt(said, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()


def begin(connection: Connection, erasure: Erasure) -> None:
    """Record an erasure; whoever takes up a run waits until this transaction is over, and sees it then."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE runs IN SHARE MODE"))
    connection.execute(sa.insert(erasures).values(vars(erasure)))


def go_on(connection: Connection, erasure_id: str, *, now: dt.datetime) -> None:
    """Say that an erasure is still under way."""
    connection.execute(sa.update(erasures).where(erasures.c.id == erasure_id).values(busy_until=now + PATIENCE))


def end(connection: Connection, erasure_id: str, *, finished: dt.datetime | None, counts: Mapping[str, Any]) -> None:
    """Let runs go on; an erasure that was broken off stays without an end."""
    here = sa.update(erasures).where(erasures.c.id == erasure_id)
    connection.execute(here.values(busy_until=None, finished_at=finished, counts=dict(counts)))


def is_under_way(now: dt.datetime) -> sa.ColumnElement[bool]:
    return sa.exists().where(erasures.c.busy_until > sa.bindparam("erased_by", now, erasures.c.busy_until.type))


def every(connection: Connection) -> list[Erasure]:
    """All erasures, the newest first."""
    query = sa.select(erasures).order_by(erasures.c.requested_at.desc(), erasures.c.id.desc())
    return [Erasure(**row) for row in connection.execute(query).mappings()]


def last_retention(connection: Connection) -> Erasure | None:
    """The newest erasure that was about no person: what was old, whoever's it was."""
    return next((one for one in every(connection) if not one.digests), None)


def forget_replies(connection: Connection, ids: Iterable[str]) -> int:
    """Remove the answers, kept for who asks twice, in which any of some ids stands."""
    wanted = [one.encode() for one in ids]
    kept = connection.execute(sa.select(replies.c.digest, replies.c.body)).all()
    gone = [digest for digest, body in kept if body and any(one in body for one in wanted)]
    connection.execute(sa.delete(replies).where(replies.c.digest.in_(gone)))
    return len(gone)


def texts(connection: Connection, containing: Iterable[str]) -> list[tuple[str, str]]:
    """Give every text in the store that contains any of some words, with the table and column where it stands."""
    words = list(containing)
    found = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, sa.String | sa.JSON) and column not in PERSONAL:
                said = sa.cast(column, sa.Text)
                asked = sa.or_(*(said.contains(word, autoescape=True) for word in words))
                found += [
                    (f"{table.name}.{column.name}", text) for text in connection.scalars(sa.select(said).where(asked))
                ]
    return found
