"""The routes below ``/api/v1``."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator
from starlette.exceptions import HTTPException

from likelier import wire
from likelier.access import tokens
from likelier.access.roles import Role
from likelier.api.document import EVENTS_BODY, INSTANCE_BODY, PART_BODY, SEGMENT_BODY, file_answer, problems
from likelier.api.frame import Admin, Auditor, Manager, Reader, Work
from likelier.api.requests import Route, received, takes_much, tells_a_secret
from likelier.errors import UnknownNameError
from likelier.events.stream import Sent
from likelier.instance import make_instance
from likelier.runs.records import WHEN_DUE
from likelier.service import (
    alerts,
    audits,
    data,
    drafts,
    instances,
    ondemand,
    profiles,
    reports,
    retraining,
    runs,
    scores,
    segments,
)
from likelier.service import identity as identities
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
routes = APIRouter(prefix="/api/v1", route_class=Route)
Limit = Annotated[int, Query(ge=1, le=MOST)]
Seed = Annotated[int | None, Query(ge=0, le=2**31 - 1)]
After = Annotated[int | None, Query(ge=0, le=2**53)]


def storable(keys: dict[str, Any]) -> dict[str, Any]:
    """Refuse what no database keeps as text: half characters and the character zero."""
    text = json.dumps(keys)
    if "\\u0000" in text:
        raise ValueError("a text holds the character zero")
    json.dumps(keys, ensure_ascii=False).encode()
    return keys


Asked = Annotated[dict[str, Any], Body(), AfterValidator(storable)]
IfMatch = Annotated[
    str | None, Header(alias="if-match", description="The ETag that was read: an edit of anything newer is refused.")
]
AfterName = Annotated[str, Query(description="Where the page before ended: its `next`.")]
AfterId = Annotated[str | None, Query(description="Where the page before ended: its `next`.")]
AsOf = Annotated[
    str | None, Query(description="A date or a moment; later events do not exist.", examples=["2024-05-01"])
]


# ---- datasets ------------------------------------------------------------------------------------------------------


@routes.get("/datasets", response_model=wire.Page[wire.Dataset])
def list_datasets(_: Reader, work: Work, limit: Limit = 100, after: AfterName = "") -> dict[str, Any]:
    """List the datasets by name."""
    return _page(data.dataset_list(work, after=after, limit=limit + 1), limit, "name")


@routes.get("/datasets/{name}", response_model=wire.DatasetDescription, responses=problems(404))
def get_dataset(name: str, _: Reader, work: Work) -> Response:
    """Say what is in a dataset: fields and how complete they are, identities, a few rows, batches, rows set aside."""
    return _json(data.describe_dataset(work, name))


@routes.post(
    "/datasets/{name}/events",
    response_model=wire.Ingested,
    responses=problems(409, 413, 415),
    openapi_extra=EVENTS_BODY,
)
@takes_much
async def post_events(name: str, actor: Manager, request: Request) -> dict[str, Any]:
    """Append events sent as NDJSON, also packed with gzip; answered when they would survive a crash.

    Whoever gets no answer sends the same again: what is there already counts as duplicate. A dataset that is not there
    is made.
    """
    sent = Sent(f"request {request.state.id}", await received(request))
    intake: Intake = request.app.state.intake
    return vars(await intake.accept(actor, name, sent))


# ---- instances -----------------------------------------------------------------------------------------------------


@routes.get("/instances", response_model=wire.Page[wire.Instance])
def list_instances(_: Reader, work: Work, limit: Limit = 100, after: AfterName = "") -> Response:
    """List the instances by name, drafts included."""
    return _json(_page([_told(found) for found in overviews(work, after=after, limit=limit + 1)], limit, "name"))


@routes.post(
    "/instances",
    status_code=201,
    response_model=wire.Instance,
    responses=problems(409, 413, 415),
    openapi_extra=INSTANCE_BODY,
)
def post_instance(
    asked: Asked, actor: Manager, work: Work, response: Response, *, draft: bool = False
) -> dict[str, Any]:
    """Create an instance, which begins its first run, or a draft, which may be incomplete."""
    if draft:
        created = drafts.create_draft(work, actor, asked)
    else:
        created, _ = instances.create_instance(work, actor, make_instance(asked))
    return _instance(work, created.id, response)


@routes.get("/instances/{instance_id}", response_model=wire.Instance, responses=problems(404))
def get_instance(instance_id: str, _: Reader, work: Work, response: Response) -> dict[str, Any]:
    """Tell an instance, by id or name; its ETag goes into the If-Match of an edit."""
    return _instance(work, instance_id, response)


@routes.patch(
    "/instances/{instance_id}",
    response_model=wire.Instance,
    responses=problems(404, 409, 412, 413, 415),
    openapi_extra=PART_BODY,
)
def patch_instance(
    instance_id: str, asked: Asked, actor: Manager, work: Work, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Change an instance; `status` and `timing` stand beside the keys of the instance file.

    What decides the scores becomes the next version of its definition. Of a draft, the keys sent take the place of
    those it had.
    """
    status, timing = asked.pop("status", None), asked.pop("timing", None)
    if status is not None and status not in list(Status):
        raise UnknownNameError("status", str(status), list(Status))
    if timing is not None and not isinstance(timing, dict):
        raise HTTPException(422, "timing holds keys such as weekday, day, hour and time_zone.")
    with work.store.read() as connection:
        found = stored.get(connection, instance_id)
    if found.status is Status.DRAFT and status is None and timing is None:
        drafts.save_draft(work, actor, found.id, {**(found.draft or {}), **asked}, was=_revision(if_match))
    else:
        edit = Edit(asked, Status(status) if status else None, timing)
        instances.edit_instance(work, actor, instance_id, edit, was=_revision(if_match))
    return _instance(work, instance_id, response)


