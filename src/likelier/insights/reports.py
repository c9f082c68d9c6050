"""One self-contained page of insights."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from likelier.errors import TITLES
from likelier.insights import charts, performance_words, words
from likelier.insights.charts import Look, Option
from likelier.insights.pages import count, page
from likelier.phrases import day, join, number, say
from likelier.phrases import moment_of as moment

TARGETED = 0.2


def report(
    insights: Mapping[str, Any],
    run: Mapping[str, Any],
    performance: Sequence[Mapping[str, Any]] = (),
    slices: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Write the insights of a run as one HTML page.

    ``insights`` is the content of a run's ``insights.json``, ``run`` its record, ``performance`` what came of the
    instance's runs so far, ``slices`` of the latest by attributes. Parts that a run never came to (a training issue has
    no scores) are left out, and the page says why.
    """
    told = Page(insights, run, performance)
    return page(
        "report.html.j2",
        told.options,
        propensity_type=told.propensity_type,
        gains_points=told.gains_points,
        page=told,
        told=performance_words,
        slices=slices,
    )


@dataclass(frozen=True)
class Factor:
    """A factor in the list of a bucket."""

    code: str
    anchor: str | None
    sign: str
    effect: str
    importance: float
    width: float
    direction: str


@dataclass(frozen=True)
class DrillDown:
    """How one factor's values are spread in each bucket."""

    code: str
    anchor: str
    feature: str
    buckets: tuple[str, ...]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Windows:
    """One line of the timeline: the windows of one cut-off, or of all that serve the same; places are percentages."""

    role: str
    when: str
    look: tuple[float, float]
    outcome: tuple[float, float]
    eligible: str
    qualifying: str
    base_rate: str


