"""The commands of `likelier segments`."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter; each command loads what it needs

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from likelier.access.identity import person_at_the_keyboard
from likelier.cli.frame import Commands, Home, Json, margin, opened, plain, print_json, screen
from likelier.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

segments = typer.Typer(
    name="segments", cls=Commands, help="People chosen by scores, factors, attributes and events.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The segment's name.")]


@segments.command()
def create(
    name: Name,
    instance: Annotated[str | None, typer.Option(metavar="I", help="Those in a bucket of this instance.")] = None,
    bucket: Annotated[str | None, typer.Option(metavar="B", help="low, medium or high.")] = None,
    rule: Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="A rule file.")] = None,
    text: Annotated[str | None, typer.Option(metavar="EXPR", help="A rule as an expression.")] = None,
    pql: Annotated[str | None, typer.Option(metavar="PQL", help="A rule in the Profile Query Language.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Whose ids the members are, such as CRMID.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    dry: Annotated[bool, typer.Option("--estimate", help="Only say how many they would be.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make a segment of a bucket, a rule file or an expression; say its size."""
    from likelier.profiles.rulefile import load_rule_file
    from likelier.service import segments as service

    if [text, pql, rule, instance].count(None) != 3:
        raise UsageError("Give one of --instance with --bucket, --rule FILE.yaml, --text EXPR or --pql PQL.")
    written = load_rule_file(rule) if rule else {}
    wanted = service.Wanted(
        text=text,
        pql=pql,
        rule=written.get("rule"),
        instance=instance,
        bucket=bucket,
        namespace=namespace or written.get("namespace"),
    )
    with opened(home) as workspace:
        if dry:
            found = service.estimate_segment(workspace, wanted)
        else:
            told = description or str(written.get("description") or "")
            found = service.create_segment(workspace, person_at_the_keyboard(), name, wanted, description=told)
    if json:
        print_json(found)
    else:
        belong = "would belong" if dry else "belong"
        margin().print(plain(f"{found['size']:,} people {belong} to '{name}': those who {found['words']}."))


@segments.command(name="list")
def list_all(home: Home = None, json: Json = False) -> None:
    """List the segments with their sizes."""
    from likelier.service import segments as service

    with opened(home) as workspace:
        found = service.list_segments(workspace)
    if json:
        print_json(found)
    elif found:
        _list(screen(), found)
    else:
        margin().print("There are no segments yet. Make one: likelier segments create NAME --instance I --bucket high")


@segments.command()
def show(name: Name, home: Home = None, json: Json = False) -> None:
    """Show a segment: its rule, and its size over time."""
    from likelier.service import segments as service

    with opened(home) as workspace:
        found = service.get_segment(workspace, name)
    if json:
        print_json(found)
    else:
        _show(screen(), found)


@segments.command()
def members(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to show.")] = 100,
    after: Annotated[str, typer.Option(metavar="ID", help="Begin behind this id.")] = "",
    home: Home = None,
    json: Json = False,
) -> None:
    """Show members, sorted by id."""
    from likelier.service import segments as service

    with opened(home) as workspace:
        page = service.segment_members(workspace, name, after=after, limit=limit)
    if json:
        print_json(page)
        return
    for member in page["items"]:
        screen().print(plain(member["id"]))
    if page["next"] is not None:
        margin().print(plain(f"More: --after {page['next']}"))


