"""Signing in and out, for browsers."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from likelier.access import users
from likelier.access.roles import Role
from likelier.access.users import SESSION, Session, SignInRefusedError
from likelier.api.frame import COOKIE, workspace_of

LONGEST_FORM = 8192
CSRF_COOKIE = "likelier_csrf"
doors = APIRouter(include_in_schema=False)

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in - likelier</title>
<style>body{{font:16px/1.5 system-ui;display:grid;place-items:center;min-height:90vh;margin:0;color-scheme:light dark}}
form{{display:grid;gap:.8rem;width:min(20rem,90vw)}}input,button{{font:inherit;padding:.5rem}}p{{color:#b00020}}</style>
<form method="post"><h1>likelier</h1>{refused}
<label for="name">Name</label><input id="name" name="name" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<input type="hidden" name="next" value="{next}"><button>Sign in</button></form></html>"""


@doors.get("/sign-in")
def sign_in_page(next: str = "/") -> HTMLResponse:  # noqa: A002 - the query's own name
    return _page(next)


@doors.post("/sign-in")
async def sign_in(request: Request) -> Response:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return _page("/", "That form came from another site.", 403)
    body = await request.body()
    form = parse_qs(body[:LONGEST_FORM].decode("utf-8", "replace"))
    name, password, following = (form.get(key, [""])[0] for key in ("name", "password", "next"))
    address = request.client.host if request.client else None
    work = workspace_of(request)
    try:
        session = await run_in_threadpool(
            users.sign_in, work.store, name.replace("\0", ""), password, now=work.clock(), address=address
        )
    except SignInRefusedError as error:
        return _page(following, str(error), 401)
    return _admitted(session, _here(following), secure=request.url.scheme == "https")


@doors.get("/sign-out")
def sign_out(request: Request) -> Response:
    work = workspace_of(request)
    if cookie := request.cookies.get(COOKIE):
        with work.store.write() as connection:
            users.sign_out(connection, cookie)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE)
    answer.delete_cookie(CSRF_COOKIE)
    return answer


def _admitted(session: Session, following: str, *, secure: bool) -> Response:
    if following == "/" and session.user.role == Role.AUDIT:
        following = "/audit"  # the one page that an auditor sees
    answer = RedirectResponse(following, 303)
    seconds = int(SESSION.total_seconds())
    answer.set_cookie(COOKIE, session.secret, max_age=seconds, httponly=True, samesite="lax", secure=secure)
    answer.set_cookie(CSRF_COOKIE, session.csrf, max_age=seconds, samesite="lax", secure=secure)
    return answer


def _page(following: str, refused: str = "", status: int = 200) -> HTMLResponse:
    told = f"<p role=alert>{escape(refused)}</p>" if refused else ""
    return HTMLResponse(PAGE.format(refused=told, next=escape(_here(following), quote=True)), status)


def _here(following: str) -> str:
    """A path of this site; anything else leads to the first page."""
    inside = following.startswith("/") and not following.startswith(("//", "/\\")) and following.isprintable()
    return following if inside else "/"
