"""The routes below ``/api/v1``."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator
from starlette.exceptions import HTTPException

from likelier.access import tokens
from likelier.access.roles import Role
from likelier.api.frame import Admin, Auditor, Manager, Reader, Work
from likelier.errors import UnknownNameError
from likelier.events.stream import Sent
from likelier.instance import make_instance
from likelier.service import data, drafts, instances, profiles, reports, runs, scores, segments
from likelier.service.instances import Edit
from likelier.service.intake import Intake
from likelier.service.overview import Overview, overview, overviews
from likelier.store import access as stored_access
from likelier.store import audit
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.store.instances import Status
from likelier.timespan import parse_moment

MOST = 1000
LARGEST_BODY = 64 << 20
routes = APIRouter(prefix="/api/v1")
Limit = Annotated[int, Query(ge=1, le=MOST)]
Seed = Annotated[int | None, Query(ge=0, le=2**31 - 1)]
After = Annotated[int | None, Query(ge=0, le=2**53)]


def _storable(keys: dict[str, Any]) -> dict[str, Any]:
    """Refuse what no database keeps as text: half characters and the character zero."""
    text = json.dumps(keys)
    if "\\u0000" in text:
        raise ValueError("a text holds the character zero")
    json.dumps(keys, ensure_ascii=False).encode()
    return keys


Asked = Annotated[dict[str, Any], Body(), AfterValidator(_storable)]
IfMatch = Annotated[str | None, Header(alias="if-match")]


@routes.get("/datasets")
def list_datasets(_: Reader, work: Work) -> dict[str, Any]:
    return _list(data.dataset_list(work))


@routes.get("/datasets/{name}")
def get_dataset(name: str, _: Reader, work: Work) -> dict[str, Any]:
    return data.describe_dataset(work, name)


@routes.post("/datasets/{name}/events")
async def post_events(name: str, actor: Manager, request: Request) -> dict[str, Any]:
    """Append events sent as NDJSON; answered when they would survive a crash."""
    sent = Sent(f"request {request.state.id}", await _received(request))
    intake: Intake = request.app.state.intake
    return vars(await intake.accept(actor, name, sent))


@routes.get("/instances")
def list_instances(_: Reader, work: Work) -> dict[str, Any]:
    return _list([_told(found) for found in overviews(work)])


@routes.post("/instances", status_code=201)
def post_instance(
    asked: Asked, actor: Manager, work: Work, response: Response, *, draft: bool = False
) -> dict[str, Any]:
    """Create an instance, which begins its first run, or a draft."""
    if draft:
        created = drafts.create_draft(work, actor, asked)
    else:
        created, _ = instances.create_instance(work, actor, make_instance(asked))
    return _instance(work, created.id, response)


@routes.get("/instances/{instance_id}")
def get_instance(instance_id: str, _: Reader, work: Work, response: Response) -> dict[str, Any]:
    return _instance(work, instance_id, response)


@routes.patch("/instances/{instance_id}")
def patch_instance(
    instance_id: str, asked: Asked, actor: Manager, work: Work, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Change an instance; `status` and `timing` stand beside the keys of the instance file."""
    status, timing = asked.pop("status", None), asked.pop("timing", None)
    if status is not None and status not in list(Status):
        raise UnknownNameError("status", str(status), list(Status))
    if timing is not None and not isinstance(timing, dict):
        raise HTTPException(422, "timing holds keys such as weekday, day, hour and time_zone.")
    edit = Edit(asked, Status(status) if status else None, timing)
    instances.edit_instance(work, actor, instance_id, edit, was=_revision(if_match))
    return _instance(work, instance_id, response)


