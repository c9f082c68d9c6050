"""The commands of `likelier links`."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter; each command loads what it needs

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from likelier.access.identity import person_at_the_keyboard
from likelier.cli.frame import Commands, Home, Json, opened, plain, print_json, screen

if TYPE_CHECKING:
    from rich.console import Console

links = typer.Typer(name="links", cls=Commands, help="Which ids are one person, and why.", no_args_is_help=True)

Namespace = Annotated[str, typer.Argument(metavar="NAMESPACE", help="Such as CRMID.")]
Identity = Annotated[str, typer.Argument(metavar="ID", help="An id of it.")]


@links.command()
def show(namespace: Namespace, identity: Identity, home: Home = None, json: Json = False) -> None:
    """Show the ids that are one person with an id, and the links among them."""
    from likelier.service.identity import find_links

    with opened(home) as workspace:
        found = find_links(workspace, namespace, identity)
    _answer(found, json=json)


@links.command()
def cut(
    namespace: Namespace,
    identity: Identity,
    other_namespace: Namespace,
    other: Identity,
    home: Home = None,
    json: Json = False,
) -> None:
    """Declare a link wrong: it counts as never seen, in whatever is begun from now on."""
    _change((namespace, identity), (other_namespace, other), home, cut=True, json=json)


@links.command()
def restore(
    namespace: Namespace,
    identity: Identity,
    other_namespace: Namespace,
    other: Identity,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a link count that was cut."""
    _change((namespace, identity), (other_namespace, other), home, cut=False, json=json)


def _change(one: tuple[str, str], other: tuple[str, str], home: Any, *, cut: bool, json: bool) -> None:
    from likelier.service.identity import cut_link

    with opened(home) as workspace:
        found = cut_link(workspace, person_at_the_keyboard(), one, other, cut=cut)
    _answer(found, json=json)


def _answer(found: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json(found)
    else:
        _show(screen(), found)


def _show(console: Console, found: Mapping[str, Any]) -> None:
    from likelier.cli.show import grid

    console.print("One person: ", *(plain(_name(one)) for one in found["ids"]))
    if found["links"]:
        table = grid("Link", "", "First seen", "Last seen", "Rows", "", right=("Rows",))
        for link in found["links"]:
            state = "" if link["counts"] else "cut" if link["cut"] else "hub"
            when = (link[key][:16].replace("T", " ") for key in ("first", "last"))
            table.add_row(plain(_name(link["a"])), plain(_name(link["b"])), *when, f"{link['rows']:,}", state)
        console.print(table)
    for hub in found["hubs"]:
        console.print(
            plain(
                f"{_name(hub)} has {hub['neighbours']:,} neighbours, more than {found['most_linked']}: it joins nobody."
            )
        )


def _name(one: Mapping[str, str]) -> str:
    return f"{one['namespace']} {one['id']}"
