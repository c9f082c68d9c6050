"""Charts with their title, a sentence on how to read them, and their numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from nicegui import ui

from likelier.insights.charts import Look, Option
from likelier.ui import frame
from likelier.ui.language import _, count
from likelier.ui.parts import block, text

Draw = Callable[[Look], Option]


def chart(draw: Draw, label: str, kind: str = "") -> ui.echart:
    """Draw a chart in the palette that is shown, now and when it changes."""
    with block("div", f"chart {kind}", role="img", aria_label=label):
        drawn = ui.echart(draw(frame.look()), renderer="svg")

    def again(look: Look) -> None:
        if not drawn.is_deleted:
            drawn.options.clear()
            drawn.options.update(draw(look))
            drawn.update()

    frame.when_theme_changes(again)
    return drawn


def figure(
    title: str,
    draw: Draw,
    *,
    about: str = "",
    label: str = "",
    kind: str = "",
    heads: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> ui.echart:
    """Draw a chart with its title, and fold its numbers below it."""
    with block("figure"):
        with block("figcaption"):
            text(title, "h3")
            if about:
                text(about, "p", "soft small")
        drawn = chart(draw, label or title, kind)
        folded(title, heads, rows)
    return drawn


def trend(sizes: Sequence[int]) -> None:
    """Draw how a number went, no larger than a word; nothing while there is one only."""
    if len(sizes) < 2:
        text("–", "span", "soft")
        return
    highest, step = max(sizes) or 1, 96 / (len(sizes) - 1)
    points = " ".join(f"{2 + place * step:.1f},{22 - 20 * size / highest:.1f}" for place, size in enumerate(sizes))
    said = _("from {first} to {last}", first=count(sizes[0]), last=count(sizes[-1]))
    picture = block("span", "trend", role="img", aria_label=said, title=said)
    with picture, block("svg", viewBox="0 0 100 24", aria_hidden="true"):
        block("polyline", points=points)


def folded(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Fold a table away until somebody wants to read it."""
    if not rows:
        return
    with block("details", "numbers"):
        text(_("Show as a table"), "summary")
        with block("div", "scroll", tabindex="0", role="region", aria_label=title):
            numbers(heads, rows)


def numbers(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: Collection[str] = ()) -> None:
    """Write a plain table: names in the first column, figures in the others but those headed as `words`."""
    looks = ["n" if place and head not in words else "" for place, head in enumerate(heads)]
    with block("table", "rows plain"):
        if heads:
            with block("thead"), block("tr"):
                for head, look in zip(heads, looks, strict=True):
                    text(head, "th", look, scope="col")
        with block("tbody"):
            for row in rows:
                with block("tr"):
                    for place, (cell, look) in enumerate(zip(row, looks, strict=True)):
                        text(cell, "td" if place else "th", look)
