"""What commands answer, as people read it on a terminal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from likelier.cli.frame import plain
from likelier.insights import words
from likelier.runs.records import Run, State
from likelier.timespan import DAY

COLOURS = {
    "conversion": {"high": "green", "medium": "yellow", "low": "red"},
    "churn": {"high": "red", "medium": "yellow", "low": "green"},
}
SHOWN_BATCHES = 5
STATE_COLOURS = {
    State.SUCCESS: "green",
    State.FAILED: "red",
    State.TRAINING_ISSUE: "yellow",
    State.RUNNING: "cyan",
}


def grid(*columns: str, right: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """An aligned table without lines; what stands in a `whole` column is never broken."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=column in whole
        )
    return table


def runs(console: Console, listed: Sequence[Run]) -> None:
    table = grid(
        "Run",
        "Instance",
        "State",
        "As of",
        "Started",
        "Took",
        "Scored",
        "AUC",
        "Why",
        "Model",
        right=("Took", "Scored"),
    )
    for run in listed:
        table.add_row(
            run.id[:8],
            plain(run.instance),
            Text(words_of(run.state), style=STATE_COLOURS.get(run.state, "")),
            _day(run.as_of),
            _minute(run.started_at),
            took(run),
            _count(run.scored),
            f"{run.auc:.3f}" if run.auc is not None else "",
            plain(run.error) if run.error else "",
            plain(run.decision),
        )
    console.print(table)


def run(console: Console, run: Run, insights: Mapping[str, Any], report: Path | None = None) -> None:
    """The result of a run that gave scores."""
    kind = insights["propensity_type"]
    console.print(Text.assemble((str(plain(run.instance)), "bold"), f"   run {run.id[:8]}, as of {_day(run.as_of)}"))
    console.print(Text("\n").join(map(plain, words.headline(insights))))
    console.print()
    console.print(_buckets(insights, kind))
    console.print()
    auc = insights["metrics"]["auc"]
    console.print(Text.assemble(("How good it is  ", "bold"), f"AUC {auc['value']:.3f}, {words.quality(auc['value'])}"))
    console.print(plain(words.auc_words(auc)))
    if run.model and run.model["run"]:
        console.print(Text.assemble(("Model  ", "bold"), plain(run.decision)))
    console.print()
    if insights.get("by_window"):
        console.print(_windows(insights["by_window"]))
        console.print()
    console.print(_factors(insights))
    for change in (insights.get("drift") or {}).get("findings", ()):
        console.print(Text.assemble(("Changed  ", "bold yellow"), plain(change["words"])))
    for note in insights.get("notes") or ():
        console.print(Text.assemble(("Note  ", "bold yellow"), plain(note)))
    console.print()
    _next(console, run, report)


def words_of(state: State) -> str:
    return str(state).replace("_", " ")


