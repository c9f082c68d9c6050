"""The audit log, written out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.service.workspace import Workspace
from likelier.store import audit
from likelier.store.audit import Entry, Filter

COLUMNS = ("id", "at", "actor", "address", "action", "object_type", "object_id", "object_name", "before", "after")
AT_ONCE = 1000


def export_log(workspace: Workspace, actor: Actor, wanted: Filter, form: str) -> Iterator[bytes]:
    """Log that somebody takes the log away, then give the entries that are wanted, newest first, a few at a time."""
    with workspace.store.write() as connection:
        asked = {key: str(value) for key, value in asdict(wanted).items() if value is not None}
        told = {"format": form, **asked}
        record(connection, actor, "audit.export", Thing("audit", "", "audit log"), now=workspace.clock(), after=told)
    return _written(workspace, wanted, FORMATS[form])


def _written(workspace: Workspace, wanted: Filter, write: Callable[[Sequence[Entry]], bytes]) -> Iterator[bytes]:
    if write is _csv:
        yield _line(COLUMNS)
    before = None
    while found := _page(workspace, wanted, before):
        yield write(found)
        before = found[-1].id


def _page(workspace: Workspace, wanted: Filter, before: int | None) -> list[Entry]:
    # A look of its own for each page, so that whoever reads slowly holds nothing; the log only grows at the other end.
    with workspace.store.read() as connection:
        return audit.page(connection, wanted, before=before, limit=AT_ONCE)


def _jsonl(entries: Sequence[Entry]) -> bytes:
    rows = ({name: getattr(entry, name) for name in COLUMNS} for entry in entries)
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _csv(entries: Sequence[Entry]) -> bytes:
    return b"".join(_line([_cell(getattr(entry, name)) for name in COLUMNS]) for entry in entries)


def _line(cells: Sequence[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Write a value as a spreadsheet takes it: a name that somebody tried to sign in with must not become a formula.

    >>> _cell("=HYPERLINK(...)"), _cell("ann"), _cell({"role": "view"})
    ("'=HYPERLINK(...)", 'ann', '{"role":"view"}')
    """
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value:
        return "'" + value
    return value.isoformat() if hasattr(value, "isoformat") else value


FORMATS: dict[str, Callable[[Sequence[Entry]], bytes]] = {"jsonl": _jsonl, "csv": _csv}