@routes.post("/instances/{instance_id}/finish")
def finish_draft(
    instance_id: str, actor: Manager, work: Work, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    drafts.finish_draft(work, actor, instance_id, was=_revision(if_match))
    return _instance(work, instance_id, response)


@routes.delete("/instances/{instance_id}", status_code=204)
def delete_instance(
    instance_id: str, actor: Manager, work: Work, *, from_profiles: bool = False, if_match: IfMatch = None
) -> None:
    was = _revision(if_match)
    instances.delete_instance(work, actor, instance_id, was=was, from_profiles=from_profiles)


@routes.post("/instances/{instance_id}/clone", status_code=201)
def clone_instance(
    instance_id: str, actor: Manager, work: Work, response: Response, name: str | None = None
) -> dict[str, Any]:
    return _instance(work, instances.clone_instance(work, actor, instance_id, name).id, response)


@routes.post("/instances/{instance_id}/check")
def check_instance(instance_id: str, _: Reader, work: Work, as_of: str | None = None) -> dict[str, Any]:
    """Count what a run would find."""
    from likelier.service.work import check_instance as check  # noqa: PLC0415 - loads the model libraries

    with work.store.read() as connection:
        asked = instances.whole_instance(connection, _finished(stored.get(connection, instance_id)))
    instances.refuse_unfit(work, asked)
    return check(work, asked, parse_moment(as_of) if as_of else None)


@routes.get("/instances/{instance_id}/runs")
def list_runs(instance_id: str, _: Reader, work: Work, limit: Limit = 100, after: str | None = None) -> dict[str, Any]:
    with work.store.read() as connection:
        instance = stored.get(connection, instance_id)
        last = runs.find_run(connection, after) if after else None
        before = (last.queued_at, last.id) if last else None
        found = records.history(connection, instance_id=instance.id, before=before, limit=limit)
    return _list([runs.summary(run) for run in found], found[-1].id if len(found) == limit else None)


@routes.post("/instances/{instance_id}/runs", status_code=202)
def start_run(
    instance_id: str, actor: Manager, work: Work, as_of: str | None = None, seed: Seed = None
) -> dict[str, Any]:
    """Queue a run; the one under way is answered when it would give the same."""
    with work.store.read() as connection:
        instance = stored.get(connection, instance_id)
    moment = parse_moment(as_of) if as_of else None
    return runs.details(runs.start_run(work, actor, instance, as_of=moment, seed=seed))


@routes.get("/runs/{run_id}")
def get_run(run_id: str, _: Reader, work: Work) -> dict[str, Any]:
    with work.store.read() as connection:
        return runs.details(runs.find_run(connection, run_id))


@routes.post("/runs/{run_id}/cancel", status_code=202)
def cancel_run(run_id: str, actor: Manager, work: Work) -> dict[str, Any]:
    with work.store.read() as connection:
        run = runs.find_run(connection, run_id)
    runs.cancel_run(work, actor, run)
    with work.store.read() as connection:
        return runs.details(runs.find_run(connection, run_id))


@routes.get("/instances/{instance_id}/insights")
def get_insights(instance_id: str, _: Reader, work: Work, run: str | None = None) -> dict[str, Any]:
    with work.store.read() as connection:
        found = runs.find_published(connection, instance_id, run)
    insights = reports.insights_of(work, found)
    if insights is None:
        raise HTTPException(404, "That run came to no insights.")
    return {"run": runs.summary(found), "insights": insights}


@routes.get("/instances/{instance_id}/performance")
def get_performance(
    instance_id: str,
    _: Reader,
    work: Work,
    since: str | None = None,
    until: str | None = None,
    by: str | None = None,
    run: str | None = None,
) -> dict[str, Any]:
    """Expected against actual of every run; `by` tells one run apart by an attribute."""
    from likelier.service.performance import performance  # noqa: PLC0415 - loads the model libraries

    first, last = (parse_moment(text) if text else None for text in (since, until))
    return performance(work, instance_id, since=first, until=last, by=by, run_id=run)


@routes.get("/instances/{instance_id}/scores")
def get_scores(
    instance_id: str,
    actor: Reader,
    work: Work,
    form: Annotated[Literal["parquet", "csv", "jsonl"], Query(alias="format")] = "parquet",
    run: str | None = None,
) -> StreamingResponse:
    """The whole file of scores in one call."""
    with work.store.read() as connection:
        found = runs.find_published(connection, instance_id, run)
    folder = tempfile.TemporaryDirectory(prefix="likelier-")
    file = Path(folder.name) / f"scores.{form}"
    try:
        scores.export_scores(work, actor, found, file)
    except BaseException:
        folder.cleanup()
        raise
    headers = {"content-disposition": f'attachment; filename="scores-{found.id}.{form}"'}
    return StreamingResponse(_sent(file, folder), media_type=MEDIA[form], headers=headers)


MEDIA = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv", "jsonl": "application/x-ndjson"}


@routes.get("/profiles/{namespace}/{identity:path}")
def get_profile(namespace: str, identity: str, _: Reader, work: Work) -> dict[str, Any]:
    return profiles.find_profile(work, namespace, identity)


@routes.get("/segments")
def list_segments(_: Reader, work: Work) -> dict[str, Any]:
    return _list(segments.list_segments(work))


@routes.post("/segments", status_code=201)
def post_segment(asked: Asked, actor: Manager, work: Work) -> dict[str, Any]:
    """Make a segment of `name` and one of `text`, `rule`, or `instance` and `bucket`."""
    name, description = asked.pop("name", None), asked.pop("description", "")
    if not isinstance(name, str) or not isinstance(description, str):
        raise HTTPException(422, "name and description are texts.")
    try:
        wanted = segments.Wanted(**asked)
    except TypeError:
        raise HTTPException(422, "Send name, and one of text, rule, or instance and bucket.") from None
    return segments.create_segment(work, actor, name, wanted, description=description)


@routes.get("/segments/{segment}")
def get_segment(segment: str, _: Reader, work: Work) -> dict[str, Any]:
    return segments.get_segment(work, segment)


@routes.delete("/segments/{segment}", status_code=204)
def delete_segment(segment: str, actor: Manager, work: Work) -> None:
    segments.delete_segment(work, actor, segment)


@routes.get("/segments/{segment}/members")
def list_members(segment: str, _: Reader, work: Work, limit: Limit = 100, after: str = "") -> dict[str, Any]:
    return segments.segment_members(work, segment, after=after, limit=limit)


@routes.get("/audit")
def list_audit(
    _: Auditor,
    work: Work,
    actor: str | None = None,
    action: str | None = None,
    object_type: str | None = None,
    object_id: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: Limit = 100,
    after: After = None,
) -> dict[str, Any]:
    moments = {key: parse_moment(text) if text else None for key, text in (("since", since), ("until", until))}
    wanted = audit.Filter(actor, action, object_type, object_id, **moments)
    with work.store.read() as connection:
        found = audit.page(connection, wanted, before=after, limit=limit)
    items = [{**vars(entry), "at": entry.at.isoformat()} for entry in found]
    return _list(items, str(found[-1].id) if len(found) == limit else None)


@routes.get("/tokens")
def list_tokens(_: Admin, work: Work) -> dict[str, Any]:
    with work.store.read() as connection:
        found = stored_access.list_tokens(connection)
    return _list([_shown(token) for token in found])


@routes.post("/tokens", status_code=201)
def post_token(actor: Admin, work: Work, name: str, role: Role, expires: str | None = None) -> dict[str, Any]:
    """Make a token, which ends on a date or after days such as `90d`; its secret is answered this once."""
    token_id, now = work.new_id(), work.clock()
    ends = tokens.expiry(expires, now) if expires else None
    with work.store.write() as connection:
        secret = tokens.issue(connection, actor, token_id=token_id, name=name, role=role, now=now, expires_at=ends)
    return {"id": token_id, "token": secret}


@routes.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: str, actor: Admin, work: Work) -> None:
    with work.store.write() as connection:
        tokens.revoke(connection, actor, token_id, now=work.clock())


