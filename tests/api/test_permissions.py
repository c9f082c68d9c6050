"""No route is open by accident."""

import datetime as dt

import pytest

from likelier.access import tokens
from likelier.access.identity import Actor
from likelier.access.roles import Permission, Role
from likelier.api.frame import Needs

OPEN = {
    "/healthz",
    "/sign-in",
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
    for name in ("name", "instance_id", "run_id", "namespace", "identity:path", "identity", "segment", "token_id"):
        path = path.replace("{" + name + "}", "x")
    return path


def test_every_operation_declares_its_permission(app):
    declared = list(operations(app))
    assert len(declared) > 25
    assert {path for _, path, permission in declared if permission is None} <= OPEN
    for method, path, permission in declared:
        if method != "get" and path not in OPEN and not path.endswith("/check"):
            assert permission in (Permission.MANAGE, Permission.ADMIN), (method, path)


def test_every_route_of_the_application_is_documented_or_known_to_be_open(app):
    documented = set(app.openapi()["paths"])
    for route in leaves(app.routes):
        assert route.path_format in documented | OPEN, route.path


def test_strangers_and_ended_credentials_are_refused_everywhere(app, client, token, workspace):
    ended = [token(expires_at=workspace.clock() - dt.timedelta(seconds=1)), token()]
    with workspace.store.write() as connection:
        for each in tokens.stored.list_tokens(connection):
            tokens.revoke(connection, Actor("ann"), each.id, now=workspace.clock())
    strangers = [{}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}, {"cookie": "likelier_session=x"}]
    for method, path, permission in operations(app):
        if permission is None:
            continue
        for headers in [*strangers, *ended]:
            answer = client.request(method, filled(path), headers=headers)
            assert answer.status_code == 401, (method, path, headers)
            assert answer.headers["content-type"] == "application/problem+json"


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
