"""What the commands answer, people and programs alike."""

import csv
import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import BUY, PURCHASE
from typer.testing import CliRunner

from likelier.access.tokens import bearer
from likelier.access.users import sign_in, visitor
from likelier.activities import reduce
from likelier.cli import app
from likelier.insights import words
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings

EVENT = {
    "_id": "1",
    "timestamp": "2024-01-01T12:00:00Z",
    "identityMap": {"CRMID": [{"id": "a", "primary": True}]},
    "web": {"webPageDetails": {"name": "home"}},
}
INSTANCE = """
name: x
propensity_type: conversion
datasets: [web]
namespace: CRMID
goal:
  window_days: 7
  events: [{conditions: [{field: web.webPageDetails.name, operator: exists}]}]
"""


@pytest.fixture
def web(terminal):
    """A home with one event."""
    assert terminal("ingest", "web", terminal.write("events.jsonl", json.dumps(EVENT))).code == 0
    return terminal


def test_ingest_counts_what_became_of_the_rows(terminal):
    rows = [EVENT, {**EVENT, "_id": "2", "timestamp": "yesterday"}, {"_id": "3"}, EVENT]
    path = terminal.write("events.jsonl", "\n".join([*map(json.dumps, rows), "{broken"]))
    answer = terminal("ingest", "web", path, "--json").json
    assert {key: answer[key] for key in ("accepted", "duplicate", "rejected")} == {
        "accepted": 1,
        "duplicate": 1,
        "rejected": 3,
    }
    assert terminal("ingest", "web", path, "--json").json["accepted"] == 0


def test_datasets_are_listed_and_described(web):
    assert [dataset["name"] for dataset in web("datasets", "--json").json] == ["web"]
    described = web("datasets", "web", "--json").json
    assert (described["rows"], described["preview"][0]["identityMap.CRMID"]) == (1, "a")
    text = web("datasets", "web").out
    assert "web.webPageDetails.name" in text
    assert "100.0%" in text


def test_an_empty_home_says_what_to_do(terminal):
    assert "likelier ingest" in terminal("datasets").err
    assert "likelier run" in terminal("runs").err
    assert terminal("runs", "--json").json == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["datasets", "nothing"], "no dataset 'nothing'"),
        (["ingest", "web", "none.jsonl"], "no file none.jsonl"),
        (["run", "none.yaml"], "no file none.yaml"),
        (["check", "none.yaml"], "no file none.yaml"),
        (["runs", "nobody"], "no instance 'nobody'"),
        (["scores", "nobody", "-o", "x.csv"], "no instance 'nobody'"),
        (["report", "nobody", "-o", "x.html"], "no instance 'nobody'"),
        (["cancel", "abc"], "no run 'abc'"),
        (["profile", "ECID", "a"], "no namespace 'ECID'"),
        (["profile", "CRMID", "a", "--fresh"], "Name the instance"),
        (["profile", "CRMID", "'; DROP TABLE x; --"], "Nothing is known of"),
        (["run", "x.yaml", "--as-of", "tomorrow"], "no file x.yaml"),
    ],
)
def test_what_cannot_be_used_is_told_in_words(web, words, expected):
    answer = web(*words)
    assert (answer.code, answer.out) == (2, "")
    assert expected in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("words", [[], ["nonsense"], ["run"], ["ingest", "web"], ["runs", "--nonsense"]])
def test_wrong_usage_has_status_2(words):
    assert CliRunner().invoke(app, words).exit_code == 2


def test_a_misspelt_key_is_named_before_anything_is_recorded(web):
    path = web.write("x.yaml", INSTANCE + "goaal: 1\n")
    answer = web("run", path)
    assert answer.code == 2
    assert "Did you mean 'goal'" in answer.err
    assert web("runs", "--json").json == []


def test_an_instance_that_does_not_fit_its_data_is_not_kept(web):
    path = web.write("x.yaml", INSTANCE.replace("Details.name", "Details.nam"))
    assert "Did you mean 'web.webPageDetails.name'" in web("run", path).err
    assert "no instance 'x'" in web("runs", "x").err


