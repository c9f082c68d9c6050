"""How requests come in: sizes, packing, keys; how lists are read in pages; what the document says."""

import gzip
import json

import pytest

from likelier.api import requests
from likelier.store import audit, replies

from .test_routes import ASKED

EVENT = {"_id": "2", "timestamp": "2024-04-30T13:00:00Z", "identityMap": {"CRMID": [{"id": "p2"}]}, "eventType": "x"}
LISTS = [f"/api/v1/{each}" for each in ("instances", "datasets", "segments", "tokens", "users", "audit")]
EVENTS = "/api/v1/datasets/shop/events"


@pytest.fixture
def admin(token):
    return token("admin")


def test_the_same_request_with_the_same_key_is_done_once(client, admin):
    keyed = {**admin, "idempotency-key": "one"}
    first = client.post("/api/v1/instances", json=ASKED, headers=keyed)
    again = client.post("/api/v1/instances", json=ASKED, headers=keyed)
    assert (again.status_code, again.json(), again.headers["etag"]) == (201, first.json(), first.headers["etag"])
    assert (again.headers["idempotency-replayed"], "idempotency-replayed" in first.headers) == ("true", False)
    other = client.post("/api/v1/instances", json={**ASKED, "name": "Other"}, headers=keyed)
    assert other.status_code == 422
    elsewhere = client.post("/api/v1/segments", json=ASKED, headers=keyed)
    assert elsewhere.status_code == 422


def test_a_key_is_the_senders_own(client, admin, token):
    key = {"idempotency-key": "one"}
    assert client.post("/api/v1/instances", json=ASKED, headers=admin | key).status_code == 201
    other = client.post("/api/v1/instances", json={**ASKED, "name": "Other"}, headers=token("manage") | key)
    assert other.status_code == 201
    assert client.post("/api/v1/instances", json=ASKED, headers=key).status_code == 401
    assert client.post("/api/v1/instances", json=ASKED, headers=token("view") | key).status_code == 403


def test_what_was_refused_may_be_asked_again_with_its_key(client, admin):
    keyed = {**admin, "idempotency-key": "one"}
    assert client.post("/api/v1/instances", json={**ASKED, "datasets": ["none"]}, headers=keyed).status_code == 422
    assert client.post("/api/v1/instances", json=ASKED, headers=keyed).status_code == 201


def test_counts_of_events_are_those_of_the_first_time(client, admin):
    keyed = {**admin, "idempotency-key": "one"}
    answers = [client.post(EVENTS, content=json.dumps(EVENT), headers=keyed).json() for _ in range(2)]
    assert [answer["accepted"] for answer in answers] == [1, 1]
    assert client.post(EVENTS, content=json.dumps(EVENT), headers=admin).json()["duplicate"] == 1


def test_a_secret_is_told_once_also_with_a_key(client, admin, workspace):
    keyed = {**admin, "idempotency-key": "one"}
    made = client.post("/api/v1/tokens?name=nightly&role=view", headers=keyed).json()
    again = client.post("/api/v1/tokens?name=nightly&role=view", headers=keyed)
    assert (again.status_code, made["token"] in again.text) == (409, False)
    assert len(client.get("/api/v1/tokens", headers=admin).json()["items"]) == 2


def test_a_request_under_way_is_not_done_beside_itself(workspace):
    now = workspace.clock()
    with workspace.store.write() as connection:
        assert replies.claim(connection, "key", "request", now=now) is None
        under_way = replies.claim(connection, "key", "request", now=now)
        assert (under_way.request, under_way.status) == ("request", None)
        later = now + 2 * replies.ABANDONED  # its process must have died
        assert replies.claim(connection, "key", "another", now=later).request == "request"
        assert replies.claim(connection, "key", "request", now=later) is None
        replies.keep(connection, "key", status=201, headers={}, body=b"{}")
        assert replies.claim(connection, "key", "request", now=later).body == b"{}"
        assert replies.claim(connection, "key", "request", now=later + 2 * replies.KEPT) is None


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "one"}])
def test_what_is_too_large_or_packed_wrongly_is_refused(client, admin, key, monkeypatch):
    packed = gzip.compress(json.dumps(EVENT).encode())
    zipped = {**admin, **key, "content-encoding": "gzip"}
    assert client.post(EVENTS, content=packed[:-9], headers=zipped).status_code == 422
    assert client.post(EVENTS, content=b"plain", headers=zipped).status_code == 422
    assert client.post(EVENTS, content=packed, headers={**zipped, "content-encoding": "br"}).status_code == 415
    bomb = gzip.compress(bytes(1 << 21))
    assert client.post("/api/v1/instances", content=bomb, headers=zipped).status_code == 413
    assert client.post("/api/v1/instances", content=bytes(1 << 21), headers={**admin, **key}).status_code == 413
    monkeypatch.setattr(requests, "LARGE", 1 << 20)
    monkeypatch.setattr(requests.received, "__defaults__", (1 << 20,))
    assert client.post(EVENTS, content=bomb, headers=zipped).status_code == 413
    twice = client.post(EVENTS, content=packed + gzip.compress(b"\n{broken"), headers=zipped).json()
    assert (twice["accepted"], twice["rejected"]) == (1, 1)


