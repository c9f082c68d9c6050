"""The web application: REST, the door, and what operators look at."""

from __future__ import annotations

import importlib.metadata
from functools import partial

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware

from likelier.access.provider import provider_of
from likelier.api.comparisons import comparisons
from likelier.api.document import document, name_of
from likelier.api.envelope import Envelope
from likelier.api.exports import exports
from likelier.api.frame import tell_problems
from likelier.api.operations import operations
from likelier.api.people import people
from likelier.api.privacy import privacy
from likelier.api.routes import routes
from likelier.api.sign_in import doors
from likelier.service.intake import Intake
from likelier.service.workspace import Workspace

PACKED = 4  # a fifth of the time that 9 takes, for some tens of bytes in ten thousand


def make_app(workspace: Workspace) -> FastAPI:
    """Make the application on an opened workspace; the pages are mounted by whoever serves it."""
    app = FastAPI(
        title="likelier",
        version=importlib.metadata.version("likelier") if _installed() else "0",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=name_of,
    )
    app.openapi = partial(document, app)  # type: ignore[method-assign]
    app.state.workspace, app.state.intake = workspace, Intake(workspace)
    app.state.provider = provider_of(workspace.settings)
    tell_problems(app)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=PACKED)
    app.include_router(routes)
    app.include_router(comparisons)
    app.include_router(exports)
    app.include_router(people)
    app.include_router(privacy)
    app.include_router(doors)
    app.include_router(operations)
    app.add_middleware(Envelope)
    return app


def _installed() -> bool:
    try:
        importlib.metadata.version("likelier")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
