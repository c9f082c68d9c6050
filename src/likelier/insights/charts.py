"""Charts of insights.json as Apache ECharts option dicts.

Pure functions: a part of the insights and a :class:`Look` go in, a JSON-able dict comes out. The report and the web
pages draw the same ones.

Two habits keep them safe and readable. Every text in a tooltip is drawn (``renderMode: richText``), never parsed as
HTML, because names and values of a dataset are not ours. And no meaning hangs on a colour alone: a bucket has a sign
(▲ high, ● medium, ▼ low) and its place, a line has its dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from likelier.phrases import Phrase, join, number, say
from likelier.phrases import day as say_day

Option = dict[str, Any]
Part = Mapping[str, Any]

BUCKETS = ("low", "medium", "high")
SIGNS = {"low": "▼", "medium": "●", "high": "▲"}
LOW_END, HIGH_START = 25, 75
MOST_CATEGORIES = 12
NAMES = {"low": say("Low"), "medium": say("Medium"), "high": say("High")}

LINE = "path://M0 10h26v3h-26z"
CROSS = "path://M2 0L10 8L18 0L20 2L12 10L20 18L18 20L10 12L2 20L0 18L8 10L0 2Z"
DASHES = "path://M0 10h6v2h-6zM10 10h6v2h-6zM20 10h6v2h-6z"


SHAPES = {"low": "triangle", "medium": "circle", "high": "triangle"}
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Palette:
    """Colours that keep a contrast of 4.5 for text and 3 for shapes on their background."""

    ink: str
    soft: str
    line: str
    card: str
    accent: str
    good: str
    middle: str
    bad: str


LIGHT = Palette(
    ink="#1a2230",
    soft="#566072",
    line="#d8dde6",
    card="#ffffff",
    accent="#3b57c4",
    good="#17835a",
    middle="#c48800",
    bad="#c5443c",
)
DARK = Palette(
    ink="#e9edf4",
    soft="#a9b4c6",
    line="#384252",
    card="#1a202a",
    accent="#8ea5ff",
    good="#45c290",
    middle="#f3c654",
    bad="#f4807a",
)


@dataclass(frozen=True)
class Look:
    """How charts are drawn: the colours, and the language of the few words in them."""

    palette: Palette = LIGHT
    say: Callable[[str], str] = field(default=str)


def bucket_colours(propensity_type: str, palette: Palette = LIGHT) -> dict[str, str]:
    """Give each bucket its colour: green is what the business hopes for, so churn turns the order round.

    >>> bucket_colours("conversion")["high"] == bucket_colours("churn")["low"] == LIGHT.good
    True
    """
    low, high = (palette.good, palette.bad) if propensity_type == "churn" else (palette.bad, palette.good)
    return {"low": low, "medium": palette.middle, "high": high}


def bucket_of(score: float) -> str:
    """Name the bucket of a score; the edges belong to the bucket above.

    >>> bucket_of(24.99), bucket_of(25), bucket_of(75)
    ('low', 'medium', 'high')
    """
    return "low" if score < LOW_END else "medium" if score < HIGH_START else "high"


def ring(scores: Part, propensity_type: str, look: Look | None = None) -> Option:
    """Draw how many of the scored customers are high, medium and low."""
    look = look or Look()
    colours = bucket_colours(propensity_type, look.palette)
    total = sum(scores[bucket] for bucket in BUCKETS)
    slices = [
        {
            "name": look.say(NAMES[bucket]),
            "value": scores[bucket],
            "itemStyle": {"color": colours[bucket]},
            # A sign on a sliver would hang over its neighbours.
            "label": {"show": scores[bucket] > 0.04 * total, "formatter": SIGNS[bucket]},
            "tooltip": _tip(
                look.say(
                    join([NAMES[bucket], ": ", number(scores[bucket]), " (", share(scores[bucket], total), ")"], "")
                )
            ),
        }
        for bucket in reversed(BUCKETS)
        if scores[bucket]
    ]
    pie = {
        "type": "pie",
        "radius": ["64%", "94%"],
        "padAngle": 1.5,
        "itemStyle": {"borderRadius": 4},
        "label": {"position": "inside", "fontSize": 16, "color": look.palette.card},
        "emphasis": {"scaleSize": 4},
        "data": slices,
    }
    middle = {
        "text": look.say(number(total)),
        "subtext": look.say("scored"),
        "left": "center",
        "top": "center",
        "itemGap": 6,
        "textStyle": {"color": look.palette.ink, "fontSize": 26, "fontWeight": 600},
        "subtextStyle": {"color": look.palette.soft, "fontSize": 13},
    }
    return _chart(look, title=middle, tooltip=_tooltip(look, "item"), series=[pie])


def _signed(bucket: str) -> str:
    return join([SIGNS[bucket], NAMES[bucket]])


def distribution(histogram: Sequence[int], propensity_type: str, look: Look | None = None) -> Option:
    """Draw how many customers have each score, in the colours of their buckets; the bins are equally wide."""
    look = look or Look()
    colours = bucket_colours(propensity_type, look.palette)
    width = 100 / len(histogram)
    bars = [
        {
            "value": count,
            "itemStyle": {"color": colours[bucket_of((bin_ + 0.5) * width)]},
            "tooltip": _tip(
                look.say(
                    say(
                        "Score {start} – {end}: {n:,}",
                        start=brief(bin_ * width),
                        end=brief((bin_ + 1) * width),
                        n=count,
                    )
                )
            ),
        }
        for bin_, count in enumerate(histogram)
    ]
    edges = {
        "silent": True,
        "symbol": "none",
        "lineStyle": {"color": look.palette.soft, "type": [3, 4], "width": 1},
        "label": {"show": False},
        "data": [{"xAxis": LOW_END}, {"xAxis": HIGH_START}],
    }
    names = {
        "silent": True,
        "itemStyle": {"color": "transparent"},
        "label": {"position": "top", "color": look.palette.soft, "fontSize": 12},
        "data": [
            [{"name": look.say(_signed(bucket)), "xAxis": start}, {"xAxis": end}]
            for bucket, start, end in (("low", 0, LOW_END), ("medium", LOW_END, HIGH_START), ("high", HIGH_START, 100))
        ],
    }
    # The bars stand on a hidden axis of bins, so that the shown axis can be the true scale from 0 to 100.
    hidden = {"type": "category", "show": False, "data": [str(bin_) for bin_ in range(len(histogram))]}
    scale = _numbers(look, min=0, max=100, interval=25, position="bottom", splitLine={"show": False})
    return _chart(
        look,
        grid=_grid(top=28),
        tooltip=_tooltip(look, "item"),
        xAxis=[hidden, scale],
        yAxis=_numbers(look, splitNumber=4, minInterval=1),
        series=[
            {"type": "bar", "xAxisIndex": 0, "data": bars, "barCategoryGap": "12%"},
            {"type": "line", "xAxisIndex": 1, "data": [], "markLine": edges, "markArea": names},
        ],
    )


def spread_rows(factor: Part, said: Callable[[str], str] = str) -> list[tuple[str, dict[str, float]]]:
    """Give the bins of a factor's values: the name of each, and the share of every bucket's customers in it.

    Of many categories the most common stay and the others are put together; those without a value stand last.

    >>> rows = spread_rows({"kind": "number", "edges": [0, 1.5, 30], "low": [0.7, 0.2], "missing": {"low": 0.1}})
    >>> [(name, shares["low"]) for name, shares in rows]
    [('0 – 1.5', 0.7), ('1.5 – 30', 0.2), ('no value', 0.1)]
    """
    rows = [
        (name, {bucket: _at(factor.get(bucket), place) for bucket in BUCKETS})
        for place, name in enumerate(bin_names(factor))
    ]
    if factor["kind"] == "category" and len(rows) > MOST_CATEGORIES:
        rows = _most_common(rows, said(say("other values")))
    missing = factor.get("missing") or {}
    if any(missing.values()):
        rows.append(
            (said(factor.get("absent") or say("no value")), {key: float(missing.get(key) or 0) for key in BUCKETS})
        )
    return rows


def bin_names(factor: Part) -> list[str]:
    """Name the bins of a factor's values."""
    if factor.get("labels") is not None:
        return [str(label) for label in factor["labels"]]
    return [f"{start} – {end}" for start, end in pairwise(_apart(factor.get("edges") or ()))]


