"""The commands of `likelier alerts`."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter; each command loads what it needs

from __future__ import annotations

from typing import Annotated

import typer

from likelier.access.identity import person_at_the_keyboard
from likelier.cli.frame import Commands, Home, Json, margin, opened, plain, print_json, screen

alerts = typer.Typer(name="alerts", cls=Commands, help="What people are told without asking.", no_args_is_help=True)


@alerts.command(name="list")
def list_all(
    limit: Annotated[int, typer.Option(min=1, help="How many are shown.")] = 50, home: Home = None, json: Json = False
) -> None:
    """List what was noticed, newest first, and whether somebody was told."""
    from likelier.cli.show import grid
    from likelier.service.alerts import list_alerts

    with opened(home) as workspace:
        found = list_alerts(workspace, limit)
    if json:
        print_json(found)
    elif not found:
        margin().print("Nothing was noticed yet.")
    else:
        table = grid("When", "Instance", "What", "Words", "Over", "")
        for one in found:
            over = (one["over_at"] or "")[:16].replace("T", " ")
            told = (one["noticed_at"][:16].replace("T", " "), one["instance"], one["kind"], one["words"], over)
            table.add_row(*map(plain, (*told, one["state"])))
        screen().print(table)


@alerts.command(name="test")
def send_a_test(home: Home = None, json: Json = False) -> None:
    """Send a test by every channel that is set up."""
    from likelier.service.alerts import send_test

    with opened(home) as workspace:
        channels = send_test(workspace, person_at_the_keyboard())
    if json:
        print_json({"channels": channels})
    else:
        margin().print(f"A test was sent by {' and '.join(channels)}.")


@alerts.command()
def check(home: Home = None, json: Json = False) -> None:
    """Look for missed schedules and tell what waits; for a clock of your own where no server runs."""
    from likelier.service.alerts import notice_schedules, send_waiting

    with opened(home) as workspace:
        found = {"noticed": len(notice_schedules(workspace)), "told": send_waiting(workspace)}
    if json:
        print_json(found)
    else:
        margin().print(f"{found['noticed']} missed schedules were noticed, {found['told']} alerts were told.")
