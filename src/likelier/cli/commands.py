"""The commands. Each loads what it needs: the engine and the model take seconds, and most commands need neither."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from likelier.access.identity import person_at_the_keyboard
from likelier.cli import judging
from likelier.cli.access import tokens, users
from likelier.cli.alerts import alerts
from likelier.cli.exports import exports
from likelier.cli.frame import (
    WORK_FAILED,
    Commands,
    EngineOption,
    Home,
    Json,
    margin,
    opened,
    print_json,
    progress_bar,
    run_bar,
    screen,
    tell_failure,
)
from likelier.cli.links import links
from likelier.cli.operating import audit, backup, doctor, restore, retention
from likelier.cli.privacy import privacy
from likelier.cli.segments import segments
from likelier.errors import UsageError
from likelier.runs.records import WHEN_DUE, Failure, State
from likelier.settings import read_settings
from likelier.timespan import parse_moment

if TYPE_CHECKING:
    from likelier.instance import Instance
    from likelier.runs.records import Run
    from likelier.service.workspace import Workspace

app = typer.Typer(
    cls=Commands,
    help="Who is likelier to buy or to leave, and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for group in (alerts, exports, links, privacy, segments, tokens, users):
    app.add_typer(group)
for command in (doctor, backup, restore, audit, retention):
    app.command()(command)
app.command()(judging.backtest)
app.command()(judging.performance)
app.command()(judging.card)

InstanceFile = Annotated[Path, typer.Argument(metavar="INSTANCE.yaml", help="The instance file.")]
InstanceName = Annotated[str, typer.Argument(metavar="NAME", help="The instance's name.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="Behave as at this instant; default: after the newest event."),
]
RunId = Annotated[str | None, typer.Option("--run", metavar="ID", help="Of this run instead of the latest.")]


class Kind(StrEnum):
    EVENTS = "events"
    PROFILES = "profiles"


class Format(StrEnum):
    PARQUET = "parquet"
    JSONL = "jsonl"


Output = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")]


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def run(
    instance_files: Annotated[
        list[Path], typer.Argument(metavar="INSTANCE.yaml...", help="The instance file; several read the events once.")
    ],
    as_of: AsOf = None,
    seed: Annotated[int | None, typer.Option(help="The run's seed.")] = None,
    when_due: Annotated[
        bool, typer.Option("--when-due", help="As schedules do: keep the model there is until a new one is due.")
    ] = False,
    engine: EngineOption = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Learn, judge, score and publish."""
    from likelier.service import runs as running
    from likelier.service.instances import refuse_unfit, save_instance

    instances = _loaded(instance_files)
    moment = parse_moment(as_of) if as_of else None
    with opened(home, engine) as workspace:
        for instance in instances:
            refuse_unfit(workspace, instance)
        actor = person_at_the_keyboard()
        wish = WHEN_DUE if when_due else None
        begun: list[Run] = []
        with _cancelled_together(workspace, begun):
            for instance in instances:
                saved = save_instance(workspace, actor, instance)
                begun.append(running.start_run(workspace, actor, saved, as_of=moment, seed=seed, wish=wish))
        _to_their_ends(workspace, begun, json=json)


def _loaded(files: Sequence[Path]) -> list[Instance]:
    from likelier.instance import load_instance

    found: dict[str, tuple[Path, Instance]] = {}
    for file in files:
        instance = load_instance(file)
        if instance.name in found:
            other, _ = found[instance.name]
            raise UsageError(f"{other} and {file} are both named '{instance.name}'. Give each a name of its own.")
        found[instance.name] = file, instance
    return [instance for _, instance in found.values()]


@app.command()
def roll_back(name: InstanceName, home: Home = None, json: Json = False) -> None:
    """Score everybody with the model before the one in use, which is kept until it is due."""
    from likelier.service.retraining import roll_back as go_back

    with opened(home) as workspace:
        _to_their_ends(workspace, [go_back(workspace, person_at_the_keyboard(), name)], json=json)


def _to_their_ends(workspace: Workspace, begun: Sequence[Run], *, json: bool) -> None:
    from likelier.service import runs as running

    with _cancelled_together(workspace, begun):
        answers = _each_to_its_end(workspace, begun, quiet=json)
    if json:
        told = [{**running.details(run), "insights": insights} for run, insights in answers]
        print_json(told if len(told) > 1 else told[0])
    if any(run.state != State.SUCCESS for run, _ in answers):
        raise typer.Exit(WORK_FAILED)


@contextmanager
def _cancelled_together(workspace: Workspace, begun: Sequence[Run]) -> Iterator[None]:
    """Cancel what is not over yet when one of them cannot begin, or the command is stopped."""
    from likelier.service import runs as running

    try:
        yield
    except (KeyboardInterrupt, running.RunUnderWayError):
        with workspace.store.read() as connection:
            now = [running.find_run(connection, run.id) for run in begun]
        for run in now:
            if run.state.active:
                running.cancel_run(workspace, person_at_the_keyboard(), run)
        raise


