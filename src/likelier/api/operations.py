"""What operators and their machines look at: health, readiness, metrics; and the log line of each request."""

from __future__ import annotations

import logging
import secrets
import time

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from likelier.api.frame import Reader, Work
from likelier.logs import request_id
from likelier.service import meters
from likelier.service.doctor import readiness

log = logging.getLogger(__name__)
operations = APIRouter()
UNKNOWN = "unknown"


@operations.get("/healthz", openapi_extra={"x-open": True})
def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@operations.get("/readyz", openapi_extra={"x-open": True}, responses={503: {"description": "Not ready"}})
def readyz(work: Work) -> Response:
    """Say whether requests can be served: the store and the lake can be reached, and the disk is not full."""
    troubles = readiness(work)
    body = {"status": "not ready", "troubles": troubles} if troubles else {"status": "ready"}
    return JSONResponse(body, 503 if troubles else 200)


@operations.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(_: Reader, work: Work) -> Response:
    """Requests, events, runs, stages and the queue, as Prometheus reads them."""
    return Response(meters.exposition(work), media_type="text/plain; version=0.0.4; charset=utf-8")


def watch(app: FastAPI) -> None:
    """Count and log every request."""
    app.add_middleware(_Watched)


class _Watched:
    """Gives each request an id, counts it and logs it, by its route: the address itself may name a person."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        token = request_id.set(secrets.token_hex(8))
        try:
            await self._app(scope, receive, sent)
        finally:
            _tell(scope, status, time.perf_counter() - began)
            request_id.reset(token)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in METHODS else UNKNOWN
    found = scope.get("route")
    route = getattr(found, "path_format", None) or getattr(found, "path", None) or UNKNOWN
    meters.requests.labels(method, route, str(status)).inc()
    meters.seconds.labels(method, route).observe(seconds)
    log.info("answered", extra={"method": method, "route": route, "status": status, "ms": round(seconds * 1000)})


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
