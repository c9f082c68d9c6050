"""What every service function works on: the settings, the store, the lake, the clock."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from likelier.lake import Lake
from likelier.readings import Readings
from likelier.settings import EngineName, Settings
from likelier.spark import reach
from likelier.store.database import Store, open_store

if TYPE_CHECKING:
    from likelier.backend import DuckDB, Engine


GB = 1 << 30


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
    at_hand: Engine | None = None
    """The engine that is open already; None: one is opened for whoever needs one."""

    def engine(self) -> DuckDB:
        from likelier.backend import DuckDB  # noqa: PLC0415 - much that is looked at needs no engine, which is slow to load

        return DuckDB(self.settings.memory, self.settings.threads or None)

    @property
    def readings(self) -> Readings:
        """What runs have read of the lake, as a copy."""
        return Readings(self.settings.readings, int(self.settings.readings_gb * GB))

    def chosen_engine(self) -> AbstractContextManager[Engine]:
        """Open the engine that the settings name, for what reads every event; one at hand stays open."""
        if self.at_hand is not None:
            return nullcontext(self.at_hand)
        if self.settings.engine is EngineName.SPARK:
            return spark(self.settings.spark)
        return self.engine()

    @contextmanager
    def engine_in_common(self) -> Iterator[Workspace]:
        """Open one engine for several runs: what they ask alike of the same files is answered once."""
        from likelier.backend import Remembering  # noqa: PLC0415 - as above

        with self.chosen_engine() as engine:
            yield replace(self, at_hand=Remembering(engine))


def spark(master: str) -> AbstractContextManager[Engine]:
    """Open Spark at a master. Raises :class:`UsageError` where that cannot be."""
    reach.look(master)
    from likelier.spark.engine import Spark  # noqa: PLC0415 - an extra, and slow to load

    return Spark(master)


@contextmanager
def open_workspace(settings: Settings) -> Iterator[Workspace]:
    """Open the home folder, creating it when it is not there."""
    store = open_store(settings.database)
    try:
        yield Workspace(settings, store, Lake(settings.lake))
    finally:
        store.close()
