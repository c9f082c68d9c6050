"""The commands that tell whether it came true."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter; each command loads what it needs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from likelier.cli.frame import SAID, WORK_FAILED, Home, Json, margin, opened, plain, print_json, progress_bar, screen
from likelier.insights.charts import percent, times
from likelier.timespan import parse_moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

InstanceFile = Annotated[Path, typer.Argument(metavar="INSTANCE.yaml", help="The instance file.")]
MOST_CUT_OFFS = 60


def backtest(
    instance_file: InstanceFile,
    cut_offs: Annotated[
        int,
        typer.Option("--cut-offs", metavar="N", min=1, max=MOST_CUT_OFFS, help="How many runs to put back in time."),
    ] = 6,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="As if this were today; default: after the newest event."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The runs' seed.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.html", help="Also write it as one page.")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show what past runs would have said, and what then happened."""
    from likelier.instance import load_instance
    from likelier.service import backtests
    from likelier.service.instances import refuse_unfit

    instance = load_instance(instance_file)
    moment = parse_moment(as_of) if as_of else None
    with opened(home) as workspace:
        refuse_unfit(workspace, instance)
        with progress_bar() as bar:
            task = bar.add_task("Reading what happened", total=1.0, rows="")

            def watch(place: int, stage: str, fraction: float, rows: int) -> None:
                said = f"Cut-off {place + 1} of {cut_offs}: {SAID.get(stage, stage).lower()}"
                bar.update(task, description=said, completed=fraction, rows=f"{rows:,} rows" if rows else "")

            found = backtests.backtest(workspace, instance, cut_offs, as_of=moment, seed=seed, watch=watch)
        if output:
            backtests.write_backtest(found, output)
    if json:
        print_json(found)
    else:
        show_backtest(screen(), found)
        if output:
            margin().print(f"The page is in {output}.", markup=False)
    if not found["together"]:
        raise typer.Exit(WORK_FAILED)


def show_backtest(console: Console, found: Mapping[str, Any]) -> None:
    """One line a cut-off: what was expected, what happened, how well they were told apart."""
    from likelier.cli.show import grid
    from likelier.insights.backtests import headline

    console.print(Text.assemble((str(plain(found["instance"]["name"])), "bold"), "   put back in time"))
    console.print(Text("\n").join(map(plain, headline(found))))
    console.print()
    buckets = ("high", "medium", "low")
    columns = ("Cut-off", "Scored", "Expected", "Actual", "AUC", "Lift in top 10%", *map(str.capitalize, buckets))
    table = grid(*columns, right=columns[1:4])
    for row in found["cut_offs"]:
        if problem := row.get("problem"):
            table.add_row(row["cut_off"][:10], Text(f"{problem['code']} {problem['title']}", style="yellow"))
        else:
            table.add_row(row["cut_off"][:10], *line(row), *(rates(row["buckets"][bucket]) for bucket in buckets))
    console.print(table)
    console.print(Text("High, medium, low: expected → actual (its 95% interval).", style="dim"))
    for row in found["cut_offs"]:
        if problem := row.get("problem"):
            console.print(Text.assemble((f"{row['cut_off'][:10]}  ", "bold yellow"), plain(problem["message"])))
        elif not row["published"]:
            said = "judged on what was known then, this model was too poor to be published."
            console.print(Text.assemble((f"{row['cut_off'][:10]}  ", "bold yellow"), said))


def line(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Write the figures of one run that came to its outcomes."""
    everybody, auc, lift = row["all"], row["auc"], row["lift"]
    return (
        f"{row['scored']:,}",
        percent(everybody["expected"]),
        f"{percent(everybody['rate'])} ({percent(everybody['low'])} – {percent(everybody['high'])})",
        f"{auc['value']:.3f} ({auc['low']:.3f} – {auc['high']:.3f})" if auc else "–",
        f"{times(lift['value'])} ({times(lift['low'])} – {times(lift['high'])})" if lift else "–",
    )


def rates(bucket: Mapping[str, Any]) -> str:
    """Write expected and actual of a bucket."""
    if not bucket["profiles"]:
        return "–"
    actual = f"{percent(bucket['rate'])} ({percent(bucket['low'])} – {percent(bucket['high'])})"
    return f"{percent(bucket['expected'])} → {actual}"
