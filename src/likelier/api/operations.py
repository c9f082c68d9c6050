"""What operators and their machines look at: health, readiness, metrics."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from likelier.api.frame import Reader, Work
from likelier.service import meters
from likelier.service.doctor import readiness

operations = APIRouter()


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