def _apart(edges: Sequence[float]) -> list[str]:
    """Write numbers only as finely as their distances ask for.

    >>> _apart([0.00009, 0.027, 0.18, 5.512, 5.538, 21.3])
    ['0', '0.03', '0.18', '5.51', '5.54', '21']
    """
    gaps = [abs(later - earlier) or 1 for earlier, later in pairwise(edges)] or [1]
    nearest = [min(pair) for pair in zip([gaps[0], *gaps], [*gaps, gaps[-1]], strict=True)]
    return [_rounded(edge, max(0, math.ceil(-math.log10(gap / 2)))) for edge, gap in zip(edges, nearest, strict=False)]


def _rounded(number: float, decimals: int) -> str:
    text = f"{number:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _at(shares: Sequence[float] | None, place: int) -> float:
    return float(shares[place]) if shares and place < len(shares) else 0.0


def _most_common(rows: list[tuple[str, dict[str, float]]], rest: str) -> list[tuple[str, dict[str, float]]]:
    ranked = sorted(rows, key=lambda row: -sum(row[1].values()))
    kept, others = ranked[: MOST_CATEGORIES - 1], ranked[MOST_CATEGORIES - 1 :]
    return [*kept, (rest, {bucket: sum(shares[bucket] for _, shares in others) for bucket in BUCKETS})]