def test_a_run_that_fails_says_code_title_and_what_to_do_and_is_recorded(web):
    answer = web("run", web.write("x.yaml", INSTANCE))
    assert answer.code == 1
    assert "407 NOT ENOUGH HISTORICAL EVENT DATA" in answer.err
    assert "→" in answer.err
    run = web("runs", "--json").json[0]
    assert (run["state"], run["error"]["code"], run["scored"]) == ("failed", 407, None)
    page = web.home / "page.html"
    assert web("report", "x", "-o", page).code == 0
    assert "NOT ENOUGH HISTORICAL EVENT DATA" in page.read_text()


def test_check_says_the_same_and_records_nothing(web):
    path = web.write("x.yaml", INSTANCE)
    answer = web("check", path)
    assert answer.code == 1
    assert "407 NOT ENOUGH HISTORICAL EVENT DATA" in answer.err
    assert web("check", path, "--json").json["problem"]["code"] == 407
    assert web("runs", "--json").json == []


def test_check_shows_the_windows_and_the_floors(shop):
    answer = shop("check", shop.home / "buy.yaml")
    assert answer.code == 0
    for expected in ("Buy again", "Timeline", "┃══", "judge", "score", "Days of history", "✓", "Ready to run."):
        assert expected in answer.out


def test_runs_tell_their_history(shop):
    (run,) = shop("runs", "Buy again", "--json").json
    assert set(run) == {"id", "instance", "state", "started_at", "finished_at", "scored", "auc", "error", "decision"}
    assert (run["instance"], run["state"], run["error"]) == ("Buy again", "success", None)
    assert run["auc"] > 0.65
    assert "success" in shop("runs").out


def test_a_finished_run_shows_a_result_one_understands(shop):
    answer = shop("run", shop.home / "buy.yaml")
    assert answer.code == 0
    for expected in ("customers scored", "high", "AUC", "likelier report 'Buy again'", "What sets the high apart"):
        assert expected in answer.out


def test_the_same_run_twice_gives_the_same_bytes(shop, tmp_path):
    shop("run", shop.home / "buy.yaml")
    latest, before, *_ = shop("runs", "--json").json
    files = []
    for number, run in enumerate((latest, before)):
        files.append(tmp_path / f"{number}.parquet")
        assert shop("scores", "Buy again", "--run", run["id"][:10], "-o", files[-1]).code == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_scores_are_written_in_three_formats_that_agree(shop, tmp_path):
    rows = {}
    for ending in ("parquet", "csv", "jsonl"):
        path = tmp_path / f"scores.{ending}"
        assert shop("scores", "Buy again", "-o", path, "--json").json["rows"] > 100
        rows[ending] = path
    table = pq.read_table(rows["parquet"])
    assert table.column_names == [
        "namespace", "id", "score", "probability", "percentile", "bucket", "propensity_type", "score_date", "factors",
        "base_log_odds",
    ]  # fmt: skip
    lines = [json.loads(line) for line in rows["jsonl"].read_text().splitlines()]
    with rows["csv"].open(newline="") as file:
        cells = list(csv.DictReader(file))
    for row, line, cell in zip(table.to_pylist(), lines, cells, strict=True):
        assert row["id"] == line["id"] == cell["id"]
        assert row["score"] == line["score"] == float(cell["score"])
        assert row["factors"] == line["factors"] == json.loads(cell["factors"])
    assert sorted(table["id"].to_pylist()) == table["id"].to_pylist()


def test_an_export_that_cannot_be_written_leaves_nothing(shop, tmp_path):
    assert "names no format" in shop("scores", "Buy again", "-o", tmp_path / "scores.xlsx").err
    answer = shop("scores", "Buy again", "-o", tmp_path / "none" / "scores.csv")
    assert (answer.code, list(tmp_path.iterdir())) == (1, [])
    assert "No such file or directory" in answer.err


