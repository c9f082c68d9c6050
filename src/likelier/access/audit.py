"""What was done, by whom: an entry for every change, in its own transaction, and for every export of scores."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from likelier.access.identity import Actor
from likelier.store import audit
from likelier.store.audit import Entry


@dataclass(frozen=True)
class Thing:
    """What was acted on."""

    type: str
    id: str
    name: str


def record(
    connection: Connection,
    actor: Actor,
    action: str,
    thing: Thing,
    *,
    now: dt.datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Log an action; of `before` and `after` only what differs is kept."""
    old, new = differing(before, after)
    audit.add(connection, Entry(now, actor.name, actor.address, action, thing.type, thing.id, thing.name, old, new))


def differing(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Leave out what is the same on both sides.

    >>> differing({"name": "Buy", "hour": 6}, {"name": "Buy", "hour": 7})
    ({'hour': 6}, {'hour': 7})
    >>> differing(None, {"name": "Buy"})
    (None, {'name': 'Buy'})
    """
    if before is None or after is None:
        return before, after
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: before.get(key) for key in changed}, {key: after.get(key) for key in changed}
