"""Command lines that a test kills, or starves."""

import os
import resource
import sys
from pathlib import Path

from likelier.cli import app


def command(home: Path, words: list[str], environment: dict[str, str]) -> None:
    """Be the command line, silently, in an environment: a fork server's own is that of whichever test began it."""
    os.environ.clear()
    os.environ.update(environment, LIKELIER_HOME=str(home))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    app(words)


def limited(most: int, home: Path, words: list[str], environment: dict[str, str]) -> None:
    """Be the command line, on a disk that takes no file larger than this."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    sys.dont_write_bytecode = True  # Python would leave half a module for everybody
    command(home, words, {**environment, "PYTHONDONTWRITEBYTECODE": "1"})
