"""The model card: what a model is for, what it learnt from, how good it is and for whom, where it ends.

Nothing on a card is written by hand: all of it is told by the run's record. One card reads the same as a page and as
Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from likelier.insights import performance_words, words
from likelier.insights.charts import brief, interval, percent
from likelier.insights.pages import environment, page
from likelier.insights.reports import Page
from likelier.phrases import day

TOP = 10


@dataclass(frozen=True)
class Section:
    """A part of the card: sentences, then a list, then a table."""

    title: str
    sentences: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Card:
    """A model card; `facts` stand at its head."""

    name: str
    description: str
    propensity_type: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def card(
    insights: Mapping[str, Any],
    run: Mapping[str, Any],
    came: Mapping[str, Any] | None = None,
    slices: Sequence[Mapping[str, Any]] = (),
) -> Card:
    """Draw up the card of a run's model.

    `came` is what came of the run's scored, as far as it is known, and `slices` tell that apart by attributes.
    """
    told = Page(insights, run)
    return Card(
        told.name,
        str(told.instance.get("description") or ""),
        told.propensity_type,
        tuple(told.details),
        tuple(
            section
            for section in (
                _purpose(told),
                _data(told),
                _windows(told),
                _quality(told),
                _calibration(told),
                *(_came_true(came) if came else ()),
                *map(_slice, slices),
                _factors(told),
                _changed(told),
                _limits(told),
                Section("What it may not be used for", points=tuple(map(str, words.NOT_FOR))),
            )
            if section.sentences or section.points or section.rows
        ),
    )


def card_page(drawn: Card) -> str:
    """Write a card as one HTML page that needs no network."""
    return page("card.html.j2", lambda _: {}, propensity_type=drawn.propensity_type, card=drawn)


def markdown(drawn: Card) -> str:
    """Write a card as Markdown."""
    return environment().get_template("card.md.j2").render(card=drawn).strip() + "\n"


def _purpose(told: Page) -> Section:
    people = told.insights.get("population_words")
    return Section(
        "Purpose",
        (
            f"It predicts who {told.insights.get('goal_words') or told.deed} ({told.propensity_type}).",
            f"It scores customers who {people}." if people else "",
            (
                "A score compares a customer's odds with those of everybody scored; a probability says of how many of "
                "100 such customers it comes true."
            ),
        ),
    )


def _data(told: Page) -> Section:
    asked = told.instance
    attributes = [str(each.get("name") or each["field"]) for each in asked.get("profile_attributes") or ()]
    return Section(
        "Data",
        points=(
            f"Datasets: {', '.join(asked.get('datasets') or ())}; people are told apart by {asked.get('namespace')}.",
            f"Profile attributes it may use: {', '.join(attributes) or 'none'}.",
            f"Events that are not looked at: {len(asked.get('exclusions') or ()) or 'none'}.",
        ),
        heads=("What", "How many"),
        rows=tuple(told.tiles),
    )


def _windows(told: Page) -> Section:
    windows = told.windows
    if not windows:
        return Section("Windows")
    judged = "customers it had not seen" if windows.get("judge") == "held-out profiles" else "a later cut-off"
    return Section(
        "Windows",
        (
            (
                f"It looks back {windows.get('lookback_days')} days for who is eligible and ahead "
                f"{windows.get('outcome_days')} days for the goal. Features read events before a cut-off only."
            ),
            f"It was judged on {judged}, {day(windows.get('judge_cut_off'))}.",
        ),
        heads=("Used to", "Cut-off", "Eligible", "Met the goal", "Rate"),
        rows=tuple((each.role, each.when, each.eligible, each.qualifying, each.base_rate) for each in told.cut_offs),
    )


def _quality(told: Page) -> Section:
    auc = told.auc
    if auc["value"] is None:
        return Section("How good it is")
    rows = [("AUC", f"{auc['value']:.3f}{interval(auc['low'], auc['high'], _three)}", words.quality(auc["value"]))]
    if deciles := told.metrics.get("deciles"):
        best = deciles[0]
        spread = interval(best.get("lift_low"), best.get("lift_high"), lambda value: f"{value:.2f}")
        rows.append(("Lift of the best tenth", f"{best['lift']:.2f}{spread}", "Times the average rate."))
    rows += told.figures
    return Section(
        "How good it is",
        ("Judged on outcomes it had not seen; intervals are 95 %.",),
        heads=("Figure", "Value", "Meaning"),
        rows=tuple((name, value, meaning) for name, value, meaning in rows),
    )


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _calibration(told: Page) -> Section:
    buckets = told.metrics.get("buckets") or {}
    return Section(
        "Do its probabilities come true?",
        (words.calibration_words(told.metrics),) if told.metrics.get("calibration_error") is not None else (),
        heads=("Bucket", "Customers judged", "Expected → actual (95 % interval)"),
        rows=tuple(
            (name.capitalize(), f"{each['profiles']:,}", performance_words.rates(each))
            for name, each in reversed(list(buckets.items()))
        ),
    )


def _came_true(came: Mapping[str, Any]) -> tuple[Section, ...]:
    if came["state"] == "open":
        return (Section("What came true since", (performance_words.state(came),)),)
    rows = [("All", f"{came['all']['profiles']:,}", performance_words.rates(came["all"]))]
    rows += [
        (name.capitalize(), f"{came['buckets'][name]['profiles']:,}", performance_words.rates(came["buckets"][name]))
        for name in ("high", "medium", "low")
    ]
    said = performance_words.judgement([came])
    heads = ("Bucket", "Scored", "Expected → actual (95 % interval)")
    return (Section("What came true since", tuple(said), heads=heads, rows=tuple(rows)),)


def _slice(part: Mapping[str, Any]) -> Section:
    return Section(
        f"What came true by {part['by']}",
        heads=(str(part["by"]), "Scored", "Expected → actual (95 % interval)", "AUC"),
        rows=tuple(
            (
                str(each["value"]),
                f"{each['profiles']:,}",
                performance_words.rates(each),
                f"{each['auc']['value']:.3f}{interval(each['auc']['low'], each['auc']['high'], _three)}"
                if each["auc"]
                else "too few to tell",
            )
            for each in part["values"]
        ),
    )


def _factors(told: Page) -> Section:
    rows = [
        (factor.code, percent(factor.importance), f"{factor.direction}, {factor.effect}")
        for factor in told.factors("high")[:TOP]
    ]
    return Section(
        "What moves the scores of the high",
        ("Factors go together with the outcome; they need not cause it.",) if rows else (),
        heads=("Factor", "Share", "Effect on average"),
        rows=tuple(rows),
    )


def _changed(told: Page) -> Section:
    return Section("What has changed since it was judged", points=tuple(map(str, told.changed)))


def _limits(told: Page) -> Section:
    points = [str(note) for note in told.insights.get("notes") or ()]
    if told.poor:
        points.append(f"Its AUC is below {words.POOR_AUC}: it hardly tells customers apart. Do not act on its scores.")
    base = told.metrics.get("base_rate")
    if base is not None:
        points.append(
            f"Its probabilities suppose that about {percent(base)} meet the goal, as at the cut-off it was judged on. "
            "When the rate moves as a whole, the order stays and the probabilities are off."
        )
    examples = told.counts.get("training_rows")
    if examples is not None:
        points.append(f"It learnt from {examples:,} examples: of groups of which these hold few, it knows little.")
    if error := told.metrics.get("calibration_error"):
        points.append(f"A probability was {brief(100 * error)} percentage points off on average when it was judged.")
    return Section("Known limits", points=tuple(points))
