"""Command lines that a test kills."""

import os
from pathlib import Path

from likelier.cli import app


def command(home: Path, words: list[str]) -> None:
    """Be the command line, silently."""
    os.environ["LIKELIER_HOME"] = str(home)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    app(words)
