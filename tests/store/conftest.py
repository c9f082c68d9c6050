"""Instances to store."""

import datetime as dt

import pytest

from likelier.store.instances import Instance, Status

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


@pytest.fixture
def made():
    return make


def make(name: str, **changes) -> Instance:
    fields = {
        "id": name.casefold(),
        "name": name,
        "description": "",
        "status": Status.ENABLED,
        "schedule": None,
        "profile_enabled": True,
        "version": 1,
        "draft": None,
        "revision": 1,
        "created_at": NOW,
        "created_by": "ann",
        "updated_at": NOW,
    }
    return Instance(**fields | changes)