def spread(factor: Part, propensity_type: str, look: Look | None = None) -> Option:
    """Draw how a factor's values are spread in each bucket: three panels of one scale, one below the other.

    Panels on one scale show a shift at a glance, where thirty bars in three colours would have to be read.
    """
    look = look or Look()
    colours = bucket_colours(propensity_type, look.palette)
    rows = spread_rows(factor, look.say)
    top = max((share for _, shares in rows for share in shares.values()), default=0) or 1
    panels = tuple(reversed(BUCKETS))
    # Long names stand aslant and need their room.
    is_number = factor["kind"] == "number"
    long = not is_number and len(rows) * max((len(name) for name, _ in rows), default=0) > 60
    height, tops = ("20%", ("4%", "29%", "54%")) if long else ("24%", ("4%", "34%", "64%"))
    names = {
        "hideOverlap": is_number,
        "interval": "auto" if is_number else 0,
        "rotate": 35 if long else 0,
        "width": 100,
        "overflow": "truncate",
        "color": look.palette.soft,
    }
    return _chart(
        look,
        tooltip=_tooltip(look, "item"),
        grid=[{"left": 88, "right": 12, "top": place, "height": height} for place in tops],
        xAxis=[
            _names(look, [name for name, _ in rows], gridIndex=panel, show=True)
            | {"axisLabel": names if bucket == panels[-1] else {"show": False}}
            for panel, bucket in enumerate(panels)
        ],
        yAxis=[
            _numbers(look, gridIndex=panel, min=0, max=top, show=True)
            | {
                "axisLabel": {"show": False},
                "splitLine": {"show": False},
                "name": look.say(_signed(bucket)),
                "nameLocation": "middle",
                "nameRotate": 0,
                "nameGap": 12,
                "nameTextStyle": {"align": "right", "color": look.palette.ink, "fontSize": 13},
            }
            for panel, bucket in enumerate(panels)
        ],
        series=[
            {
                "type": "bar",
                "name": look.say(NAMES[bucket]),
                "xAxisIndex": panel,
                "yAxisIndex": panel,
                "barCategoryGap": "14%",
                "barMaxWidth": 72,
                "itemStyle": {"color": colours[bucket], "borderRadius": [3, 3, 0, 0]},
                "label": {"position": "top", "color": look.palette.soft, "fontSize": 11, "distance": 3},
                "labelLayout": {"hideOverlap": True},
                "data": [
                    {
                        "value": shares[bucket],
                        "label": {
                            "show": shares[bucket] >= 0.005,
                            "formatter": look.say(percent(round(shares[bucket], 2))),
                        },
                        "tooltip": _tip(look.say(join([NAMES[bucket], ", ", name, ": ", percent(shares[bucket])], ""))),
                    }
                    for name, shares in rows
                ],
            }
            for panel, bucket in enumerate(panels)
        ],
    )


