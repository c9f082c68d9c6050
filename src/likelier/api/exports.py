"""The routes by which segments and scores are delivered outside."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from likelier import wire
from likelier.api.document import problems
from likelier.api.frame import Admin, Manager, Reader, Work
from likelier.api.requests import Route
from likelier.service import exports as service

exports = APIRouter(prefix="/api/v1", route_class=Route)

Limit = Annotated[int, Query(ge=1, le=1000)]


@exports.get("/exports", response_model=wire.Page[wire.Export])
def list_exports(_: Reader, work: Work) -> dict[str, Any]:
    """List what is delivered after runs, by name."""
    return {"items": service.list_exports(work), "next": None}


@exports.post("/exports", status_code=202, response_model=wire.Delivery, responses=problems(404, 409, 413, 415))
def post_export(wish: wire.Wish, actor: Admin, work: Work) -> dict[str, Any]:
    """Deliver members or scores: now or, with a name, now and after each run. Answers the delivery as it begins."""
    asked = service.Asked(wish.segment, wish.instance)
    return service.start_export(work, actor, wish.name, asked, service.Destination(wish.to, wish.table, wish.mode))


@exports.post(
    "/exports/{export}/send", status_code=202, response_model=wire.Delivery, responses=problems(404, 409, 413, 415)
)
def send_export(export: str, actor: Manager, work: Work) -> dict[str, Any]:
    """Deliver again; what was broken off goes on. Answers the delivery as it begins."""
    return service.start_sending(work, actor, export)


@exports.delete("/exports/{export}", status_code=204, responses=problems(404, 413, 415))
def delete_export(export: str, actor: Manager, work: Work) -> None:
    """Deliver no more after runs; what was delivered stays where it is."""
    service.remove_export(work, actor, export)


@exports.get("/deliveries", response_model=wire.Page[wire.Delivery], responses=problems(404))
def list_deliveries(_: Reader, work: Work, limit: Limit = 100, after: str | None = None) -> dict[str, Any]:
    """List what was delivered, and what came of it, newest first."""
    found = service.list_deliveries(work, limit + 1, after=after)
    return {"items": found[:limit], "next": found[limit - 1]["id"] if len(found) > limit else None}
