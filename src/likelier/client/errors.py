"""What can go wrong between a client and a server."""

from __future__ import annotations

from likelier.errors import LikelierError
from likelier.wire import Problem


class ProblemError(LikelierError):
    """The server says why it could not do what was asked."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail)

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def code(self) -> int | None:
        """The code of a run's outcome, 400-414, where there is one."""
        return self.problem.code


class NoAnswerError(LikelierError):
    """The server cannot be reached, however often it was asked."""