def lift(deciles: Sequence[Part], look: Look | None = None) -> Option:
    """Draw how many times the average each tenth of the ranking met the goal, with its interval."""
    look = look or Look()
    bars = [
        {
            "value": tenth["lift"],
            "tooltip": _tip(
                look.say(
                    join(
                        [
                            *(decile_name(tenth["decile"]), ": ", times(tenth["lift"])),
                            *(interval(tenth.get("lift_low"), tenth.get("lift_high"), times), "\n"),
                            *(number(tenth["qualifying"]), " / ", number(tenth["profiles"])),
                        ],
                        "",
                    )
                )
            ),
        }
        for tenth in deciles
    ]
    average = {
        "symbol": "none",
        "silent": True,
        "lineStyle": {"color": look.palette.ink, "type": "dashed", "width": 1.5},
        "label": {"formatter": look.say("average"), "position": "insideEndTop", "color": look.palette.ink},
        "data": [{"yAxis": 1}],
    }
    # A box plot whose box is one line is an error bar.
    whiskers = [
        [tenth["lift_low"], tenth["lift"], tenth["lift"], tenth["lift"], tenth["lift_high"]]
        if tenth.get("lift_low") is not None and tenth.get("lift_high") is not None
        else []
        for tenth in deciles
    ]
    return _chart(
        look,
        grid=_grid(top=18, bottom=30),
        tooltip=_tooltip(look, "item"),
        xAxis=_names(look, [str(tenth["decile"]) for tenth in deciles])
        | _axis_name(look, look.say("tenth of the ranking, best first"), 28),
        yAxis=_numbers(look, axisLabel={"formatter": "{value}×", "color": look.palette.soft}),
        series=[
            {
                "type": "bar",
                "data": bars,
                "barCategoryGap": "22%",
                "itemStyle": {"color": look.palette.accent, "borderRadius": [3, 3, 0, 0]},
                "markLine": average,
            },
            {
                "type": "boxplot",
                "data": whiskers,
                "silent": True,
                "boxWidth": [6, 14],
                "itemStyle": {"color": "transparent", "borderColor": look.palette.ink, "borderWidth": 1.5},
                "tooltip": {"show": False},
            },
        ],
    )


def gains(points: Sequence[Part], at: float = 0.2, look: Look | None = None) -> Option:
    """Draw the share of the buyers reached when the best-ranked share of customers is targeted."""
    look = look or Look()
    model, chance = look.say("this model"), look.say(say("at random"))
    reached = [[_points(point["fraction"], 1), _points(point["reached"], 1)] for point in points]
    per_cent = {"axisLabel": {"formatter": "{value}%", "color": look.palette.soft}}
    here = {
        "symbol": "none",
        "silent": True,
        "animation": False,
        "lineStyle": {"color": look.palette.ink, "type": "solid", "width": 1.5},
        "label": {"show": False},
        "data": [{"xAxis": _points(at, 1)}],
    }
    return _chart(
        look,
        grid=_grid(top=30, bottom=30),
        legend=_legend(look, {model: LINE, chance: DASHES}),
        tooltip=_tooltip(look, "axis") | {"show": False},  # the line one aims with is the reading
        xAxis=_numbers(look, min=0, max=100, interval=20, splitLine={"show": False})
        | _axis_name(look, look.say("customers targeted, best first"), 28)
        | per_cent,
        yAxis=_numbers(look, min=0, max=100, interval=20) | per_cent,
        series=[
            {
                "type": "line",
                "name": model,
                "data": reached,
                "symbol": "none",
                "lineStyle": {"width": 3, "color": look.palette.accent},
                "itemStyle": {"color": look.palette.accent},
                "areaStyle": {"color": look.palette.accent, "opacity": 0.12},
                "markLine": here,
            },
            {
                "type": "line",
                "name": chance,
                "data": [[0, 0], [100, 100]],
                "symbol": "none",
                "lineStyle": {"width": 1.5, "type": "dashed", "color": look.palette.soft},
                "itemStyle": {"color": look.palette.soft},
            },
        ],
    )


