"""What leaves the system, and what is recorded of it."""

import json
import os
import socket
import sys
import threading
from dataclasses import replace
from subprocess import Popen

import psycopg
import pyarrow.parquet as pq
import pytest
from tests.service.segment_shop import ANN, NOW, add_instance, add_scores, open_home, put_events

from likelier.errors import StorageError, TransientError, UnknownNameError, UsageError
from likelier.languages import Language
from likelier.service import exports, segments
from likelier.service.exports import Asked, Destination
from likelier.service.worker import environment_of
from likelier.store import audit
from likelier.store import exports as stored_exports
from likelier.store import instances as stored_instances
from likelier.timespan import DAY

SCORES = {"a": 90.0, "b": 80.0, "c": 10.0}


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [(who, 1, True) for who in SCORES])
    add_scores(workspace, add_instance(workspace), SCORES, tmp_path)
    segments.create_segment(workspace, ANN, "Likely", segments.Wanted(instance="Buy again", bucket="high"))
    yield workspace
    workspace.store.close()


@pytest.mark.parametrize("place", ["{}/m.jsonl", "file://{}/m.jsonl"])
def test_members_to_a_file_and_to_a_url(home, tmp_path, place):
    done = exports.export_once(home, ANN, Asked(segment="Likely"), Destination(place.format(tmp_path)))
    assert (done["rows"], done["state"], done["what"]) == (2, "delivered", "segment 'Likely'")
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["a", "b"]


def test_scores_to_parquet(home, tmp_path):
    exports.export_once(home, ANN, Asked(instance="Buy again"), Destination(str(tmp_path / "s.parquet")))
    assert pq.read_table(tmp_path / "s.parquet")["id"].to_pylist() == ["a", "b", "c"]


def test_an_export_is_repeated_after_runs_and_a_failing_one_leaves_the_others_alone(
    home, tmp_path, postgresql, monkeypatch
):
    monkeypatch.setenv("WAREHOUSE", postgresql)
    to = {
        "gone": Destination(str(tmp_path / "gone" / "x.csv")),
        "table": Destination("$WAREHOUSE", "likely", "replace"),
    }
    with pytest.raises(StorageError):
        exports.add_export(home, ANN, "a failing", Asked(segment="Likely"), to["gone"])
    exports.add_export(home, ANN, "table", Asked(segment="Likely"), to["table"])
    with home.store.read() as connection:
        instance = stored_instances.get(connection, "Buy again")
    run = add_scores(home, instance, {"c": 95.0}, tmp_path)
    begun = []
    monkeypatch.setattr(exports.subprocess, "Popen", lambda *words, **more: begun.append(Popen(*words, **more)))
    exports.deliver_after(home, run)
    assert begun[0].wait() == 0
    with psycopg.connect(postgresql) as connection:
        assert connection.execute("SELECT id FROM likely").fetchall() == [("c",)]
    told = [(one["export"], one["state"], one["rows"]) for one in exports.list_deliveries(home)]
    assert told == [
        ("table", "delivered", 1),
        ("a failing", "failed", None),
        ("table", "delivered", 2),
        ("a failing", "failed", None),
    ]
    assert [one["name"] for one in exports.list_exports(home)] == ["a failing", "table"]
    exports.remove_export(home, ANN, "a failing")
    with pytest.raises(UnknownNameError, match="no export 'a failing'"):
        exports.send_export(home, ANN, "a failing")


def test_the_same_again_has_the_same_key_and_other_rows_another(home, tmp_path):
    to = Destination(str(tmp_path / "s.csv"))
    keys = [exports.export_once(home, ANN, Asked(instance="Buy again"), to)["key"] for _ in range(2)]
    home.lake.delete(f"scores/{home.lake.names('scores')[0]}", "id = 'a'")
    keys.append(exports.export_once(home, ANN, Asked(instance="Buy again"), to)["key"])
    assert keys[0] == keys[1] != keys[2]


def test_no_secret_is_kept_or_told(home, tmp_path):
    with pytest.raises(UsageError, match=r"write \$\{NAME\}"):
        exports.add_export(home, ANN, "x", Asked(segment="Likely"), Destination("postgresql://u:hush@h/d", "t"))
    to = Destination("postgresql://u:hush@127.0.0.1:9/d?password=hush", "t")
    with pytest.raises(TransientError):
        exports.export_once(home, ANN, Asked(segment="Likely"), to)
    with home.store.read() as connection:
        assert "hush" not in str(audit.page(connection, audit.Filter())) + str(exports.list_deliveries(home))


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        (("members.txt",), "a file ends in .parquet, .csv, .jsonl"),
        (("postgresql://h/d",), "A table goes with"),
        (("m.csv", "t"), "A table goes with"),
        (("m.csv", None, "append"), "replace or upsert"),
    ],
)
def test_destinations_that_are_none(destination, said):
    with pytest.raises(UsageError, match=said):
        Destination(*destination)


