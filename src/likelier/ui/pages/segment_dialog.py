"""A segment in the making: of a bucket, of a rule that is given, or of one that is put together or written here."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlencode

from nicegui import ui

from likelier.errors import LikelierError
from likelier.service.segments import Wanted, change_segment, create_segment, estimate_segment
from likelier.service.suggest import RuleChoices, common_values, rule_choices
from likelier.ui.language import _, count, said
from likelier.ui.parts import action, answer_of, block, complain, later, opened, text, toast
from likelier.ui.rules import RuleBuilder, blank_rule, rule_of
from likelier.ui.site import Site, Visitor

SETTLED_SECONDS = 0.7
Found = dict[str, Any]


def segment_address(name: str, **more: str) -> str:
    """The address of a segment's page."""
    return "/segments?" + urlencode({"name": name, **more})


def segment_dialog(
    site: Site,
    visitor: Visitor,
    *,
    instance: str = "",
    bucket: str = "",
    rule: Found | None = None,
    about: str = "",
    name: str = "",
) -> None:
    """Make a segment of a bucket of an instance, of a rule that is given, or of one that is built here.

    `about` is a sentence on the rule that is given.
    """
    wish = _OfRule(rule, about) if rule else _OfBucket(instance, bucket) if instance else _Built(site)

    def create(name: str, about: str, wanted: Wanted) -> Found:
        return create_segment(site.workspace, visitor.actor, name, wanted, description=about)

    def made(found: Found) -> None:
        toast(_("'{name}' has {number} people.", name=found["name"], number=count(found["size"])))
        ui.navigate.to(segment_address(found["name"]))

    _open(_("New segment"), _Making(site, wish, name or _suggested(instance, bucket), "", _("Create"), create, made))


def edit_dialog(site: Site, visitor: Visitor, segment: Found) -> None:
    """Change a segment's name, description and rule."""

    def change(name: str, about: str, wanted: Wanted) -> Found:
        return change_segment(
            site.workspace,
            visitor.actor,
            segment["id"],
            new_name=name if name != segment["name"] else None,
            description=about,
            wanted=wanted if wanted.text != segment["text"] else None,
            was=segment["revision"],
        )

    def changed(found: Found) -> None:
        ui.navigate.to(segment_address(found["name"], edited=found["revision"]))

    wish = _Written(segment["text"])
    _open(
        _("Edit {name}", name=segment["name"]),
        _Making(site, wish, segment["name"], segment["description"], _("Save"), change, changed),
    )


def _open(title: str, making: _Making) -> None:
    with opened(title, "wide-dialog"):
        making.draw()


def _suggested(instance: str, bucket: str) -> str:
    return f"{instance}: {_bucket_word(bucket)}" if instance else ""


def _bucket_word(bucket: str) -> str:
    return {"low": _("low"), "medium": _("medium"), "high": _("high")}[bucket]


class Wish(Protocol):
    """Who is wanted in a segment; `changed` is set by whoever wants to hear of changes."""

    changed: Callable[[], None]

    def draw(self) -> None: ...

    def wanted(self) -> Wanted | None: ...


class _OfBucket:
    def __init__(self, instance: str, bucket: str) -> None:
        self._instance, self._bucket = instance, bucket
        self.changed: Callable[[], None] = lambda: None

    def draw(self) -> None:
        said = _(
            "Everybody whose latest score of '{instance}' is {bucket}. It follows each new run.",
            instance=self._instance,
            bucket=_bucket_word(self._bucket),
        )
        text(said)

    def wanted(self) -> Wanted:
        return Wanted(instance=self._instance, bucket=self._bucket)


class _OfRule:
    def __init__(self, rule: Found, about: str) -> None:
        self._rule, self._about = rule, about
        self.changed: Callable[[], None] = lambda: None

    def draw(self) -> None:
        if self._about:
            text(self._about)

    def wanted(self) -> Wanted:
        return Wanted(rule=self._rule)


class _Built:
    """A rule put together by hand, or written."""

    def __init__(self, site: Site) -> None:
        self._site, self._document = site, blank_rule()
        self._way = "built"
        self._written, self._pql = _Written(""), _Pql("")
        self.changed: Callable[[], None] = lambda: None

    def draw(self) -> None:
        ways = {"built": _("Put together"), "written": _("Written"), "pql": _("Profile Query Language")}
        way = ui.radio(ways, value=self._way).props("inline")
        way.props["aria-label"] = _("How the rule is made")
        places = {name: block("div", "stack") for name in ways}

        def turn(chosen: str) -> None:
            self._way = chosen
            for name, place in places.items():
                place.set_visibility(name == chosen)
            self.changed()

        way.on_value_change(lambda change: turn(change.value))
        with places["built"]:
            later(partial(rule_choices, self._site.workspace), self._draw_builder)
        for name, wish in (("written", self._written), ("pql", self._pql)):
            wish.changed = lambda: self.changed()  # noqa: PLW0108 - whoever hears of changes may come later
            places[name].set_visibility(False)
            with places[name]:
                wish.draw()

    def _draw_builder(self, found: RuleChoices) -> None:
        async def suggest(path: str) -> list[str]:
            return await to_thread(common_values, self._site.workspace, found.datasets, path)

        # Whoever hears of changes may come later than the builder.
        RuleBuilder(found, lambda: self.changed(), suggest).draw(self._document)  # noqa: PLW0108

    def wanted(self) -> Wanted | None:
        if self._way == "built":
            rule = rule_of(self._document)
            return Wanted(rule=rule) if rule else None
        return {"written": self._written, "pql": self._pql}[self._way].wanted()


