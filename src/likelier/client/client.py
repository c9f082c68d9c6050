"""The client: what it asks, and how often.

A question that got no answer is asked again a few times. That is safe: reading changes nothing, events that are there
already count as duplicates, and everything else that is posted carries a key under which the server does it once.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from likelier import wire
from likelier.client.errors import NoAnswerError, ProblemError

Model = TypeVar("Model", bound=BaseModel)
PREFIX = "/api/v1"
FIRST_WAIT = 0.5
ENDED = ("success", "training_issue", "failed", "cancelled")


class Client:
    """A likelier server, by its address and a token.

    `attempts` is how often a question is asked that gets no answer; each wait is twice the one before. `http` is for
    whoever wants to settle proxies, certificates and the like.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        token: str | None = None,
        *,
        attempts: int = 4,
        http: httpx.Client | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http or httpx.Client(base_url=url, timeout=60)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._attempts, self._wait = attempts, wait

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # ---- datasets ----

    def datasets(self) -> Iterator[wire.Dataset]:
        return self._every(wire.Dataset, "/datasets")

    def dataset(self, name: str) -> wire.DatasetDescription:
        return self._get(wire.DatasetDescription, f"/datasets/{_quoted(name)}")

    def send_events(self, name: str, events: Iterable[Mapping[str, Any]] | bytes) -> wire.Ingested:
        """Append events, given as keys and values or as lines; answered when they would survive a crash."""
        body = events if isinstance(events, bytes) else b"\n".join(json.dumps(event).encode() for event in events)
        headers = {"content-type": "application/x-ndjson"}
        answer = self._ask("POST", f"/datasets/{_quoted(name)}/events", content=body, headers=headers)
        return wire.Ingested.model_validate_json(answer.content)

    # ---- instances ----

    def instances(self) -> Iterator[wire.Instance]:
        return self._every(wire.Instance, "/instances")

    def instance(self, name: str) -> wire.Instance:
        """Read an instance, by its id or name, as every method takes it."""
        return self._get(wire.Instance, f"/instances/{_quoted(name)}")

    def create_instance(self, asked: Mapping[str, Any], *, draft: bool = False) -> wire.Instance:
        """Create an instance of the keys of an instance file; unless it is a draft, its first run begins."""
        return self._post(wire.Instance, "/instances", asked, draft=draft)

    def edit_instance(self, instance: wire.Instance, **changes: Any) -> wire.Instance:
        """Change an instance; a :class:`ProblemError` of status 412 when it is not as it was read any more."""
        answer = self._ask("PATCH", _place(instance), json=changes, headers=_only(instance))
        return wire.Instance.model_validate_json(answer.content)

    def finish_draft(self, instance: wire.Instance) -> wire.Instance:
        return self._post(wire.Instance, _place(instance) + "/finish", headers=_only(instance))

    def clone_instance(self, name: str, new_name: str | None = None) -> wire.Instance:
        return self._post(wire.Instance, f"/instances/{_quoted(name)}/clone", name=new_name)

    def delete_instance(self, instance: wire.Instance, *, from_profiles: bool = False) -> None:
        self._ask("DELETE", _place(instance), params={"from_profiles": from_profiles}, headers=_only(instance))

    def restore_instance(self, name: str) -> wire.Instance:
        """Put back an instance that was deleted within the hour."""
        return self._post(wire.Instance, f"/instances/{_quoted(name)}/restore")

    def undo_edit(self, instance: wire.Instance) -> wire.Instance:
        """Put an instance back as it was before its last edit."""
        return self._post(wire.Instance, _place(instance) + "/undo", headers=_only(instance))

    def check(self, name: str, *, as_of: str | None = None) -> wire.Check:
        """Count what a run would find."""
        return self._post(wire.Check, f"/instances/{_quoted(name)}/check", as_of=as_of)

    # ---- runs ----

    def runs(self, name: str) -> Iterator[wire.Run]:
        """The runs of an instance, newest first."""
        return self._every(wire.Run, f"/instances/{_quoted(name)}/runs")

    def run(self, run_id: str) -> wire.RunDetails:
        return self._get(wire.RunDetails, f"/runs/{_quoted(run_id)}")

    def start_run(
        self, name: str, *, as_of: str | None = None, seed: int | None = None, when_due: bool = False
    ) -> wire.RunDetails:
        """Queue a run; `when_due` keeps the model there is while it is not due."""
        place = f"/instances/{_quoted(name)}/runs"
        return self._post(wire.RunDetails, place, as_of=as_of, seed=seed, when_due=when_due or None)

    def roll_back(self, name: str) -> wire.RunDetails:
        """Queue a run with the model before the one in use."""
        return self._post(wire.RunDetails, f"/instances/{_quoted(name)}/roll-back")

    def cancel_run(self, run_id: str) -> wire.RunDetails:
        return self._post(wire.RunDetails, f"/runs/{_quoted(run_id)}/cancel")

    def wait_for(self, run_id: str, *, every: float = 1.0) -> wire.RunDetails:
        """Wait for a run's end, whichever it is."""
        while (run := self.run(run_id)).state not in ENDED:
            self._wait(every)
        return run

    def insights(self, name: str, *, run: str | None = None) -> wire.Insights:
        return self._get(wire.Insights, f"/instances/{_quoted(name)}/insights", run=run)

    def performance(self, name: str, **asked: str | None) -> wire.Performance:
        """Whether it came true; `since`, `until`, `by` and `run` say of which."""
        return self._get(wire.Performance, f"/instances/{_quoted(name)}/performance", **asked)

    def alerts(self) -> Iterator[wire.Alert]:
        """What was noticed of the instances, newest first."""
        return self._every(wire.Alert, "/alerts")

    def save_scores(self, name: str, path: str | Path, *, run: str | None = None) -> Path:
        """Write the scores of an instance to a file, whose extension names the format; it appears when it is whole."""
        path = Path(path)
        beside = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
        params = _given(format=path.suffix.removeprefix("."), run=run)
        address = f"{PREFIX}/instances/{_quoted(name)}/scores"
        try:
            with self._http.stream("GET", address, params=params, headers=self._headers) as answer:
                if not answer.is_success:
                    answer.read()
                    _refuse_problem(answer)
                with beside.open("xb") as file:
                    for part in answer.iter_bytes():
                        file.write(part)
            beside.replace(path)
        except httpx.TransportError as error:
            raise NoAnswerError(f"The scores did not come through: {error}") from error
        finally:
            beside.unlink(missing_ok=True)
        return path

    # ---- people ----

    def profile(self, namespace: str, identity: str) -> wire.Profile:
        return self._get(wire.Profile, f"/profiles/{_quoted(namespace)}/{_quoted(identity)}")

    def segments(self) -> Iterator[wire.Segment]:
        return self._every(wire.Segment, "/segments")

    def segment(self, name: str) -> wire.SegmentDetails:
        return self._get(wire.SegmentDetails, f"/segments/{_quoted(name)}")

    def create_segment(self, name: str, *, description: str = "", **rule: Any) -> wire.Segment:
        """Make a segment of `text`, `rule`, or `instance` and `bucket`."""
        return self._post(wire.Segment, "/segments", {"name": name, "description": description, **rule})

    def estimate_segment(self, **rule: Any) -> wire.SegmentEstimate:
        """Say how many would belong."""
        return self._post(wire.SegmentEstimate, "/segment-estimates", rule)

    def edit_segment(self, segment: wire.Segment, **changes: Any) -> wire.Segment:
        """Change a segment; a :class:`ProblemError` of status 412 when it is not as it was read any more."""
        answer = self._ask("PATCH", f"/segments/{segment.id}", json=changes, headers=_only(segment))
        return wire.Segment.model_validate_json(answer.content)

    def delete_segment(self, segment: wire.Segment) -> None:
        self._ask("DELETE", f"/segments/{segment.id}", headers=_only(segment))

    def restore_segment(self, name: str) -> wire.Segment:
        """Put back a segment that was deleted within the hour."""
        return self._post(wire.Segment, f"/segments/{_quoted(name)}/restore")

    def members(self, name: str) -> Iterator[wire.Member]:
        return self._every(wire.Member, f"/segments/{_quoted(name)}/members")

    def overlap(self, name: str, other: str) -> wire.Overlap:
        """Say how many belong to both of two segments."""
        return self._get(wire.Overlap, f"/segments/{_quoted(name)}/overlap/{_quoted(other)}")

    def differences(self, name: str) -> wire.Differences:
        """Say what sets the members apart, the greatest differences first."""
        return self._get(wire.Differences, f"/segments/{_quoted(name)}/differences")

    def begin_hold_out(self, name: str, percent: float, **outcome: Any) -> wire.HoldOutReport:
        """Keep back a share of the members; `instance`, or `outcome` and `window_days`, say what to look at."""
        return self._post(wire.HoldOutReport, f"/segments/{_quoted(name)}/hold-out", {"percent": percent, **outcome})

    def hold_out(self, name: str) -> wire.HoldOutReport:
        """What acting on the segment did, as far as that can be known."""
        return self._get(wire.HoldOutReport, f"/segments/{_quoted(name)}/hold-out")

    def end_hold_out(self, name: str) -> None:
        """Keep nobody back any more."""
        self._ask("DELETE", f"/segments/{_quoted(name)}/hold-out")

    # ---- access ----

    def audit(self, **wanted: str | None) -> Iterator[wire.AuditEntry]:
        """What was done, newest first; `actor`, `action`, `object_type`, `object_id`, `since` and `until` choose."""
        return self._every(wire.AuditEntry, "/audit", **wanted)

    def users(self) -> Iterator[wire.User]:
        return self._every(wire.User, "/users")

    def user(self, name: str) -> wire.User:
        return self._get(wire.User, f"/users/{_quoted(name)}")

    def create_user(self, name: str, role: str, password: str) -> wire.User:
        return self._post(wire.User, "/users", {"name": name, "role": role, "password": password})

    def edit_user(self, name: str, **changes: Any) -> wire.User:
        """Give a user another `role` or `password`, or shut it out (`disabled`)."""
        answer = self._ask("PATCH", f"/users/{_quoted(name)}", json=changes)
        return wire.User.model_validate_json(answer.content)

    def tokens(self) -> Iterator[wire.Token]:
        return self._every(wire.Token, "/tokens")

    def create_token(self, name: str, role: str, *, expires: str | None = None) -> wire.NewToken:
        return self._post(wire.NewToken, "/tokens", name=name, role=role, expires=expires)

    def revoke_token(self, token_id: str) -> None:
        self._ask("DELETE", f"/tokens/{_quoted(token_id)}")

    # ---- asking ----

    def _get(self, model: type[Model], path: str, **params: Any) -> Model:
        return model.model_validate_json(self._ask("GET", path, params=_given(**params)).content)

    def _post(
        self,
        model: type[Model],
        path: str,
        asked: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **params: Any,
    ) -> Model:
        keyed = {**(headers or {}), "idempotency-key": uuid.uuid4().hex}
        answer = self._ask("POST", path, json=asked, params=_given(**params), headers=keyed)
        return model.model_validate_json(answer.content)

    def _every(self, model: type[Model], path: str, **params: Any) -> Iterator[Model]:
        pages: TypeAdapter[wire.Page[Model]] = TypeAdapter(wire.Page[model])  # type: ignore[valid-type]
        after: str | None = None
        while True:
            page = pages.validate_json(self._ask("GET", path, params=_given(**params, after=after)).content)
            yield from page.items
            if page.next is None:
                return
            after = page.next

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        told = {**self._headers, **(headers or {})}
        # An edit that got no answer may have been made, and would then be refused as one of an old reading.
        attempts = 1 if method == "PATCH" else self._attempts
        for attempt in range(attempts):
            if attempt:
                self._wait(FIRST_WAIT * 2 ** (attempt - 1))
            try:
                answer = self._http.request(method, PREFIX + path, params=params, headers=told, **body)
            except httpx.TransportError as error:
                fault = error
                continue
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and attempt + 1 < attempts:
                continue
            gone = method == "DELETE" and attempt > 0 and answer.status_code == httpx.codes.NOT_FOUND
            if not gone:
                _refuse_problem(answer)
            return answer
        raise NoAnswerError(f"The server does not answer: {fault}") from fault


def _refuse_problem(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        raise ProblemError(wire.Problem.model_validate_json(answer.content))
    title = answer.reason_phrase or "Failed"
    told = {"type": "about:blank", "title": title, "status": answer.status_code, "detail": f"{title}."}
    raise ProblemError(wire.Problem.model_validate(told))


def _given(**params: Any) -> dict[str, Any]:
    return {key: value for key, value in params.items() if value is not None}


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _place(instance: wire.Instance) -> str:
    return f"/instances/{instance.id}"


def _only(thing: wire.Instance | wire.Segment) -> dict[str, str]:
    """Have an edit refused when the thing is not as it was read any more."""
    return {"if-match": f'"{thing.revision}"'}
