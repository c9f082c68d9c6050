"""What is around every answer: its id, the headers that keep browsers careful, its count and its log line."""

from __future__ import annotations

import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from likelier.logs import request_id
from likelier.service import meters

log = logging.getLogger(__name__)
CAREFUL = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "same-origin"}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "unknown"


class Envelope:
    """A middleware; requests are told by their route, as the address itself may name a person."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, name = time.perf_counter(), 500, secrets.token_hex(8)
        scope.setdefault("state", {})["id"] = name

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = name
                for key, value in CAREFUL.items():
                    headers.setdefault(key, value)
            await send(message)

        token = request_id.set(name)
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
