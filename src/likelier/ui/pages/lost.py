"""What is shown at an address where nothing is, and in place of a page that could not be drawn."""

from __future__ import annotations

from urllib.parse import quote

from nicegui import Client, app, ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from likelier.ui import frame
from likelier.ui.language import _
from likelier.ui.parts import action, empty
from likelier.ui.site import Site


def register(site: Site) -> None:
    for_programs = app.exception_handlers[404]

    @app.exception_handler(404)
    async def lost(request: Request, error: Exception) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return await for_programs(request, error)  # type: ignore[misc]
        if site.visitor(request) is None:
            return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", status_code=303)
        with Client(ui.page(""), request=request) as client:
            _draw(site, _("There is no such page"), _("The address may have changed, or is not whole."), "search_off")
        return client.build_response(request, 404)

    @app.on_page_exception
    def broken() -> None:
        _draw(
            site, _("This page could not be drawn"), _("What went wrong is in the log. Nothing was changed."), "error"
        )


def _draw(site: Site, title: str, about: str, sign: str) -> None:
    with frame.page(site, title, at=""), empty(title, about, sign):
        action(_("All instances"), lambda: ui.navigate.to("/"), "arrow_back", kind="main")