def took(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    return duration((run.finished_at - run.started_at).total_seconds())


def duration(seconds: float) -> str:
    """Write a duration.

    >>> duration(7.2), duration(75), duration(7300)
    ('7 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _buckets(insights: Mapping[str, Any], kind: str) -> Table:
    scores = insights["scores"]
    total = sum(scores[bucket] for bucket in ("low", "medium", "high")) or 1
    table = grid("Bucket", "Customers", "Share", "", "Expected", right=("Customers", "Share", "Expected"))
    for bucket in ("high", "medium", "low"):
        share, expected = scores[bucket] / total, scores["expected"].get(bucket)
        colour = COLOURS[kind][bucket]
        table.add_row(
            Text(bucket, style=colour),
            f"{scores[bucket]:,}",
            f"{share:.0%}",
            Text("█" * max(1 if scores[bucket] else 0, round(30 * share)), style=colour),
            f"{expected:.1%}" if expected is not None else "",
        )
    return table


def _windows(by_window: Sequence[Mapping[str, Any]]) -> Table:
    """The outcome windows beside each other: what was foretold of the past, what came, and what is expected now."""
    table = grid("Within", "AUC", "Foretold", "Came true", "Expected now", right=("AUC", "Foretold", "Came true"))
    for window in by_window:
        table.add_row(
            f"{window['days']} days",
            f"{window['auc']['value']:.3f}" if window["auc"] else "",
            f"{window['mean_probability']:.1%}",
            f"{window['rate']:.1%}",
            f"{window['expected']:.1%}",
        )
    return table


def _factors(insights: Mapping[str, Any]) -> Table:
    table = grid("", "What sets the high apart", "What sets the low apart")
    high, low = (insights["factors"].get(bucket) or [] for bucket in ("high", "low"))
    for place in range(min(5, max(len(high), len(low)))):
        table.add_row(f"{place + 1}", _factor(high, place), _factor(low, place))
    return table


def _factor(factors: Sequence[Mapping[str, Any]], place: int) -> Text:
    if place >= len(factors):
        return Text()
    factor = factors[place]
    return Text.assemble(plain(factor["code"]), (f"  {words.effect(factor.get('mean_contribution'))}", "dim"))


def _next(console: Console, run: Run, report: Path | None) -> None:
    name = quoted(run.instance)
    table = grid("Next", "")
    if report:
        table.add_row(f"open {report}", "the whole story on one page")
    else:
        table.add_row(f"likelier report {name} -o report.html", "the whole story on one page")
    table.add_row(f"likelier scores {name} -o scores.parquet", "every score with its reasons (.csv, .jsonl too)")
    table.add_row("likelier profile NAMESPACE ID", "one person")
    console.print(table)


def quoted(name: str) -> Text:
    """A name as one writes it after a command."""
    bare = name and all(letter.isalnum() or letter in "-_." for letter in name) and not name.startswith("-")
    return plain(name if bare else "'" + name.replace("'", "'\\''") + "'")


def profile(console: Console, found: Mapping[str, Any]) -> None:
    console.print(Text.assemble((f"{found['namespace']} ", "dim"), (str(plain(found["id"])), "bold")))
    others = [one for one in found["identities"] if one["id"] != found["id"] or one["namespace"] != found["namespace"]]
    if others:
        console.print(
            Text("also ", "dim") + Text(", ").join(plain(f"{one['namespace']} {one['id']}") for one in others)
        )
    if found["segments"]:
        console.print(Text("in   ", "dim") + Text(", ").join(plain(one["name"]) for one in found["segments"]))
    if found["attributes"]:
        console.print()
        table = grid("Attribute", "Value", "Known since")
        for attribute in found["attributes"]:
            since = "always" if attribute["since"].startswith("1970-01-01") else attribute["since"][:10]
            table.add_row(plain(attribute["name"]), plain(attribute["value"]), since)
        console.print(table)
    if found["activity"]:
        console.print()
        table = grid("Dataset", "Events", "First", "Last", right=("Events",))
        for row in found["activity"]:
            table.add_row(plain(row["dataset"]), f"{row['events']:,}", row["first"][:16], row["last"][:16])
        console.print(table)
    for score in found["scores"]:
        console.print()
        _score(console, score)
    if "fresh" in found:
        console.print()
        _fresh(console, found["fresh"])
    if found["events"]:
        console.print()
        table = grid("Newest events", "Dataset", "What")
        for event in found["events"]:
            what = Text("  ").join(
                Text.assemble((str(plain(name)), "dim"), " ", plain(value)) for name, value in event["fields"].items()
            )
            table.add_row(event["timestamp"][:16].replace("T", " "), plain(event["dataset"]), what)
        console.print(table)


def _fresh(console: Console, fresh: Mapping[str, Any]) -> None:
    console.print(Text.assemble("Computed just now, as of ", (fresh["as_of"][:16].replace("T", " "), "bold")))
    if fresh["score"] is None:
        console.print(Text.assemble("Not scored: not among the population. ", plain(fresh["population"])))
        return
    _score(console, {**fresh["score"], "instance": fresh["instance"]})
    console.print(Text(fresh["compared_with"], style="dim"))


def _score(console: Console, score: Mapping[str, Any]) -> None:
    colour = COLOURS[score["propensity_type"]][score["bucket"]]
    console.print(
        Text.assemble(
            (str(plain(score["instance"])), "bold"),
            "   ",
            (f"{score['bucket']}, score {score['score']:.0f}", colour),
            f"   probability {score['probability']:.1%}   percentile {score['percentile']}"
            f"   {score['score_date'][:10]}",
        )
    )
    several = {name: value for name, value in score.items() if name.startswith("probability_") and value is not None}
    if several:
        each = (f"{value:.1%} within {name[12:-1]} days" for name, value in several.items())
        console.print(f"{', '.join(each)}; expected after {score['expected_days']:.0f} days")
    table = grid("Why", "Importance", "Effect")
    for factor in score["factors"]:
        table.add_row(
            plain(words.reason(factor["code"], factor["value"] or "", factor["contribution"])),
            factor["importance"],
            words.effect(factor["contribution"]),
        )
    console.print(table)


def check(console: Console, name: str, found: Mapping[str, Any]) -> None:
    """The pre-flight: windows as a timeline, counts against the floors, warnings."""
    console.print(Text.assemble((str(plain(name)), "bold"), f"   as of {found['as_of'][:10]}"))
    console.print(Text.assemble("Goal        ", plain(found["goal_words"])))
    console.print(Text.assemble("Population  ", plain(found["population_words"])))
    console.print()
    windows, counts = found.get("windows"), found.get("counts")
    if windows and counts:
        console.print(timeline(windows, counts["per_cut_off"], max(20, min(80, console.width - 55))))
        console.print()
    if windows:
        console.print(_floors(found))
    for warning in found["warnings"]:
        console.print(Text.assemble(("Warning  ", "bold yellow"), plain(warning)))
    if "problem" not in found:
        console.print(Text("Ready to run.", style="bold green"))


def _floors(found: Mapping[str, Any]) -> Table:
    """What there is against what is needed."""
    from likelier.pipeline.floors import LEAST_EXPLORATORY, LEAST_OTHERS, LEAST_QUALIFYING  # noqa: PLC0415

    windows, counts = found["windows"], found.get("counts")
    table = grid("", "There is", "Needed", "", right=("There is", "Needed"))
    rows = [("Days of history", windows["history_days"], windows["history_needed_days"])]
    if counts:
        done = counts["qualifying_examples"]
        rows += [
            ("Past examples that met the goal", done, LEAST_QUALIFYING),
            ("Past examples that did not", counts["examples"] - done, LEAST_OTHERS),
            ("People to score", counts["eligible"], 1),
        ]
        for window in counts.get("by_window") or ():
            rows.append((f"that met it within {window['days']} days", window["qualifying"], LEAST_EXPLORATORY))
    for what, there, needed in rows:
        enough = there >= needed
        table.add_row(what, f"{there:,.0f}", f"{needed:,}", Text("✓" if enough else "✗", "green" if enough else "red"))
    return table


def ingested(console: Console, name: str, done: Any) -> None:
    table = grid("Rows", "", right=("",))
    table.add_row("accepted", f"{done.accepted:,}")
    table.add_row("duplicate", f"{done.duplicate:,}")
    table.add_row(Text("rejected", style="red" if done.rejected else ""), f"{done.rejected:,}")
    console.print(Text.assemble("Into dataset ", (str(plain(name)), "bold"), f", batch {done.batch}"))
    console.print(table)


def datasets(console: Console, listed: Sequence[Mapping[str, Any]]) -> None:
    table = grid("Dataset", "Kind", "Rows", "First", "Last", "Identities", right=("Rows",))
    for found in listed:
        identities = ", ".join(found["namespaces"])
        table.add_row(plain(found["name"]), found["kind"], f"{found['rows']:,}", *_dates(found), plain(identities))
    console.print(table)


def dataset(console: Console, found: Mapping[str, Any]) -> None:
    first, last = _dates(found)
    console.print(
        Text.assemble((str(plain(found["name"])), "bold"), f"   {found['rows']:,} {found['kind']}, {first} to {last}")
    )
    console.print()
    table = grid("Identity", "Profiles", "Complete", right=("Profiles", "Complete"))
    for identity in found["identities"]:
        table.add_row(plain(identity["namespace"]), f"{identity['profiles']:,}", f"{identity['complete']:.1%}")
    console.print(table)
    console.print()
    table = grid("Field", "Type", "Complete", right=("Complete",))
    for field in found["fields"]:
        kind = f"list of {field['type']}" if field["array"] else field["type"]
        table.add_row(plain(field["path"]), kind, f"{field['complete']:.1%}")
    console.print(table)
    console.print()
    table = grid("Batch", "At", "Rows", right=("Rows",))
    for batch in found["batches"][:SHOWN_BATCHES]:
        table.add_row(batch["batch"], batch["at"][:16].replace("T", " "), f"{batch['rows']:,}")
    console.print(table)
    if found["rejected"]:
        console.print()
        console.print(Text(f"{found['rejected']:,} rows were set aside, such as", style="bold red"))
        table = grid("File", "Line", "Reason", right=("Line",))
        for row in found["rejects"]:
            table.add_row(plain(row["file"]), f"{row['line']:,}", plain(row["reason"]))
        console.print(table)
    console.print()
    console.print(Text(f"The newest {len(found['preview'])} rows", style="bold"))
    for row in found["preview"]:
        shown = ((name, value) for name, value in row.items() if name != "_id" and value not in (None, []))
        line = Text("  ").join(Text.assemble((str(plain(name)), "dim"), " ", plain(value)) for name, value in shown)
        console.print(line, overflow="ellipsis", no_wrap=True)


def _dates(found: Mapping[str, Any]) -> tuple[str, str]:
    first, last = ((found[key] or "")[:10] for key in ("first", "last"))
    return "always" if first == "1970-01-01" else first, last


def timeline(windows: Mapping[str, Any], cut_offs: Sequence[Mapping[str, Any]], width: int) -> Table:
    """Each cut-off with what it looks back on (─), the cut-off (┃) and the outcome window after it (═)."""
    table = grid("Cut-off", "Role", "Timeline", "Eligible", "Met the goal", "", right=("Eligible", "Met the goal", ""))
    start = dt.datetime.fromisoformat(windows["history_start"])
    outcome = windows["outcome_days"] * DAY
    moments = [dt.datetime.fromisoformat(row["cut_off"]) for row in cut_offs]
    end = max(moments) + outcome
    for row, moment in zip(cut_offs, moments, strict=True):
        table.add_row(
            _day(moment),
            {"train": "learn", "judge": "judge", "refit": "learn", "score": "score"}.get(row["role"], row["role"]),
            _line(start, moment, moment + outcome, end, width),
            _count(row["eligible"]),
            _count(row["qualifying"]),
            f"{row['base_rate']:.1%}" if row["base_rate"] is not None else "",
        )
    return table


def _line(start: dt.datetime, moment: dt.datetime, until: dt.datetime, end: dt.datetime, width: int) -> Text:
    def place(when: dt.datetime) -> int:
        return round((when - start) / (end - start) * (width - 1)) if end > start else 0

    at, last = max(0, place(moment)), place(until)
    return Text("─" * at + "┃" + "═" * max(0, last - at) + " " * (width - 1 - max(at, last)))


def _day(moment: dt.datetime | None) -> str:
    return moment.strftime("%Y-%m-%d") if moment else ""


def _minute(moment: dt.datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else ""


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
