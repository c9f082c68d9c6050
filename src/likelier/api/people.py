"""The routes by which users are made, looked at, changed and shut out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from likelier import wire
from likelier.access import users
from likelier.access.roles import Role
from likelier.access.secrets import LONGEST_PASSWORD, SHORTEST_PASSWORD
from likelier.api.document import problems
from likelier.api.frame import Admin, Work
from likelier.api.requests import Route
from likelier.store import access as stored

people = APIRouter(prefix="/api/v1", route_class=Route)
Password = Annotated[
    str,
    Field(
        min_length=SHORTEST_PASSWORD,
        max_length=LONGEST_PASSWORD,
        json_schema_extra={"format": "password", "writeOnly": True},
    ),
]


class NewUser(BaseModel):
    """Somebody who is to sign in with a password."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "ann", "role": "view", "password": "correct horse battery staple"}]},
    )

    name: str = Field(min_length=1, max_length=200)
    role: Role
    password: Password


class UserEdit(BaseModel):
    """What is to change of a user; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "manage", "disabled": False}]})

    role: Role | None = None
    password: Password | None = None
    disabled: StrictBool | None = None


@people.get("/users", response_model=wire.Page[wire.User])
def list_users(
    _: Admin,
    work: Work,
    limit: Annotated[int, Field(ge=1, le=1000)] = 100,
    after: str = "",
) -> dict[str, Any]:
    """List who may sign in, by name, also those who were shut out."""
    with work.store.read() as connection:
        found = [user for user in stored.list_users(connection) if user.name > after]
    more = found[limit - 1].name if len(found) > limit else None
    return {"items": [users.told(user) for user in found[:limit]], "next": more}


@people.post("/users", status_code=201, response_model=wire.User, responses=problems(409, 413, 415))
def create_user(asked: NewUser, actor: Admin, work: Work) -> dict[str, Any]:
    """Make a user who signs in with a password."""
    with work.store.write() as connection:
        made = users.create_user(
            connection,
            actor,
            user_id=work.new_id(),
            name=asked.name,
            role=asked.role,
            password=asked.password,
            now=work.clock(),
        )
    return users.told(made)


@people.get("/users/{user}", response_model=wire.User, responses=problems(404))
def get_user(user: str, _: Admin, work: Work) -> dict[str, Any]:
    """Tell a user, by id or name."""
    with work.store.read() as connection:
        return users.told(stored.get_user(connection, user))


@people.patch("/users/{user}", response_model=wire.User, responses=problems(404, 413, 415))
def edit_user(user: str, asked: UserEdit, actor: Admin, work: Work) -> dict[str, Any]:
    """Give a user another role or password, shut it out or let it in again, at once."""
    now = work.clock()
    with work.store.write() as connection:
        if asked.password is not None:
            users.set_password(connection, actor, user, asked.password, now=now)
        if asked.role is not None:
            users.set_role(connection, actor, user, asked.role, now=now)
        if asked.disabled is not None:
            (users.disable_user if asked.disabled else users.enable_user)(connection, actor, user, now=now)
        return users.told(stored.get_user(connection, user))
