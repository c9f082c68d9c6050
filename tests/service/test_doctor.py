"""What the doctor finds, on homes that are well and on homes that are not."""

import datetime as dt
import os
import sqlite3
import types

import pytest

from likelier.access.audit import Thing, record
from likelier.lake import Lake
from likelier.service import doctor
from likelier.service.doctor import Verdict, examine, readiness, worst
from likelier.service.instances import create_instance
from likelier.settings import read_settings


def usage(free):
    return types.SimpleNamespace(total=100 << 30, free=free)


@pytest.fixture(autouse=True)
def disk(monkeypatch):
    """A disk with the room that a test gives it."""
    room = {"usage": usage(100 << 30)}
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: room["usage"])
    return room


@pytest.fixture
def look(workspace, clock):
    """Verdicts by what was looked at, and all that was said."""
    workspace.settings.home.chmod(0o700)

    def look(settings=workspace.settings, at=clock):
        found = examine(settings, at)
        return {each.subject: each.verdict for each in found}, " ".join(f"{each.found} {each.advice}" for each in found)

    return look


def test_a_home_that_is_well_is_well(look, workspace, clock):
    clock.now = dt.datetime.now(dt.UTC)  # PostgreSQL goes by the real time
    verdicts, _ = look()
    assert verdicts == dict.fromkeys(
        ("home folder", "disk", "database", "clock", "runs", "lake", "engine"), Verdict.WELL
    )
    assert readiness(workspace) == []


def test_what_runs_have_read_is_told(look, workspace):
    place = workspace.settings.readings / "look.files"
    place.mkdir(parents=True)
    (place / "times").write_bytes(bytes(1 << 20))
    verdicts, said = look()
    assert verdicts["readings"] is Verdict.WELL
    assert f"{workspace.settings.readings} may be deleted at any time" in said


def test_a_home_that_is_not_there_is_not_made(tmp_path, clock):
    settings = read_settings({}, home=tmp_path / "new")
    found = {each.subject: each.verdict for each in examine(settings, clock)}
    assert (found["home folder"], found["database"]) == (Verdict.WARNING, Verdict.WARNING)
    assert worst(examine(settings, clock)) is Verdict.WARNING
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("free", "verdict"), [(1 << 20, Verdict.TROUBLE), (1 << 30, Verdict.WARNING)])
def test_a_disk_that_is_full_or_soon_will_be(look, workspace, disk, free, verdict):
    disk["usage"] = usage(free)
    assert look()[0]["disk"] is verdict
    assert bool(readiness(workspace)) is (verdict is Verdict.TROUBLE)


def test_a_log_that_is_ahead_of_the_clock(look, workspace, ann, clock):
    with workspace.store.write() as connection:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        record(connection, ann, "x", Thing("run", "r", "r"), now=later)
    verdicts, said = look(at=lambda: dt.datetime.now(dt.UTC))
    assert verdicts["clock"] is Verdict.TROUBLE
    assert "Set the clock" in said


def test_a_database_whose_clock_is_off(look, workspace, clock):
    if workspace.store.url.drivername == "sqlite":
        pytest.skip("SQLite has no clock of its own")
    assert look()[0]["clock"] is Verdict.TROUBLE


def test_runs_that_wait_for_a_server(look, workspace, ann, make):
    create_instance(workspace, ann, make())
    verdicts, said = look()
    assert verdicts["runs"] is Verdict.WARNING
    assert "1 queued" in said


def test_a_dataset_whose_log_is_lost(look, workspace):
    folder = workspace.settings.home / "lake" / "datasets" / "shop" / "events" / "_delta_log"
    for file in folder.iterdir():
        file.write_text("nonsense")
    verdicts, said = look()
    assert verdicts["lake"] is Verdict.TROUBLE
    assert "shop" in said


def test_memory_that_the_engine_does_not_understand(look, workspace):
    settings = read_settings({"LIKELIER_MEMORY": "plenty"}, home=workspace.settings.home)
    assert look(settings)[0]["engine"] is Verdict.TROUBLE


def test_a_database_that_is_away_and_its_password_is_not_told(look, workspace):
    settings = read_settings({}, home=workspace.settings.home, database="postgresql://me:secret@127.0.0.1:1/db")
    verdicts, said = look(settings)
    assert verdicts["database"] is Verdict.TROUBLE
    assert "secret" not in said


def test_a_file_that_is_no_database(look, workspace, tmp_path):
    (tmp_path / "x.db").write_bytes(b"nonsense" * 1000)
    settings = read_settings({}, home=workspace.settings.home, database=f"sqlite:///{tmp_path / 'x.db'}")
    assert look(settings)[0]["database"] is Verdict.TROUBLE


def test_a_store_of_another_version(look, workspace, tmp_path):
    for revision, verdict in (("9999", Verdict.TROUBLE), ("0001", Verdict.WARNING)):
        path = tmp_path / f"{revision}.db"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE alembic_version (version_num TEXT)")
            database.execute("CREATE TABLE audit (at TEXT)")
            database.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        database.close()
        settings = read_settings({}, home=workspace.settings.home, database=f"sqlite:///{path}")
        assert look(settings)[0]["database"] is verdict


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_cannot_be_written(look, workspace):
    workspace.settings.home.chmod(0o500)
    assert look()[0]["home folder"] is Verdict.TROUBLE


def test_a_home_that_everybody_may_read(look, workspace):
    workspace.settings.home.chmod(0o755)
    verdicts, said = look()
    assert verdicts["home folder"] is Verdict.WARNING
    assert "chmod o-rwx" in said


def test_a_lake_that_is_elsewhere_and_away(look, workspace, monkeypatch):
    def away(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Lake, "names", away)
    assert look()[0]["lake"] is Verdict.TROUBLE
    assert readiness(workspace) == ["store and lake: Input/output error."]
