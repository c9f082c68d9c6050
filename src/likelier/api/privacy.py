"""The routes by which a person's data is given out and deleted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from likelier import wire
from likelier.api.document import problems
from likelier.api.frame import Admin, Work
from likelier.api.requests import Route
from likelier.service import privacy as service

privacy = APIRouter(prefix="/api/v1", route_class=Route)


@privacy.get("/privacy/{namespace}/{identity:path}", response_model=wire.PersonalData, responses=problems(404))
def get_personal_data(namespace: str, identity: str, actor: Admin, work: Work) -> dict[str, Any]:
    """Give all that is known of a person, across datasets, scores, segments and hold-outs."""
    return service.everything_about(work, actor, namespace, identity)


@privacy.delete(
    "/privacy/{namespace}/{identity:path}", response_model=wire.Erasure, responses=problems(404, 409, 413, 415)
)
def delete_personal_data(namespace: str, identity: str, actor: Admin, work: Work) -> dict[str, Any]:
    """Delete all that is known of a person; refused while a run reads. Asking again completes what was broken off."""
    return service.erase(work, actor, namespace, identity)
