"""The commands of whoever operates likelier: doctor, backup, restore."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter; each command loads what it needs

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from likelier.access.identity import person_at_the_keyboard
from likelier.cli.frame import WORK_FAILED, Home, Json, margin, opened, plain, print_json, screen
from likelier.cli.show import grid
from likelier.settings import read_settings

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="Such as likelier.backup.gz.")]


def doctor(home: Home = None, json: Json = False) -> None:
    """Look for what could keep likelier from working here, and say what to do; changes nothing."""
    from likelier.service.doctor import Verdict, examine, worst
    from likelier.service.workspace import now

    findings = examine(read_settings(home=home), now)
    if json:
        print_json([vars(finding) for finding in findings])
    else:
        colours = {Verdict.WELL: "green", Verdict.WARNING: "yellow", Verdict.TROUBLE: "bold red"}
        table = grid("Looked at", "", "Found", "What to do")
        for found in findings:
            verdict = Text(found.verdict, style=colours[found.verdict])
            table.add_row(found.subject, verdict, plain(found.found), plain(found.advice))
        screen().print(table)
    if worst(findings) is Verdict.TROUBLE:
        raise typer.Exit(WORK_FAILED)


def backup(file: BackupFile, home: Home = None, json: Json = False) -> None:
    """Write the whole store to one file: instances, runs, segments, users, tokens' digests, the audit log.

    Events and scores are in the lake: copy its folder after this.
    """
    from likelier.service.backups import write_backup

    with opened(home) as workspace:
        _told(write_backup(workspace, person_at_the_keyboard(), file), file, "are in", json=json)


def restore(file: BackupFile, home: Home = None, json: Json = False) -> None:
    """Fill an empty store with a backup; SQLite's into PostgreSQL, too, and the other way."""
    from likelier.service.backups import restore_backup

    with opened(home) as workspace:
        _told(restore_backup(workspace, person_at_the_keyboard(), file), file, "were restored from", json=json)


def _told(rows: Mapping[str, int], file: Path, verb: str, *, json: bool) -> None:
    if json:
        print_json({"file": str(file), "rows": dict(rows)})
    else:
        margin().print(f"{sum(rows.values()):,} rows of {len(rows)} tables {verb} {file}.", markup=False)