@segments.command()
def export(
    name: Name,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
    kept_back: Annotated[bool, typer.Option("--kept-back", help="Those a hold-out keeps back, instead.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write the members to a .parquet, .csv or .jsonl file, without those that a hold-out keeps back."""
    from likelier.service import segments as service

    with opened(home) as workspace:
        rows = service.export_segment(workspace, person_at_the_keyboard(), name, output, kept_back=kept_back)
    if json:
        print_json({"segment": name, "rows": rows, "file": str(output)})
    else:
        margin().print(plain(f"{rows:,} members of '{name}' are in {output}."))


@segments.command(name="hold-out")
def hold_out(
    name: Name,
    percent: Annotated[float | None, typer.Option(help="Begin to keep back this share, 1 to 90.")] = None,
    instance: Annotated[str | None, typer.Option(metavar="I", help="Whose goal is the outcome.")] = None,
    outcome: Annotated[str | None, typer.Option(metavar="EXPR", help="The outcome, such as did (...).")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Within how many days it may come.")] = None,
    end: Annotated[bool, typer.Option("--end", help="Keep nobody back any more.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Keep back some members, or report what acting on the others did."""
    from likelier.service import holdouts

    with opened(home) as workspace:
        if end:
            holdouts.end_hold_out(workspace, person_at_the_keyboard(), name)
            return
        if percent is None:
            found = holdouts.hold_out_report(workspace, name)
        else:
            actor = person_at_the_keyboard()
            found = holdouts.begin_hold_out(
                workspace, actor, name, percent=percent, instance=instance, outcome=outcome, window_days=days
            )
    if json:
        print_json(found)
    else:
        screen().print(plain(f"{found['treated']['people']:,} treated, {found['kept_back']['people']:,} kept back"))
        for sentence in found["words"]:
            screen().print(plain(sentence))


@segments.command()
def overlap(
    name: Name,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The segment to compare with.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Say how many belong to both of two segments."""
    from likelier.service import comparisons

    with opened(home) as workspace:
        found = comparisons.overlap(workspace, name, other)
    if json:
        print_json(found)
        return
    for side in (found["first"], found["second"]):
        screen().print(plain(f"{side['size']:,} in '{side['name']}', {side['alone']:,} of them in it alone"))
    screen().print(f"{found['both']:,} in both, {found['either']:,} in at least one")


@segments.command()
def compare(name: Name, home: Home = None, json: Json = False) -> None:
    """Show what differs between the members and everybody else."""
    from likelier.service import comparisons

    with opened(home) as workspace:
        found = comparisons.what_differs(workspace, name)
    if json:
        print_json(found)
    else:
        _compare(screen(), found)


@segments.command()
def delete(name: Name, home: Home = None) -> None:
    """Delete a segment; those that others refer to stay. For an hour it can be restored."""
    from likelier.service import segments as service

    with opened(home) as workspace:
        service.delete_segment(workspace, person_at_the_keyboard(), name)


@segments.command()
def restore(name: Name, home: Home = None, json: Json = False) -> None:
    """Put back a segment that was deleted within the hour."""
    from likelier.service import segments as service

    with opened(home) as workspace:
        found = service.restore_segment(workspace, person_at_the_keyboard(), name)
    if json:
        print_json(found)
    else:
        screen().print(plain(f"'{found['name']}' is back."))


def _list(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    from likelier.cli.show import grid

    table = grid("Segment", "Members", "Of", "Evaluated", "Rule", right=("Members",))
    for segment in found:
        size = f"{segment['size']:,}" if segment["size"] is not None else ""
        evaluated = (segment["evaluated_at"] or "")[:16].replace("T", " ")
        table.add_row(plain(segment["name"]), size, plain(segment["namespace"]), evaluated, plain(segment["text"]))
    console.print(table)


def _show(console: Console, found: Mapping[str, Any]) -> None:
    from rich.text import Text

    from likelier.cli.show import grid

    console.print(Text.assemble((str(plain(found["name"])), "bold"), f"   {found['size']:,} of {found['namespace']}"))
    if found["description"]:
        console.print(plain(found["description"]))
    console.print(plain(f"Those who {found['words']}"))
    console.print(plain(found["text"]))
    console.print()
    table = grid("Evaluated", "Members", "As of", right=("Members",))
    for count in found["counts"]:
        table.add_row(count["at"][:16].replace("T", " "), f"{count['size']:,}", count["as_of"][:10])
    console.print(table)


def _compare(console: Console, found: Mapping[str, Any]) -> None:
    from likelier.cli.show import grid

    console.print(plain(f"{found['members']:,} in '{found['segment']}', {found['others']:,} others"))
    console.print()
    table = grid("What", "Members", "Others", "Effect", right=("Members", "Others", "Effect"))
    for one in found["differences"]:
        sides = [_side(one[side], one["kind"]) for side in ("members", "others")]
        table.add_row(plain(one["what"]), *sides, f"{one['effect']:+.2f}" if one["effect"] is not None else "")
    console.print(table)


def _side(value: float | None, kind: str) -> str:
    if value is None:
        return ""
    return f"{value:.1%}" if kind == "share" else f"{value:,.2f}"