def _each_to_its_end(workspace: Workspace, begun: Sequence[Run], *, quiet: bool) -> list[tuple[Run, Any]]:
    from likelier.service import work

    if len(begun) == 1:
        return [_to_its_end(workspace, begun[0], quiet=quiet)]
    with workspace.engine_in_common() as sharing:
        with run_bar() as watch:
            work.read_ahead(sharing, begun, watch)
        return [_to_its_end(sharing, run, quiet=quiet) for run in begun]


def _to_its_end(workspace: Workspace, begun: Run, *, quiet: bool) -> tuple[Run, Any]:
    from likelier.cli import show
    from likelier.service import reports, work

    with run_bar() as watch:
        ended = work.carry_on_here(workspace, begun, watch)
    insights = reports.insights_of(workspace, ended)
    if ended.state == State.SUCCESS and insights and not quiet:
        show.run(screen(), ended, insights)
    if ended.error:
        tell_failure(ended.error)
    return ended, insights


@app.command()
def runs(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this instance's runs.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show the runs so far, newest first."""
    from likelier.cli import show
    from likelier.service import runs as running

    with opened(home) as workspace, workspace.store.read() as connection:
        listed = running.run_history(connection, name)
    if json:
        print_json([running.summary(run) for run in listed])
    elif listed:
        show.runs(screen(), listed)
    else:
        margin().print("There are no runs yet. Start one: likelier run INSTANCE.yaml")


@app.command()
def cancel(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its beginning.")], home: Home = None
) -> None:
    """Stop a run that is queued or running."""
    from likelier.service import runs as running

    with opened(home) as workspace:
        with workspace.store.read() as connection:
            found = running.find_run(connection, run_id)
        running.cancel_run(workspace, person_at_the_keyboard(), found)


@app.command(name="scores")
def export_scores(
    name: InstanceName,
    output: Output,
    run_id: RunId = None,
    other: Annotated[
        bool, typer.Option("--other", help="Those of the model that lost, after two stood up to each other.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write the scores to a .parquet, .csv or .jsonl file."""
    from likelier.service import runs as running
    from likelier.service import scores

    with opened(home) as workspace:
        with workspace.store.read() as connection:
            found = running.find_published(connection, name, run_id)
        export = scores.export_other_scores if other else scores.export_scores
        rows = export(workspace, person_at_the_keyboard(), found, output)
    if json:
        print_json({"run": found.id, "rows": rows, "file": str(output)})
    else:
        margin().print(f"{rows:,} scores of run {found.id[:8]} are in {output}.", markup=False)


@app.command()
def report(name: InstanceName, output: Output, run_id: RunId = None, home: Home = None, json: Json = False) -> None:
    """Write the insights as one HTML page that needs no network."""
    from likelier.service import reports

    with opened(home) as workspace:
        found = reports.write_report(workspace, name, run_id, output)
    if json:
        print_json({"run": found.id, "file": str(output)})
    else:
        margin().print(f"The report of run {found.id[:8]} is in {output}.", markup=False)


@app.command()
def profile(
    namespace: Annotated[str, typer.Argument(metavar="NAMESPACE", help="Such as CRMID.")],
    identity: Annotated[str, typer.Argument(metavar="ID", help="Whom to show.")],
    instance: Annotated[
        str | None, typer.Option("--instance", metavar="NAME", help="Only the score of this instance.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute the score as of now, with the instance's current model.")
    ] = False,
    stitched: Annotated[
        bool, typer.Option("--stitched", help="Of all ids that were seen together, as far as links lead.")
    ] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show one person: ids, attributes, activity, scores with their reasons, segments, newest events."""
    from likelier.cli import show
    from likelier.service.identity import find_person
    from likelier.service.profiles import find_profile

    if (fresh and instance is None) or (as_of and not fresh):
        raise UsageError("Name the instance whose score is to be computed: --instance NAME --fresh.")
    moment = parse_moment(as_of) if as_of else None
    with opened(home) as workspace:
        found = (find_person if stitched else find_profile)(workspace, namespace, identity, instance)
        if fresh and instance is not None:
            from likelier.service.ondemand import score_now

            found["fresh"] = score_now(workspace, namespace, identity, instance, as_of=moment)
    if json:
        print_json(found)
    else:
        show.profile(screen(), found)


@app.command()
def ingest(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's name; a new one is created.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON, CSV or Parquet; also .gz and .zst.")],
    mapping: Annotated[
        Path | None, typer.Option(metavar="M.yaml", help="How the columns of flat files become XDM fields.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What the rows are.")] = Kind.EVENTS,
    home: Home = None,
    json: Json = False,
) -> None:
    """Append files of events or profile attributes to a dataset."""
    from likelier.cli import show
    from likelier.service import data

    with opened(home) as workspace, progress_bar() as bar:
        task = bar.add_task("Ingesting", total=1.0, rows="")

        def watch(fraction: float, rows: int) -> None:
            bar.update(task, completed=fraction, rows=f"{rows:,} rows")

        done = data.ingest_files(
            workspace, person_at_the_keyboard(), dataset, files, mapping=mapping, kind=kind.value, progress=watch
        )
    if json:
        print_json(vars(done))
    else:
        show.ingested(screen(), dataset, done)


@app.command()
def datasets(
    dataset: Annotated[str | None, typer.Argument(metavar="[DATASET]", help="Only this one, in detail.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List the datasets, or look at one: fields, dates, completeness, identities, preview."""
    from likelier.cli import show
    from likelier.service import data

    with opened(home) as workspace:
        if dataset is None:
            listed = data.dataset_list(workspace)
            if json:
                print_json(listed)
            elif listed:
                show.datasets(screen(), listed)
            else:
                margin().print("There are no datasets yet. Ingest events: likelier ingest DATASET FILE")
            return
        found = data.describe_dataset(workspace, dataset)
    if json:
        print_json(found)
    else:
        show.dataset(screen(), found)


@app.command()
def check(
    instance_file: InstanceFile,
    as_of: AsOf = None,
    engine: EngineOption = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Count before a run is spent: windows, people, floors, warnings, suggestions. Trains nothing."""
    from likelier.cli import show
    from likelier.instance import load_instance
    from likelier.service import work
    from likelier.service.instances import refuse_unfit

    instance = load_instance(instance_file)
    moment = parse_moment(as_of) if as_of else None
    with opened(home, engine) as workspace:
        refuse_unfit(workspace, instance)
        with margin().status("Counting"):
            found = work.check_instance(workspace, instance, moment)
    if json:
        print_json(found)
    else:
        show.check(screen(), instance.name, found)
    if "problem" in found:
        if not json:
            tell_failure(Failure(**{key: found["problem"][key] for key in ("code", "title", "message", "suggestions")}))
        raise typer.Exit(WORK_FAILED)


@app.command()
def simulate(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The folder to fill; else in the home folder.")
    ] = None,
    profiles: Annotated[int, typer.Option(min=1, help="How many people.")] = 20_000,
    days: Annotated[int, typer.Option(min=1, help="Days of history.")] = 365,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    kind: Annotated[str, typer.Option(help="Of shop: shop, grocery, media, game or wholesale.")] = "shop",
    anonymous: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of their days on which people do not sign in.")
    ] = 0.0,
    file_format: Annotated[Format, typer.Option("--format", help="The files' format.")] = Format.PARQUET,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write a shop's simulated events, with the true probabilities beside them."""
    from likelier import simulate as simulation

    with progress_bar() as bar:
        task = bar.add_task("Simulating", total=1.0, rows="")
        made = simulation.simulate(
            output or read_settings(home=home).home / "simulated",
            profiles=profiles,
            days=days,
            seed=seed,
            format=file_format.value,
            kind=kind,
            anonymous=anonymous,
            progress=lambda done, what: bar.update(task, completed=done, rows=what),
        )
    if json:
        print_json({"folder": str(made.folder), "profiles": made.profiles, "events": made.events})
    else:
        margin().print(f"{made.profiles:,} profiles and {made.events:,} events are in {made.folder}.", markup=False)


@app.command()
def demo(
    profiles: Annotated[int, typer.Option(min=1, help="How many people the shop has.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same shop and scores.")] = 1,
    home: Home = None,
    json: Json = False,
) -> None:
    """Simulate a shop, ingest its events, find who will buy and who will stay away, write the reports."""
    from likelier.service import demo as demos

    with opened(home) as workspace:
        with progress_bar() as bar:
            task = bar.add_task("Simulating a shop", total=1.0, rows="")

            def tell(what: str, done: float) -> None:
                bar.update(task, description=what, completed=done)

            shop = demos.fill_shop(workspace, person_at_the_keyboard(), profiles=profiles, seed=seed, tell=tell)
        margin().print(f"A shop with {shop.profiles:,} customers and {shop.events:,} events.")
        answers = [_demo_run(workspace, instance, seed, quiet=json) for instance in demos.demo_instances()]
    if json:
        print_json({"profiles": shop.profiles, "events": shop.events, "runs": answers})
    if any(answer["state"] != State.SUCCESS for answer in answers):
        raise typer.Exit(WORK_FAILED)


def _demo_run(workspace: Workspace, instance: Instance, seed: int, *, quiet: bool) -> dict[str, Any]:
    from likelier.cli import show
    from likelier.service import demo as demos
    from likelier.service import reports
    from likelier.service import runs as running

    with run_bar() as watch:
        ended = demos.run_demo(workspace, person_at_the_keyboard(), instance, seed=seed, watch=watch)
    insights = reports.insights_of(workspace, ended)
    if ended.error:
        tell_failure(ended.error)
    page = workspace.settings.home / f"{instance.name.lower().replace(' ', '-')}.html"
    reports.write_report(workspace, instance.name, ended.id, page)
    if insights and not quiet and ended.state == State.SUCCESS:
        show.run(screen(), ended, insights, report=page)
    return {**running.summary(ended), "report": str(page)}


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8080,
    home: Home = None,
) -> None:
    """Serve the web pages, the REST API and the schedules."""
    from likelier.cli.serving import serve as run_server

    with opened(home) as workspace:
        run_server(workspace, host, port)
