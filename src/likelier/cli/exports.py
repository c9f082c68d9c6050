"""The commands of `likelier exports`."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter; each command loads what it needs

from __future__ import annotations

from typing import Annotated, Any

import typer

from likelier.access.identity import person_at_the_keyboard
from likelier.cli.frame import Commands, Home, Json, margin, opened, plain, print_json, screen

exports = typer.Typer(
    name="exports", cls=Commands, help="Segments and scores, delivered outside.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The export's name.")]
OfSegment = Annotated[str | None, typer.Option("--segment", metavar="S", help="The members of this segment.")]
OfInstance = Annotated[str | None, typer.Option("--scores", metavar="I", help="The latest scores of this instance.")]
To = Annotated[str, typer.Option("--to", metavar="URL", help="File, object store, postgresql:// or https://.")]
Table = Annotated[str | None, typer.Option(help="The table of a PostgreSQL database.")]
Mode = Annotated[str, typer.Option(help="How a table is filled: replace or upsert.")]


@exports.command()
def once(
    to: To,
    segment: OfSegment = None,
    scores: OfInstance = None,
    table: Table = None,
    mode: Mode = "replace",
    home: Home = None,
    json: Json = False,
) -> None:
    """Deliver members or scores now."""
    from likelier.service import exports as service

    with opened(home) as workspace:
        asked, destination = service.Asked(segment, scores), service.Destination(to, table, mode)
        _show(service.export_once(workspace, person_at_the_keyboard(), asked, destination), json=json)


@exports.command()
def add(
    name: Name,
    to: To,
    segment: OfSegment = None,
    scores: OfInstance = None,
    table: Table = None,
    mode: Mode = "replace",
    home: Home = None,
    json: Json = False,
) -> None:
    """Deliver now and after each run; ${NAME} in the URL stands for a variable, such as a password."""
    from likelier.service import exports as service

    with opened(home) as workspace:
        asked, destination = service.Asked(segment, scores), service.Destination(to, table, mode)
        _show(service.add_export(workspace, person_at_the_keyboard(), name, asked, destination), json=json)


@exports.command()
def send(name: Name, home: Home = None, json: Json = False) -> None:
    """Deliver again; what was broken off goes on."""
    from likelier.service import exports as service

    with opened(home) as workspace:
        _show(service.send_export(workspace, person_at_the_keyboard(), name), json=json)


@exports.command()
def remove(name: Name, home: Home = None) -> None:
    """Deliver no more after runs."""
    from likelier.service import exports as service

    with opened(home) as workspace:
        service.remove_export(workspace, person_at_the_keyboard(), name)


@exports.command(name="list")
def list_all(home: Home = None, json: Json = False) -> None:
    """List what is delivered after runs, and the newest deliveries."""
    from likelier.cli.show import grid
    from likelier.service import exports as service

    with opened(home) as workspace:
        found = {"exports": service.list_exports(workspace), "deliveries": service.list_deliveries(workspace)}
    if json:
        print_json(found)
        return
    for one in found["exports"]:
        screen().print(plain(f"{one['name']}: to {one['to']}, after each run"))
    table = grid("When", "What", "To", "State", "Rows", "Why", right=("Rows",))
    for one in found["deliveries"]:
        rows = f"{one['rows']:,}" if one["rows"] is not None else ""
        told = (one["started_at"][:16].replace("T", " "), one["what"], one["destination"], one["state"], rows)
        table.add_row(*map(plain, (*told, one["error"] or "")))
    screen().print(table)


def _show(delivery: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(delivery)
    else:
        margin().print(
            plain(f"{delivery['rows']:,} rows of {delivery['what']} were delivered to {delivery['destination']}.")
        )
