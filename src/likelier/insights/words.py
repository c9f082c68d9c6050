"""What the numbers of a run mean, in words a marketer uses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from likelier.insights.charts import percent, times
from likelier.phrases import Phrase, join, number, say, say_many

POOR_AUC = 0.65

NOT_FOR = (
    say("Setting prices or price points."),
    say(
        "Deciding whether an offer makes somebody likelier to act. That is uplift: compare people who got the offer "
        "with similar people who did not."
    ),
    say("Choosing which of thousands of products to recommend to a person."),
    say("Naming the stage of a buying journey a person is in."),
    say("Predicting something that has never happened yet, such as the sale of a product that is not launched."),
)


def to(phrase: str) -> str:
    """Put "to" where it belongs.

    >>> to("make a purchase"), to("not make a purchase")
    ('to make a purchase', 'not to make a purchase')
    """
    english = f"not to {phrase.removeprefix('not ')}" if phrase.startswith("not ") else f"to {phrase}"
    return Phrase(english, "to {deed}", {"deed": phrase})


def deed(insights: Mapping[str, Any]) -> str:
    """Say what those who meet the goal will do; reads after "will".

    >>> deed({"goal_deed": "make a purchase"}), deed({})
    ('make a purchase', 'meet the goal')
    """
    return str(insights.get("goal_deed") or say("meet the goal"))


def in_time(phrase: str, instance: Mapping[str, Any]) -> str:
    """Add the outcome window, of several the longest.

    >>> in_time("to make a purchase", {"goal": {"window_days": 30}})
    'to make a purchase in the next 30 days'
    """
    days = (instance.get("goal") or {}).get("window_days")
    if days is None:
        return phrase
    days = max(days) if isinstance(days, list) else days
    return say_many("{deed} in the next day", "{deed} in the next {n} days", days, deed=phrase)


def out_of(probability: float) -> str:
    """Write a probability as people among people, of a group large enough that somebody is left.

    >>> [out_of(probability) for probability in (0.71, 0.004, 0.00012, 0, 1)]
    ['71 of 100', '4 of 1,000', '1 of 10,000', 'none', '100 of 100']
    """
    if probability <= 0:
        return say("none")
    group = 100 if probability >= 0.0095 else 1000 if probability >= 0.00095 else 10_000
    return some_of(max(1, round(probability * group)), group)


def some_of(some: int, everybody: int) -> str:
    return say("{some:,} of {all:,}", some=some, all=everybody)


def headline(insights: Mapping[str, Any]) -> list[str]:
    r"""Say in two or three sentences who was scored and what to expect; the first is the shortest.

    >>> scores = {"low": 2000, "medium": 347, "high": 412, "mean_probability": 0.34,
    ...           "expected": {"low": 0.1, "medium": 0.3, "high": 0.71}}
    >>> asked = {"goal_deed": "make a purchase", "instance": {"goal": {"window_days": 30}}}
    >>> print(*headline(asked | {"scores": scores}), sep="\n")
    2,759 customers scored.
    412 are high: expect 71 of 100 of them to make a purchase in the next 30 days, 2.1 times the average.
    2,000 are low: expect 10 of 100, a third of the average.
    """
    scores = insights.get("scores") or {}
    total = sum(scores.get(bucket) or 0 for bucket in ("low", "medium", "high"))
    if not total:
        return [say("Nobody was scored.")]
    promise = in_time(to(deed(insights)), insights["instance"])
    sentences = [say_many("{n:,} customer scored.", "{n:,} customers scored.", total)]
    for bucket in ("high", "medium", "low"):
        if bucket == "medium" and len(sentences) > 1:
            continue
        if said := _bucket_sentence(bucket, scores, promise if len(sentences) == 1 else None):
            sentences.append(said)
    return sentences


def _bucket_sentence(bucket: str, scores: Mapping[str, Any], promise: str | None) -> str | None:
    count, expected = scores.get(bucket) or 0, (scores.get("expected") or {}).get(bucket)
    if not count:
        return None
    start = {
        "high": say_many("{n:,} is high", "{n:,} are high", count),
        "medium": say_many("{n:,} is medium", "{n:,} are medium", count),
        "low": say_many("{n:,} is low", "{n:,} are low", count),
    }[bucket]
    if expected is None:
        return join([start, "."], "")
    some = out_of(expected)
    said = say("{start}: expect {some}", start=start, some=some)
    if promise:
        said = say("{start}: expect {some} of them {to_do}", start=start, some=some, to_do=promise)
    mean = scores.get("mean_probability")
    return join([said, ", ", compared(expected / mean), "."] if mean else [said, "."], "")


def bucket_words(bucket: str, came: Mapping[str, Any], deed: str | None) -> str:
    """Say what was expected of a bucket and what happened; nothing where nobody was in it.

    >>> rates = {"profiles": 500, "expected": 0.31, "rate": 0.29}
    >>> bucket_words("high", {"buckets": {"high": rates}, "all": {"rate": 0.1}}, "make a purchase")
    'Of 500 called high, 31 of 100 were expected to make a purchase; 29 of 100 did, 2.9 times the average.'
    """
    rates, average = came["buckets"][bucket], came["all"]["rate"]
    if not rates["profiles"]:
        return ""
    told = {"people": rates["profiles"], "expected": out_of(rates["expected"]), "came": out_of(rates["rate"])}
    told |= {"bucket": say(bucket), "to_do": to(deed) if deed else ""}
    said = (
        say("Of {people:,} called {bucket}, {expected} were expected {to_do}; {came} did", **told)
        if deed
        else say("Of {people:,} called {bucket}, {expected} were expected; {came} did", **told)
    )
    if not average:
        return say("{said}.", said=said)
    return say("{said}, {against}.", said=said, against=compared(rates["rate"] / average))


def compared(ratio: float) -> str:
    """Say how many times the average.

    >>> [compared(ratio) for ratio in (2.14, 1.02, 0.8, 0.34, 0.12, 0.02)]
    ['2.1 times the average', 'about the average', '0.8 times the average', 'a third of the average', \
'an eighth of the average', 'less than a tenth of the average']
    """
    if 0.95 <= ratio < 1.05:
        return say("about the average")
    if ratio >= 0.6:
        return say("{ratio:,.1f} times the average", ratio=ratio)
    if ratio < 0.095:
        return say("less than a tenth of the average")
    return {
        2: say("half the average"),
        3: say("a third of the average"),
        4: say("a quarter of the average"),
        5: say("a fifth of the average"),
        6: say("a sixth of the average"),
        7: say("a seventh of the average"),
        8: say("an eighth of the average"),
        9: say("a ninth of the average"),
        10: say("a tenth of the average"),
    }[round(1 / ratio)]


def quality(auc: float | None) -> str:
    """Name how well an AUC separates.

    >>> [quality(auc) for auc in (None, 0.6, 0.65, 0.8, 0.9)]
    ['unknown', 'poor', 'fair', 'good', 'very good']
    """
    if auc is None:
        return say("unknown")
    if auc < POOR_AUC:
        return say("poor")
    return say("fair") if auc < 0.75 else say("good") if auc < 0.85 else say("very good")


def auc_words(auc: Mapping[str, Any]) -> str:
    """Say what an AUC means."""
    if auc.get("value") is None:
        return say("There is no AUC: it needs customers of both outcomes in the judging window.")
    meaning = say(
        "Take any customer who met the goal and any who did not: "
        "in {right} of 100 such pairs the model gives the first the higher score. "
        "50 would be a coin toss, 100 a perfect order.",
        right=round(100 * auc["value"]),
    )
    if auc.get("low") is None or auc.get("high") is None:
        return meaning
    chance = say(
        "How much of that may be chance: the 95% interval runs from {low:.2f} to {high:.2f}; "
        "more customers make it narrower.",
        low=auc["low"],
        high=auc["high"],
    )
    return join([meaning, chance])


def lift_words(deciles: Sequence[Mapping[str, Any]]) -> str:
    """Say what the best tenth is worth."""
    if not deciles or deciles[0].get("lift") is None:
        return ""
    best = deciles[0]
    return say(
        "Of the tenth ranked best, {rate} met the goal: {lift} the average. "
        "A good model falls from left to right; the whiskers are 95% intervals.",
        rate=percent(best["rate"]),
        lift=times(best["lift"]),
    )


def reached(points: Sequence[Mapping[str, Any]], fraction: float) -> float | None:
    """Read the share of the buyers reached from the gains curve, straight between its points.

    >>> reached([{"fraction": 0, "reached": 0}, {"fraction": 0.5, "reached": 0.8}], 0.25)
    0.4
    """
    for before, after in pairwise(points):
        if before["fraction"] <= fraction <= after["fraction"]:
            width = after["fraction"] - before["fraction"]
            part = (fraction - before["fraction"]) / width if width else 1.0
            return float(before["reached"] + part * (after["reached"] - before["reached"]))
    return None


def gains_words(points: Sequence[Mapping[str, Any]], fraction: float, deed: str) -> str:
    """Say whom a campaign to the best-ranked part reaches.

    >>> gains_words([{"fraction": 0, "reached": 0}, {"fraction": 0.2, "reached": 0.58}], 0.2, "make a purchase")
    'Target the top 20%: reach 58% of those who will make a purchase, 2.9 times random.'
    """
    got = reached(points, fraction)
    if got is None or not fraction:
        return ""
    return say(
        "Target the top {part}: reach {reached} of those who will {deed}, {times:.1f} times random.",
        part=percent(fraction),
        reached=percent(got),
        deed=deed,
        times=got / fraction,
    )


def calibration_words(metrics: Mapping[str, Any]) -> str:
    """Say how far the probabilities are from what came true."""
    error = metrics.get("calibration_error")
    if error is None:
        return ""
    return say(
        "On average a probability is {points:.1f} percentage points away from what came true. "
        "Dots on the dashed line are exactly right; above it more came true than predicted, below it less.",
        points=100 * error,
    )


def reason(code: str, value: str, contribution: float) -> str:
    """Tell a factor of one person and which way it pulls in a few words.

    >>> reason("Days since webVisit", "2", 0.4), reason("Days since webVisit", "never", -0.1)
    ('2 days since webVisit – raises', 'never webVisit – lowers')
    >>> reason("Count of purchases", "0", -0.2), reason("Count of purchases", "3", 0.3)
    ('no purchases – lowers', '3 purchases – raises')
    >>> reason("Loyalty tier", "gold", 0.1), reason("other", "", -0.1)
    ('Loyalty tier: gold – raises', 'everything else – lowers')
    """
    told = _told(code, value)
    return say("{told} – raises", told=told) if contribution > 0 else say("{told} – lowers", told=told)


def _told(code: str, value: str) -> str:
    since, count = code.removeprefix("Days since "), code.removeprefix("Count of ")
    if not value:
        return say("everything else")
    if since != code and value == "never":
        return say("never {event}", event=since)
    if since != code:
        return say("{days} days since {event}", days=value, event=since)
    if count != code and value == "0":
        return say("no {event}", event=count)
    if count != code:
        return say("{times} {event}", times=value, event=count)
    return say("{factor}: {value}", factor=code, value=value)


def effect(contribution: float | None, direction: str = "") -> str:
    """Say what a mean contribution in log-odds does to the odds.

    >>> effect(0.7), effect(-0.7), effect(0.04), effect(0.04, "mixed")
    ('odds × 2.0', 'odds ÷ 2.0', 'odds × 1.04', 'both ways')
    """
    if direction == "mixed":
        return say("both ways")
    if contribution is None:
        return ""
    ratio = math.exp(min(abs(contribution), 20))
    written = number(ratio, ",.2f" if ratio < 1.095 else ",.1f")
    return say("odds ÷ {ratio}", ratio=written) if contribution < 0 else say("odds × {ratio}", ratio=written)
