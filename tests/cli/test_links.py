"""Who is who, from the command line."""

import json

import pytest
from tests.service.segment_shop import open_home, put_events
from typer.testing import CliRunner

from likelier.cli import app


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [("p7", 1, True), ("p7", 2, False)])
    workspace.store.close()
    return tmp_path / "home"


def run(*words):
    return CliRunner().invoke(app, ["links", *map(str, words)])


def test_look_cut_and_restore(home):
    shown = run("show", "CRMID", "p7", "--home", home)
    assert "One person: CRMID p7 ECID cookie-p7" in " ".join(shown.stdout.split())
    cut = json.loads(run("cut", "CRMID", "p7", "ECID", "cookie-p7", "--home", home, "--json").stdout)
    assert (len(cut["ids"]), [link["counts"] for link in cut["links"]]) == (1, [False])
    assert "cut" in run("show", "ECID", "cookie-p7", "--home", home).stdout
    restored = json.loads(run("restore", "ECID", "cookie-p7", "CRMID", "p7", "--home", home, "--json").stdout)
    assert (len(restored["ids"]), [link["counts"] for link in restored["links"]]) == (2, [True])
    never = run("cut", "CRMID", "p7", "ECID", "cookie-p8", "--home", home)
    assert (never.exit_code, "never seen together" in never.stderr) == (2, True)