@pytest.mark.parametrize(
    ("url", "folder", "said"),
    [
        ("m.csv", "", "LIKELIER_EXPORT_FOLDER"),
        ("/etc/m.csv", "/srv", "Write a name"),
        ("file:///etc/m.csv", "/srv", "Write a name"),
        ("a/../../m.csv", "/srv", "no '..'"),
        ("${EXPORT_ROOT}/../m.csv", "/srv", "no '..'"),
        ("https://h/${LIKELIER_WEBHOOK_SECRET}", "/srv", "LIKELIER_WEBHOOK_SECRET is not for exports"),
        ("https://h/$HOME", "/srv", "HOME is not for exports"),
    ],
)
def test_what_somebody_elsewhere_may_not_name(url, folder, said):
    with pytest.raises(UsageError, match=said):
        Destination(url).confined(folder)


def test_what_somebody_elsewhere_may_name():
    assert Destination("a/m.csv").confined("/srv").url == "/srv/a/m.csv"
    for url in ("s3://b/m.csv", "https://h/${EXPORT_KEY}", "$EXPORT_PLACE"):
        assert Destination(url).confined("").url == url


def test_nobody_waits_for_a_delivery_and_what_is_refused_before_it_begins_is_said(home, tmp_path):
    with pytest.raises(UnknownNameError, match="no segment 'Unlikely'"):
        exports.start_export(home, ANN, None, Asked(segment="Unlikely"), Destination("s3://b/m.csv"))
    settings = replace(home.settings, export_folder=str(tmp_path))
    begun = exports.start_export(
        replace(home, settings=settings), ANN, "files", Asked(segment="Likely"), Destination("m.csv")
    )
    over()
    assert (begun["state"], begun["rows"]) == ("under way", None)
    ended = exports.list_deliveries(home, segment="Likely")
    assert [(one["id"], one["state"], one["rows"]) for one in ended] == [(begun["id"], "delivered", 2)]
    assert exports.list_deliveries(home, segment="Other") == exports.list_deliveries(home, after=begun["id"]) == []
    assert (tmp_path / "m.csv").read_text().replace('"', "").split() == ["namespace,id", "CRMID,a", "CRMID,b"]


@pytest.fixture
def silent():
    """The address of somebody who listens and never answers, and what to call until a delivery has come to them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        came = []
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", lambda: came.append(listening.accept()[0])
        for connection in came:
            connection.close()


def test_what_a_killed_process_was_delivering_is_ended_and_begun_once_more(home, tmp_path, silent, monkeypatch):
    address, until_it_came = silent
    monkeypatch.setenv("EXPORT_PLACE", str(tmp_path / "m.csv"))
    exports.add_export(home, ANN, "likely", Asked(segment="Likely"), Destination("$EXPORT_PLACE"))
    with home.store.read() as connection:
        instance = stored_instances.get(connection, "Buy again")
    add_scores(home, instance, {"a": 91.0}, tmp_path)
    hangs = {**environment_of(home.settings), "EXPORT_PLACE": address, "LIKELIER_WEBHOOK_SECRET": "hush"}
    killed = Popen([sys.executable, "-m", "likelier.service.exports", instance.id], env=hangs)
    until_it_came()
    exports.end_broken_off(home)
    assert [one["state"] for one in exports.list_deliveries(home)] == ["under way", "delivered"]
    killed.kill()
    killed.wait()
    exports.end_broken_off(home)
    over()
    # The killed process knew the real time, which is later than this home's.
    broken, again, _ = exports.list_deliveries(home)
    assert (broken["state"], again["state"], again["rows"]) == ("failed", "delivered", 1)
    assert broken["error"] == "The process that delivered it died. Deliver it again: what was broken off goes on."
    assert Language.of("fr").say(broken["error"]).startswith("Le processus qui livrait est mort.")
    assert (again["key"], again["started_by"]) == (broken["key"], "scheduler")
    assert "CRMID" in (tmp_path / "m.csv").read_text()


def test_what_breaks_off_twice_is_left_to_people(home, tmp_path):
    made = exports.add_export(home, ANN, "likely", Asked(segment="Likely"), Destination(str(tmp_path / "m.csv")))
    with home.store.read() as connection:
        (done,) = stored_exports.newest(connection)
    long_ago = replace(done, id="lost", state="under way", finished_at=None, rows=None, started_at=NOW - 2 * DAY)
    with home.store.write() as connection:
        stored_exports.begin(connection, replace(long_ago, id="before", state="failed"))
        stored_exports.begin(connection, long_ago)
    exports.end_broken_off(home)
    over()
    assert {one["id"]: one["state"] for one in exports.list_deliveries(home)} == {
        made["id"]: "delivered",
        "before": "failed",
        "lost": "failed",
    }


def over():
    """Be there when what is delivered in threads is over."""
    for thread in threading.enumerate():
        if thread.name == "delivery":
            thread.join()


def test_a_variable_that_is_not_there_and_a_webhook_without_a_secret(home):
    assert "NOWHERE" not in os.environ
    with pytest.raises(UsageError, match="NOWHERE"):
        exports.export_once(home, ANN, Asked(segment="Likely"), Destination("${NOWHERE}/m.csv"))
    with pytest.raises(UsageError, match="LIKELIER_WEBHOOK_SECRET"):
        exports.export_once(home, ANN, Asked(segment="Likely"), Destination("https://127.0.0.1:9/hook"))