def test_a_person_is_shown_with_scores_and_reasons(shop):
    found = shop("profile", "CRMID", "p0000", "--json").json
    assert found["activity"][0]["events"] > 0
    (score,) = found["scores"]
    assert (score["instance"], len(score["factors"])) == ("Buy again", 11)
    answer = shop("profile", "CRMID", "p0000", "--instance", "Buy again", "--fresh", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["fresh"]["score"] == score  # nothing happened since the run
    text = shop("profile", "CRMID", "p0000", "--instance", "Buy again", "--fresh").out
    assert "Computed just now" in text
    early = shop("profile", "CRMID", "p0000", "--instance", "Buy again", "--fresh", "--as-of", "2001-01-01").out
    assert "Not scored: not among the population. " in early
    text = shop("profile", "CRMID", "p0000").out
    assert "probability" in text
    factor = score["factors"][0]
    assert words.reason(factor["code"], factor["value"], factor["contribution"]) in text


def test_an_edited_definition_is_a_new_version_and_an_edited_schedule_is_not(web):
    path = web.write("x.yaml", INSTANCE)
    versions = []
    for text in (INSTANCE, INSTANCE + "schedule: weekly\n", INSTANCE.replace("days: 7", "days: 8"), INSTANCE):
        path.write_text(text)
        versions.append(web("run", path, "--json").json["version"])
    assert versions == [1, 1, 2, 3]


@pytest.mark.parametrize("name", ["[red]x[/]", "O'Hara; --", "名前🎈", "x" * 200, "-o", "../x", "a\u202eb"])
def test_hostile_names_are_only_names(web, name):
    path = web.write("x.yaml", INSTANCE.replace("name: x", "name: " + json.dumps(name)))
    answer = web("run", path)
    if name == "a\u202eb":
        assert (answer.code, "line break" in answer.err) == (2, True)
        return
    assert answer.code == 1
    assert web("runs", "--json").json[0]["instance"] == name
    assert name[:10] in web("runs").out
    assert web("runs", "--json", "--", name).json[0]["instance"] == name


def test_values_from_data_cannot_steer_the_terminal(terminal):
    event = {**EVENT, "web": {"webPageDetails": {"name": "\x1b[2J[red]gone"}}}
    terminal("ingest", "web", terminal.write("events.jsonl", json.dumps(event)))
    text = terminal("datasets", "web").out
    assert "\x1b" not in text
    assert "[red]gone" in text


def test_a_broken_setting_is_told(terminal, monkeypatch):
    monkeypatch.setenv("LIKELIER_THREADS", "many")
    assert "should be a whole number" in terminal("runs").err


def test_the_command_line_in_a_process_of_its_own(tmp_path):
    environment = {**os.environ, "LIKELIER_HOME": str(tmp_path / "home")}
    words = [sys.executable, "-m", "likelier.cli", "datasets", "nothing"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: There is no dataset 'nothing'.\n"


def test_a_token_is_printed_once_and_works(terminal):
    secret = terminal("tokens", "create", "--name", "nightly", "--role", "view", "--json").json["token"]
    with open_workspace(read_settings({}, home=terminal.home)) as workspace, workspace.store.read() as connection:
        assert bearer(connection, secret, now=workspace.clock(), address=None).role == "view"


def test_tokens_end_by_themselves_or_when_they_are_revoked(terminal):
    made = terminal("tokens", "create", "--name", "nightly", "--role", "view", "--expires", "90d", "--json").json
    plain = terminal("tokens", "create", "--name", "forever", "--role", "view", "--json").json
    listed = {token["name"]: token for token in terminal("tokens", "list", "--json").json}
    assert (listed["nightly"]["expires_at"], listed["forever"]["expires_at"]) == (made["expires_at"], None)
    assert made["token"] not in terminal("tokens", "list").out
    assert terminal("tokens", "revoke", plain["id"]).code == 0
    assert [token["valid"] for token in terminal("tokens", "list", "--json").json] == [False, True]
    for wrong in ("yesterday", "2020-01-01", "-3d", "0d"):
        answer = terminal("tokens", "create", "--name", "x", "--role", "view", "--expires", wrong)
        assert (answer.code, answer.err[:6]) == (2, "Error:")


def test_users_are_listed_and_given_other_roles(terminal):
    terminal("users", "create", "ann", "--role", "view", "--password", "correct horse battery")
    assert terminal("users", "role", "ann", "--role", "manage").code == 0
    (ann,) = terminal("users", "list", "--json").json
    assert (ann["name"], ann["role"], ann["signs_in_with"]) == ("ann", "manage", "a password")
    assert "manage" in terminal("users", "list").out


def test_users_are_made_given_passwords_and_shut_out(terminal):
    long, longer = "correct horse battery", "correct horse battery staple"
    assert terminal("users", "create", "ann", "--role", "manage", "--password", long).code == 0
    assert "already" in terminal("users", "create", "ann", "--role", "manage", "--password", long).err
    assert terminal("users", "password", "ann", "--password", longer).code == 0
    with open_workspace(read_settings({}, home=terminal.home)) as workspace:
        session = sign_in(workspace.store, "ann", longer, now=workspace.clock(), address=None)
        assert terminal("users", "disable", "ann").code == 0
        with workspace.store.read() as connection:
            assert visitor(connection, session.secret, now=workspace.clock(), address=None) is None
    assert "no user 'bob'" in terminal("users", "disable", "bob").err
    assert "at least 12" in terminal("users", "create", "bob", "--role", "view", "--password", "short").err


def test_the_log_is_shown_and_written_and_the_store_is_kept_and_restored(terminal, tmp_path):
    terminal("tokens", "create", "--name", "nightly", "--role", "view")
    assert "nightly" in terminal("audit").out
    assert [entry["action"] for entry in terminal("audit", "--json").json] == ["token.create"]
    assert terminal("audit", "--since", "2124-01-01", "--json").json == []
    assert terminal("audit", "-o", tmp_path / "log.csv").code == 0
    assert "token.create" in (tmp_path / "log.csv").read_text()
    assert terminal("audit", "-o", tmp_path / "log.xlsx").code == 2
    file = tmp_path / "likelier.backup.gz"
    assert terminal("backup", file).code == 0
    assert file.stat().st_mode & 0o077 == 0
    assert terminal("restore", file).code == 2
    other = type(terminal)(tmp_path / "other")
    assert other("restore", file, "--json").json["rows"]["tokens"] == 1
    assert next(entry["action"] for entry in other("audit", "--json").json) == "store.restore"
    assert [token["name"] for token in other("tokens", "list", "--json").json] == ["nightly"]
    assert other("restore", tmp_path / "nothing.gz").code == 1


def test_the_doctor_says_what_to_do_and_fails_when_there_is_trouble(terminal, tmp_path):
    terminal("runs")
    terminal.home.chmod(0o700)
    well = terminal("doctor", "--json")
    assert (well.code, {found["verdict"] for found in well.json} <= {"ok", "warning"}) == (0, True)
    assert "What to do" in terminal("doctor").out
    (terminal.home / "likelier.db").write_bytes(b"nonsense" * 100)
    assert terminal("doctor").code == 1


def test_several_instances_read_the_events_once_and_each_ends_as_it_would_alone(shop, tmp_path, monkeypatch):
    alone = shop("runs", "Buy again", "--json").json[0]["id"]
    written = []
    join = reduce.join
    monkeypatch.setattr(reduce, "join", lambda *args: written.append(args[2]) or join(*args))
    never = BUY | {"name": "Never", "goal": {**BUY["goal"], "events": [{**PURCHASE, "at_least": 900}]}}
    answer = shop("run", shop.home / "buy.yaml", shop.write("never.yaml", never), "--json")
    first, second = answer.json
    assert (answer.code, first["state"], second["error"]["code"], len(written)) == (1, "success", 413, 1)
    assert "413 SINGLE VALUE" in answer.err
    rows = []
    for run in (alone, first["id"]):
        shop("scores", "Buy again", "--run", run, "-o", tmp_path / f"{run}.parquet")
        rows.append(pq.read_table(tmp_path / f"{run}.parquet"))
    assert rows[0].equals(rows[1])


def test_two_instances_of_one_name_are_refused_before_anything_is_recorded(web):
    paths = [web.write(name, INSTANCE) for name in ("x.yaml", "y.yaml")]
    answer = web("run", *paths)
    assert (answer.code, "are both named 'x'" in answer.err) == (2, True)
    assert web("runs", "--json").json == []
