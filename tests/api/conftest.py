"""An application on a workspace with one small dataset."""

import datetime as dt
import itertools
import warnings

import pyarrow as pa
import pytest

from likelier.access import tokens, users
from likelier.access.identity import Actor
from likelier.access.roles import Role
from likelier.api.application import make_app
from likelier.lake import Lake
from likelier.service.workspace import Workspace
from likelier.settings import read_settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have another client library
    from starlette.testclient import TestClient

NOW = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"


@pytest.fixture
def workspace(tmp_path, opened) -> Workspace:
    settings = read_settings({}, home=tmp_path / "home")
    lake = Lake(settings.lake)
    event = pa.table(
        {
            "_id": ["1"],
            "timestamp": pa.array([dt.datetime(2024, 4, 30, 12, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
            "identityMap.CRMID": ["p1"],
            "eventType": ["commerce.purchases"],
            "commerce.purchases.value": [1.0],
        }
    )
    lake.append("datasets/shop/events", event.to_reader(), batch="one")
    ids = itertools.count()
    return Workspace(settings, opened(settings.database), lake, lambda: NOW, lambda: f"id{next(ids):04}")


@pytest.fixture
def app(workspace):
    return make_app(workspace)


@pytest.fixture
def client(app):
    """A client that says nothing of who it is."""
    with TestClient(app, base_url="http://testserver", follow_redirects=False) as client:
        yield client


@pytest.fixture
def token(workspace):
    """Make a token of a role."""

    def make(role: str = "admin", **changes) -> dict[str, str]:
        token_id = workspace.new_id()
        with workspace.store.write() as connection:
            secret = tokens.issue(
                connection, Actor("ann"), token_id=token_id, name=token_id, role=Role(role), now=NOW, **changes
            )
        return {"authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def bob(workspace):
    """A user who may manage."""
    with workspace.store.write() as connection:
        users.create_user(
            connection, Actor("ann"), user_id="bob", name="bob", role=Role.MANAGE, password=PASSWORD, now=NOW
        )
    return {"name": "bob", "password": PASSWORD}
