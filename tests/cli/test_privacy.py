"""Giving out and deleting a person's data, from the command line."""

import json

import pytest
from tests.service.segment_shop import open_home, put_events
from typer.testing import CliRunner

from likelier.cli import app


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [("p7", 1, True), ("p8", 1, True)])
    workspace.store.close()
    return tmp_path / "home"


def run(*words):
    return CliRunner().invoke(app, ["privacy", *map(str, words)])


def test_look_delete_and_prove(home, tmp_path):
    file = tmp_path / "p7.json"
    assert run("access", "CRMID", "p7", "-o", file, "--home", home).exit_code == 0
    assert file.stat().st_mode & 0o077 == 0
    assert len(json.loads(file.read_text())["events"]) == 1
    unsure = run("delete", "CRMID", "p7", "--home", home)
    assert (unsure.exit_code, "--yes" in unsure.stderr) == (2, True)
    done = run("delete", "CRMID", "p7", "--yes", "--home", home, "--json")
    assert json.loads(done.stdout)["deleted"] == {"events": 1}
    assert "deleted 2" in run("proofs", "CRMID", "p7", "--home", home).stdout
    assert "Nobody" in run("proofs", "CRMID", "p8", "--home", home).stderr
