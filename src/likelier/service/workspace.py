"""What every service function works on: the settings, the store, the lake, the clock."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from likelier.lake import Lake
from likelier.settings import Settings
from likelier.store.database import Store, open_store

if TYPE_CHECKING:
    from likelier.backend import DuckDB


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Workspace:
    """A home folder, opened. Clock and ids are given, so that tests decide them."""

    settings: Settings
    store: Store
    lake: Lake
    clock: Callable[[], dt.datetime] = now
    new_id: Callable[[], str] = new_id

    def engine(self) -> DuckDB:
        from likelier.backend import DuckDB  # noqa: PLC0415 - much that is looked at needs no engine, which is slow to load

        return DuckDB(self.settings.memory, self.settings.threads or None)


@contextmanager
def open_workspace(settings: Settings) -> Iterator[Workspace]:
    """Open the home folder, creating it when it is not there."""
    store = open_store(settings.database)
    try:
        yield Workspace(settings, store, Lake(settings.lake))
    finally:
        store.close()
