"""Files that people bring in a browser: looked at, mapped, ingested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from likelier.access.identity import Actor
from likelier.events.guess import FileColumn, guess_mapping, peek
from likelier.events.ingest import IngestResult, ingest
from likelier.events.mapping import parse_mapping
from likelier.phrases import say
from likelier.service.data import known_ids, note_ingest
from likelier.service.workspace import Workspace


@dataclass(frozen=True)
class Proposal:
    """What is in a file, and the mapping it suggests; no mapping for a file of XDM events."""

    columns: tuple[FileColumn, ...]
    mapping: dict[str, Any] | None


def propose(file: Path) -> Proposal:
    """Look into a file and guess its mapping."""
    found = peek(file)
    return Proposal(found.columns, None if found.is_xdm else guess_mapping(found.columns))


def mapping_text(mapping: dict[str, Any]) -> str:
    """Write a mapping as its file would stand."""
    return str(yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True))


def ingest_upload(
    workspace: Workspace,
    actor: Actor,
    name: str,
    file: Path,
    *,
    mapping: dict[str, Any] | None,
    kind: Literal["events", "profiles"],
    progress: Callable[[float, int], None],
) -> IngestResult:
    """Append an uploaded file to a dataset."""
    done = ingest(
        workspace.lake,
        name,
        [file],
        mapping=parse_mapping(mapping_text(mapping), say("the mapping")) if mapping else None,
        kind=kind,
        now=workspace.clock(),
        progress=progress,
        memory=workspace.settings.memory,
        known=known_ids(workspace, name),
    )
    note_ingest(workspace, actor, name, done)
    return done
