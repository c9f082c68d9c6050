"""What was answered to requests that may come twice, kept for a day.

A request is claimed before it is done and its answer is kept after. A claim without an answer is one that is being
done, or whose process died in the midst; after a while the next one who asks takes it over.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from likelier.store.tables import replies

KEPT = dt.timedelta(days=1)
ABANDONED = dt.timedelta(minutes=2)


@dataclass(frozen=True)
class Reply:
    """An answer, or a claim that has none yet; `request` is a digest of what was asked."""

    digest: str
    request: str
    created_at: dt.datetime
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


def claim(connection: Connection, digest: str, request: str, *, now: dt.datetime) -> Reply | None:
    """Claim a request; when it is claimed already, say by which and with which answer."""
    connection.execute(sa.delete(replies).where(replies.c.created_at < now - KEPT))
    values = {"digest": digest, "request": request, "created_at": now}
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(replies).values(values))
    except IntegrityError:
        found = Reply(**connection.execute(sa.select(replies).where(replies.c.digest == digest)).mappings().one())
        abandoned = found.status is None and found.request == request and found.created_at < now - ABANDONED
        here = sa.update(replies).where(replies.c.digest == digest, replies.c.created_at == found.created_at)
        if abandoned and connection.execute(here.values(created_at=now)).rowcount == 1:
            return None
        return found
    return None


def keep(connection: Connection, digest: str, *, status: int, headers: Mapping[str, str], body: bytes | None) -> None:
    """Keep the answer to a request that was claimed; without a body, only that it was done."""
    here = sa.update(replies).where(replies.c.digest == digest)
    connection.execute(here.values(status=status, headers=dict(headers), body=body))


def release(connection: Connection, digest: str) -> None:
    """Give a claim up: the request changed nothing, and may be asked again."""
    connection.execute(sa.delete(replies).where(replies.c.digest == digest))