def calibration(points: Sequence[Part], look: Look | None = None) -> Option:
    """Draw what was predicted against what came true, with intervals; a sound probability lies on the diagonal."""
    look = look or Look()
    model, right = look.say("this model"), look.say(say("exactly right"))
    end = _axis_end(points)
    dots = [
        {
            "value": [_points(point["mean_probability"]), _points(point["rate"])],
            "tooltip": _tip(
                look.say(
                    join(
                        [
                            *(say("predicted"), " ", percent(point["mean_probability"]), ", "),
                            *(say("came true"), " ", percent(point["rate"])),
                            *(interval(point.get("low"), point.get("high"), percent), "\n", number(point["profiles"])),
                        ],
                        "",
                    )
                )
            ),
        }
        for point in points
    ]
    bars = [
        [
            {"coord": [_points(point["mean_probability"]), _points(point["low"])]},
            {"coord": [_points(point["mean_probability"]), _points(point["high"])]},
        ]
        for point in points
        if point.get("low") is not None and point.get("high") is not None
    ]
    per_cent = {"axisLabel": {"formatter": "{value}%", "color": look.palette.soft}}
    return _chart(
        look,
        grid=_grid(top=30, bottom=30, left=24),
        legend=_legend(look, {model: "circle", right: DASHES}),
        tooltip=_tooltip(look, "item"),
        xAxis=_numbers(look, min=0, max=end, splitLine={"show": False})
        | _axis_name(look, look.say("predicted probability"), 28)
        | per_cent,
        yAxis=_numbers(look, min=0, max=end) | _axis_name(look, look.say("came true"), 40) | per_cent,
        series=[
            {
                "type": "scatter",
                "name": model,
                "data": dots,
                "symbolSize": 11,
                "itemStyle": {"color": look.palette.accent, "opacity": 1},
                "z": 3,
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "lineStyle": {"color": look.palette.accent, "type": "solid", "width": 2},
                    "data": bars,
                },
            },
            {
                "type": "line",
                "name": right,
                "data": [[0, 0], [end, end]],
                "symbol": "none",
                "silent": True,
                "lineStyle": {"width": 1.5, "type": "dashed", "color": look.palette.soft},
                "itemStyle": {"color": look.palette.soft},
            },
        ],
    )


def over_time(runs: Sequence[Part], propensity_type: str, look: Look | None = None) -> Option:
    """Draw for each bucket what was expected (dotted) and what happened (solid, with its interval), run after run.

    Each run holds `at` (its moment), `buckets`, and `provisional` where late events may still change it.
    """
    look = look or Look()
    colours = bucket_colours(propensity_type, look.palette)
    end = _rates_end([run["buckets"][bucket] for run in runs for bucket in BUCKETS])
    keys = {look.say(_signed(bucket)): bucket for bucket in reversed(BUCKETS)}
    icons = {name: SHAPES[bucket] for name, bucket in keys.items()}
    series = [part for name, bucket in keys.items() for part in _rate_lines(runs, bucket, name, colours[bucket], look)]
    # Two lines without points explain the dashes in the legend.
    series += [
        {"type": "line", "name": name, "data": [], "itemStyle": {"color": look.palette.soft}}
        for name in (look.say("expected"), look.say("actual"))
    ]
    return _chart(
        look,
        grid=_grid(top=34, right=28),
        legend=_legend(look, icons | {look.say("expected"): DASHES, look.say("actual"): LINE}),
        tooltip=_tooltip(look, "item"),
        xAxis=_axis(look) | {"type": "time", "splitNumber": 6, "axisLabel": _days(look), "minInterval": DAY_MS},
        yAxis=_numbers(look, min=0, max=end, axisLabel={"formatter": "{value}%", "color": look.palette.soft}),
        series=series,
    )


