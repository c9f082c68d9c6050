"""The commands of whoever operates likelier: doctor, backup, restore, audit."""
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
from likelier.errors import UsageError
from likelier.settings import read_settings
from likelier.timespan import parse_moment

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


def retention(
    yes: Annotated[bool, typer.Option("--yes", help="Do it: nothing brings the data back.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Delete events and scores older than LIKELIER_KEEP_EVENTS_DAYS and LIKELIER_KEEP_SCORES_DAYS, for good."""
    from likelier.service.retention import let_expire, limits

    with opened(home) as workspace:
        told = ", ".join(f"{kind} before {moment:%Y-%m-%d}" for kind, moment in limits(workspace).items())
        if not yes:
            raise UsageError(f"This deletes {told} for good. Add --yes.")
        found = let_expire(workspace, person_at_the_keyboard())
    if json:
        print_json(found)
    else:
        margin().print(f"Deleted {found['events']:,} events and {found['scores']:,} scores: {told}.", markup=False)


def _told(rows: Mapping[str, int], file: Path, verb: str, *, json: bool) -> None:
    if json:
        print_json({"file": str(file), "rows": dict(rows)})
    else:
        margin().print(f"{sum(rows.values()):,} rows of {len(rows)} tables {verb} {file}.", markup=False)


def audit(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A .jsonl or .csv file to write.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this one did.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as scores.export.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="From this moment on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Before this moment.")] = None,
    words: Annotated[str | None, typer.Option(help="Only where this stands in who did what to which object.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many are shown; a file gets them all.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show who did what, when, from where, newest first; or write it to a file, which is logged."""
    from likelier.service.audits import FORMATS, export_log
    from likelier.service.files import whole_file
    from likelier.store import audit as log

    begin, end = (parse_moment(text) if text else None for text in (since, until))
    wanted = log.Filter(actor=actor, action=action, since=begin, until=end, words=words)
    with opened(home) as workspace:
        if output:
            form = output.suffix.lower().removeprefix(".")
            if form not in FORMATS:
                raise UsageError(f"'{output.name}' names no format. End it in .jsonl or .csv.")
            with whole_file(output) as file:
                file.writelines(export_log(workspace, person_at_the_keyboard(), wanted, form))
            margin().print(f"The log is in {output}.", markup=False)
            return
        with workspace.store.read() as connection:
            found = log.page(connection, wanted, limit=limit)
    if json:
        print_json([vars(entry) for entry in found])
        return
    table = grid("When", "Who", "From", "Did", "To", "Before", "After")
    for entry in found:
        cells = (entry.actor, entry.address or "", entry.action, entry.object_name, entry.before, entry.after)
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M:%S}", *(plain("" if cell is None else cell) for cell in cells))
    screen().print(table)
