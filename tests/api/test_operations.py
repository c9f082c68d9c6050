"""What operators look at."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from likelier.store.tables import runs

EVENT = b'{"_id": "7", "timestamp": "2024-04-30T13:00:00Z", "identityMap": {"CRMID": [{"id": "p"}]}, "eventType": "x"}'


@pytest.fixture
def read(client, token):
    """The value of a metric with its labels; None where there is none."""
    headers = token("view")

    def read(name, **labels):
        text = client.get("/metrics", headers=headers).text
        found = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        return found.get((name, *sorted(labels.items())), 0.0)

    return read


def test_events_and_requests_are_counted(client, token, read):
    route = "/api/v1/datasets/{name}/events"
    of_events = [("likelier_events_total", {"outcome": outcome}) for outcome in ("accepted", "duplicate", "rejected")]
    of_requests = ("likelier_http_requests_total", {"method": "POST", "route": route, "status": "200"})
    names = [*of_events, of_requests]
    before = [read(name, **labels) for name, labels in names]
    body = EVENT + b"\n{broken\n" + EVENT
    assert client.post("/api/v1/datasets/shop/events", content=body, headers=token("manage")).status_code == 200
    after = [read(name, **labels) for name, labels in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1, 1]
    assert read("likelier_http_request_seconds_count", method="POST", route=route) >= 1


def test_runs_their_stages_and_the_queue_are_read_from_the_store(client, token, read, workspace):
    assert (read("likelier_queue_runs"), read("likelier_stage_seconds_count", stage="train")) == (0, 0)
    asked = {
        "name": "Buy",
        "propensity_type": "conversion",
        "datasets": ["shop"],
        "namespace": "CRMID",
        "goal": {
            "events": [{"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}],
            "window_days": 30,
        },
    }
    assert client.post("/api/v1/instances", json=asked, headers=token("manage")).status_code == 201
    assert (read("likelier_queue_runs"), read("likelier_runs", state="queued")) == (1, 1)
    with workspace.store.write() as connection:
        connection.execute(runs.update().values(state="success", timings={"read": 1.5, "train": 2.0}))
    assert (read("likelier_queue_runs"), read("likelier_runs", state="success")) == (0, 1)
    assert read("likelier_stage_seconds_sum", stage="train") == 2.0


def test_addresses_that_are_no_routes_share_one_name(client, read):
    for path in ("/a", "/b", "/api/v1/c"):
        client.get(path)
    assert read("likelier_http_requests_total", method="GET", route="/a", status="404") == 0
    assert read("likelier_http_requests_total", method="GET", route="unknown", status="404") >= 3


def test_a_server_is_ready_unless_something_is_wrong(client, workspace, monkeypatch):
    def away(*_):
        raise OSError(5, "Input/output error")

    assert client.get("/readyz").json() == {"status": "ready"}
    monkeypatch.setattr(type(workspace.lake), "names", away)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert client.get("/healthz").status_code == 200
