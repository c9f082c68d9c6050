"""A disk that takes no more: files of a run cannot grow beyond a limit, which the kernel really enforces.

The store is a PostgreSQL, as the limit would hold for SQLite's own file too.
"""

import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["likelier.cli", "likelier.service.work", "likelier.service.instances"])


@pytest.fixture
def elsewhere(shop, tmp_path, postgresql, monkeypatch):
    """A home like the shop's, with its scores, and its store on PostgreSQL."""
    engine = sa.create_engine(postgresql.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE full_disk"))
    engine.dispose()
    monkeypatch.setenv("LIKELIER_DATABASE", postgresql.replace("/postgres?", "/full_disk?"))
    shutil.copytree(shop.home, tmp_path / "home", ignore=shutil.ignore_patterns("scores", "likelier.db*"))
    terminal = type(shop)(tmp_path / "home")
    assert terminal("run", terminal.home / "buy.yaml").code == 0
    return terminal


def run_with_files_of(most: int, terminal) -> int:
    sys.path.insert(0, str(Path(__file__).parent))
    from victims import limited  # noqa: PLC0415 - importable by name in the process

    words = ["run", str(terminal.home / "buy.yaml")]
    process = processes.Process(target=limited, args=(most, terminal.home, words, dict(os.environ)))
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.slow
def test_a_full_disk_fails_the_run_in_words_and_leaves_the_scores_before_in_use(elsewhere, tmp_path):
    elsewhere("scores", "Buy again", "-o", tmp_path / "before.parquet")
    assert run_with_files_of(20_000, elsewhere) == 1
    failed, before = elsewhere("runs", "--json").json
    assert (failed["state"], failed["error"]["title"], before["state"]) == ("failed", "STORAGE", "success")
    # NumPy does not pass on what the system says
    assert "File too large" in failed["error"]["message"] or "took no more" in failed["error"]["message"]
    assert "space on the disk" in failed["error"]["suggestions"][0]
    assert list((elsewhere.home / "runs").iterdir()) == []
    elsewhere("scores", "Buy again", "-o", tmp_path / "after.parquet")
    assert (tmp_path / "before.parquet").read_bytes() == (tmp_path / "after.parquet").read_bytes()