class _Written:
    """A rule written as an expression."""

    examples = (
        'score of "Buy again" >= 75',
        'factor "Days since webVisit" of "Buy again" raises',
        "did (commerce.purchases.value exists) at least 2 times in the last 30 days",
        'loyalty.tier = "gold" and not in segment "Staff"',
    )
    placeholder = 'score of "Buy again" >= 75 and loyalty.tier = "gold"'

    def __init__(self, written: str) -> None:
        self._text = written
        self.changed: Callable[[], None] = lambda: None

    def draw(self) -> None:
        rule = ui.textarea(_("Who belongs to it"), value=self._text, placeholder=self.placeholder)
        rule.props("outlined autogrow input-class=mono").on_value_change(lambda change: self._write(change.value or ""))
        with block("details"):
            text(_("How to write it"), "summary")
            with block("div", "stack tight"):
                for example in self.examples:
                    text(example, "pre", "soft")

    def _write(self, written: str) -> None:
        self._text = written
        self.changed()

    def wanted(self) -> Wanted | None:
        return self._as_wanted(self._text) if self._text.strip() else None

    def _as_wanted(self, written: str) -> Wanted:
        return Wanted(text=written)


class _Pql(_Written):
    """A rule written in the Profile Query Language."""

    examples = (
        'homeAddress.countryCode = "US" and person.name.startsWith("A", false)',
        "exists E from xEvent where E.commerce.purchases.value > 0 and (E.timestamp occurs <= 30 days before now)",
        'xEvent[eventType = "order" and timestamp occurs < 2 weeks before now].count() >= 3',
        'inSegment("Staff")',
    )
    placeholder = 'tier in ["gold", "silver"] and email.isNotNull()'

    def _as_wanted(self, written: str) -> Wanted:
        return Wanted(pql=written)


class _Making:
    """A segment in the making: its rule read back and counted when nothing has changed for a moment."""

    def __init__(
        self,
        site: Site,
        wish: Wish,
        name: str,
        about: str,
        do_it: str,
        save: Callable[[str, str, Wanted], Found],
        saved: Callable[[Found], None],
    ) -> None:
        self._site, self._wish, self._do_it, self._save, self._saved = site, wish, do_it, save, saved
        self._suggested, self._about_before = name, about
        self._newest = 0

    def draw(self) -> None:
        self._name = ui.input(_("Name"), value=self._suggested).props("outlined dense autofocus maxlength=200")
        self._about = ui.input(_("Description"), value=self._about_before).props("outlined dense")
        self._wish.draw()
        self._size = text("", "p", "estimate", aria_live="polite")
        self._settled = ui.timer(SETTLED_SECONDS, self._estimate, active=False)
        self._wish.changed = self._wait
        self._wait()
        with block("div", "row end"):
            self._button = action(self._do_it, self._keep, "check", kind="main")

    def _wait(self) -> None:
        self._settled.deactivate()
        self._settled = ui.timer(SETTLED_SECONDS, self._estimate, once=True)

    async def _estimate(self) -> None:
        wanted = self._wish.wanted()
        self._newest += 1
        mine = self._newest
        if wanted is None:
            self._tell("", refused=False)
            return
        self._tell(_("Counting …"), refused=False)
        try:
            found = await to_thread(estimate_segment, self._site.workspace, wanted)
        except LikelierError as error:
            told, refused = said(str(error)), True
        else:
            told, refused = _("{number} people who {words}.", number=count(found["size"]), words=found["words"]), False
        if mine == self._newest and not self._size.is_deleted:
            self._tell(told, refused=refused)

    def _tell(self, words: str, *, refused: bool) -> None:
        self._size.set_text(words)
        self._size.classes("refused" if refused else "", remove="" if refused else "refused")

    async def _keep(self) -> None:
        chosen, about, wanted = (self._name.value or "").strip(), (self._about.value or "").strip(), self._wish.wanted()
        if not chosen:
            complain(_("Give it a name first."))
            return
        if wanted is None:
            complain(_("Say who belongs to it first."))
            return
        if kept := await answer_of(lambda: self._save(chosen, about, wanted)):
            self._saved(kept)
