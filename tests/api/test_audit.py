"""Every change, and every export, is in the log: who, what, on which object, from where, before and after."""

import csv
import io
import json
from dataclasses import replace

import pytest
from tests.service.test_exports import over

PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
ASKED = {
    "name": "Buy",
    "propensity_type": "conversion",
    "datasets": ["shop"],
    "namespace": "CRMID",
    "goal": {"events": [PURCHASE], "window_days": 30},
}
EVENT = {"_id": "7", "timestamp": "2024-04-30T13:00:00Z", "identityMap": {"CRMID": [{"id": "p"}]}, "eventType": "x"}
TAKES_TWO_MODELS = (
    "post",
    "/api/v1/instances/{instance_id}/roll-back",
)  # tests/service/test_retraining.py sees its entry
CHANGES_NOTHING = {"/api/v1/instances/{instance_id}/check", "/api/v1/segment-estimates"}


@pytest.fixture
def workspace(workspace, tmp_path):
    (tmp_path / "out").mkdir()
    return replace(workspace, settings=replace(workspace.settings, export_folder=str(tmp_path / "out")))


@pytest.fixture
def log(client, token):
    """The newest entries, oldest first, as (action, before, after)."""
    auditor = token("audit")

    def log(number):
        items = client.get(f"/api/v1/audit?limit={number}", headers=auditor).json()["items"]
        assert all((item["actor"], item["address"]) == ("token id0000", "testclient") for item in items)
        return [(item["action"], item["before"], item["after"]) for item in reversed(items)]

    return log


@pytest.fixture
def change(client, token, app):
    """Ask for a change as the admin, and remember which operation it was."""
    admin = token("admin")
    done = set()

    def change(method, path, operation, **request):
        answer = client.request(method, f"/api/v1{path}", headers=admin, **request)
        assert answer.status_code < 300, answer.text
        done.add((method, f"/api/v1{operation}"))
        return answer.json() if answer.content else None

    change.done = done
    return change


