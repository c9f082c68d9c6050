"""Where Spark cannot start, one sentence says why, at once."""

import datetime as dt
import socket
import sys

import pytest

from likelier.errors import UsageError
from likelier.service.doctor import Verdict, examine
from likelier.service.workspace import spark
from likelier.settings import read_settings
from likelier.spark.reach import look, set_by_people


@pytest.fixture
def java(tmp_path, monkeypatch):
    (tmp_path / "java").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path / "java"


@pytest.fixture
def master():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody():
    """An address that is taken, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_machine_without_java_is_told_so(java):
    look("local[*]")
    java.unlink()
    with pytest.raises(UsageError, match="needs Java 17 or later, and there is none"):
        look("local[*]")


def test_a_master_that_does_not_answer_is_named(java, master, nobody):
    look(f"spark://{master}")
    look(f"spark://{nobody},{master}")  # one of several is enough: the others stand by
    look("yarn")  # whose address Hadoop's files know
    for wrong in (nobody, "127.0.0.1", "127.0.0.1:seven", "no-such-host.invalid:7077"):
        with pytest.raises(UsageError, match=f"Nobody answers at 'spark://{wrong}'"):
            look(f"spark://{wrong}")


@pytest.mark.parametrize("wrong", ["spork://host:7077", "host:7077", "locally", ""])
def test_what_is_no_master_is_told_what_one_looks_like(java, wrong):
    with pytest.raises(UsageError, match=rf"LIKELIER_SPARK is '{wrong}', and should be like local\[\*\], spark://HOST"):
        look(wrong)


def test_a_missing_extra_is_named(java, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(UsageError, match=r"Spark needs the package pyspark: pip install 'likelier\[spark\]'"):
        spark("local[*]")


def test_the_doctor_looks_at_the_cluster(java, master, nobody, tmp_path):
    def found(at):
        settings = read_settings(
            {"LIKELIER_ENGINE": "spark", "LIKELIER_SPARK": f"spark://{at}"}, home=tmp_path / "home"
        )
        return next(each for each in examine(settings, lambda: dt.datetime.now(dt.UTC)) if each.subject == "spark")

    assert found(master).verdict is Verdict.WELL
    assert found(nobody).verdict is Verdict.TROUBLE
    assert "Nobody answers" in found(nobody).found


def test_what_people_set_for_spark_is_theirs(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert not set_by_people()
    (tmp_path / "spark-defaults.conf").write_text("# spark.a 1\nspark.ui.enabled true\n  spark.driver.host=10.0.0.7\n")
    assert set_by_people() == {"spark.ui.enabled", "spark.driver.host"}
    monkeypatch.delenv("SPARK_CONF_DIR")
    assert not set_by_people()
