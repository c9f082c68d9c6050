"""What is known of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from likelier.errors import LikelierError, RunError

POOR_MODEL = frozenset({402, 403, 414})
"""The codes that say the training ended badly, not that the data lacked something: a training issue, not a failure."""


class LeaseLostError(LikelierError):
    """Another process carries the run on; this one stops without a trace."""


class RunCancelledError(LikelierError):
    """Somebody asked the run to stop."""


class State(StrEnum):
    """Where a run is in its life; the last four are its ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    TRAINING_ISSUE = "training_issue"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def active(self) -> bool:
        return self in ACTIVE


ACTIVE = (State.QUEUED, State.RUNNING)


def scores_table(instance_id: str) -> str:
    """Name the lake's table of an instance's scores; it holds those of every run, told apart by `run_id`."""
    return f"scores/{instance_id}"


@dataclass(frozen=True)
class Failure:
    """Why a run gave no scores: a code of 400-414 where there is one, and what to do."""

    code: int | None
    title: str
    message: str
    suggestions: Sequence[str] = ()

    @classmethod
    def of(cls, error: RunError) -> Failure:
        return cls(error.code, error.title, error.message, tuple(error.suggestions))

    @property
    def state(self) -> State:
        """The end it gives a run.

        >>> Failure(402, "BAD MODEL", "...").state
        <State.TRAINING_ISSUE: 'training_issue'>
        """
        return State.TRAINING_ISSUE if self.code in POOR_MODEL else State.FAILED

    def __str__(self) -> str:
        return f"{self.code} {self.title}" if self.code else self.title


@dataclass(frozen=True)
class Progress:
    """How far a run is: the stage it is in, the fraction of that stage, the rows gone through."""

    stage: str
    fraction: float = 0.0
    rows: int = 0


Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Lease:
    """The right to carry a run on, until a moment; `attempt` tells two holders of one name apart."""

    owner: str
    until: dt.datetime
    attempt: int


@dataclass(frozen=True)
class Run:
    """One run of an instance's definition, as recorded."""

    id: str
    instance_id: str
    instance: str
    version: int
    state: State
    seed: int
    started_by: str
    queued_at: dt.datetime
    as_of: dt.datetime | None = None
    data_versions: Mapping[str, int] | None = None
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    progress: Progress | None = None
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    scored: int | None = None
    auc: float | None = None
    error: Failure | None = None
    lease: Lease | None = None
    cancel_requested: bool = False

    @property
    def pinned(self) -> bool:
        """Whether the moment and the data it runs on are settled."""
        return self.as_of is not None and self.data_versions is not None
