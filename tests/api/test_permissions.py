"""No route is open by accident."""

import pytest
import sqlalchemy as sa

from likelier.access import tokens, users
from likelier.access.identity import Actor
from likelier.access.roles import Permission, Role
from likelier.access.secrets import digest
from likelier.api.frame import Needs
from likelier.store.access import User, add_user
from likelier.store.tables import sessions

OPEN = {
    "/healthz",
    "/readyz",
    "/sign-in",
    "/sign-in/provider",
    "/sign-in/callback",
    "/sign-out",
    "/api/v1/openapi.json",
}


def leaves(routes):
    """Every route, also of included routers, which FastAPI keeps whole."""
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if getattr(route, "dependant", None) is None and getattr(inner, "routes", None):
            yield from leaves(inner.routes)
        else:
            yield route


def needed(route) -> Permission | None:
    found = [one.call for one in route.dependant.dependencies if isinstance(one.call, Needs)]
    return found[0].permission if found else None


def operations(app):
    """Every operation of the OpenAPI document, with the permission of its route."""
    routes = {route.path: route for route in leaves(app.routes) if hasattr(route, "dependant")}
    assert len(routes) > 15
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            matching = [
                route
                for route in leaves(app.routes)
                if getattr(route, "path_format", "") == path and method.upper() in route.methods
            ]
            yield method, path, needed(matching[0])


def filled(path: str) -> str:
    for name in (
        "name",
        "instance_id",
        "run_id",
        "namespace",
        "identity:path",
        "identity",
        "segment",
        "token_id",
        "user",
        "export",
    ):
        path = path.replace("{" + name + "}", "x")
    return path


def test_every_operation_declares_its_permission(app):
    declared = list(operations(app))
    assert len(declared) > 25
    assert {path for _, path, permission in declared if permission is None} <= OPEN
    for method, path, permission in declared:
        if method != "get" and path not in OPEN and not path.endswith(("/check", "/segment-estimates")):
            assert permission in (Permission.MANAGE, Permission.ADMIN), (method, path)


def test_every_route_of_the_application_is_documented_or_known_to_be_open(app):
    documented = set(app.openapi()["paths"])
    for route in leaves(app.routes):
        assert route.path_format in documented | OPEN, route.path


def test_strangers_and_ended_credentials_are_refused_everywhere(app, client, ended):
    strangers = [{}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}, {"cookie": "likelier_session=x"}]
    for method, path, permission in operations(app):
        if permission is None:
            continue
        for headers in [*strangers, *ended]:
            answer = client.request(method, filled(path), headers=headers)
            assert answer.status_code == 401, (method, path, headers)
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture
def ended(token, workspace):
    """What was good once: an expired and a revoked token, cookies of who signed out, was shut out, or came long ago."""
    now = workspace.clock()
    expired, revoked = token(expires_at=now), token()
    left, shut_out, old = (_visit(workspace, name, now) for name in ("left", "shut out", "old"))
    with workspace.store.write() as connection:
        newest = max(tokens.stored.list_tokens(connection), key=lambda each: each.id)
        tokens.revoke(connection, Actor("ann"), newest.id, now=now)
        users.sign_out(connection, left)
        users.disable_user(connection, Actor("ann"), "shut out", now=now)
        connection.execute(
            sa.update(sessions).where(sessions.c.digest == digest(old)).values(expires_at=now - users.SESSION)
        )
    return [expired, revoked, *({"cookie": f"likelier_session={secret}"} for secret in (left, shut_out, old))]


def _visit(workspace, name, now) -> str:
    user = User(name, name, Role.ADMIN, None, None, now, "ann")
    with workspace.store.write() as connection:
        add_user(connection, user)
    return users.open_session(workspace.store, user, now=now, address=None).secret


def test_no_change_is_made_without_the_csrf_token(app, client, workspace):
    cookie = {"cookie": f"likelier_session={_visit(workspace, 'eve', workspace.clock())}"}
    for method, path, permission in operations(app):
        if permission is None or method == "get":
            continue
        for csrf in ({}, {"x-csrf-token": "x"}, {"x-csrf-token": ""}):
            answer = client.request(method, filled(path), headers={**cookie, **csrf}, json={}, params=QUERY)
            assert (answer.status_code, "CSRF" in answer.text) == (403, True), (method, path)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_reaches_just_what_it_permits(app, client, token, role):
    headers = token(role)
    for method, path, permission in operations(app):
        if permission is not None and permission not in role.permissions:
            answer = client.request(method, filled(path), headers=headers, json={})
            # what does not parse is refused before anybody is asked who they are only if it changes nothing
            assert answer.status_code in (403, 422), (method, path)
            if answer.status_code == 422:
                complete = client.request(method, filled(path), headers=headers, json={}, params=QUERY)
                assert complete.status_code == 403, (method, path)


QUERY = {"name": "x", "role": "view"}
