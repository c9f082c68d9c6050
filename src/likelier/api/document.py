"""The OpenAPI document, complete: every answer that can come, what bodies hold, how to say who one is."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from likelier.instance import Instance
from likelier.runs.schedule import WEEKDAYS
from likelier.wire import Problem

PROBLEM = "application/problem+json"
SCHEMAS = "#/components/schemas/"
SAID = {
    401: "Nobody is known by what the request carries.",
    403: "Whoever asks may not do this.",
    404: "There is no such thing.",
    409: "A name is taken, a run is under way, or a request with this Idempotency-Key is being done.",
    412: "It was changed since it was read.",
    413: "The body is too large.",
    415: "The body is packed in a way that is not known.",
    422: "The request does not fit, or cannot be used.",
    503: "It may well succeed when tried again.",
    507: "The lake or the store cannot be written.",
}
ALWAYS = (422, 503, 507)
GUARDED = (401, 403)
WAYS = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token made with `likelier tokens create`."},
    "session": {"type": "apiKey", "in": "cookie", "name": "likelier_session", "description": "A person who signed in."},
}
ABOUT = """What a team asks of likelier over HTTP.

Lists are pages: `{"items": [...], "next": cursor}`; pass `next` as `after` for the following one. Failures are problem
details (RFC 9457). A POST may carry an `Idempotency-Key`: the same request with the same key is done once and answered
the same for a day. Edits may carry the ETag that was read as `If-Match`. Every answer has an `X-Request-Id`."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document answers that are problems."""
    schema = {"schema": {"$ref": f"{SCHEMAS}Problem"}}
    return {status: {"description": SAID[status], "content": {PROBLEM: schema}} for status in statuses}


def file_answer() -> dict[int | str, dict[str, Any]]:
    """Document the answer of scores as a file."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    kinds = ("application/vnd.apache.parquet", "text/csv", "application/x-ndjson")
    return {200: {"description": "The file.", "content": dict.fromkeys(kinds, binary)}}


def _body(schema: dict[str, Any], example: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema, "example": example}}}}


PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
EXAMPLE = {
    "name": "Buy again",
    "propensity_type": "conversion",
    "datasets": ["shop"],
    "namespace": "CRMID",
    "goal": {"events": [PURCHASE], "window_days": 30},
    "eligible_population": {"lookback_days": 120, "match": "any", "events": [PURCHASE]},
    "schedule": "weekly",
}
EVENT = (
    '{"_id": "e1", "timestamp": "2024-05-01T09:30:00Z", "identityMap": {"CRMID": [{"id": "c17", "primary": true}]}, '
    '"eventType": "commerce.purchases", "commerce": {"purchases": {"value": 1}}}\\n'
)
TEXT = {"type": "string"}
RULE = {
    "name": {"type": "string", "maxLength": 200},
    "description": TEXT,
    "text": {"type": "string", "description": "An expression; see docs/segments.md."},
    "pql": {"type": "string", "description": "A rule in the Profile Query Language; see docs/segments.md."},
    "rule": {"type": "object", "description": "The same as keys and values."},
    "instance": {"type": "string", "description": "With `bucket`: whoever has such a score."},
    "bucket": {"enum": ["low", "medium", "high"]},
    "namespace": TEXT,
}
TIMING = {
    "type": "object",
    "description": "When a schedule falls due: a weekly one on a weekday, a monthly one on a day or a month's last.",
    "properties": {
        "every": {"enum": ["weekly", "monthly"]},
        "weekday": {"enum": [*WEEKDAYS]},
        "day": {"type": "integer", "minimum": 1, "maximum": 31},
        "hour": {"type": "integer", "minimum": 0, "maximum": 23},
        "time_zone": TEXT,
    },
    "additionalProperties": False,
    "example": {"weekday": "monday", "hour": 6, "time_zone": "Europe/Berlin"},
}
PART = {
    "type": "object",
    "description": "Keys of an instance file that are to change, and these.",
    "properties": {"status": {"enum": ["enabled", "disabled"]}, "timing": TIMING},
}
DRAFT = {"type": "object", "title": "DraftFile", "description": "Keys of an instance file, complete or not."}
INSTANCE_BODY = _body({"anyOf": [{"$ref": f"{SCHEMAS}InstanceFile"}, DRAFT]}, EXAMPLE)
PART_BODY = _body(PART, {"description": "Purchase among recent buyers", "schedule": "monthly"})
SEGMENT_BODY = _body(
    {"type": "object", "properties": RULE, "additionalProperties": False},
    {"name": "Likely buyers", "instance": "Buy again", "bucket": "high"},
)
ANY_LINES = {
    "description": "An event a line; one that cannot be used is counted as rejected, and the others are taken."
}
EVENTS_BODY = _body(ANY_LINES, EVENT, "application/x-ndjson")


def document(app: FastAPI) -> dict[str, Any]:
    """Give the document, made once."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
        parts = found.setdefault("components", {})
        parts["securitySchemes"] = WAYS
        schemas = parts.setdefault("schemas", {})
        schemas |= _schemas(Problem.model_json_schema(ref_template=SCHEMAS + "{model}"), "Problem")
        schemas |= _schemas(Instance.model_json_schema(ref_template=SCHEMAS + "{model}"), "InstanceFile")
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for operations in found["paths"].values():
            for operation in operations.values():
                _complete(operation)
                _exemplify(operation, schemas)
        app.openapi_schema = found
    return app.openapi_schema


def _schemas(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return {**_without_texts(schema.pop("$defs", {})), name: _without_texts(schema)}


def _without_texts(schema: Any) -> Any:
    """Leave out examples that are written for people, as YAML."""
    if isinstance(schema, dict):
        written = schema.get("type") == "array" or "$ref" in schema or "anyOf" in schema
        return {
            key: _without_texts(value)
            for key, value in schema.items()
            if not (key == "examples" and written and any(isinstance(one, str) for one in value))
        }
    return [_without_texts(one) for one in schema] if isinstance(schema, list) else schema


def _complete(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    if operation.pop("x-open", None) is None:
        operation["security"] = [{way: []} for way in WAYS]
        answers |= {str(status): answer for status, answer in problems(*GUARDED, *ALWAYS).items()}
    identified = {"X-Request-Id": {"description": "Names the request.", "schema": TEXT}}
    for answer in answers.values():
        answer["headers"] = {**identified, **answer.get("headers", {})}


def _exemplify(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Show the example of a body's model beside the body, where tools look for it."""
    for body in operation.get("requestBody", {}).get("content", {}).values():
        model = schemas.get(body["schema"].get("$ref", "").removeprefix(SCHEMAS), {})
        if "examples" in model:
            body.setdefault("example", model["examples"][0])


def name_of(route: APIRoute) -> str:
    """Name an operation as its function is named."""
    return route.name
