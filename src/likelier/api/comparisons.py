"""The routes that compare: two segments, members with everybody else, the treated with those kept back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from likelier import wire
from likelier.api.document import problems
from likelier.api.frame import Manager, Reader, Work
from likelier.api.requests import Route
from likelier.api.routes import storable
from likelier.service import comparisons as service
from likelier.service import holdouts

comparisons = APIRouter(prefix="/api/v1/segments/{segment}", route_class=Route)


class NewHoldOut(BaseModel):
    """Whom to keep back, and what to look at afterwards: the goal of an instance, or an `outcome` within days."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"percent": 10, "instance": "Buy again"}]}
    )

    percent: float = Field(ge=holdouts.LEAST, le=holdouts.MOST)
    instance: str | None = Field(None, max_length=200)
    outcome: str | None = Field(None, max_length=10_000)
    window_days: int | None = Field(None, ge=1, le=holdouts.LONGEST)

    @model_validator(mode="after")
    def _can_be_kept(self) -> NewHoldOut:
        storable(self.model_dump())
        return self


@comparisons.get("/overlap/{other}", response_model=wire.Overlap, responses=problems(404))
def get_overlap(segment: str, other: str, _: Reader, work: Work) -> dict[str, Any]:
    """Say how many belong to both of two segments."""
    return service.overlap(work, segment, other)


@comparisons.get("/differences", response_model=wire.Differences, responses=problems(404))
def get_differences(segment: str, _: Reader, work: Work) -> dict[str, Any]:
    """Say what sets the members apart from everybody else, the greatest differences first."""
    return service.what_differs(work, segment)


@comparisons.get("/hold-out", response_model=wire.HoldOutReport, responses=problems(404))
def get_hold_out(segment: str, _: Reader, work: Work) -> dict[str, Any]:
    """Compare the outcomes of the treated and of those kept back, and say what that can show."""
    found = holdouts.find_hold_out(work, segment)
    if found is None:
        raise HTTPException(404, "Nobody of this segment is kept back.")
    return found


@comparisons.post(
    "/hold-out", status_code=201, response_model=wire.HoldOutReport, responses=problems(404, 409, 413, 415)
)
def post_hold_out(segment: str, asked: NewHoldOut, actor: Manager, work: Work) -> dict[str, Any]:
    """Keep back a random, stable share of the members from now on."""
    return holdouts.begin_hold_out(work, actor, segment, **asked.model_dump())


@comparisons.delete("/hold-out", status_code=204, responses=problems(404, 413, 415))
def delete_hold_out(segment: str, actor: Manager, work: Work) -> None:
    """Keep nobody back any more."""
    holdouts.end_hold_out(work, actor, segment)
