"""Exports over REST."""

from dataclasses import replace

import pytest
from tests.service.test_exports import over

WISH = {"name": "files", "segment": "Buyers", "to": "buyers.jsonl"}


@pytest.fixture
def workspace(workspace, tmp_path):
    return replace(workspace, settings=replace(workspace.settings, export_folder=str(tmp_path / "out")))


def test_deliver_again_list_and_stop(client, token, tmp_path):
    admin, manager = token("admin"), token("manage")
    (tmp_path / "out").mkdir()
    rule = {"name": "Buyers", "text": "did (commerce.purchases.value exists)", "namespace": "CRMID"}
    client.post("/api/v1/segments", json=rule, headers=admin)
    assert client.post("/api/v1/exports", json=WISH, headers=manager).status_code == 403
    begun = client.post("/api/v1/exports", json=WISH, headers=admin)
    assert (begun.status_code, begun.json()["state"]) == (202, "under way")
    over()
    (export,) = client.get("/api/v1/exports", headers=manager).json()["items"]
    assert (export["name"], export["to"]) == ("files", str(tmp_path / "out" / "buyers.jsonl"))
    again = client.post(f"/api/v1/exports/{export['id']}/send", headers=manager).json()
    over()
    page = client.get("/api/v1/deliveries", headers=manager).json()
    found = {one["id"]: (one["state"], one["rows"]) for one in page["items"]}
    assert found == {begun.json()["id"]: ("delivered", 1), again["id"]: ("delivered", 1)}
    first = client.get("/api/v1/deliveries?limit=1", headers=manager).json()
    rest = client.get(f"/api/v1/deliveries?after={first['next']}", headers=manager).json()
    assert ([*first["items"], *rest["items"]], rest["next"]) == (page["items"], None)
    assert client.delete("/api/v1/exports/files", headers=manager).status_code == 204
    assert client.post("/api/v1/exports/files/send", headers=manager).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"to": "/etc/x.csv"}, 422), ({"to": "http://["}, 422), ({"segment": None}, 422), ({"segment": "x"}, 422)],
)
def test_what_cannot_be_delivered_is_refused(client, token, changes, status):
    answer = client.post("/api/v1/exports", json=WISH | changes, headers=token("admin"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
