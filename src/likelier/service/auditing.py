"""The audit log, taken along."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.service.files import whole_file
from likelier.service.workspace import Workspace
from likelier.store import audit

COLUMNS = ("at", "actor", "address", "action", "object_type", "object_id", "object_name", "before", "after")


def export_audit(workspace: Workspace, actor: Actor, path: Path, wanted: audit.Filter | None = None) -> int:
    """Write every entry that is wanted to a CSV file, the newest first, and say how many; that it was is logged too."""
    number = 0
    with whole_file(path) as file, workspace.store.read() as connection:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        lines = csv.writer(text)
        lines.writerow(COLUMNS)
        for number, entry in enumerate(audit.every(connection, wanted or audit.Filter()), start=1):  # noqa: B007
            lines.writerow([_cell(getattr(entry, name)) for name in COLUMNS])
        text.detach()
    with workspace.store.write() as connection:
        log = Thing("audit", "audit", "audit log")
        record(connection, actor, "audit.export", log, now=workspace.clock(), after={"entries": number})
    return number


def _cell(value: object) -> str:
    if value is None:
        return ""
    said = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str) if isinstance(value, dict) else str(value)
    # A spreadsheet takes such a text for a formula.
    return f"'{said}" if said.startswith(("=", "+", "-", "@", "\t", "\r")) else said
