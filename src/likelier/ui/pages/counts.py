"""What a run would find, counted while the question is being written."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable
from functools import partial
from typing import Any

from likelier.errors import LikelierError
from likelier.insights.charts import percent
from likelier.instance import Instance
from likelier.phrases import join
from likelier.service.overview import Words
from likelier.ui.language import _, count, date
from likelier.ui.parts import action, block, card, hint, loading, text

Found = dict[str, Any]


class Counts:
    """The counts beside the builder; only the answer to the newest question is shown."""

    def __init__(self, take: Callable[[Found], None]) -> None:
        self._take, self._newest, self._shown = take, 0, ""
        with card("counts", tag="div"):
            text(_("What a run would find"), "h2")
            self._words = block("div", "stack tight", aria_live="polite")
            self._numbers = block("div", "stack tight", aria_live="polite")

    async def count(
        self, asked: Callable[[], Instance], say: Callable[[Instance], Words], check: Callable[[Instance], Found]
    ) -> None:
        """Read the question back at once, then count in a thread."""
        try:
            instance = asked()
        except LikelierError:
            self._unfinished()
            return
        if instance.definition_hash == self._shown:
            return
        self._newest += 1
        mine, self._shown = self._newest, instance.definition_hash
        words = await to_thread(say, instance)
        if mine != self._newest:
            return
        self._say(words)
        if words.problem:
            return
        try:
            found = await to_thread(check, instance)
        except LikelierError as error:
            found = {"problem": {"title": _("This cannot be counted"), "message": str(error), "suggestions": []}}
        if mine == self._newest and not self._numbers.is_deleted:
            self._numbers.clear()
            with self._numbers:
                self._tell(found)

    def _unfinished(self) -> None:
        self._newest += 1
        self._shown = ""
        self._words.clear()
        self._numbers.clear()
        with self._words:
            text(_("Choose what people will do, and the counts appear here."), "p", "soft")

    def _say(self, words: Words) -> None:
        self._words.clear()
        self._numbers.clear()
        with self._words:
            if words.problem:
                text(words.problem, "p", "note")
                return
            text(_("A customer who {goal}.", goal=words.goal), "p", "read-back")
            text(_("Scored: customers who {population}.", population=words.population), "p", "soft small")
        with self._numbers:
            loading(_("Counting …"))

    def _tell(self, found: Found) -> None:
        rows = (found.get("counts") or {}).get("per_cut_off") or []
        now = next((row for row in rows if row["role"] == "score"), None)
        past = [row for row in rows if row["role"] != "score"]
        judged = next((row for row in past if row["role"] == "judge"), past[-1] if past else None)
        windows = found.get("windows") or {}
        facts = [
            (_("Eligible now"), now and count(now["eligible"])),
            (_("Eligible at the last past cut-off"), judged and count(judged["eligible"])),
            (_("of these met the goal"), judged and judged["qualifying"] is not None and count(judged["qualifying"])),
            (_("Base rate"), judged and judged["base_rate"] is not None and percent(judged["base_rate"])),
            (_("Days of history"), windows.get("history_days") and count(windows["history_days"])),
            (_("Days needed"), windows.get("history_needed_days") and count(windows["history_needed_days"])),
            (_("As of"), date(found.get("as_of"))),
        ]
        meanings = {
            _("Eligible now"): _("Who would be scored: those whom the rule of 'Who is scored' lets in at that moment."),
            _("Base rate"): _("How many of the eligible met the goal within the outcome window."),
            _("Days needed"): _("The lookback or 30 days, whichever is longer, and the outcome window after it."),
        }
        with block("dl", "facts"):
            for name, value in facts:
                if value:
                    with block("div"):
                        with block("dt"):
                            text(name, "span")
                            if meaning := meanings.get(name):
                                hint(name, meaning)
                        text(value, "dd", "n")
        if (part := found.get("sampled", 1)) < 1:
            said = _(
                "Estimated from {part} of the people, drawn at random; a run looks at everybody.", part=percent(part)
            )
            text(said, "p", "soft small")
        if problem := found.get("problem"):
            self._problem(problem)
        else:
            text(_("✓ A run can go ahead."), "p", "good")
        for warning in found.get("warnings") or ():
            text(warning, "p", "note small")

    def _problem(self, problem: Found) -> None:
        with block("div", "card problem mild"):
            text(join([str(each) for each in (problem.get("code"), problem["title"]) if each]), "h3")
            text(problem["message"], "p", "small")
            better = problem.get("alternatives") or []
            for choice in better[:3]:
                action(
                    _(
                        "Predict {outcome} days, look back {lookback}",
                        outcome=choice["window_days"],
                        lookback=choice["lookback_days"],
                    ),
                    partial(self._take, choice),
                    "auto_fix_high",
                )
            if not better and problem.get("suggestions"):
                with block("ul", "small"):
                    for each in problem["suggestions"]:
                        text(each, "li")
