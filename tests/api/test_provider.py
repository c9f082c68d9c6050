"""Signing in through an OpenID Connect provider: a real one, in a process of its own."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from likelier.access import users
from likelier.access.identity import Actor
from likelier.access.provider import Attempt, ProviderRefusedError, provider_of
from likelier.api.application import make_app
from likelier.errors import UsageError
from likelier.settings import read_settings
from likelier.store import audit

from .conftest import TestClient


@pytest.fixture(scope="module")
def provider():
    """The address of a provider."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    never = threading.Event()
    for _ in range(600):
        try:
            httpx.get(f"http://127.0.0.1:{port}/jwks")
            break
        except httpx.ConnectError:
            never.wait(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def workspace(workspace, provider):
    chosen = {
        "oidc_issuer": provider,
        "oidc_client_id": "likelier",
        "oidc_client_secret": "a secret between the two",
        "oidc_name": "Acme & Sons",
        "oidc_claim": "groups",
        "oidc_roles": "data science=manage, everybody=view, bosses=admin",
    }
    return replace(workspace, settings=read_settings({}, home=workspace.settings.home, **chosen))


@pytest.fixture
def somebody(provider):
    """Tell the provider about somebody."""

    def tell(subject="ann", **claims):
        told = httpx.put(f"{provider}/users/{quote(subject)}", json={"preferred_username": subject, **claims})
        assert told.status_code == 204

    return tell


def go(client, following="/segments"):
    """Begin to sign in; the provider's page."""
    begun = client.get("/sign-in/provider", params={"next": following})
    assert begun.status_code == 303
    return begun.headers["location"]


def agree(page, subject="ann", **form):
    """Sign in at the provider; where it sends the browser."""
    back = httpx.post(page, data={"sub": subject, **form}).headers["location"]
    return back.removeprefix("http://testserver")


def entries(workspace):
    with workspace.store.read() as connection:
        return [(entry.actor, entry.action, entry.after) for entry in audit.page(connection, audit.Filter())]


def test_somebody_signs_in_and_may_do_what_the_claim_says(client, workspace, somebody):
    somebody(groups=["everybody", "data science"])
    assert 'href="/sign-in/provider?next=/">Sign in with Acme &amp; Sons</a>' in client.get("/sign-in").text
    page = go(client)
    asked = parse_qs(urlsplit(page).query)
    assert (asked["code_challenge_method"], asked["response_type"]) == (["S256"], ["code"])
    assert {"state", "nonce", "code_challenge"} < asked.keys()
    admitted = client.get(agree(page))
    assert (admitted.status_code, admitted.headers["location"]) == (303, "/segments")
    csrf = {"x-csrf-token": client.cookies["likelier_csrf"]}
    assert client.get("/api/v1/instances").status_code == 200
    assert client.post("/api/v1/instances", json={}, headers=csrf).status_code == 422
    assert client.get("/api/v1/tokens").status_code == 403
    assert entries(workspace) == [
        ("ann", "sign_in", None),
        ("identity provider", "user.create", {"role": "manage"}),
    ]


def test_the_role_follows_the_claim_and_without_one_nobody_gets_in(client, workspace, somebody):
    for groups, role in ((["everybody"], "view"), ("bosses", "admin")):
        somebody("eve", groups=groups)
        assert client.get(agree(go(client), "eve")).status_code == 303
        with workspace.store.read() as connection:
            assert users.stored.get_user(connection, "eve").role == role
    for groups in ({"groups": []}, {}, {"groups": 7}, {"roles": "admin"}):
        somebody("eve", **groups)
        client.cookies.clear()
        refused = client.get(agree(go(client), "eve"))
        assert (refused.status_code, "may do nothing here" in refused.text) == (401, True)
        assert "likelier_session" not in client.cookies


def test_who_is_disabled_here_does_not_get_in_by_the_provider(client, workspace, somebody):
    somebody("tom", groups="everybody")
    client.get(agree(go(client), "tom"))
    with workspace.store.write() as connection:
        users.disable_user(connection, Actor("ann"), "tom", now=workspace.clock())
    assert client.get("/api/v1/instances").status_code == 401
    assert client.get(agree(go(client), "tom")).status_code == 401


def test_a_name_that_a_password_holds_is_not_taken_over(client, workspace, somebody, bob):
    somebody("bob", groups="everybody")
    assert client.get(agree(go(client), "bob")).status_code == 303
    with workspace.store.read() as connection:
        assert [user.name for user in users.stored.list_users(connection)] == ["bob", "bob 2"]


def test_what_was_not_begun_here_or_is_used_again_is_refused(client, somebody):
    somebody(groups="everybody")
    back = agree(go(client))
    spoilt = [
        back.replace("state=", "state=x"),
        re.sub("code=[^&]+", "code=x", back),
        re.sub("code=[^&]+", "", back),
        "/sign-in/callback?error=access_denied",
        "/sign-in/callback",
    ]
    for address in spoilt:
        assert client.get(address).status_code == 401, address
    client.cookies.clear()
    assert client.get(back).status_code == 401
    client.cookies.set("likelier_attempt", "nonsense", path="/sign-in/callback")
    assert client.get(back).status_code == 401


def test_an_answer_to_another_attempt_is_refused(client, somebody):
    somebody(groups="everybody")
    first, second = go(client), go(client)
    assert client.get(agree(first)).status_code == 401
    assert client.get(agree(second)).status_code == 303
    assert client.get(agree(second)).status_code == 401


def test_the_way_back_leads_nowhere_else(client, somebody):
    somebody(groups="everybody")
    assert client.get(agree(go(client, "https://evil.example/"))).headers["location"] == "/"


def test_a_provider_that_is_away_says_so(workspace, somebody):
    away = replace(workspace.settings, oidc_issuer="http://127.0.0.1:1")
    with TestClient(make_app(replace(workspace, settings=away)), follow_redirects=False) as client:
        answer = client.get("/sign-in/provider")
    assert (answer.status_code, "cannot be reached" in answer.text) == (503, True)


def test_behind_a_proxy_the_public_address_counts(workspace):
    public = replace(workspace.settings, public_url="https://likelier.example.com/")
    with TestClient(make_app(replace(workspace, settings=public)), follow_redirects=False) as client:
        begun = client.get("/sign-in/provider")
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["redirect_uri"] == ["https://likelier.example.com/sign-in/callback"]
    assert "Secure" in begun.headers["set-cookie"]


def test_without_a_provider_there_is_no_way_to_one(workspace):
    none = replace(workspace.settings, oidc_issuer="")
    with TestClient(make_app(replace(workspace, settings=none)), follow_redirects=False) as client:
        assert "Sign in with" not in client.get("/sign-in").text
        assert client.get("/sign-in/provider").status_code == 404


def test_settings_that_cannot_work_are_refused(workspace):
    with pytest.raises(UsageError, match="CLIENT_ID"):
        provider_of(replace(workspace.settings, oidc_client_id=""))


KEY, OTHER = RSAKey.generate_key(2048, {"kid": "k"}), RSAKey.generate_key(2048, {"kid": "k"})
ISSUER = "https://id.example.com"
ATTEMPT = Attempt("s", "n", "v", "/")


def vouched(workspace, spoil=None, header=None, key=KEY):
    """What the checks of an ID token say: one that a provider would give, but for what is spoilt."""
    settings = replace(workspace.settings, oidc_issuer=ISSUER)
    provider = provider_of(settings)
    provider._app.server_metadata.update(
        {
            "_loaded_at": 1,
            "issuer": ISSUER,
            "token_endpoint": f"{ISSUER}/token",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "jwks": KeySet([KEY]).as_dict(private=False),
            "jwks_uri": "http://127.0.0.1:1/",
        }
    )
    now = int(time.time())
    right = {"iss": ISSUER, "aud": "likelier", "sub": "ann", "nonce": "n", "iat": now, "exp": now + 60, "groups": "x"}
    told = {name: value for name, value in {**right, **(spoil or {})}.items() if value is not None}
    header = {"alg": "RS256", "kid": "k", **(header or {})}
    token = jwt.encode(header, told, key, algorithms=[header["alg"]])

    async def fetched(**_):
        return {"id_token": token, "access_token": "a"}

    provider._app.fetch_access_token = fetched
    return asyncio.run(provider.finish(ATTEMPT, "https://likelier.example.com", code="c"))


def test_a_token_as_it_should_be_is_believed(workspace):
    assert vouched(workspace).subject == f"{ISSUER}|ann"
    assert vouched(workspace, {"aud": ["likelier", "other"], "azp": "likelier"}).name == "ann"


@pytest.mark.parametrize(
    "spoil",
    [
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": ["another client"]},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"azp": "another client"},
        {"iat": 2**40},
    ],
)
def test_a_token_that_is_not_for_us_or_not_for_now_is_refused(workspace, spoil):
    with pytest.raises(ProviderRefusedError):
        vouched(workspace, spoil)


def test_a_token_that_somebody_else_signed_or_nobody_is_refused(workspace):
    with pytest.raises(ProviderRefusedError):
        vouched(workspace, key=OTHER)
    with pytest.raises(ProviderRefusedError):
        vouched(workspace, header={"alg": "HS256"}, key=OctKey.generate_key(256))
