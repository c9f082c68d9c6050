"""The pages on a web application."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from fastapi import FastAPI
from nicegui import app as site_app
from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from likelier.runs.records import Run
from likelier.service.workspace import Workspace
from likelier.ui import frame
from likelier.ui.pages import ALL
from likelier.ui.site import Site, Visitor, anybody, in_a_thread

PATIENCE = 30.0
"""Seconds for which a page that has lost its connection is kept: one that is given up loads anew, and forgets."""
PATHS = ("/instances", "/datasets", "/profiles", "/segments", "/alerts", "/audit")


def mount(
    app: FastAPI,
    workspace: Workspace,
    *,
    visitor: Callable[[Request], Visitor | None] = anybody,
    begin: Callable[[Run], None] | None = None,
) -> None:
    """Put the pages on an application, after its own routes.

    `visitor` says who sends a request; a stranger is sent to `/sign-in`. `begin` is told of each run that is started
    here; by default this process carries it on.
    """
    site = Site(workspace, visitor, begin or in_a_thread(workspace))
    frame.register()
    for page in ALL:
        page.register(site)
    _admit(app, visitor)
    # A bar without a name that tells a screen reader nothing; pages say themselves what they wait for.
    site_app.config.quasar_config["loadingBar"]["skipHijack"] = True
    # Tailwind would be compiled in every visitor's browser.
    ui.run_with(
        app,
        title="likelier",
        favicon=frame.ICON,
        dark=None,
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=PATIENCE,
    )


def _admit(app: FastAPI, visitor: Callable[[Request], Visitor | None]) -> None:
    @app.middleware("http")
    async def admit(request: Request, go_on: Callable) -> Response:
        path = request.url.path
        if (path == "/" or path.startswith(PATHS)) and visitor(request) is None:
            return RedirectResponse(f"/sign-in?next={quote(path)}", status_code=303)
        response: Response = await go_on(request)
        return response