def _rate_lines(runs: Sequence[Part], bucket: str, name: str, colour: str, look: Look) -> list[Option]:
    known = [(run, run["buckets"][bucket]) for run in runs if run["buckets"][bucket]["profiles"]]
    happened = [(run, rates) for run, rates in known if rates.get("rate") is not None]
    dots = [
        {
            "value": [run["at"], _points(rates["rate"])],
            "itemStyle": {"color": look.palette.card if run.get("provisional") else colour, "borderColor": colour},
            "tooltip": _tip(
                look.say(
                    join(
                        [
                            *(name, ", ", run["at"][:10], ": ", say("actual"), " ", percent(rates["rate"])),
                            *(interval(rates["low"], rates["high"], percent), "\n"),
                            *(say("expected"), " ", percent(rates["expected"])),
                            *(interval(rates.get("likely_low"), rates.get("likely_high"), percent), "\n"),
                            *(number(rates["qualifying"]), " / ", number(rates["profiles"])),
                        ],
                        "",
                    )
                )
            ),
        }
        for run, rates in happened
    ]
    whiskers = [
        [{"coord": [run["at"], _points(rates["low"])]}, {"coord": [run["at"], _points(rates["high"])]}]
        for run, rates in happened
    ]
    return [
        {
            "type": "line",
            "data": [[run["at"], _points(rates["expected"])] for run, rates in known],
            "symbol": "none",
            "silent": True,
            "lineStyle": {"width": 2, "type": [3, 5], "color": colour},
        },
        {
            "type": "line",
            "name": name,
            "data": dots,
            "symbol": SHAPES[bucket],
            "symbolRotate": 180 if bucket == "low" else 0,
            "symbolSize": 10,
            "lineStyle": {"width": 2.5, "color": colour},
            "itemStyle": {"color": colour, "borderWidth": 2, "borderColor": colour},
            "markLine": {
                "silent": True,
                "symbol": "none",
                "animation": False,
                "lineStyle": {"color": colour, "type": "solid", "width": 1.5, "opacity": 0.7},
                "data": whiskers,
            },
        },
    ]


def sizes(counts: Sequence[tuple[str, int]], look: Look | None = None) -> Option:
    """Draw how many belonged at each moment, oldest first; the number holds until the next."""
    look = look or Look()
    points = [
        {
            "value": [at, size],
            "tooltip": _tip(look.say(say("{day}: {n:,} people", day=say_day(at), n=size))),
        }
        for at, size in counts
    ]
    return _chart(
        look,
        grid=_grid(),
        tooltip=_tooltip(look, "item"),
        xAxis=_axis(look) | {"type": "time", "splitNumber": 4, "axisLabel": _days(look), "minInterval": DAY_MS},
        yAxis=_numbers(look, min=0, minInterval=1, splitNumber=4),
        series=[
            {
                "type": "line",
                "step": "end",
                "data": points,
                "symbol": "circle",
                "symbolSize": 8,
                "lineStyle": {"width": 2.5, "color": look.palette.accent},
                "itemStyle": {"color": look.palette.accent},
                "areaStyle": {"color": look.palette.accent, "opacity": 0.12},
            }
        ],
    )


