"""Whether it came true, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from likelier.insights import words
from likelier.insights.charts import percent
from likelier.phrases import day, join, load, say


def headline(runs: Sequence[Mapping[str, Any]], deed: str) -> list[str]:
    """Say what came of the latest run whose outcomes are known: of those called high, and of those called low."""
    if not runs:
        return [say("No run has given scores yet.")]
    run = _latest_closed(runs)
    if run is None:
        closes = day(runs[0]["until"])
        return [say("Nothing can be said yet: the first outcome window closes on {closes}.", closes=closes)]
    said = [words.bucket_words(bucket, run, deed if bucket == "high" else None) for bucket in ("high", "low")]
    return [say("Scored on {day}.", day=day(run["cut_off"])), *filter(None, said)]


def judgement(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of that run how well it told people apart, whether that was foretold, and how settled it all is."""
    run = _latest_closed(runs)
    return list(filter(None, [order(run), foretold(run), state(run)])) if run else []


def _latest_closed(runs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((run for run in reversed(runs) if run["state"] != "open"), None)


def order(run: Mapping[str, Any]) -> str:
    """Compare the AUC that was promised with the one that came true.

    >>> order({"promised": {"auc": {"value": 0.8}}, "auc": {"value": 0.78, "low": 0.75, "high": 0.81}})
    'The AUC was 0.78 (0.75 – 0.81), as the 0.80 that was promised allows.'
    >>> order({"promised": {"auc": {"value": 0.8}}, "auc": {"value": 0.7, "low": 0.67, "high": 0.73}})
    'The AUC was 0.70 (0.67 – 0.73), less than the 0.80 that was promised.'
    """
    auc, promised = run["auc"], (run["promised"].get("auc") or {}).get("value")
    if auc is None:
        return say("Everybody or nobody met the goal, so there is no order to judge.")
    came = say("The AUC was {value:.2f} ({low:.2f} – {high:.2f})", **auc)
    if promised is None:
        return say("{came}.", came=came)
    if auc["low"] <= promised <= auc["high"]:
        return say("{came}, as the {promised:.2f} that was promised allows.", came=came, promised=promised)
    if auc["value"] < promised:
        return say("{came}, less than the {promised:.2f} that was promised.", came=came, promised=promised)
    return say("{came}, more than the {promised:.2f} that was promised.", came=came, promised=promised)


def foretold(run: Mapping[str, Any]) -> str:
    """Hold the AUC that was estimated before outcomes were known against the one that came true.

    >>> run = {"auc": {"value": 0.78}, "estimated": {"auc": {"value": 0.8, "low": 0.77, "high": 0.83}}}
    >>> foretold(run)
    'Before outcomes were known, 0.80 (0.77 – 0.83) was estimated: it came within.'
    >>> foretold({**run, "auc": {"value": 0.7}})
    'Before outcomes were known, 0.80 (0.77 – 0.83) was estimated: it came lower.'
    """
    estimated, auc = (run.get("estimated") or {}).get("auc"), run["auc"]
    if estimated is None or auc is None:
        return ""
    told = {key: estimated[key] for key in ("value", "low", "high")}
    said = say("Before outcomes were known, {value:.2f} ({low:.2f} – {high:.2f}) was estimated", **told)
    if auc["value"] < told["low"]:
        return say("{said}: it came lower.", said=said)
    if auc["value"] > told["high"]:
        return say("{said}: it came higher.", said=said)
    return say("{said}: it came within.", said=said)


def estimate(auc: Mapping[str, Any] | None) -> str:
    """Say what the AUC will probably be, before outcomes are known; never without the word estimated.

    >>> estimate({"value": 0.74, "low": 0.71, "high": 0.77})
    'Estimated from the probabilities, before outcomes are known: AUC 0.74 (0.71 – 0.77).'
    """
    if auc is None:
        return ""
    return say(
        "Estimated from the probabilities, before outcomes are known: AUC {value:.2f} ({low:.2f} – {high:.2f}).", **auc
    )


def changed(drift: Mapping[str, Any] | None) -> list[str]:
    """Say what has changed since the people the model was judged on, what matters most first."""
    if drift is None:
        return []
    if said := [drifted(found) for found in drift["findings"]]:
        return said
    if drift["usual_is_known"]:
        return [say("Nothing has changed beyond what is usual.")]
    return [say("There is too little history to know what change is usual, so none is called drift.")]


def drifted(finding: Mapping[str, Any]) -> str:
    """Say what has drifted, in words that know other languages; a record of an older version has English alone."""
    words: str = load(finding.get("said", finding["words"]))
    return words


def state(run: Mapping[str, Any]) -> str:
    """Say how far a run's figures are settled, and what late events changed."""
    if run["state"] == "open":
        closes = say("Open: the outcome window closes on {day}.", day=day(run["until"]))
        return join([closes, *filter(None, [estimate((run["estimated"] or {}).get("auc"))])])
    said = []
    if run["state"] == "provisional":
        until = day(run["settles"])
        said.append(say("Provisional until the data reaches {until}: late events may still come.", until=until))
    if run["corrections"]:
        first, last = run["corrections"][0]["before"]["all"], run["corrections"][-1]["after"]["all"]
        was, here = (words.some_of(each["qualifying"], each["profiles"]) for each in (first, last))
        said.append(say("Corrected after late events: {here} met the goal, not {was}.", here=here, was=was))
    return join(said)


def rates(told: Mapping[str, Any]) -> str:
    """Write expected and actual of some people.

    >>> rates({"profiles": 10, "expected": 0.4, "rate": 0.5, "low": 0.24, "high": 0.76})
    '40% → 50% (24% – 76%)'
    >>> rates({"profiles": 10, "expected": 0.4, "rate": None}), rates({"profiles": 0})
    ('40% → ?', '–')
    """
    if not told["profiles"]:
        return "–"
    if told["rate"] is None:
        return say("{expected} → ?", expected=percent(told["expected"]))
    each = {key: percent(told[key]) for key in ("expected", "rate", "low", "high")}
    return say("{expected} → {rate} ({low} – {high})", **each)


def newest_of_each_moment(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of several runs at one moment keep the newest: a line has one point at a time."""
    return list({run["cut_off"]: run for run in runs}.values())