def test_every_operation_that_changes_something_is_logged(change, log, app):
    made = change("post", "/instances", "/instances", json=ASKED)
    (create, start) = log(2)
    assert (create[0], create[2]["name"], create[2]["goal"]["window_days"]) == ("instance.create", "Buy", 30)
    assert (start[0], start[2]["version"]) == ("run.start", 1)
    here, operation = f"/instances/{made['id']}", "/instances/{instance_id}"
    change("patch", here, operation, json={"description": "x", "schedule": "weekly"})
    assert log(1) == [
        (
            "instance.edit",
            {"description": "", "schedule": "none", "timing": None},
            {
                "description": "x",
                "schedule": "weekly",
                "timing": {"every": "weekly", "weekday": "monday", "day": 1, "hour": 6, "time_zone": "UTC"},
            },
        )
    ]
    change("patch", here, operation, json={"timing": {"hour": 7}})
    ((_, before, after),) = log(1)
    assert (before["timing"]["hour"], after["timing"]["hour"], list(after)) == (6, 7, ["timing"])
    change("post", f"{here}/undo", f"{operation}/undo")
    assert log(1)[0][0] == "instance.edit"
    change("post", f"{here}/clone", f"{operation}/clone")
    assert log(1)[0][0] == "instance.create"
    run = made["last_run"]["id"]
    change("post", f"/runs/{run}/cancel", "/runs/{run_id}/cancel")
    assert log(1)[0][0] == "run.cancel"
    change("post", f"{here}/runs", f"{operation}/runs")
    assert log(1)[0][0] == "run.start"
    draft = change("post", "/instances?draft=true", "/instances", json={**ASKED, "name": "Draft"})
    change("post", f"/instances/{draft['id']}/finish", f"{operation}/finish")
    assert [action for action, _, _ in log(3)] == ["instance.create", "instance.finish", "run.start"]
    change("post", "/datasets/shop/events", "/datasets/{name}/events", content=json.dumps(EVENT))
    ((action, _, after),) = log(1)
    assert (action, after["accepted"], after["rejected"]) == ("dataset.ingest", 1, 0)
    segment = change(
        "post", "/segments", "/segments", json={"name": "S", "text": "did (commerce.purchases.value exists)"}
    )
    change("patch", f"/segments/{segment['id']}", "/segments/{segment}", json={"description": "x"})
    ((action, before, after),) = log(1)
    assert (action, before, after) == ("segment.edit", {"description": ""}, {"description": "x"})
    kept = {"percent": 10, "outcome": "did (commerce.purchases.value exists)", "window_days": 30}
    held = f"/segments/{segment['id']}/hold-out"
    change("post", held, "/segments/{segment}/hold-out", json=kept)
    ((action, _, after),) = log(1)
    assert (action, after) == ("segment.hold_out", kept)
    change("delete", held, "/segments/{segment}/hold-out")
    assert log(1)[0][0] == "segment.end_hold_out"
    export = {"name": "files", "segment": segment["id"], "to": "members.jsonl"}
    change("post", "/exports", "/exports", json=export)
    over()
    change("post", "/exports/files/send", "/exports/{export}/send")
    over()
    change("delete", "/exports/files", "/exports/{export}")
    assert [action for action, _, _ in log(4)] == ["export.create", "export.send", "export.send", "export.delete"]
    change("delete", f"/segments/{segment['id']}", "/segments/{segment}")
    assert log(1)[0][:1] == ("segment.delete",)
    change("post", f"/segments/{segment['id']}/restore", "/segments/{segment}/restore")
    assert log(1)[0][0] == "segment.restore"
    token = change("post", "/tokens?name=nightly&role=view&expires=90d", "/tokens")
    change("delete", f"/tokens/{token['id']}", "/tokens/{token_id}")
    (create, revoke) = log(2)
    assert create[2] == {"role": "view", "expires_at": "2024-07-30T12:00:00+00:00"}
    assert revoke[0] == "token.revoke"
    linked = {"_id": "l", "timestamp": "2024-04-30T13:00:00Z", "identityMap": {"CRMID": [{"id": "p8"}, {"id": "p9"}]}}
    change("post", "/datasets/shop/events", "/datasets/{name}/events", content=json.dumps(linked))
    ends = {"a": {"namespace": "CRMID", "id": "p8"}, "b": {"namespace": "CRMID", "id": "p9"}}
    change("post", "/links/cut", "/links/cut", json=ends)
    assert log(1)[0][0] == "link.cut"
    change("post", "/users", "/users", json={"name": "eve", "role": "view", "password": "twelve letters"})
    change("patch", "/users/eve", "/users/{user}", json={"role": "manage", "disabled": True})
    assert [(action, after) for action, _, after in log(3)] == [
        ("user.create", {"role": "view"}),
        ("user.role", {"role": "manage"}),
        ("user.disable", None),
    ]
    change("delete", here, operation)
    ((action, before, after),) = log(1)
    assert (action, before["name"], after) == ("instance.delete", "Buy", None)
    change("post", f"{here}/restore", f"{operation}/restore")
    assert log(1)[0][0] == "instance.restore"

    change("delete", "/privacy/CRMID/p", "/privacy/{namespace}/{identity}")
    ((action, _, after),) = log(1)
    assert (action, after["finished"]) == ("privacy.delete", True)

    declared = {(method, path) for path, methods in app.openapi()["paths"].items() for method in methods}
    changing = {(method, path) for method, path in declared if method != "get" and path not in CHANGES_NOTHING}
    assert changing == change.done | {TAKES_TWO_MODELS}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_log_is_exported_and_that_is_logged(client, token, form):
    client.post("/sign-in", data={"name": "=1+1", "password": "x"})
    auditor = token("audit")
    answer = client.get(f"/api/v1/audit/export?format={form}&action=sign_in.refused", headers=auditor)
    assert answer.headers["content-disposition"] == f'attachment; filename="audit.{form}"'
    if form == "jsonl":
        (row,) = map(json.loads, answer.text.splitlines())
        assert (row["actor"], row["address"]) == ("=1+1", "testclient")
    else:
        (row,) = csv.DictReader(io.StringIO(answer.text))
        assert (row["actor"], row["address"]) == ("'=1+1", "testclient")
    (entry,) = client.get("/api/v1/audit?limit=1", headers=auditor).json()["items"]
    assert (entry["action"], entry["after"]) == ("audit.export", {"action": "sign_in.refused", "format": form})
    assert client.get("/api/v1/audit/export", headers=token("manage")).status_code == 403


def test_a_long_log_is_exported_whole_and_in_order(client, token, workspace, monkeypatch):
    monkeypatch.setattr("likelier.service.audits.AT_ONCE", 3)
    auditor = token("audit")
    for _ in range(10):
        token("view")
    rows = [json.loads(line) for line in client.get("/api/v1/audit/export", headers=auditor).text.splitlines()]
    assert [row["action"] for row in rows] == ["audit.export"] + ["token.create"] * 11
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
