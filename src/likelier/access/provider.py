"""Signing in through an OpenID Connect provider: the authorization code flow with PKCE, by Authlib.

Who comes back with an ID token that the provider signed for this client is the user of that subject, made at the first
sign-in. What the user may do follows a claim of the token at each sign-in: who leaves a group at the provider loses its
role here, and who has none is refused.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth, StarletteOAuth2App
from joserfc.errors import JoseError

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.access.roles import Role
from likelier.access.users import Session, open_session
from likelier.errors import LikelierError, TransientError, UsageError
from likelier.settings import Settings
from likelier.store import access as stored
from likelier.store.access import User
from likelier.store.database import Store
from likelier.store.names import free_name

STRONGEST_FIRST = (Role.ADMIN, Role.MANAGE, Role.VIEW, Role.AUDIT)
SIGNED_WITH = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
PROVIDER = Actor("identity provider")


class ProviderRefusedError(LikelierError):
    """The provider, or what it said, lets nobody in."""


@dataclass(frozen=True)
class Attempt:
    """A sign-in under way, kept by the browser until the provider sends it back."""

    state: str
    nonce: str
    code_verifier: str
    following: str

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Attempt | None:
        """Read an attempt; None when it is none of ours."""
        try:
            read = json.loads(text)
            return cls(**{key: str(read[key]) for key in ("state", "nonce", "code_verifier", "following")})
        except (ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class Person:
    """Who signed in at the provider."""

    subject: str
    name: str
    claims: Mapping[str, Any]


class Provider:
    """The provider that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self.name, self._issuer = settings.oidc_name, settings.oidc_issuer.rstrip("/")
        self._client_id, self._claim = settings.oidc_client_id, settings.oidc_claim
        self._roles = read_roles(settings.oidc_roles)
        self._app: StarletteOAuth2App = OAuth().register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret or None,
            server_metadata_url=f"{self._issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": settings.oidc_scope, "code_challenge_method": "S256"},
        )

    async def begin(self, callback: str, following: str) -> tuple[str, Attempt]:
        """Answer where to send the browser, and what it has to bring back."""
        try:
            await self._check_metadata()
            made = await self._app.create_authorization_url(callback)
        except _FAULTS as error:
            raise TransientError("The identity provider cannot be reached. Try again later.") from error
        return made["url"], Attempt(made["state"], made["nonce"], made["code_verifier"], following)

    async def finish(self, attempt: Attempt, callback: str, *, code: str) -> Person:
        """Change the code for an ID token, check it, and answer whose it is."""
        try:
            await self._check_metadata()
            token = await self._app.fetch_access_token(
                redirect_uri=callback, code=code, code_verifier=attempt.code_verifier
            )
            claims = await self._app.parse_id_token(token, nonce=attempt.nonce, claims_options=self._expected())
            if claims is not None and self._claim not in claims:  # some providers tell it only when asked
                claims = {**await self._asked(token, claims["sub"]), **claims}
        except httpx2.HTTPError as error:
            raise TransientError("The identity provider cannot be reached. Try again later.") from error
        except _FAULTS as error:
            raise ProviderRefusedError("The identity provider did not confirm who you are. Sign in again.") from error
        if claims is None:
            raise ProviderRefusedError("The identity provider did not say who you are.")
        name = next((str(claims[key]) for key in ("preferred_username", "email", "name") if claims.get(key)), "")
        return Person(f"{self._issuer}|{claims['sub']}", name or str(claims["sub"]), dict(claims))

    def role_of(self, person: Person) -> Role | None:
        """What somebody may do here: the strongest of the roles that the claim names."""
        named = person.claims.get(self._claim)
        values = named if isinstance(named, list) else [named]
        granted = {self._roles[value] for value in values if isinstance(value, str) and value in self._roles}
        return next((role for role in STRONGEST_FIRST if role in granted), None)

    async def _asked(self, token: Any, subject: str) -> Mapping[str, Any]:
        if "userinfo_endpoint" not in await self._app.load_server_metadata():
            return {}
        told = await self._app.userinfo(token=token)
        return told if told.get("sub") == subject else {}

    def _expected(self) -> dict[str, Any]:
        return {"iss": {"essential": True, "value": self._metadata_issuer}, "aud": {"values": [self._client_id]}}

    async def _check_metadata(self) -> None:
        """Refuse a document that speaks for another issuer, and signatures that prove nothing."""
        found = await self._app.load_server_metadata()
        self._metadata_issuer = found.get("issuer", "")
        if self._metadata_issuer.rstrip("/") != self._issuer:
            raise UsageError("LIKELIER_OIDC_ISSUER is not the issuer that its own discovery document names.")
        offered = found.get("id_token_signing_alg_values_supported") or ["RS256"]
        found["id_token_signing_alg_values_supported"] = [each for each in offered if each in SIGNED_WITH]


_FAULTS = (AuthlibBaseError, JoseError, httpx2.HTTPError, RuntimeError, ValueError, KeyError, TypeError)


def provider_of(settings: Settings) -> Provider | None:
    """Answer the provider people sign in through; None where passwords are all there is."""
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_client_id:
        raise UsageError("LIKELIER_OIDC_ISSUER needs LIKELIER_OIDC_CLIENT_ID, too.")
    return Provider(settings)


def read_roles(text: str) -> dict[str, Role]:
    """Read which value of the claim gives which role.

    >>> read_roles("data science=manage, revision=audit")
    {'data science': <Role.MANAGE: 'manage'>, 'revision': <Role.AUDIT: 'audit'>}
    >>> read_roles("everybody=king")
    Traceback (most recent call last):
    likelier.errors.UsageError: LIKELIER_OIDC_ROLES holds 'everybody=king'. Write value=role, role one of view, \
manage, audit, admin.
    """
    read = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        value, _, role = (side.strip() for side in part.rpartition("="))
        if not value or role not in list(Role):
            roles = ", ".join(Role)
            raise UsageError(f"LIKELIER_OIDC_ROLES holds '{part}'. Write value=role, role one of {roles}.")
        read[value] = Role(role)
    return read


def admit(
    store: Store, provider: Provider, person: Person, *, user_id: str, now: dt.datetime, address: str | None
) -> Session:
    """Open a session for who signed in at the provider, or refuse."""
    role = provider.role_of(person)
    with store.write() as connection:
        user = stored.find_subject(connection, person.subject)
        if role is None or (user and user.disabled_at):
            thing = Thing("user", user.id if user else "", person.name[:200])
            record(connection, Actor(person.name[:200], address=address), "sign_in.refused", thing, now=now)
            user = None
        elif user is None:
            name = _free_name(connection, person.name)
            user = User(user_id, name, role, None, person.subject, now, PROVIDER.name)
            stored.add_user(connection, user)
            record(connection, PROVIDER, "user.create", _thing(user), now=now, after={"role": str(role)})
        elif user.role != role:
            stored.edit_user(connection, user.id, role=role)
            changed = {"before": {"role": user.role}, "after": {"role": str(role)}}
            record(connection, PROVIDER, "user.role", _thing(user), now=now, **changed)
            user = stored.find_subject(connection, person.subject)
    if user is None:
        raise ProviderRefusedError("You are known, but may do nothing here. Ask whoever manages likelier for a role.")
    return open_session(store, user, now=now, address=address)


def _free_name(connection: Any, name: str) -> str:
    """Give the name, with a number where another user has it."""
    plain = "".join(letter for letter in name if letter.isprintable()).strip()[:190] or "somebody"
    taken = {user.name for user in stored.list_users(connection)}
    return free_name(plain, taken)


def _thing(user: User) -> Thing:
    return Thing("user", user.id, user.name)
