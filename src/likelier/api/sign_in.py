"""Signing in and out, for browsers."""

from __future__ import annotations

import hmac
from html import escape
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from likelier.access import users
from likelier.access.provider import Attempt, Provider, ProviderRefusedError, admit
from likelier.access.roles import Role
from likelier.access.users import SESSION, Session, SignInRefusedError
from likelier.api.frame import COOKIE, workspace_of
from likelier.api.requests import SMALL, received
from likelier.errors import TransientError
from likelier.languages import COOKIE as LANGUAGE
from likelier.languages import Language, chosen
from likelier.phrases import say

ATTEMPT_COOKIE = "likelier_attempt"
CALLBACK = "/sign-in/callback"
CSRF_COOKIE = "likelier_csrf"
doors = APIRouter(include_in_schema=False)

PAGE = """<!doctype html><html lang="{code}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{sign_in} - likelier</title>
<style>:root{{color-scheme:light dark;--ink:#1a2230;--back:#f4f6fa;--card:#fff;--line:#6b7588;--main:#3b57c4;--on:#fff;
--bad:#b3261e}}@media(prefers-color-scheme:dark){{:root{{--ink:#e9edf4;--back:#10141b;--card:#1a202a;--line:#8b96a8;
--main:#8ea5ff;--on:#10141b;--bad:#f4807a}}}}
body{{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:100vh;margin:0;color:var(--ink);
background:var(--back)}}main{{padding:1.5rem}}h1{{margin:0 0 .4rem}}p{{color:var(--bad);margin:0}}
form{{display:grid;gap:.5rem;width:min(20rem,84vw);padding:1.5rem;background:var(--card);border-radius:12px}}
input,button,a{{font:inherit;padding:.6rem;border-radius:8px;border:1px solid var(--line)}}
input{{margin-bottom:.5rem;background:var(--card);color:var(--ink)}}
a{{text-align:center;text-decoration:none;color:var(--main);margin-bottom:.5rem}}
button{{background:var(--main);color:var(--on);border:0;font-weight:600;cursor:pointer}}
:focus-visible{{outline:3px solid var(--main);outline-offset:2px}}</style>
<main><form method="post"><h1>likelier</h1>{refused}{provider}
<label for="name">{name}</label><input id="name" name="name" autocomplete="username" required autofocus>
<label for="password">{password}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<input type="hidden" name="next" value="{next}"><button>{sign_in}</button></form></main></html>"""


@doors.get("/sign-in")
def sign_in_page(request: Request, next: str = "/") -> HTMLResponse:  # noqa: A002 - the query's own name
    return _page(request, next)


@doors.post("/sign-in")
async def sign_in(request: Request) -> Response:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc not in (request.headers.get("host"), _public(request).netloc):
        return _page(request, "/", say("That form came from another site."), 403)
    form = parse_qs((await received(request, SMALL)).decode("utf-8", "replace"))
    name, password, following = (form.get(key, [""])[0] for key in ("name", "password", "next"))
    work = workspace_of(request)
    try:
        session = await run_in_threadpool(
            users.sign_in, work.store, name.replace("\0", ""), password, now=work.clock(), address=_address(request)
        )
    except SignInRefusedError as error:
        return _page(request, following, str(error), 401)
    return _admitted(request, session, following)


@doors.get("/sign-in/provider")
async def begin_at_provider(request: Request, next: str = "/") -> Response:  # noqa: A002 - the query's own name
    """Send the browser to the identity provider, with what it has to bring back."""
    try:
        address, attempt = await _provider(request).begin(_callback(request), _here(next))
    except TransientError as error:
        return _page(request, next, str(error), 503)
    answer = RedirectResponse(address, 303)
    # Lax, not strict: it has to come along when the provider sends the browser back.
    answer.set_cookie(
        ATTEMPT_COOKIE,
        quote(attempt.dump()),
        max_age=600,
        path=CALLBACK,
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )
    return answer


@doors.get(CALLBACK)
async def back_from_provider(request: Request, state: str = "", code: str = "") -> Response:
    """Let in whoever the provider vouches for."""
    work, provider = workspace_of(request), _provider(request)
    attempt = Attempt.load(unquote(request.cookies.get(ATTEMPT_COOKIE, "")))
    if attempt is None or not code or not hmac.compare_digest(attempt.state.encode(), state.encode()):
        refused = say("That sign-in was not begun here, took too long or was refused. Begin again.")
        return _page(request, "/", refused, 401)
    try:
        person = await provider.finish(attempt, _callback(request), code=code)
        session = await run_in_threadpool(
            admit,
            work.store,
            provider,
            person,
            user_id=work.new_id(),
            now=work.clock(),
            address=_address(request),
        )
    except (ProviderRefusedError, TransientError) as error:
        return _page(request, attempt.following, str(error), 401 if isinstance(error, ProviderRefusedError) else 503)
    answer = _admitted(request, session, attempt.following)
    answer.delete_cookie(ATTEMPT_COOKIE, path=CALLBACK)
    return answer


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


def _admitted(request: Request, session: Session, following: str) -> Response:
    following = _here(following)
    if following == "/" and session.user.role == Role.AUDIT:
        following = "/audit"  # the one page that an auditor sees
    answer = RedirectResponse(following, 303)
    seconds, secure = int(SESSION.total_seconds()), _is_secure(request)
    answer.set_cookie(COOKIE, session.secret, max_age=seconds, httponly=True, samesite="lax", secure=secure)
    answer.set_cookie(CSRF_COOKIE, session.csrf, max_age=seconds, samesite="lax", secure=secure)
    return answer


def _page(request: Request, following: str, refused: str = "", status: int = 200) -> HTMLResponse:
    language = Language.of(chosen(request.cookies.get(LANGUAGE, ""), request.headers.get("accept-language", "")))
    told = f"<p role=alert>{escape(language.say(refused))}</p>" if refused else ""
    provider: Provider | None = request.app.state.provider
    button = ""
    if provider:
        address = f"/sign-in/provider?next={quote(_here(following))}"
        label = language.say(say("Sign in with {provider}", provider=provider.name))
        button = f'<a href="{escape(address, quote=True)}">{escape(label)}</a>'
    texts = {"sign_in": say("Sign in"), "name": say("Name"), "password": say("Password")}
    said = {key: escape(language.say(each)) for key, each in texts.items()}
    hidden = escape(_here(following), quote=True)
    return HTMLResponse(PAGE.format(code=language.code, refused=told, provider=button, next=hidden, **said), status)


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise HTTPException(404, "There is no identity provider.")
    return provider


def _public(request: Request) -> SplitResult:
    """Where browsers reach this server: as the settings say, else as this one did."""
    return urlsplit(workspace_of(request).settings.public_url or str(request.base_url))


def _callback(request: Request) -> str:
    return f"{_public(request).geturl().rstrip('/')}{CALLBACK}"


def _is_secure(request: Request) -> bool:
    return "https" in (request.url.scheme, _public(request).scheme)


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _here(following: str) -> str:
    """A path of this site; anything else leads to the first page."""
    inside = following.startswith("/") and not following.startswith(("//", "/\\")) and following.isprintable()
    return following if inside else "/"
