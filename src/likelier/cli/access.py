"""The commands of `likelier tokens` and `likelier users`."""
# ruff: noqa: FBT002 - a flag of typer is a boolean parameter

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from likelier.access import tokens as service
from likelier.access import users as people
from likelier.access.identity import person_at_the_keyboard
from likelier.access.roles import Role
from likelier.cli.frame import Commands, Home, Json, margin, opened, plain, print_json, screen
from likelier.cli.show import grid
from likelier.store import access as stored

tokens = typer.Typer(name="tokens", cls=Commands, no_args_is_help=True, help="Programs' rights to use the API.")
users = typer.Typer(name="users", cls=Commands, no_args_is_help=True, help="People who sign in to the web pages.")
UserName = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
UserRole = Annotated[Role, typer.Option(help="What the user may do.")]
Password = Annotated[
    str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for when it is left out.")
]


@tokens.command(name="create")
def create_token(
    name: Annotated[str, typer.Option(help="What the token is for.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="A date, or days such as 90d; without it, never.")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make a token and print it, once."""
    with opened(home) as workspace, workspace.store.write() as connection:
        token_id, now = workspace.new_id(), workspace.clock()
        ends = service.expiry(expires, now) if expires else None
        secret = service.issue(
            connection, person_at_the_keyboard(), token_id=token_id, name=name, role=role, now=now, expires_at=ends
        )
    if json:
        print_json({"token": secret, "id": token_id, "expires_at": ends})
    else:
        margin().print("This token is shown once:")
        screen().print(secret, soft_wrap=True)


@tokens.command(name="list")
def list_tokens(home: Home = None, json: Json = False) -> None:
    """Show who holds a token, and until when; the tokens themselves are kept nowhere."""
    with opened(home) as workspace, workspace.store.read() as connection:
        listed, now = stored.list_tokens(connection), workspace.clock()
    rows = [{**service.told(token), "valid": token.valid(now)} for token in listed]
    if json:
        print_json(rows)
    else:
        _show(("id", "name", "role", "created_at", "created_by", "expires_at", "revoked_at", "valid"), rows)


@tokens.command(name="revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id: likelier tokens list.")],
    home: Home = None,
) -> None:
    """End a token, at once."""
    with opened(home) as workspace, workspace.store.write() as connection:
        service.revoke(connection, person_at_the_keyboard(), token_id, now=workspace.clock())


@users.command(name="create")
def create_user(name: UserName, role: UserRole, password: Password, home: Home = None) -> None:
    """Make a user."""
    actor = person_at_the_keyboard()
    with opened(home) as workspace, workspace.store.write() as connection:
        people.create_user(
            connection,
            actor,
            user_id=workspace.new_id(),
            name=name,
            role=role,
            password=password,
            now=workspace.clock(),
        )


@users.command(name="list")
def list_users(home: Home = None, json: Json = False) -> None:
    """Show who may sign in."""
    with opened(home) as workspace, workspace.store.read() as connection:
        rows = [people.told(user) for user in stored.list_users(connection)]
    if json:
        print_json(rows)
    else:
        _show(("name", "role", "signs_in_with", "created_at", "created_by", "disabled_at"), rows)


@users.command(name="password")
def set_password(name: UserName, password: Password, home: Home = None) -> None:
    """Give a user another password; whoever is signed in as that user is signed out."""
    with opened(home) as workspace, workspace.store.write() as connection:
        people.set_password(connection, person_at_the_keyboard(), name, password, now=workspace.clock())


@users.command(name="role")
def set_role(name: UserName, role: UserRole, home: Home = None) -> None:
    """Let a user do more or less than before, at once."""
    with opened(home) as workspace, workspace.store.write() as connection:
        people.set_role(connection, person_at_the_keyboard(), name, role, now=workspace.clock())


@users.command(name="disable")
def disable_user(name: UserName, home: Home = None) -> None:
    """Shut a user out, at once."""
    with opened(home) as workspace, workspace.store.write() as connection:
        people.disable_user(connection, person_at_the_keyboard(), name, now=workspace.clock())


@users.command(name="enable")
def enable_user(name: UserName, home: Home = None) -> None:
    """Let a user in again who was shut out."""
    with opened(home) as workspace, workspace.store.write() as connection:
        people.enable_user(connection, person_at_the_keyboard(), name, now=workspace.clock())


def _show(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    table = grid(*(column.removesuffix("_at").replace("_", " ").capitalize() for column in columns))
    for row in rows:
        table.add_row(*(plain(_cell(row[column])) for column in columns))
    screen().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return {None: "", True: "yes", False: "no"}.get(value, str(value))
