"""What a backtest found, in words and as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from likelier.insights import charts, words
from likelier.insights.charts import Look, Option
from likelier.insights.pages import page


def backtest_page(found: Mapping[str, Any]) -> str:
    """Write a backtest as one HTML page."""
    told = Page(found)
    return page("backtest.html.j2", told.options, propensity_type=told.propensity_type, page=told)


def headline(found: Mapping[str, Any]) -> list[str]:
    """Say in a few sentences whether it would have come true."""
    judged = [row for row in found["cut_offs"] if "problem" not in row]
    asked = len(found["cut_offs"])
    if not judged:
        return [f"None of the {asked} runs in the past would have given scores."]
    return [
        f"Put back in time {_times(asked)}, {found['outcome_days']} days apart"
        + (f"; {len(judged)} runs would have given scores." if len(judged) < asked else "."),
        *(
            said
            for bucket in ("high", "low")
            if (said := words.bucket_words(bucket, found["together"], words.deed(found) if bucket == "high" else None))
        ),
        _order_words([row["auc"]["value"] for row in judged if row["auc"]]),
    ]


def _order_words(aucs: Sequence[float]) -> str:
    if not aucs:
        return "At no cut-off did some meet the goal and others not."
    low, high = f"{min(aucs):.2f}", f"{max(aucs):.2f}"
    return f"The AUC on what then happened was {low if low == high else f'{low} to {high}'}."


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


class Page:
    """A backtest as the template reads it."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.found = found
        self.instance: Mapping[str, Any] = found["instance"]
        self.name = str(self.instance["name"])
        self.propensity_type = str(found["propensity_type"])
        self.deed = words.deed(found)
        self.headline = headline(found)
        self.together = found["together"]
        self.cut_offs = found["cut_offs"]
        self.judged = [row for row in self.cut_offs if "problem" not in row]
        self.problems = [row for row in self.cut_offs if "problem" in row]

    @property
    def settings(self) -> str:
        return str(yaml.safe_dump(dict(self.instance), sort_keys=False, allow_unicode=True))

    @property
    def within(self) -> tuple[int, int]:
        """Say how many rates of a bucket at a cut-off came as the run said they would, and of how many."""
        all_rates = [rates for row in self.judged for rates in row["buckets"].values() if rates["profiles"]]
        return sum(rates["likely_low"] <= rates["rate"] <= rates["likely_high"] for rates in all_rates), len(all_rates)

    def options(self, look: Look) -> dict[str, Option]:
        """Give the option dict of every chart the page has a place for."""
        if not self.judged:
            return {}
        times = [{"at": row["cut_off"], "buckets": row["buckets"]} for row in self.judged]
        drawn = {"over-time": charts.over_time(times, self.propensity_type, look)}
        if self.together["calibration"]:
            drawn["calibration"] = charts.calibration(self.together["calibration"], look)
            drawn["gains"] = charts.promised_and_came_true(
                self.judged[-1]["promised"]["gains"], self.judged[-1]["gains"], look
            )
        for row in self.judged:
            drawn[f"spread-{row['cut_off'][:10]}"] = charts.did_and_did_not(row["histograms"], look)
        return drawn
