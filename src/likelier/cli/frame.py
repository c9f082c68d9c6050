"""What all commands share: their options, where they write, and how they fail.

Answers go to standard output, everything else to standard error. Whatever goes wrong because of something a person
typed, or because of their data, is told in words, never as a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text
from typer.core import TyperGroup

from likelier.errors import LikelierError, RunError, UsageError
from likelier.runs.records import Failure, Watch
from likelier.runs.records import Progress as RunProgress
from likelier.service.workspace import Workspace, open_workspace
from likelier.settings import EngineName, read_settings

WORK_FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
PIPED_WIDTH = 120

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the lake, store and runs (LIKELIER_HOME; ./likelier-home).", metavar="DIR"),
]
EngineOption = Annotated[
    EngineName | None, typer.Option("--engine", help="What reads the events (LIKELIER_ENGINE; duckdb).")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


class Commands(TyperGroup):
    """Commands that fail in words."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RunError as error:
            tell_failure(Failure.of(error))
            raise typer.Exit(WORK_FAILED) from None
        except LikelierError as error:
            complain(str(error))
            raise typer.Exit(WRONG_USAGE if isinstance(error, UsageError) else WORK_FAILED) from None
        except KeyboardInterrupt:
            complain("Stopped.")
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def opened(home: Path | None, engine: EngineName | None = None) -> Iterator[Workspace]:
    """Open the home folder that a command works on."""
    with open_workspace(read_settings(home=home, engine=engine)) as workspace:
        yield workspace


def screen() -> Console:
    """Standard output; where it is no terminal, wide enough for whole tables."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def margin() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def print_json(document: Any) -> None:
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)
    sys.stdout.write(text.decode() + "\n")


def plain(text: Any) -> Text:
    r"""A value from data or from a person, harmless on a terminal: no markup, no control characters.

    >>> plain("a\x1b[2J[red]b").plain
    'a�[2J[red]b'
    """
    return Text("".join(letter if letter.isprintable() else "�" for letter in str(text)))


def complain(message: str) -> None:
    lines = message.splitlines() or [""]
    margin().print(Text.assemble(("Error: ", "bold red"), Text("\n").join(map(plain, lines))))


def tell_failure(failure: Failure) -> None:
    """Say why a run gave no scores, and what to do."""
    margin().print(Text.assemble((f"{failure}: ", "bold red"), plain(failure.message)))
    suggest(failure.suggestions, margin())


def suggest(suggestions: Sequence[str], console: Console) -> None:
    for suggestion in suggestions:
        console.print(Text.assemble(("  → ", "cyan"), plain(suggestion)))


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on standard error that vanishes when the work is done; none where nobody watches."""
    console = margin()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        yield bar


@contextmanager
def run_bar() -> Iterator[Watch]:
    """A bar for a run, from stage to stage."""
    with progress_bar() as bar:
        task = bar.add_task("Starting", total=1.0, rows="")

        def watch(progress: RunProgress) -> None:
            rows = f"{progress.rows:,} rows" if progress.rows else ""
            said = SAID.get(progress.stage, progress.stage)
            bar.update(task, description=said, completed=progress.fraction, rows=rows)

        yield watch


SAID = {
    "read": "Reading events",
    "check": "Counting",
    "train": "Learning",
    "score": "Scoring",
    "insights": "Gathering insights",
    "publish": "Publishing",
}
