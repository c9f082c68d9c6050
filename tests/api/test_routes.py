"""What the routes answer."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from likelier.store import alerts
from likelier.store.alerts import Alert

PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
ASKED = {
    "name": "Buy",
    "propensity_type": "conversion",
    "datasets": ["shop"],
    "namespace": "CRMID",
    "goal": {"events": [PURCHASE], "window_days": 30},
}


@pytest.fixture
def admin(token):
    return token("admin")


@pytest.mark.parametrize("path", ["instances", "datasets", "segments", "alerts", "audit", "tokens", "users"])
def test_lists_have_items_and_next(client, admin, path):
    answer = client.get(f"/api/v1/{path}", headers=admin)
    assert answer.status_code == 200
    assert isinstance(answer.json()["items"], list)
    assert answer.json()["next"] is None


def test_health_is_open(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_metrics_count_runs(client, admin):
    client.post("/api/v1/instances", json=ASKED, headers=admin)
    assert 'likelier_runs{state="queued"} 1' in client.get("/metrics", headers=admin).text


def test_events_are_counted_and_sent_twice_add_nothing(client, admin):
    event = {
        "_id": "2",
        "timestamp": "2024-04-30T13:00:00Z",
        "identityMap": {"CRMID": [{"id": "p2", "primary": True}]},
        "eventType": "x",
    }
    body = "\n".join([json.dumps(event), "{broken", json.dumps(event)])
    counts = [client.post("/api/v1/datasets/shop/events", content=body, headers=admin).json() for _ in range(2)]
    assert [(each["accepted"], each["duplicate"], each["rejected"]) for each in counts] == [(1, 1, 1), (0, 2, 1)]
    assert client.get("/api/v1/datasets/shop", headers=admin).json()["rows"] == 2


def test_the_life_of_an_instance(client, admin):
    created = client.post("/api/v1/instances", json=ASKED, headers=admin)
    assert (created.status_code, created.headers["etag"]) == (201, '"1"')
    path = f"/api/v1/instances/{created.json()['id']}"
    assert created.json()["last_run"]["state"] == "queued"
    assert client.post("/api/v1/instances", json=ASKED, headers=admin).status_code == 409
    edited = client.patch(path, json={"description": "x"}, headers={**admin, "if-match": '"1"'})
    assert (edited.json()["description"], edited.headers["etag"]) == ("x", '"2"')
    assert client.patch(path, json={"description": "y"}, headers={**admin, "if-match": '"1"'}).status_code == 412
    assert client.patch(path, json={"goaal": 1}, headers=admin).status_code == 422
    assert client.patch(path, json={"status": "disabled"}, headers=admin).json()["status"] == "disabled"
    clone = client.post(path + "/clone", headers=admin)
    assert (clone.status_code, clone.json()["name"]) == (201, "Buy (copy)")
    assert client.delete(path, headers=admin).status_code == 204
    assert client.get(path, headers=admin).status_code == 404
    actions = [entry["action"] for entry in client.get("/api/v1/audit", headers=admin).json()["items"]]
    assert actions[:2] == ["instance.delete", "instance.create"]


def test_a_draft_is_kept_and_finished_when_it_is_complete(client, admin):
    draft = client.post("/api/v1/instances?draft=true", json={"name": "Later"}, headers=admin).json()
    path = f"/api/v1/instances/{draft['id']}"
    assert draft["status"] == "draft"
    assert client.post(path + "/finish", headers=admin).status_code == 422
    assert client.post(path + "/runs", headers=admin).status_code == 422
    assert client.post(path + "/check", headers=admin).status_code == 422


def test_runs_are_started_listed_and_cancelled(client, admin):
    instance = client.post("/api/v1/instances", json=ASKED, headers=admin).json()["id"]
    first = client.post(f"/api/v1/instances/{instance}/runs", headers=admin).json()
    assert first["state"] == "queued"
    assert client.post(f"/api/v1/instances/{instance}/runs", headers=admin).json()["id"] == first["id"]
    assert client.post(f"/api/v1/runs/{first['id']}/cancel", headers=admin).json()["state"] == "cancelled"
    second = client.post(f"/api/v1/instances/{instance}/runs", headers=admin).json()
    page = client.get(f"/api/v1/instances/{instance}/runs?limit=1", headers=admin).json()
    rest = client.get(f"/api/v1/instances/{instance}/runs", params={"after": page["next"]}, headers=admin).json()
    assert {run["id"] for run in page["items"] + rest["items"]} == {first["id"], second["id"]}
    assert client.get(f"/api/v1/instances/{instance}/scores", headers=admin).status_code == 422
    assert client.get(f"/api/v1/instances/{instance}/insights", headers=admin).status_code == 422


def test_a_run_may_keep_the_model_and_rolling_back_needs_an_earlier_one(client, admin):
    instance = client.post("/api/v1/instances", json=ASKED, headers=admin).json()
    client.post(f"/api/v1/runs/{instance['last_run']['id']}/cancel", headers=admin)
    run = client.post(f"/api/v1/instances/{instance['id']}/runs?when_due=true", headers=admin).json()
    assert (run["state"], run["model"], run["decision"]) == ("queued", None, None)
    refused = client.post(f"/api/v1/instances/{instance['id']}/roll-back", headers=admin)
    assert refused.status_code == 422
    assert "no earlier model" in refused.json()["detail"]


def test_alerts_are_read_in_pages_by_whoever_may_look(client, admin, token, workspace):
    instance = client.post("/api/v1/instances", json=ASKED, headers=admin).json()
    with workspace.store.write() as connection:
        for number in range(3):
            moment = dt.datetime(2024, 4, 30, number // 2, tzinfo=dt.UTC)  # two at once
            told = Alert(f"a{number}", instance["id"], "Before", "drift", f"k{number}", "Prices doubled.", moment)
            assert alerts.add(connection, told)
    viewer = token("view")
    first = client.get("/api/v1/alerts?limit=2", headers=viewer).json()
    rest = client.get("/api/v1/alerts", params={"limit": 2, "after": first["next"]}, headers=viewer).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == ["a2", "a1", "a0"]
    assert rest["next"] is None
    assert rest["items"][0] == {
        "id": "a0",
        "kind": "drift",
        "instance": "Buy",
        "instance_id": instance["id"],
        "run": None,
        "words": "Prices doubled.",
        "noticed_at": "2024-04-30T00:00:00Z",
        "over_at": None,
        "state": "noted",
        "sent": {},
    }
    assert client.get("/api/v1/alerts?after=nowhere", headers=viewer).status_code == 422
    assert client.get("/api/v1/alerts", headers=token("audit")).status_code == 403


@pytest.mark.parametrize(
    "path", ["instances/x", "runs/x", "datasets/x", "segments/x", "profiles/CRMID/nobody", "profiles/ECID/x"]
)
def test_what_is_not_there_is_a_problem_in_words(client, admin, path):
    answer = client.get(f"/api/v1/{path}", headers=admin)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["status"] == 404
    assert len(answer.json()["detail"]) > 15


def test_a_token_is_shown_once_and_ends_when_it_is_revoked(client, admin):
    made = client.post("/api/v1/tokens?name=nightly&role=view", headers=admin).json()
    nightly = {"authorization": f"Bearer {made['token']}"}
    assert client.get("/api/v1/instances", headers=nightly).status_code == 200
    assert made["token"] not in client.get("/api/v1/tokens", headers=admin).text
    assert client.delete(f"/api/v1/tokens/{made['id']}", headers=admin).status_code == 204
    assert client.get("/api/v1/instances", headers=nightly).status_code == 401


def test_a_browser_signs_in_changes_something_with_its_csrf_token_and_signs_out(client, bob):
    refused = client.post("/sign-in", data={**bob, "password": "wrong"})
    assert refused.status_code == 401
    assert "do not belong together" in refused.text
    admitted = client.post("/sign-in", data={**bob, "next": "/instances"})
    assert (admitted.status_code, admitted.headers["location"]) == (303, "/instances")
    cookie = admitted.headers.get_list("set-cookie")[0]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/api/v1/instances").status_code == 200
    assert client.post("/api/v1/instances", json=ASKED).status_code == 403
    csrf = {"x-csrf-token": client.cookies["likelier_csrf"]}
    assert client.post("/api/v1/instances", json=ASKED, headers=csrf).status_code == 201
    client.get("/sign-out")
    assert client.get("/api/v1/instances").status_code == 401


@pytest.mark.parametrize("following", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"])
def test_signing_in_leads_nowhere_else(client, bob, following):
    assert client.post("/sign-in", data={**bob, "next": following}).headers["location"] == "/"
    assert "evil" not in client.get("/sign-in", params={"next": following}).text


def test_a_form_of_another_site_is_refused(client, bob):
    assert client.post("/sign-in", data=bob, headers={"origin": "https://evil.example"}).status_code == 403


def test_answers_have_an_id_and_careful_headers(client):
    headers = client.get("/healthz").headers
    assert headers["x-request-id"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "instances", '{"name": "\\ud800"}'),
        ("post", "instances?draft=true", '{"name": "a\\u0000b"}'),
        ("post", "instances?draft=true", "[1]"),
        ("post", "instances?draft=true", "{"),
        ("post", "instances", b"\xff"),
        ("post", "tokens?name=%00&role=view", ""),
        ("post", "tokens?name=x&role=king", ""),
        ("get", "audit?after=99999999999999999999", ""),
        ("get", "audit?since=yesterday", ""),
        ("get", "audit?limit=0", ""),
        ("get", "instances/%00", ""),
        ("post", "segments", '{"name": 1}'),
        ("post", "segments", '{"name": "x", "nonsense": 1}'),
        ("post", "segment-estimates", '{"text": [], "namespace": [{}]}'),
        ("post", "segment-estimates", '{"rule": "did (eventType exists)"}'),
        ("patch", "users/nobody", '{"disabled": 0}'),
    ],
)
def test_what_cannot_be_kept_or_understood_is_refused(client, admin, method, path, body):
    headers = {**admin, "content-type": "application/json"}
    answer = client.request(method, f"/api/v1/{path}", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_a_seed_that_is_too_large_is_refused(client, admin):
    instance = client.post("/api/v1/instances", json=ASKED, headers=admin).json()["id"]
    for seed in (-1, 2**31, "x"):
        assert client.post(f"/api/v1/instances/{instance}/runs?seed={seed}", headers=admin).status_code == 422


def test_links_are_shown_and_cut(client, admin):
    event = {"_id": "2", "timestamp": "2024-04-30T13:00:00Z", "identityMap": {"CRMID": [{"id": "p1"}, {"id": "p2"}]}}
    client.post("/api/v1/datasets/shop/events", content=json.dumps(event), headers=admin)
    found = client.get("/api/v1/links/CRMID/p2", headers=admin).json()
    assert ([one["id"] for one in found["ids"]], found["links"][0]["counts"]) == (["p1", "p2"], True)
    ends = {key: {"namespace": "CRMID", "id": one} for key, one in (("a", "p1"), ("b", "p2"))}
    assert client.post("/api/v1/links/cut", json=ends, headers=admin).json()["links"][0]["cut"]
    assert not client.post("/api/v1/links/cut", json={**ends, "cut": False}, headers=admin).json()["links"][0]["cut"]


def test_a_profile_tells_of_one_id_or_stitched_of_all_that_are_linked_with_it(client, workspace, token):
    seen = {
        "_id": ["2", "3"],
        "timestamp": pa.array([dt.datetime(2024, 4, 30, 13, tzinfo=dt.UTC)] * 2, pa.timestamp("us", "UTC")),
        "identityMap.CRMID": ["p1", None],
        "identityMap.ECID": ["cookie", "cookie"],
    }
    workspace.lake.append("datasets/web/events", pa.table(seen).to_reader(), batch="one")
    path, looked = "/api/v1/profiles/ECID/cookie", token("view")
    alone = client.get(path, headers=looked).json()
    stitched = client.get(path, params={"stitched": True}, headers=looked).json()
    assert sorted(event["id"] for event in alone["events"]) == ["2", "3"]
    assert sorted(event["id"] for event in stitched["events"]) == ["1", "2", "3"]
    assert {(one["namespace"], one["id"]) for one in stitched["identities"]} == {("CRMID", "p1"), ("ECID", "cookie")}
    missing = client.get("/api/v1/profiles/ECID/nobody", params={"stitched": True}, headers=looked)
    assert missing.status_code == 404