def _list(items: list[Any], following: str | None = None) -> dict[str, Any]:
    return {"items": items, "next": following}


def _instance(work: Work, instance_id: str, response: Response) -> dict[str, Any]:
    found = overview(work, instance_id)
    if found is None:
        with work.store.read() as connection:
            instance = stored.get(connection, instance_id)
        found = overview(work, instance.id)
        assert found is not None
    response.headers["etag"] = f'"{found.revision}"'
    return _told(found)


def _told(found: Overview) -> dict[str, Any]:
    return {
        **found.asked,
        "id": found.id,
        "name": found.name,
        "description": found.description,
        "status": str(found.status),
        "schedule": found.schedule,
        "revision": found.revision,
        "last_run": runs.summary(found.last) if found.last else None,
        "published_run": runs.summary(found.published) if found.published else None,
        "scored_this_year": found.scored_this_year,
    }


def _shown(token: stored_access.Token) -> dict[str, Any]:
    told = tokens.told(token)
    return {key: value.isoformat() if isinstance(value, dt.datetime) else value for key, value in told.items()}


def _revision(if_match: str | None) -> int | None:
    """The revision an edit was made on; anything else than an ETag of ours cannot match."""
    if if_match is None or if_match == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _finished(instance: stored.Instance) -> stored.Instance:
    if instance.status is Status.DRAFT:
        raise HTTPException(422, "A draft cannot be checked: finish it first.")
    return instance


async def _received(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise HTTPException(413, f"Send at most {LARGEST_BODY >> 20} MB at once.")
        parts.append(part)
    return b"".join(parts)


def _sent(file: Path, folder: tempfile.TemporaryDirectory[str]) -> Iterator[bytes]:
    with folder, file.open("rb") as content:
        while part := content.read(1 << 20):
            yield part
