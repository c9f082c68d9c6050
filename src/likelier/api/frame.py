"""What all routes share: who asks, what it may do, and how failures are told (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from likelier.access import tokens, users
from likelier.access.identity import Actor
from likelier.access.roles import NotPermittedError, Permission
from likelier.access.users import SignInRefusedError
from likelier.errors import LikelierError, RunError, StorageError, TransientError, UnknownNameError, UsageError
from likelier.service.profiles import UnknownPersonError
from likelier.service.runs import RunUnderWayError
from likelier.service.workspace import Workspace
from likelier.store.instances import EditedMeanwhileError, NameTakenError
from likelier.store.segments import SegmentNameTakenError

COOKIE = "likelier_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
STATUS: tuple[tuple[type[LikelierError], int, str], ...] = (
    (NotPermittedError, 403, "Not permitted"),
    (SignInRefusedError, 401, "Sign-in refused"),
    (UnknownNameError, 404, "Not found"),
    (UnknownPersonError, 404, "Not found"),
    (NameTakenError, 409, "Name taken"),
    (SegmentNameTakenError, 409, "Name taken"),
    (EditedMeanwhileError, 412, "Changed meanwhile"),
    (RunUnderWayError, 409, "A run is under way"),
    (UsageError, 422, "Cannot be used"),
    (TransientError, 503, "Try again"),
    (StorageError, 507, "Storage"),
)


class StrangerError(LikelierError):
    """Nobody is known by what the request carries."""


def workspace_of(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.workspace
    return workspace


async def _work(request: Request) -> Workspace:
    return workspace_of(request)  # not worth a thread


Work = Annotated[Workspace, Depends(_work)]


def visitor_of(workspace: Workspace, request: Request) -> Actor | None:
    """Who sends a request: the bearer of a token, or whoever signed in."""
    address = request.client.host if request.client else None
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    cookie = request.cookies.get(COOKIE)
    with workspace.store.read() as connection:
        if scheme.lower() == "bearer":
            return tokens.bearer(connection, secret.strip(), now=workspace.clock(), address=address)
        return users.visitor(connection, cookie, now=workspace.clock(), address=address) if cookie else None


class Needs:
    """The permission of a route; answers who asks, and refuses whoever may not."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, request: Request) -> Actor:
        if "\0" in unquote(f"{request.url.path}?{request.url.query}"):
            raise UsageError("The address holds the character zero.")
        actor = visitor_of(workspace_of(request), request)
        if actor is None:
            raise StrangerError("Say who you are: send a token as 'Authorization: Bearer ...', or sign in.")
        actor.must(self.permission)
        _refuse_forgery(request)
        return actor


Reader = Annotated[Actor, Depends(Needs(Permission.READ))]
Manager = Annotated[Actor, Depends(Needs(Permission.MANAGE))]
Auditor = Annotated[Actor, Depends(Needs(Permission.AUDIT))]
Admin = Annotated[Actor, Depends(Needs(Permission.ADMIN))]


def _refuse_forgery(request: Request) -> None:
    """A browser sends its cookie whichever site asks: a change needs the session's CSRF token as well."""
    if request.method in SAFE or "authorization" in request.headers:
        return
    if not users.is_csrf(request.cookies.get(COOKIE, ""), request.headers.get("x-csrf-token")):
        raise NotPermittedError("Send the session's CSRF token in the header X-CSRF-Token.")


def problem(request: Request, status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """Answer a problem, which names the request it is about."""
    name = getattr(request.state, "id", "")
    headers = {"x-request-id": name} | ({"www-authenticate": "Bearer"} if status == 401 else {})
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "request": name, **more}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def tell_problems(app: FastAPI) -> None:
    """Answer every failure as a problem; none carries a traceback or a value of a person."""
    app.add_exception_handler(LikelierError, _told)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


def _told(request: Request, error: Exception) -> Response:
    if isinstance(error, StrangerError):
        return problem(request, 401, "Who is there?", str(error))
    if isinstance(error, RunError):
        return problem(request, 422, error.title, error.message, code=error.code, suggestions=list(error.suggestions))
    if isinstance(error, UnknownNameError) and error.found not in request.path_params.values():
        return problem(request, 422, "Cannot be used", str(error))  # the address was right; what was asked of it is not
    status, title = next(((each, said) for kind, each, said in STATUS if isinstance(error, kind)), (500, "Failed"))
    return problem(request, status, title, str(error))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # what FastAPI answers to a body that is not even text
        return problem(request, 422, "Cannot be used", "The body cannot be read as JSON.")
    answer = problem(request, error.status_code, "Failed", str(error.detail))
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    if error.status_code == 405:
        answer.headers["allow"] = ", ".join(sorted(_methods(request.app.routes, request.scope)))
    return answer


def _methods(routes: Iterable[Any], scope: Scope) -> set[str]:
    """List the methods of an address, which routes of their own may answer."""
    found = set()
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            found |= _methods(inner.routes, scope)
        elif isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [{"at": ".".join(map(str, fault["loc"])), "message": fault["msg"]} for fault in error.errors()]
    return problem(request, 422, "Cannot be used", "The request does not fit.", faults=faults)


def _unexpected(request: Request, _: Exception) -> Response:
    return problem(request, 500, "Failed", "Something went wrong that should not; the server's log says what.")
