"""The commands that tell whether it came true."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter; each command loads what it needs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from likelier.cli.frame import (
    SAID,
    WORK_FAILED,
    EngineOption,
    Home,
    Json,
    margin,
    opened,
    plain,
    print_json,
    progress_bar,
    screen,
)
from likelier.insights.charts import percent, times
from likelier.timespan import parse_moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

InstanceFile = Annotated[Path, typer.Argument(metavar="INSTANCE.yaml", help="The instance file.")]
MOST_CUT_OFFS = 60
BUCKETS = ("high", "medium", "low")
STATES = {"open": "dim", "provisional": "yellow", "settled": "green"}


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
    engine: EngineOption = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show what past runs would have said, and what then happened."""
    from likelier.instance import load_instance
    from likelier.service import backtests
    from likelier.service.instances import refuse_unfit

    instance = load_instance(instance_file)
    moment = parse_moment(as_of) if as_of else None
    with opened(home, engine) as workspace:
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
    from likelier.insights.performance_words import rates

    console.print(Text.assemble((str(plain(found["instance"]["name"])), "bold"), "   put back in time"))
    console.print(Text("\n").join(map(plain, headline(found))))
    console.print()
    columns = ("Cut-off", "Scored", "Expected", "Actual", "AUC", "Lift in top 10%", *map(str.capitalize, BUCKETS))
    table = grid(*columns, right=columns[1:4], whole=columns[:1])
    for row in found["cut_offs"]:
        if problem := row.get("problem"):
            table.add_row(row["cut_off"][:10], Text(f"{problem['code']} {problem['title']}", style="yellow"))
        else:
            table.add_row(row["cut_off"][:10], *line(row), *(rates(row["buckets"][bucket]) for bucket in BUCKETS))
    console.print(table)
    console.print(Text("High, medium, low: expected → actual (its 95% interval).", style="dim"))
    for row in found["cut_offs"]:
        if problem := row.get("problem"):
            console.print(Text.assemble((f"{row['cut_off'][:10]}  ", "bold yellow"), plain(problem["message"])))
        elif not row["published"]:
            said = "judged on what was known then, this model was too poor to be published."
            console.print(Text.assemble((f"{row['cut_off'][:10]}  ", "bold yellow"), said))


def line(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Write the figures of one run."""
    everybody, auc, lift = row["all"], row["auc"], row["lift"]
    known = everybody["rate"] is not None
    return (
        f"{row['scored']:,}",
        percent(everybody["expected"]),
        f"{percent(everybody['rate'])} ({percent(everybody['low'])} – {percent(everybody['high'])})" if known else "",
        _order(auc),
        f"{times(lift['value'])} ({times(lift['low'])} – {times(lift['high'])})" if lift else "",
    )


def _order(auc: Mapping[str, Any] | None) -> str:
    return f"{auc['value']:.3f} ({auc['low']:.3f} – {auc['high']:.3f})" if auc else ""


def performance(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The instance's name.")],
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Runs that scored on this day or later.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Runs that scored before this day.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="ATTRIBUTE", help="Tell one run apart by the values of this attribute.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="With --by: this run instead of the latest.")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show whether past scores came true: expected against actual, run by run."""
    from likelier.service.performance import performance as tell

    first, last = (parse_moment(text) if text else None for text in (since, until))
    with opened(home) as workspace, margin().status("Looking at what happened"):
        found = tell(workspace, name, since=first, until=last, by=by, run_id=run_id)
    if json:
        print_json(found)
    else:
        show_performance(screen(), found)


def card(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The instance's name.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The .html or .md file to write.")],
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="Of this run instead of the latest.")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write the model card: purpose, data, quality, factors, limits, all from the record."""
    from likelier.service.cards import write_card

    with opened(home) as workspace:
        run = write_card(workspace, name, run_id, output)
    if json:
        print_json({"run": run.id, "file": str(output)})
    else:
        margin().print(f"The model card of run {run.id[:8]} is in {output}.", markup=False)


def show_performance(console: Console, found: Mapping[str, Any]) -> None:
    """One line a run: what was expected, what happened, and whether that is settled."""
    from likelier.cli.show import grid
    from likelier.insights import performance_words as said

    runs = found["runs"]
    console.print(Text.assemble((str(plain(found["instance"])), "bold"), "   did it come true?"))
    console.print(Text("\n").join(map(plain, (*said.headline(runs, found["goal_deed"]), *said.judgement(runs)))))
    if not runs:
        return
    console.print()
    columns = ("As of", "", "Scored", "Expected", "Actual", "AUC promised", "AUC estimate", "AUC", "Lift in top 10%")
    table = grid(*columns, *map(str.capitalize, BUCKETS), right=columns[2:5], whole=columns[:2])
    for run in runs:
        scored, expected, actual, auc, lift = line(run)
        before = [(run[said_by] or {}).get("auc") for said_by in ("promised", "estimated")]
        promised, estimated = (f"{each['value']:.3f}" if each else "" for each in before)
        shown = Text(run["state"], style=STATES[run["state"]])
        each = [said.rates(run["buckets"][bucket]) for bucket in BUCKETS]
        table.add_row(run["cut_off"][:10], shown, scored, expected, actual, promised, estimated, auc, lift, *each)
    console.print(table)
    about = "AUC estimate: from the probabilities, before outcomes are known. "
    console.print(Text(f"{about}High, medium, low: expected → actual (its 95% interval).", style="dim"))
    for run in runs:
        if run["corrections"]:
            console.print(Text.assemble((f"{run['cut_off'][:10]}  ", "bold yellow"), said.state(run)))
    if slices := found.get("slices"):
        console.print()
        _slices(console, slices)


def _slices(console: Console, slices: Mapping[str, Any]) -> None:
    from likelier.cli.show import grid
    from likelier.insights import performance_words as said

    table = grid(str(plain(slices["by"])), "Scored", "Expected → actual", "AUC", right=("Scored",))
    for part in slices["values"]:
        table.add_row(plain(part["value"]), f"{part['profiles']:,}", said.rates(part), _order(part["auc"]))
    console.print(f"As of {slices['cut_off'][:10]}", style="bold")
    console.print(table)