class Page:
    """The insights as the template reads them: missing parts are empty, never errors."""

    def __init__(
        self, insights: Mapping[str, Any], run: Mapping[str, Any], performance: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self.insights, self.run = dict(insights), dict(run)
        self.past = performance_words.newest_of_each_moment(performance)
        self.instance: Mapping[str, Any] = insights.get("instance") or {}
        self.metrics: Mapping[str, Any] = insights.get("metrics") or {}
        self.by_window: list[Mapping[str, Any]] = insights.get("by_window") or []
        self.windows: Mapping[str, Any] = insights.get("windows") or {}
        self.counts: Mapping[str, Any] = insights.get("counts") or {}
        self.propensity_type = str(insights.get("propensity_type") or "conversion")
        self.name = str(self.instance.get("name") or run.get("instance") or "Run")
        scores = insights.get("scores") or {}
        self.scored = sum(scores.get(bucket) or 0 for bucket in charts.BUCKETS)
        self.scores: Mapping[str, Any] = scores if self.scored else {}
        self.deed = words.deed(insights)
        self.to_do = words.to(self.deed)
        self.to_do_in_time = words.in_time(self.to_do, self.instance)
        self.auc: dict[str, Any] = {key: (self.metrics.get("auc") or {}).get(key) for key in ("value", "low", "high")}

    # What happened

    @property
    def state(self) -> str:
        return str(self.run.get("state") or "success")

    @property
    def state_words(self) -> str:
        return {
            "success": say("Success"),
            "training_issue": say("Training issue"),
            "failed": say("Failed"),
            "cancelled": say("Cancelled"),
        }.get(self.state, self.state.capitalize())

    @property
    def problem(self) -> dict[str, Any] | None:
        """What went wrong, however the record writes it; none for a run one may trust."""
        error = self.run.get("error")
        if isinstance(error, Mapping):
            code = error.get("code")
            title = error.get("title") or TITLES.get(code or 0, "")
            return {
                "title": join([str(part) for part in (code, title) if part]),
                "message": error.get("message") or "",
                "suggestions": list(error.get("suggestions") or ()),
            }
        if error:
            return {"title": self.state_words, "message": str(error), "suggestions": []}
        if self.poor or self.state not in ("success", "running", "queued"):
            return {
                "title": self.state_words if self.state != "success" else say("Poor model"),
                "message": "",
                "suggestions": [],
            }
        return None

    @property
    def poor(self) -> bool:
        return self.auc["value"] is not None and bool(self.auc["value"] < words.POOR_AUC)

    @property
    def histogram_rows(self) -> list[tuple[str, int]]:
        """Give the distribution in at most ten rows: fifty are for the eye, not for reading."""
        histogram = self.scores.get("histogram") or []
        group = len(histogram) // 10 if len(histogram) % 10 == 0 else 1
        width = 100 / len(histogram) if histogram else 0
        return [
            (join([charts.brief(at * width), "–", charts.brief((at + group) * width)]), sum(histogram[at : at + group]))
            for at in range(0, len(histogram), group)
        ]

    # The factors

    @property
    def drill_downs(self) -> list[DrillDown]:
        spreads = self.insights.get("spreads") or {}
        return [
            DrillDown(
                code=code,
                anchor=anchor,
                feature=str(spreads[code].get("feature") or code),
                buckets=tuple(bucket for bucket in reversed(charts.BUCKETS) if self._ranks(bucket, code)),
                rows=_spread_rows(spreads[code]),
            )
            for code, anchor in self._anchors.items()
            if code in spreads
        ]

    def factors(self, bucket: str) -> list[Factor]:
        listed = (self.insights.get("factors") or {}).get(bucket) or []
        spreads = self.insights.get("spreads") or {}
        strongest = max((factor["importance"] or 0 for factor in self._all_factors()), default=0) or 1
        return [
            Factor(
                code=str(factor["code"]),
                anchor=self._anchors[str(factor["code"])] if factor["code"] in spreads else None,
                sign={"raises": "▲", "lowers": "▼"}.get(factor.get("direction", ""), "◆"),
                direction=str(factor.get("direction") or "mixed"),
                effect=words.effect(factor.get("mean_contribution"), str(factor.get("direction") or "")),
                importance=float(factor["importance"] or 0),
                width=round(100 * float(factor["importance"] or 0) / strongest, 1),
            )
            for factor in listed
        ]

    def _all_factors(self) -> Iterator[Mapping[str, Any]]:
        for bucket in reversed(charts.BUCKETS):
            yield from (self.insights.get("factors") or {}).get(bucket) or ()

    def _ranks(self, bucket: str, code: str) -> bool:
        return any(factor["code"] == code for factor in (self.insights.get("factors") or {}).get(bucket) or ())

    @functools.cached_property
    def _anchors(self) -> dict[str, str]:
        codes = dict.fromkeys(str(factor["code"]) for factor in self._all_factors())
        return {code: f"factor-{place}" for place, code in enumerate(codes, start=1)}

    # The windows

    @functools.cached_property
    def _cut_offs(self) -> list[tuple[dt.datetime, Mapping[str, Any]]]:
        listed = [(moment(each["cut_off"]), each) for each in self.counts.get("per_cut_off") or ()]
        return sorted(listed, key=operator.itemgetter(0))

    @property
    def cut_offs(self) -> list[Windows]:
        """Give the windows of every cut-off."""
        return [self._windows([each]) for each in self._cut_offs]

    @property
    def timeline(self) -> list[Windows]:
        """Give the windows by what they serve: there may be dozens that the model learns from."""
        roles = dict.fromkeys(each.get("role") for _, each in self._cut_offs)
        return [self._windows([each for each in self._cut_offs if each[1].get("role") == role]) for role in roles]

    def _windows(self, together: Sequence[tuple[dt.datetime, Mapping[str, Any]]]) -> Windows:
        (first, _), (last, each) = together[0], together[-1]
        role = str(each.get("role") or "")
        start, end = self._timeline_ends
        return Windows(
            role=role,
            when=day(first)
            if len(together) == 1
            else say("{n} cut-offs, {first} – {last}", n=len(together), first=day(first), last=day(last)),
            look=(_place(first - self._lookback, start, end), _place(last, start, end)),
            outcome=(_place(first, start, end), _place(last + self._outcome, start, end)),
            eligible=_ranged([each.get("eligible") for _, each in together], count),
            qualifying=_ranged([each.get("qualifying") for _, each in together], count),
            base_rate=_ranged([each.get("base_rate") for _, each in together], charts.percent),
        )

    @property
    def _lookback(self) -> dt.timedelta:
        return dt.timedelta(days=float(self.windows.get("lookback_days") or 0))

    @property
    def _outcome(self) -> dt.timedelta:
        return dt.timedelta(days=float(self.windows.get("outcome_days") or 0))

    @property
    def _timeline_ends(self) -> tuple[dt.datetime, dt.datetime]:
        return self._cut_offs[0][0] - self._lookback, self._cut_offs[-1][0] + self._outcome

    @property
    def timeline_ends(self) -> tuple[str, str]:
        start, end = self._timeline_ends
        return day(start), day(end)

    @property
    def tiles(self) -> list[tuple[str, str]]:
        history = self.windows.get("history_days")
        needed = self.windows.get("history_needed_days")
        counted = [
            (say("events"), self.counts.get("events")),
            (say("customers in the data"), self.counts.get("profiles")),
            (say("eligible"), self.counts.get("eligible")),
            (say("scored"), self.counts.get("scored")),
            (say("examples learnt from"), self.counts.get("training_rows")),
            (
                say("days of history, {needed:,.0f} needed", needed=needed) if needed else say("days of history"),
                history and round(history),
            ),
        ]
        return [(label, number(value)) for label, value in counted if value is not None]

    # How good the model is

    @staticmethod
    def on_auc_scale(auc: float) -> float:
        """Place on a scale that runs from a coin toss, 0.5, to a perfect order, 1."""
        return round(min(max(200 * (auc - 0.5), 0), 100), 2)

    @property
    def gains_points(self) -> list[tuple[float, float]]:
        return [(point["fraction"], point["reached"]) for point in self.metrics.get("gains") or ()]

    @property
    def figures(self) -> list[tuple[str, str, str]]:
        """Give the other figures of quality as name, value and meaning."""
        metrics, base = self.metrics, self.metrics.get("base_rate")
        precision = metrics.get("pr_auc") or {}
        ranges = charts.interval(precision.get("low"), precision.get("high"), _two)
        rows = [
            (say("Base rate"), base, charts.percent(base), say("How many met the goal among all who were judged.")),
            (
                "PR-AUC",
                precision.get("value"),
                join([_two(precision.get("value")), ranges], ""),
                say("Mean precision over all ways to draw the line; by chance {base}.", base=_two(base)),
            ),
            (
                say("Brier score"),
                metrics.get("brier"),
                charts.brief(metrics.get("brier") or 0),
                say(
                    "Mean squared error of the probabilities; 0 is perfect, always saying the base rate gives {worst}.",
                    worst=charts.brief(base * (1 - base)),
                )
                if base
                else say("Mean squared error of the probabilities; 0 is perfect."),
            ),
            (
                say("Calibration error"),
                metrics.get("calibration_error"),
                charts.brief(metrics.get("calibration_error") or 0),
                say("Mean distance between a probability and what came true."),
            ),
        ]
        return [(label, text, meaning) for label, value, text, meaning in rows if value is not None]

    # Whether it came true

    @property
    def changed(self) -> list[str]:
        """Say what has changed since the model was judged; nothing of a run that did not look."""
        return performance_words.changed(self.insights.get("drift"))

    @property
    def estimate(self) -> str:
        return performance_words.estimate((self.insights.get("estimate") or {}).get("auc"))

    @property
    def came_true(self) -> list[str]:
        """Say what came of the latest run whose outcomes are known; nothing before there is one."""
        judged = performance_words.judgement(self.past)
        return [*performance_words.headline(self.past, self.deed), *judged] if judged else []

    # The settings

    @property
    def details(self) -> list[tuple[str, str]]:
        """Give all that is needed to repeat the run, and when it ran."""
        # A run that failed has no insights, but its record knows what it was asked.
        insights, run = self.run | self.insights, self.run
        rows = [
            (say("Run"), run.get("id")),
            (say("Outcome"), self.state_words),
            (say("Scored as of"), day(insights.get("as_of"))),
            (say("Definition"), run.get("version") and say("version {n}", n=run["version"])),
            (say("Started"), day(run.get("started_at"))),
            (say("Finished"), day(run.get("finished_at"))),
            (say("Model"), run.get("decision")),
            (say("Probabilities"), _calibrated(insights.get("calibrated"))),
            (say("Seed"), insights.get("seed")),
            *(
                (say("Data: {name}", name=name), say("version {n}", n=version))
                for name, version in (insights.get("data_versions") or {}).items()
            ),
            *((say("Time: {stage}", stage=stage), took) for stage, took in self.timings),
        ]
        return [(label, str(value)) for label, value in rows if value not in (None, "–")]

    @property
    def settings(self) -> str:
        return str(yaml.safe_dump(dict(self.instance), sort_keys=False, allow_unicode=True)) if self.instance else ""

    @property
    def timings(self) -> list[tuple[str, str]]:
        timings = self.run.get("timings") or {}
        return [(str(stage), number(float(seconds), ",.1f", " s")) for stage, seconds in timings.items()]

    # The charts

    def options(self, look: Look) -> dict[str, Option]:
        """Give the option dict of every chart the page has a place for, by that place's name."""
        drawn: dict[str, Option] = {}
        if self.scores:
            drawn["ring"] = charts.ring(self.scores, self.propensity_type, look)
            if self.scores.get("histogram"):
                drawn["distribution"] = charts.distribution(self.scores["histogram"], self.propensity_type, look)
        if self.metrics.get("deciles"):
            drawn["lift"] = charts.lift(self.metrics["deciles"], look)
        if self.metrics.get("gains"):
            drawn["gains"] = charts.gains(self.metrics["gains"], TARGETED, look)
        if self.metrics.get("calibration"):
            drawn["calibration"] = charts.calibration(self.metrics["calibration"], look)
        if self.came_true:
            times = [
                {"at": run["cut_off"], "buckets": run["buckets"], "provisional": run["state"] == "provisional"}
                for run in self.past
            ]
            drawn["over-time"] = charts.over_time(times, self.propensity_type, look)
        for drill in self.drill_downs:
            drawn[drill.anchor] = charts.spread(self.insights["spreads"][drill.code], self.propensity_type, look)
        return drawn


def _spread_rows(spread: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    return [
        (name, [charts.percent(shares[bucket]) for bucket in reversed(charts.BUCKETS)])
        for name, shares in charts.spread_rows(spread)
    ]


def _calibrated(how: str | None) -> str | None:
    return say("as the model gives them") if how == "raw" else how


def _ranged(numbers: Sequence[float | None], write: Callable[[float | None], str]) -> str:
    """Write the least and the greatest, once where they read the same."""
    known = [each for each in numbers if each is not None]
    ends = [write(min(known)), write(max(known))] if known else [write(None)]
    return join(list(dict.fromkeys(ends)), " – ")


def _two(value: float | None) -> str:
    return "–" if value is None else number(value, ".2f")


def _place(moment: dt.datetime, start: dt.datetime, end: dt.datetime) -> float:
    return round(100 * ((moment - start) / (end - start) if end > start else 0), 2)