def did_and_did_not(histograms: Part, look: Look | None = None) -> Option:
    """Draw how the scores of those who met the goal are spread (above) and of those who did not (below), as shares."""
    look = look or Look()
    panels = (("did", look.say("did"), look.palette.accent), ("did_not", look.say("did not"), look.palette.soft))
    shares = {key: [part / max(sum(histograms[key]), 1) for part in histograms[key]] for key, _, _ in panels}
    top = max((share for parts in shares.values() for share in parts), default=0) or 1
    width = 100 / len(histograms["did"])
    bins = [f"{brief(bin_ * width)}" for bin_ in range(len(histograms["did"]))]
    label = {"color": look.palette.soft, "interval": max(len(bins) // 4 - 1, 0), "align": "left", "showMinLabel": True}
    return _chart(
        look,
        tooltip=_tooltip(look, "item"),
        grid=[{"left": 64, "right": 14, "top": place, "height": "36%"} for place in ("6%", "50%")],
        xAxis=[
            _names(look, bins, gridIndex=panel) | {"axisLabel": label if panel else {"show": False}}
            for panel in range(len(panels))
        ],
        yAxis=[
            _numbers(look, gridIndex=panel, min=0, max=top)
            | {"axisLabel": {"show": False}, "splitLine": {"show": False}}
            | {"name": name, "nameLocation": "middle", "nameRotate": 0, "nameGap": 10}
            | {"nameTextStyle": {"align": "right", "color": look.palette.ink, "fontSize": 13}}
            for panel, (_, name, _) in enumerate(panels)
        ],
        series=[
            {
                "type": "bar",
                "name": name,
                "xAxisIndex": panel,
                "yAxisIndex": panel,
                "barCategoryGap": "10%",
                "itemStyle": {"color": colour},
                "data": [
                    {
                        "value": share,
                        "tooltip": _tip(
                            look.say(
                                say(
                                    "{name}, score {start} – {end}: {share}",
                                    name=name,
                                    start=brief(place * width),
                                    end=brief((place + 1) * width),
                                    share=percent(share),
                                )
                            )
                        ),
                    }
                    for place, share in enumerate(shares[key])
                ],
            }
            for panel, (key, name, colour) in enumerate(panels)
        ],
    )


def promised_and_came_true(promised: Sequence[Part], came: Sequence[Part], look: Look | None = None) -> Option:
    """Draw the curve of gains as it was promised (dotted) and as it came true (solid)."""
    look = look or Look()
    option = gains(came, 1.0, look)
    came_line, random = option["series"]
    came_line["name"] = look.say("came true")
    del came_line["markLine"]
    promise = {
        "type": "line",
        "name": look.say("promised"),
        "data": [[_points(point["fraction"], 1), _points(point["reached"], 1)] for point in promised],
        "symbol": "none",
        "lineStyle": {"width": 2, "type": [3, 5], "color": look.palette.ink},
        "itemStyle": {"color": look.palette.ink},
    }
    icons = {look.say("promised"): DASHES, look.say("came true"): LINE, look.say("at random"): DASHES}
    return option | {"legend": _legend(look, icons), "series": [came_line, promise, random]}


def calendar(days: Sequence[tuple[str, int]], look: Look | None = None) -> Option:
    """Draw how many events each day had, week by week; a day without any is crossed out."""
    look = look or Look()
    most = max((events for _, events in days), default=0) or 1
    weeks = max(1, math.ceil(len(days) / 7))
    cells = [
        {
            "value": [day, events],
            "tooltip": _tip(look.say(say("{day}: {n:,} events", day=say_day(day), n=events))),
        }
        for day, events in days
    ]
    silent = [
        {"value": [day, 0], "tooltip": _tip(look.say(say("{day}: no event", day=say_day(day))))}
        for day, events in days
        if not events
    ]
    return _chart(
        look,
        tooltip=_tooltip(look, "item"),
        visualMap={
            "show": False,
            "min": 0,
            "max": most,
            "seriesIndex": 0,
            "inRange": {"color": [look.palette.line, look.palette.accent]},
        },
        calendar={
            "top": 26,
            "left": 34,
            "right": 8,
            "bottom": 4,
            "cellSize": ["auto", 15] if weeks > 20 else [18, 15],
            "range": [days[0][0], days[-1][0]],
            "itemStyle": {"color": "transparent", "borderColor": look.palette.card, "borderWidth": 2},
            "splitLine": {"show": False},
            "yearLabel": {"show": False},
            "dayLabel": {"color": look.palette.soft, "firstDay": 1, "nameMap": look.say("S M T W T F S").split()},
            "monthLabel": {
                "color": look.palette.soft,
                "nameMap": look.say("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split(),
            },
        },
        series=[
            {"type": "heatmap", "coordinateSystem": "calendar", "data": cells},
            {
                "type": "scatter",
                "coordinateSystem": "calendar",
                "data": silent,
                "symbol": CROSS,
                "symbolSize": 8,
                "itemStyle": {"color": look.palette.bad},
            },
        ],
    )


# Numbers as people read them


def brief(value: float) -> str:
    """Write a number with the three figures that matter most; whole numbers below ten thousand stay whole.

    >>> [brief(number) for number in (3, 2.5, 0.12345, 0.0000123, 12_345, 1_250_000, -40, 1234.5)]
    ['3', '2.5', '0.123', '0.0000123', '12.3k', '1.25M', '-40', '1,234']
    """
    size = abs(value)
    for limit, unit, letter in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= limit:
            return _written(f"{value / unit:.3g}", letter)
    return _written(f"{value:,.0f}" if size >= 1000 else format(Decimal(f"{value:.3g}"), "f"))


def percent(part: float | None) -> str:
    """Write a fraction as a percentage, finer where it is small.

    >>> [percent(part) for part in (0.582, 0.0312, 0.05, 0.0004, 0, None)]
    ['58%', '3.1%', '5%', '0.04%', '0%', '–']
    """
    if part is None:
        return "–"
    value = 100 * part
    digits = 0 if abs(value) >= 9.95 or value == 0 else 1 if abs(value) >= 0.1 else 2
    return _written(_rounded(value, digits), "%")


def share(part: float, whole: float) -> str:
    """Write a part of a whole as a percentage.

    >>> share(412, 2759), share(0, 0)
    ('15%', '–')
    """
    return percent(part / whole if whole else None)


def times(factor: float | None) -> str:
    """Write how many times: ``2.1×``.

    >>> times(2.14), times(None)
    ('2.1×', '–')
    """
    return "–" if factor is None else _written(f"{factor:.2g}" if factor < 0.95 else f"{factor:,.1f}", "×")


def _written(digits: str, sign: str = "") -> Phrase:
    """Remember a number as it was written, for languages that write it in another way.

    >>> _written("1,234.5", "%").template, _written("1,234.5", "%").values
    ('{digits:number}%', {'digits': '1,234.5'})
    """
    return Phrase(digits + sign, "{digits:number}" + sign, {"digits": digits})


def interval(low: float | None, high: float | None, write: Callable[[float | None], str]) -> str:
    """Write a 95 % interval in brackets, or nothing when there is none.

    >>> interval(0.1, 0.2, percent), interval(None, None, percent)
    (' (10% – 20%)', '')
    """
    return "" if low is None or high is None else join([" (", write(low), " – ", write(high), ")"], "")


def decile_name(decile: int) -> str:
    """Name a tenth of the ranking by its place.

    >>> decile_name(1), decile_name(4)
    ('top 10%', '30–40%')
    """
    return say("top 10%") if decile == 1 else join([str(10 * (decile - 1)), "–", percent(decile / 10)], "")


# The parts all charts share


def _chart(look: Look, **parts: Any) -> Option:
    return {
        "backgroundColor": "transparent",
        "animationDuration": 300,
        "textStyle": {"color": look.palette.ink, "fontFamily": "system-ui, 'Segoe UI', Roboto, sans-serif"},
    } | parts


def _tooltip(look: Look, trigger: str) -> Option:
    return {
        "trigger": trigger,
        "renderMode": "richText",
        "confine": True,
        "backgroundColor": look.palette.card,
        "borderColor": look.palette.soft,
        "textStyle": {"color": look.palette.ink, "fontSize": 13},
    }


def _tip(text: str) -> Option:
    return {"formatter": text}


def _legend(look: Look, icons: Mapping[str, str]) -> Option:
    return {
        "top": 0,
        "right": 0,
        "itemGap": 18,
        "textStyle": {"color": look.palette.soft},
        "selectedMode": False,
        "data": [{"name": name, "icon": icon} for name, icon in icons.items()],
    }


def _grid(**places: int) -> Option:
    return {"left": 8, "right": 18, "top": 12, "bottom": 8, "containLabel": True} | places


def _axis(look: Look) -> Option:
    return {
        "axisLine": {"show": True, "lineStyle": {"color": look.palette.soft}},
        "axisTick": {"show": False},
        "axisLabel": {"color": look.palette.soft, "hideOverlap": True},
    }


def _numbers(look: Look, **more: Any) -> Option:
    return (
        _axis(look)
        | {"type": "value", "axisLine": {"show": False}, "splitLine": {"lineStyle": {"color": look.palette.line}}}
        | more
    )


def _names(look: Look, names: Sequence[str], **more: Any) -> Option:
    return _axis(look) | {"type": "category", "data": list(names)} | more


def _axis_name(look: Look, name: str, gap: int) -> Option:
    return {"name": name, "nameLocation": "middle", "nameGap": gap, "nameTextStyle": {"color": look.palette.soft}}


def _axis_end(points: Sequence[Part]) -> float:
    """End of both axes: a round percentage just above everything shown, so that rare goals are readable too."""
    return _round_end([point.get(key) for point in points for key in ("mean_probability", "rate", "high")])


def _rates_end(rates: Sequence[Part]) -> float:
    """End of an axis of rates: a round percentage just above everything shown."""
    return _round_end([rate.get(key) for rate in rates for key in ("expected", "rate", "high")])


def _round_end(parts: Sequence[float | None]) -> float:
    top = max((100 * (part or 0) for part in parts), default=100)
    return next((end for end in (0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 80) if top <= end), 100)


def _days(look: Look) -> Option:
    return {"color": look.palette.soft, "hideOverlap": True, "formatter": "{d} {MMM} {yy}"}


def _points(part: float, digits: int = 3) -> float:
    """Give a fraction in percentage points."""
    return round(100 * part, digits)