@routes.post(
    "/instances/{instance_id}/finish", response_model=wire.Instance, responses=problems(404, 409, 412, 413, 415)
)
def finish_draft(
    instance_id: str, actor: Manager, work: Work, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Turn a draft that is complete into an instance, which begins its first run."""
    drafts.finish_draft(work, actor, instance_id, was=_revision(if_match))
    return _instance(work, instance_id, response)


@routes.delete("/instances/{instance_id}", status_code=204, responses=problems(404, 412, 413, 415))
def delete_instance(
    instance_id: str, actor: Manager, work: Work, *, from_profiles: bool = False, if_match: IfMatch = None
) -> None:
    """End an instance with its runs and scores; the latest stay on profiles unless they go `from_profiles` too.

    For an hour it can be restored.
    """
    was = _revision(if_match)
    instances.delete_instance(work, actor, instance_id, was=was, from_profiles=from_profiles)


@routes.post("/instances/{instance_id}/restore", response_model=wire.Instance, responses=problems(404, 413, 415))
def restore_instance(instance_id: str, actor: Manager, work: Work, response: Response) -> dict[str, Any]:
    """Put a deleted instance back, by id, or the last deleted of a name; a name that is taken gets a number."""
    return _instance(work, instances.restore_instance(work, actor, instance_id).id, response)


@routes.post("/instances/{instance_id}/undo", response_model=wire.Instance, responses=problems(404, 409, 412, 413, 415))
def undo_edit(
    instance_id: str, actor: Manager, work: Work, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Put an instance back as it was before its last edit, which is an edit again."""
    return _instance(work, instances.undo_edit(work, actor, instance_id, was=_revision(if_match)).id, response)


@routes.post(
    "/instances/{instance_id}/clone",
    status_code=201,
    response_model=wire.Instance,
    responses=problems(404, 409, 413, 415),
)
def clone_instance(
    instance_id: str, actor: Manager, work: Work, response: Response, name: str | None = None
) -> dict[str, Any]:
    """Make an instance that asks the same under another name."""
    return _instance(work, instances.clone_instance(work, actor, instance_id, name).id, response)


@routes.post("/instances/{instance_id}/check", response_model=wire.Check, responses=problems(404, 409, 413, 415))
def check_instance(instance_id: str, _: Reader, work: Work, as_of: AsOf = None) -> dict[str, Any]:
    """Count what a run would find, and train nothing."""
    from likelier.service.work import check_instance as check  # noqa: PLC0415 - loads the model libraries

    with work.store.read() as connection:
        asked = instances.whole_instance(connection, _finished(stored.get(connection, instance_id)))
    instances.refuse_unfit(work, asked)
    return check(work, asked, parse_moment(as_of) if as_of else None)


# ---- runs ----------------------------------------------------------------------------------------------------------


@routes.get("/instances/{instance_id}/runs", response_model=wire.Page[wire.Run], responses=problems(404))
def list_runs(instance_id: str, _: Reader, work: Work, limit: Limit = 100, after: AfterName = "") -> dict[str, Any]:
    """List the runs of an instance, newest first."""
    with work.store.read() as connection:
        instance = stored.get(connection, instance_id)
        last = runs.find_run(connection, after) if after else None
        before = (last.queued_at, last.id) if last else None
        found = records.history(connection, instance_id=instance.id, before=before, limit=limit + 1)
    return _page([runs.summary(run) for run in found], limit, "id")


@routes.post(
    "/instances/{instance_id}/runs",
    status_code=202,
    response_model=wire.RunDetails,
    responses=problems(404, 409, 413, 415),
)
def start_run(
    instance_id: str, actor: Manager, work: Work, as_of: AsOf = None, seed: Seed = None, *, when_due: bool = False
) -> dict[str, Any]:
    """Queue a run; the one under way is answered when it would give the same.

    It makes a model of its own; with `when_due` it keeps, as scheduled runs do, the one there is while that is not due.
    """
    with work.store.read() as connection:
        instance = stored.get(connection, instance_id)
    moment = parse_moment(as_of) if as_of else None
    wish = WHEN_DUE if when_due else None
    return runs.details(runs.start_run(work, actor, instance, as_of=moment, seed=seed, wish=wish))


@routes.post(
    "/instances/{instance_id}/roll-back",
    status_code=202,
    response_model=wire.RunDetails,
    responses=problems(404, 409, 413, 415),
)
def roll_back(instance_id: str, actor: Manager, work: Work) -> dict[str, Any]:
    """Queue a run with the model before the one in use; it is kept until it is due."""
    return runs.details(retraining.roll_back(work, actor, instance_id))


@routes.get("/runs/{run_id}", response_model=wire.RunDetails, responses=problems(404))
def get_run(run_id: str, _: Reader, work: Work) -> Response:
    """Tell a run: its state, progress and outcome."""
    with work.store.read() as connection:
        return _json(runs.details(runs.find_run(connection, run_id)))


@routes.post(
    "/runs/{run_id}/cancel", status_code=202, response_model=wire.RunDetails, responses=problems(404, 409, 413, 415)
)
def cancel_run(run_id: str, actor: Manager, work: Work) -> dict[str, Any]:
    """Ask for a run's end; one that is running hears it within a beat."""
    with work.store.read() as connection:
        run = runs.find_run(connection, run_id)
    runs.cancel_run(work, actor, run)
    with work.store.read() as connection:
        return runs.details(runs.find_run(connection, run_id))


@routes.get("/instances/{instance_id}/insights", response_model=wire.Insights, responses=problems(404))
def get_insights(instance_id: str, _: Reader, work: Work, run: str | None = None) -> Response:
    """Tell what a run learnt, by default the latest that gave scores."""
    with work.store.read() as connection:
        found = runs.find_published(connection, instance_id, run)
    insights = reports.insights_of(work, found)
    if insights is None:
        raise HTTPException(404, "That run came to no insights.")
    return _json({"run": runs.summary(found), "insights": insights})


@routes.get("/instances/{instance_id}/performance", response_model=wire.Performance, responses=problems(404))
def get_performance(
    instance_id: str,
    _: Reader,
    work: Work,
    since: str | None = None,
    until: str | None = None,
    by: str | None = None,
    run: str | None = None,
) -> Response:
    """Expected against actual of every run; `by` tells one run apart by an attribute."""
    from likelier.service.performance import performance  # noqa: PLC0415 - loads the model libraries

    first, last = (parse_moment(text) if text else None for text in (since, until))
    return _json(performance(work, instance_id, since=first, until=last, by=by, run_id=run))


@routes.get(
    "/instances/{instance_id}/scores", response_class=StreamingResponse, responses=file_answer() | problems(404)
)
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


@routes.get("/alerts", response_model=wire.Page[wire.Alert])
def list_alerts(_: Reader, work: Work, limit: Limit = 100, after: AfterId = None) -> dict[str, Any]:
    """List what was noticed of the instances, newest first, whether it lasts and whether somebody was told."""
    return _page(alerts.list_alerts(work, limit + 1, after=after), limit, "id")


MEDIA = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv", "jsonl": "application/x-ndjson"}


# ---- people --------------------------------------------------------------------------------------------------------


@routes.get("/profiles/{namespace}/{identity:path}", response_model=wire.Profile, responses=problems(404))
def get_profile(
    namespace: str,
    identity: str,
    _: Reader,
    work: Work,
    *,
    instance: str | None = None,
    fresh: bool = False,
    stitched: bool = False,
    as_of: str | None = None,
) -> Response:
    """Tell what is known of a person: attributes, scores with their reasons, segments, the newest events.

    `instance` leaves only its score; `fresh` adds the score as of now (or `as_of`), computed by its current model.
    `stitched` tells of all ids that are linked with this one.
    """
    find = identities.find_person if stitched else profiles.find_profile
    found = find(work, namespace, identity, instance)
    if fresh:
        if instance is None:
            raise HTTPException(422, "Say of which instance the score is to be computed: ?instance=...&fresh=true.")
        moment = parse_moment(as_of) if as_of else None
        found["fresh"] = ondemand.score_now(work, namespace, identity, instance, as_of=moment)
    return _json(found)


@routes.get("/links/{namespace}/{identity:path}", response_model=wire.Links, responses=problems(404))
def get_links(namespace: str, identity: str, _: Reader, work: Work) -> dict[str, Any]:
    """Tell which ids are one person with an id, and by which links."""
    return identities.find_links(work, namespace, identity)


@routes.post("/links/cut", response_model=wire.Links, responses=problems(404, 409, 413, 415))
def cut_link(asked: wire.Cut, actor: Manager, work: Work) -> dict[str, Any]:
    """Cut the link of two ids, or with `cut: false` let it count again."""
    one, other = ((end.namespace, end.id) for end in (asked.a, asked.b))
    return identities.cut_link(work, actor, one, other, cut=asked.cut)


@routes.get("/segments", response_model=wire.Page[wire.Segment])
def list_segments(_: Reader, work: Work, limit: Limit = 100, after: AfterName = "") -> dict[str, Any]:
    """List the segments by name."""
    return _page(segments.list_segments(work, after=after, limit=limit + 1), limit, "name")


@routes.post(
    "/segments",
    status_code=201,
    response_model=wire.Segment,
    responses=problems(404, 409, 413, 415),
    openapi_extra=SEGMENT_BODY,
)
def post_segment(asked: Asked, actor: Manager, work: Work, response: Response) -> dict[str, Any]:
    """Make a segment of `name` and one of `text`, `rule`, or `instance` and `bucket`."""
    name, description = asked.pop("name", None), asked.pop("description", "")
    if not isinstance(name, str) or not isinstance(description, str):
        raise HTTPException(422, "name and description are texts.")
    return _segment(segments.create_segment(work, actor, name, _rule(asked), description=description), response)


@routes.post(
    "/segment-estimates",
    response_model=wire.SegmentEstimate,
    responses=problems(404, 409, 413, 415),
    openapi_extra=SEGMENT_BODY,
)
def estimate_segment(asked: Asked, _: Reader, work: Work) -> dict[str, Any]:
    """Say how many would belong to a segment of `text`, `rule`, or `instance` and `bucket`, and keep nothing."""
    return segments.estimate_segment(work, _rule({key: asked[key] for key in asked if key not in NAMES}))


@routes.get("/segments/{segment}", response_model=wire.SegmentDetails, responses=problems(404))
def get_segment(segment: str, _: Reader, work: Work, response: Response) -> dict[str, Any]:
    """Tell a segment, by id or name, as it is now; its ETag goes into the If-Match of an edit."""
    return _segment(segments.get_segment(work, segment), response)


@routes.patch(
    "/segments/{segment}",
    response_model=wire.Segment,
    responses=problems(404, 409, 412, 413, 415),
    openapi_extra=SEGMENT_BODY,
)
def patch_segment(
    segment: str, asked: Asked, actor: Manager, work: Work, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Change a segment's name, description or rule."""
    name, description = (asked.pop(key, None) for key in NAMES)
    if not all(text is None or isinstance(text, str) for text in (name, description)):
        raise HTTPException(422, "name and description are texts.")
    changed = segments.change_segment(
        work,
        actor,
        segment,
        new_name=name,
        description=description,
        wanted=_rule(asked) if asked else None,
        was=_tag(if_match),
    )
    return _segment(changed, response)


@routes.delete("/segments/{segment}", status_code=204, responses=problems(404, 412, 413, 415))
def delete_segment(segment: str, actor: Manager, work: Work, if_match: IfMatch = None) -> None:
    """Delete a segment; refused while others refer to it. For an hour it can be restored."""
    segments.delete_segment(work, actor, segment, was=_tag(if_match))


@routes.post("/segments/{segment}/restore", response_model=wire.Segment, responses=problems(404, 409, 413, 415))
def restore_segment(segment: str, actor: Manager, work: Work, response: Response) -> dict[str, Any]:
    """Put a deleted segment back, by id, or the last deleted of a name; a name that is taken gets a number."""
    return _segment(segments.restore_segment(work, actor, segment), response)


@routes.get("/segments/{segment}/members", response_model=wire.Page[wire.Member], responses=problems(404))
def list_members(segment: str, _: Reader, work: Work, limit: Limit = 100, after: AfterName = "") -> dict[str, Any]:
    """List who belongs, sorted by id."""
    return segments.segment_members(work, segment, after=after, limit=limit)


# ---- access --------------------------------------------------------------------------------------------------------


def _wanted(
    actor: str | None = None,
    action: str | None = None,
    object_type: str | None = None,
    object_id: str | None = None,
    since: str | None = None,
    until: str | None = None,
    words: str | None = None,
) -> audit.Filter:
    moments = {key: parse_moment(text) if text else None for key, text in (("since", since), ("until", until))}
    return audit.Filter(actor, action, object_type, object_id, words=words, **moments)


Wanted = Annotated[audit.Filter, Depends(_wanted)]


@routes.get("/audit", response_model=wire.Page[wire.AuditEntry])
def list_audit(_: Auditor, work: Work, wanted: Wanted, limit: Limit = 100, after: After = None) -> dict[str, Any]:
    """List who did what, newest first."""
    with work.store.read() as connection:
        found = audit.page(connection, wanted, before=after, limit=limit + 1)
    return _page([{**vars(entry), "at": entry.at.isoformat()} for entry in found], limit, "id")


@routes.get("/audit/export", response_class=StreamingResponse, responses=file_answer())
def export_audit(
    actor: Auditor,
    work: Work,
    wanted: Wanted,
    form: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl",
) -> StreamingResponse:
    """The whole log, or what is wanted of it, as a file; which is logged."""
    headers = {"content-disposition": f'attachment; filename="audit.{form}"'}
    return StreamingResponse(audits.export_log(work, actor, wanted, form), media_type=MEDIA[form], headers=headers)


@routes.get("/tokens", response_model=wire.Page[wire.Token])
def list_tokens(_: Admin, work: Work, limit: Limit = 100, after: AfterName = "") -> dict[str, Any]:
    """List the tokens, newest first, also those that ended."""
    with work.store.read() as connection:
        found = [_shown(token) for token in stored_access.list_tokens(connection)]
    places = [place for place, token in enumerate(found, 1) if token["id"] == after] if after else [0]
    if not places:
        raise UnknownNameError("token", after, [])
    return _page(found[places[0] :], limit, "id")


@routes.post("/tokens", status_code=201, response_model=wire.NewToken, responses=problems(409, 413, 415))
@tells_a_secret
def post_token(actor: Admin, work: Work, name: str, role: Role, expires: str | None = None) -> dict[str, Any]:
    """Make a token, which ends on a date or after days such as `90d`; its secret is answered this once."""
    token_id, now = work.new_id(), work.clock()
    ends = tokens.expiry(expires, now) if expires else None
    with work.store.write() as connection:
        secret = tokens.issue(connection, actor, token_id=token_id, name=name, role=role, now=now, expires_at=ends)
    return {"id": token_id, "token": secret}


@routes.delete("/tokens/{token_id}", status_code=204, responses=problems(404, 413, 415))
def revoke_token(token_id: str, actor: Admin, work: Work) -> None:
    """End a token at once."""
    with work.store.write() as connection:
        tokens.revoke(connection, actor, token_id, now=work.clock())


# ---- answers -------------------------------------------------------------------------------------------------------

NAMES = ("name", "description")


def _page(found: list[dict[str, Any]], limit: int, key: str) -> dict[str, Any]:
    """A page of what was found, which is one more than fits when others follow."""
    following = str(found[limit - 1][key]) if len(found) > limit else None
    return {"items": found[:limit], "next": following}


def _json(told: Any) -> Response:
    """Send a large answer as it is: that it is as documented is what tests see to."""
    return Response(orjson.dumps(told, default=str), media_type="application/json")


def _rule(asked: dict[str, Any]) -> segments.Wanted:
    kinds = {key: dict if key == "rule" else str for key in asked}
    if not all(isinstance(asked[key], kind) for key, kind in kinds.items()):
        raise HTTPException(422, "rule is an object; text, pql, instance, bucket and namespace are texts.")
    try:
        return segments.Wanted(**asked)
    except TypeError:
        raise HTTPException(422, "Send one of text, rule, or instance and bucket.") from None


def _segment(told: dict[str, Any], response: Response) -> dict[str, Any]:
    response.headers["etag"] = f'"{told["revision"]}"'
    return told


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


def _tag(if_match: str | None) -> str | None:
    """What an edit was made on; None when that does not matter."""
    if if_match is None or if_match.strip() == "*":
        return None
    return if_match.strip().removeprefix("W/").strip('"')


def _revision(if_match: str | None) -> int | None:
    """The revision an edit was made on; anything else than an ETag of ours cannot match."""
    text = _tag(if_match)
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _finished(instance: stored.Instance) -> stored.Instance:
    if instance.status is Status.DRAFT:
        raise HTTPException(422, "A draft cannot be checked: finish it first.")
    return instance


def _sent(file: Path, folder: tempfile.TemporaryDirectory[str]) -> Iterator[bytes]:
    with folder, file.open("rb") as content:
        while part := content.read(1 << 20):
            yield part
