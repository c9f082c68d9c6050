"""What the README tells a newcomer to type works as it stands there."""

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from likelier.cli import app

README = (Path(__file__).parent.parent / "README.md").read_text()
FILES = dict(re.findall(r"```\w+ (\S+)\n(.*?)```", README, re.DOTALL))
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text)
    header = FILES["orders.csv"].splitlines()[0].split(",")
    rng = np.random.default_rng(1)
    with Path("orders.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for person, rate in enumerate(rng.gamma(1.2, 8, 600)):
            for hour in rng.integers(0, 150 * 24, rng.poisson(rate)):
                moment = np.datetime64("2024-01-01T00") + int(hour)
                bought = rng.random() < 0.3
                writer.writerow(
                    [f"c{person}", f"{moment}:00:00Z", "purchase" if bought else "visit", 20 if bought else ""]
                )
    return tmp_path


def test_own_data_in_five_minutes(folder):
    typed = [shlex.split(line)[1:] for line in COMMANDS if line.startswith("likelier ")]
    assert len(typed) == 6
    for command in typed:
        answer = CliRunner().invoke(app, command)
        assert answer.exit_code == 0, f"{command}: {answer.output}"
    assert (folder / "report.html").stat().st_size > 100_000
    assert (folder / "scores.parquet").exists()


def test_the_two_commands_are_in_the_makefile():
    makefile = (Path(__file__).parent.parent / "Makefile").read_text()
    for line in COMMANDS:
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE)
