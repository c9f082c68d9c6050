"""Secrets are shown once, to whom they belong: no log, no error, no other answer holds one, the store only digests."""

import logging

import pytest
import sqlalchemy as sa

from likelier.access import users
from likelier.access.identity import Actor
from likelier.access.roles import Role
from likelier.store.tables import metadata


@pytest.fixture
def said(client):
    """Every answer of the application, headers and all, except what is told to be left out."""
    answers = []

    def ask(method, path, *, shown=False, **request):
        answer = client.request(method, path, **request)
        if not shown:
            answers.append(f"{answer.headers}{answer.text}")
        return answer

    ask.answers = answers
    return ask


def test_no_answer_log_or_table_holds_a_secret(said, client, bob, token, workspace, caplog):
    caplog.set_level(logging.DEBUG)
    admin = token("admin")
    made = said("post", "/api/v1/tokens?name=nightly&role=view", headers=admin, shown=True).json()
    nightly = {"authorization": f"Bearer {made['token']}"}
    admitted = said("post", "/sign-in", data=bob, shown=True)
    session, csrf = client.cookies["likelier_session"], client.cookies["likelier_csrf"]
    assert admitted.status_code == 303
    wrong = "wrong but nearly right"
    for password in (wrong, bob["password"] + "\0", bob["password"] * 100):
        said("post", "/sign-in", data={**bob, "password": password})
    for headers in (admin, nightly, {"x-csrf-token": csrf}, {"authorization": f"Basic {made['token']}"}):
        for method, path in [
            ("get", "/api/v1/instances"),
            ("get", "/api/v1/tokens"),
            ("get", "/api/v1/audit"),
            ("get", "/api/v1/instances/nothing"),
            ("post", "/api/v1/instances"),
            ("post", "/api/v1/tokens?name=x&role=king"),
            ("get", "/metrics"),
            ("get", "/nothing"),
        ]:
            said(method, path, headers=headers)
    said("delete", f"/api/v1/tokens/{made['id']}", headers=admin)
    assert said("get", "/api/v1/instances", headers=nightly).status_code == 401
    said("get", "/sign-out")
    with workspace.store.read() as connection:
        kept = [str(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    files = [path.read_bytes().decode("latin-1") for path in workspace.settings.home.rglob("*") if path.is_file()]
    logged = [record.getMessage() + str(record.exc_info) for record in caplog.records]
    everything = "\n".join([*said.answers, *kept, *files, *logged])
    admins = admin["authorization"].removeprefix("Bearer ")
    for secret in (made["token"], admins, session, csrf, bob["password"], wrong):
        assert secret not in everything
    assert len(said.answers) > 30


@pytest.mark.parametrize(("address", "secure"), [("http://testserver", False), ("https://testserver", True)])
def test_cookies_are_careful(client, bob, address, secure):
    client.base_url = address
    session, csrf = client.post("/sign-in", data=bob).headers.get_list("set-cookie")
    assert ("HttpOnly" in session, "HttpOnly" in csrf) == (True, False)
    for cookie in (session, csrf):
        assert ("Secure" in cookie) is secure
        assert "SameSite=lax" in cookie
        assert "Max-Age=43200" in cookie


def test_an_auditor_is_led_to_the_one_page_there_is_for_an_auditor(client, workspace, bob):
    with workspace.store.write() as connection:
        users.set_role(connection, Actor("ann"), "bob", Role.AUDIT, now=workspace.clock())
    assert client.post("/sign-in", data=bob).headers["location"] == "/audit"
