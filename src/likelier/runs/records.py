"""What is known of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from likelier.errors import LikelierError, RunError
from likelier.phrases import join, say

WHEN_DUE = "when due"
"""The wish for the model that is there, unless it is due; without a wish a run trains anew."""
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
    wish: str | None = None
    """Which model is asked for: None for a new one, :data:`WHEN_DUE`, or the run whose model is to be used."""
    model: Mapping[str, Any] | None = None
    """The plan it was pinned with: the `run` that made the model to use, or None, and why (`because`)."""
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
    def model_run(self) -> str:
        """The run that made the model of this one: itself, unless a champion was kept."""
        champion = (self.stages.get("train") or {}).get("champion") or {}
        return str(self.model["run"]) if self.model and champion.get("kept") else self.id

    @property
    def decision(self) -> str:
        """Say which model the run used, and why."""
        if not self.model:
            return ""
        came_of_it = _came_of_it((self.stages.get("train") or {}).get("champion") or {})
        because: str = self.model["because"]
        return join([because, came_of_it]) if came_of_it else because

    @property
    def pinned(self) -> bool:
        """Whether the moment and the data it runs on are settled."""
        return self.as_of is not None and self.data_versions is not None


def _came_of_it(champion: Mapping[str, Any]) -> str:
    """Say what came of it when a model was made to stand up to a new one."""
    if champion.get("challenger_problem"):
        return say("It stays, for no new one could be made: {problem}", problem=champion["challenger_problem"])
    if "challenger_auc" not in champion:
        return ""
    aucs = {"new": champion["challenger_auc"]["value"], "old": champion["auc"]["value"]}
    if champion["kept"]:
        return say("The new one is not better beyond chance (AUC {new:.3f} against {old:.3f}), so it stays.", **aucs)
    if champion["stale"]:
        return say("The new one takes its place (AUC {new:.3f} against {old:.3f}).", **aucs)
    return say("The new one is better (AUC {new:.3f} against {old:.3f}) and takes its place.", **aucs)
