"""Events as they happen, taken in while the service runs.

Requests to one dataset that arrive while a batch of it is being written share the next one. Nobody waits for a clock: a
lone request is written at once, and the busier it is the larger the batches get. A request is answered when its events
are on the disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from likelier.access.identity import Actor
from likelier.errors import LikelierError, TransientError, UsageError
from likelier.events.ingest import IngestResult
from likelier.events.stream import Counts, Sent, append_lines, tidy
from likelier.phrases import say
from likelier.service.data import known_ids, note_ingest
from likelier.service.workspace import Workspace

MOST_AT_ONCE = 32 << 20  # bytes of a batch, unless a single request has more
MOST_WAITING = 256 << 20
log = logging.getLogger(__name__)

Outcome = Counts | LikelierError


class TooMuchWaitingError(TransientError):
    """More is sent than can be written."""


@dataclass(frozen=True)
class Request:
    """What one sender sent at once."""

    actor: Actor
    sent: Sent

    @property
    def size(self) -> int:
        return len(self.sent.body)


@dataclass
class _Queue:
    """What waits for one dataset, with where its sender waits; and who writes."""

    waiting: list[tuple[Request, asyncio.Future[Outcome]]] = field(default_factory=list)
    writer: asyncio.Task[None] | None = None
    tidier: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        return sum(request.size for request, _ in self.waiting)

    def take(self) -> list[tuple[Request, asyncio.Future[Outcome]]]:
        """Take the requests of the next batch, in the order of their arrival."""
        size = count = 0
        for request, _ in self.waiting:
            size += request.size
            if count and size > MOST_AT_ONCE:
                break
            count += 1
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken


class Intake:
    """Writes what arrives, a batch at a time for each dataset."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._queues: defaultdict[str, _Queue] = defaultdict(_Queue)

    async def accept(self, actor: Actor, name: str, sent: Sent) -> Counts:
        """Append events to a dataset, together with what others send meanwhile."""
        if sum(queue.size for queue in self._queues.values()) > MOST_WAITING:
            raise TooMuchWaitingError("More events arrive than can be written. Wait a little, and send them again.")
        queue, answer = self._queues[name], asyncio.get_running_loop().create_future()
        queue.waiting.append((Request(actor, sent), answer))
        if _is_over(queue.writer):
            queue.writer = asyncio.create_task(self._write_all(name, queue))
        outcome: Outcome = await answer
        if isinstance(outcome, LikelierError):
            raise outcome
        return outcome

    async def _write_all(self, name: str, queue: _Queue) -> None:
        while queue.waiting:
            taken = queue.take()
            for prefixed in (False, True):
                same = [each for each in taken if each[0].sent.prefixed is prefixed]
                outcomes = await asyncio.to_thread(self.write, name, [request for request, _ in same])
                for (_, answer), outcome in zip(same, outcomes, strict=True):
                    if not answer.done():  # who went away will ask again
                        answer.set_result(outcome)
            if _is_over(queue.tidier):
                queue.tidier = asyncio.create_task(asyncio.to_thread(self._tidy, name))

    def write(self, name: str, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Append what several senders sent, in one batch; say what became of each one's events."""
        try:
            return self._append(name, requests) if requests else []
        except UsageError as error:
            if len(requests) == 1:
                return [error]
            # One of them cannot be used; the others must be no worse for its company.
            return [outcome for request in requests for outcome in self.write(name, [request])]
        except LikelierError as error:
            return [error] * len(requests)
        except Exception:
            log.exception("A batch of events for a dataset failed")
            return [TransientError(say("The events could not be written. Send them again."))] * len(requests)

    def _append(self, name: str, requests: Sequence[Request]) -> Sequence[Counts]:
        work = self._workspace
        counts = append_lines(
            work.lake,
            name,
            [request.sent for request in requests],
            now=work.clock(),
            memory=work.settings.memory,
            known=known_ids(work, name),
        )
        for actor, total in _totals(requests, counts).items():
            note_ingest(work, actor, name, total)
        return counts

    def _tidy(self, name: str) -> None:
        try:
            tidy(self._workspace.lake, name, known_ids(self._workspace, name))
        except LikelierError as error:
            log.warning("Joining the files of a dataset failed, and is tried again: %s", error)


def _is_over(task: asyncio.Task[None] | None) -> bool:
    """Whether nobody does it any more; a task ends with its event loop, done or not."""
    return task is None or task.done() or task.get_loop() is not asyncio.get_running_loop()


def _totals(requests: Sequence[Request], counts: Sequence[Counts]) -> dict[Actor, IngestResult]:
    """Sum up what each sender brought into a batch: the log has an entry for that, not for every request."""
    totals: defaultdict[Actor, Counter[str]] = defaultdict(Counter)
    names = {found.batch for found in counts if found.batch}
    for request, found in zip(requests, counts, strict=True):
        brought = {"accepted": found.accepted, "duplicate": found.duplicate, "rejected": found.rejected}
        totals[request.actor].update(brought)
    return {actor: IngestResult(**total, batch=next(iter(names))) for actor, total in totals.items() if names}
