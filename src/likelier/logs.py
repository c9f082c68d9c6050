"""What a server writes about itself: a JSON object a line, with the run and the request it is about.

Nothing that came from data is ever written. A message is a fixed text with names of ours in it; of an exception, whose
message may quote a value, only its kind and the places in the code are told.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
run_id: ContextVar[str | None] = ContextVar("run_id", default=None)
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class Lines(logging.Formatter):
    """Each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
            "request": request_id.get(),
            "run": run_id.get(),
            **{key: value for key, value in vars(record).items() if key not in _PLAIN},
        }
        if record.exc_info and record.exc_info[1]:
            told["error"] = _kind_and_places(record.exc_info[1])
        return json.dumps({key: value for key, value in told.items() if value is not None}, default=str)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - the base's name
        return dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")


@contextmanager
def about_run(run: str) -> Iterator[None]:
    """Whatever is logged inside is about this run."""
    token = run_id.set(run)
    try:
        yield
    finally:
        run_id.reset(token)


def write_lines(stream: IO[str] | None = None) -> None:
    """Let this process write its log, from now on, as lines of JSON to standard error."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("likelier").setLevel(logging.INFO)
    logging.getLogger("nicegui").setLevel(logging.ERROR)  # its warnings name the addresses that were asked for


def _kind_and_places(error: BaseException) -> dict[str, Any]:
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    told = {"kind": type(error).__name__, "places": places[-20:]}
    return {**told, "cause": _kind_and_places(cause)} if cause else told