def test_answers_are_packed_for_whoever_takes_them(client, admin):
    answer = client.get("/api/v1/openapi.json", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


def test_every_list_is_read_in_pages(client, admin, workspace, token):
    for name in "ab":
        client.post("/api/v1/instances?draft=true", json={"name": name}, headers=admin)
        client.post(f"/api/v1/datasets/{name}/events", content=json.dumps(EVENT), headers=admin)
        client.post("/api/v1/segments", json={"name": name, "text": TEXT}, headers=admin)
        token("view")
        client.post("/api/v1/users", json={"name": name, "role": "view", "password": "twelve letters"}, headers=admin)
    instance = client.post("/api/v1/instances", json=ASKED, headers=admin).json()["id"]
    run = f"/api/v1/instances/{instance}/runs"
    for _ in range(2):
        started = client.post(run, headers=admin).json()["id"]
        client.post(f"/api/v1/runs/{started}/cancel", headers=admin)
    for path in (*LISTS, run):
        whole = client.get(path, params={"limit": 1000}, headers=admin).json()
        assert whole["next"] is None
        assert len(whole["items"]) >= 2
        read, after = [], {}
        while after is not None:
            page = client.get(path, params={"limit": 1, **after}, headers=admin).json()
            read += page["items"]
            after = {"after": page["next"]} if page["next"] else None
        assert read == whole["items"], path


def test_edits_of_a_segment_name_what_they_were_made_on(client, admin):
    made = client.post("/api/v1/segments", json={"name": "Buyers", "text": TEXT}, headers=admin)
    path, tag = f"/api/v1/segments/{made.json()['id']}", made.headers["etag"]
    edited = client.patch(path, json={"description": "x"}, headers={**admin, "if-match": tag})
    assert (edited.status_code, edited.json()["description"]) == (200, "x")
    assert edited.headers["etag"] != tag == f'"{made.json()["revision"]}"'
    for stale in (tag, '"nonsense"', "nonsense"):
        refused = {**admin, "if-match": stale}
        assert client.patch(path, json={"description": "y"}, headers=refused).status_code == 412
        assert client.delete(path, headers=refused).status_code == 412
    assert client.post("/api/v1/segments", json={"name": "Buyers", "text": TEXT}, headers=admin).status_code == 409
    assert client.patch(path, json={"nonsense": 1}, headers=admin).status_code == 422
    assert client.delete(path, headers={**admin, "if-match": edited.headers["etag"]}).status_code == 204


def test_a_segment_is_estimated_without_being_made(client, admin):
    found = client.post("/api/v1/segment-estimates", json={"text": TEXT}, headers=admin).json()
    assert (found["size"], found["namespace"]) == (1, "CRMID")
    assert client.get("/api/v1/segments", headers=admin).json()["items"] == []


def test_a_draft_is_edited(client, admin):
    draft = client.post("/api/v1/instances?draft=true", json={"name": "Later"}, headers=admin)
    path = f"/api/v1/instances/{draft.json()['id']}"
    edited = client.patch(path, json={**ASKED, "name": "Now"}, headers={**admin, "if-match": draft.headers["etag"]})
    assert (edited.json()["name"], edited.json()["status"]) == ("Now", "draft")
    assert client.patch(path, json={}, headers={**admin, "if-match": draft.headers["etag"]}).status_code == 412
    assert client.post(path + "/finish", headers=admin).json()["status"] == "enabled"


def test_a_method_that_is_not_there_is_told_those_that_are(client, admin):
    answer = client.put("/api/v1/instances/x", headers=admin)
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, PATCH")


def test_problems_name_the_request(client, admin):
    answer = client.get("/api/v1/instances/none", headers=admin)
    assert answer.json()["request"] == answer.headers["x-request-id"]


def test_the_document_tells_everything(app):
    found = app.openapi()
    schemas = found["components"]["schemas"]
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            if not path.startswith("/api/v1/"):
                continue
            assert operation["description"], (method, path)
            assert operation["security"], (method, path)
            for status, answer in operation["responses"].items():
                kinds = answer.get("content", {})
                if int(status) >= 400:
                    assert list(kinds) == ["application/problem+json"], (method, path, status)
                elif status != "204":
                    assert kinds, (method, path, status)
            for body in operation.get("requestBody", {}).get("content", {}).values():
                assert "example" in body, (method, path)
    text = json.dumps(found)
    assert all(f"schemas/{name}" in text for name in schemas if name != "Problem")
    assert {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]} <= set(schemas)


def test_the_log_tells_of_events_that_came(client, admin, workspace):
    client.post(EVENTS, content=json.dumps(EVENT), headers=admin)
    with workspace.store.read() as connection:
        (entry,) = audit.page(connection, audit.Filter(action="dataset.ingest"))
    assert (entry.object_name, entry.after["accepted"]) == ("shop", 1)


TEXT = "did (eventType exists)"
