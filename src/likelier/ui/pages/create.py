"""An instance in four steps: set up, data, goal, options; with the counts beside, and a draft kept on the way."""

from __future__ import annotations

import copy
import threading
from asyncio import to_thread
from contextlib import suppress
from functools import partial
from typing import Any

from nicegui import background_tasks, ui
from nicegui.element import Element

from likelier.datasets import Dataset
from likelier.errors import InstanceError, LikelierError
from likelier.instance import Instance, make_instance
from likelier.phrases import say
from likelier.service.data import describe_dataset
from likelier.service.drafts import finish, save_draft
from likelier.service.overview import Overview, in_words, overview
from likelier.service.suggest import Choices, choices, common_values, datasets_to_choose
from likelier.service.work import check_instance, draw_people
from likelier.ui import frame
from likelier.ui.builder import Builder, complete, new_event
from likelier.ui.language import _, count
from likelier.ui.pages.counts import Counts
from likelier.ui.pages.datasets import glance, kind_word
from likelier.ui.pages.instances import run_now
from likelier.ui.pages.upload import upload_dialog
from likelier.ui.parts import action, answer_of, block, card, complain, empty, heading, hint, icon, later, link, text
from likelier.ui.site import Site, Visitor, address

SETTLED_SECONDS = 0.7
LOOKED_AT = 500_000  # events: more than these, of some of the people, would not be counted within two seconds
Document = dict[str, Any]


def register(site: Site) -> None:
    @address("/instances/new")
    async def new(draft: str = "", edit: str = "") -> None:
        found = await to_thread(overview, site.workspace, draft or edit) if draft or edit else None
        known = await to_thread(datasets_to_choose, site.workspace)
        title = _("Edit {name}", name=found.name) if found and edit else _("New instance")
        with frame.page(site, title, at="/") as visitor:
            if not visitor.may_manage:
                with empty(_("Access restricted"), _("You may look at instances, not make them."), "lock"):
                    pass
            else:
                _Steps(site, visitor, title, found, known, edits=bool(edit))


def blank() -> Document:
    return {
        "name": "",
        "description": "",
        "propensity_type": "conversion",
        "datasets": [],
        "namespace": "",
        "goal": {"occurs": True, "match": "all", "events": [new_event()], "window_days": 30},
        "eligible_population": {"lookback_days": 45, "match": "any", "events": [], "exclude": []},
        "custom_events": [],
        "profile_attributes": [],
        "exclusions": [],
        "schedule": "none",
        "profile_enabled": True,
    }


def asked_of(document: Document) -> Document:
    """Give the instance file that a document stands for, without what is not written to its end."""
    found = copy.deepcopy(document)
    found["goal"]["events"] = complete(found["goal"]["events"])
    population = found["eligible_population"]
    population["events"], population["exclude"] = complete(population["events"]), complete(population["exclude"])
    for key in ("custom_events", "exclusions"):
        found[key] = complete(found[key])
    return found


class _Steps:
    def __init__(
        self,
        site: Site,
        visitor: Visitor,
        title: str,
        found: Overview | None,
        known: list[Dataset],
        *,
        edits: bool,
    ) -> None:
        self._site, self._visitor, self._edits = site, visitor, edits
        self._id: str | None = found.id if found else None
        self._revision = found.revision if found else None
        self._document = copy.deepcopy({**blank(), **(found.asked if found else {})})
        self._known, self._step = known, 0
        self._suggested: dict[str, list[str]] = {}
        self._counting = threading.Lock()
        self._choices = Choices({}, {}, (), has_events=False)
        with block("div"):
            with block("nav", "crumbs", aria_label=_("Where you are")):
                link(_("Instances"), "/")
                icon("chevron_right")
                text(title, "span", aria_current="page")
            heading(title)
        self._places = block("ol", "steps")
        with block("div", "beside"):
            with block("div", "stack"):
                self._body = block("div", "stack")
                self._foot = block("div", "row between foot")
            self._aside = block("aside", "aside", aria_label=_("What a run would find"))
        with self._aside:
            self._counts = Counts(self._suggestion)
        self._settled = ui.timer(SETTLED_SECONDS, self._settle, active=False)
        self._show()

    # Going through the steps

    def _show(self) -> None:
        titles = [_("Set up"), _("Select data"), _("Define goal"), _("Set options")]
        self._places.clear()
        with self._places:
            for number, title in enumerate(titles):
                here, done = number == self._step, number < self._step
                with block("li", "here" if here else "done-step" if done else ""):
                    button = block("button", "step", type="button")
                    if here:
                        button.props["aria-current"] = "step"
                    button.on("click", partial(self._go, number))
                    with button:
                        text("✓" if done else str(number + 1), "span", "number", aria_hidden="true")
                        text(title, "span", "step-title")
        self._aside.set_visibility(self._step >= 2)
        self._body.clear()
        with self._body:
            (self._set_up, self._select_data, self._define_goal, self._set_options)[self._step]()
        self._foot.clear()
        with self._foot:
            if self._step:
                action(_("Back"), partial(self._go, self._step - 1), "arrow_back")
            else:
                action(_("Cancel"), lambda: ui.navigate.to("/"))
            if self._step < 3:
                action(_("Next"), partial(self._go, self._step + 1), kind="main")
            elif self._edits:
                action(_("Save"), self._finish, "check", kind="main")
            else:
                action(_("Create and run"), self._finish, "play_arrow", kind="main")
        if self._step >= 2:
            self._changed()

    async def _go(self, step: int) -> None:
        for each in range(step):
            if why := self._lacks(each):
                complain(why)
                if self._step == each:
                    return
                step = each
                break
        if step >= 2:
            found = await answer_of(partial(choices, self._site.workspace, self._document["datasets"]))
            if found is None:
                return
            self._choices = found
            background_tasks.create(to_thread(self._draw), name="people are drawn")
        await self._keep()
        self._step = step
        self._show()
        # What is read next begins at the steps, for those who see and those who hear.
        ui.run_javascript("scrollTo({top: 0}); document.querySelector('.step[aria-current]')?.focus()")

    def _lacks(self, step: int) -> str:
        """Say what a step still needs."""
        document = self._document
        if step == 0 and not document["name"].strip():
            return _("Give it a name first.")
        if step == 1:
            chosen = [each for each in self._known if each.name in document["datasets"]]
            if not any(each.kind == "events" for each in chosen):
                return _("Choose a dataset of events first.")
            if not document["namespace"]:
                return _("Choose whom to score: an identity that all chosen datasets have.")
        if step == 2 and not complete(document["goal"]["events"]):
            return _("Say what people will do: choose a field of the event.")
        return ""

    def _changed(self) -> None:
        """Wait until nothing changes for a moment."""
        self._settled.deactivate()
        self._settled = ui.timer(SETTLED_SECONDS, self._settle, once=True)

    async def _settle(self) -> None:
        await self._keep()
        if self._step >= 2:
            await self._counts.count(self._asked, partial(in_words, self._site.workspace), self._check)

    def _asked(self) -> Instance:
        return make_instance(asked_of(self._document), say("the instance"))

    def _draw(self) -> None:
        """Begin with what takes longest while the question is being written."""
        if self._document.get("stitch"):  # nobody is drawn before it is known who is one person
            return
        with self._counting, suppress(LikelierError):  # what is amiss is told when it is counted
            document = self._document
            draw_people(self._site.workspace, document["datasets"], document["namespace"], most_events=LOOKED_AT)

    def _check(self, instance: Instance) -> Document:
        with self._counting:
            return check_instance(self._site.workspace, instance, None, most_events=LOOKED_AT)

    async def _keep(self) -> None:
        """Keep the draft; an instance that is edited is only changed at the end."""
        if self._edits or not (self._document["name"].strip() or self._id):
            return
        document = copy.deepcopy(self._document)
        try:
            draft = await to_thread(save_draft, self._site.workspace, self._visitor.actor, self._id, document)
        except LikelierError as error:
            complain(str(error))
            return
        if self._id is None:
            self._id = draft.id
            ui.run_javascript(f"history.replaceState(null, '', '/instances/new?draft={draft.id}')")

    async def _finish(self) -> None:
        try:
            wanted = self._asked()
        except InstanceError as error:
            complain(str(error))
            return
        words = await answer_of(partial(in_words, self._site.workspace, wanted))
        if words is None or words.problem:
            complain(words.problem if words else "")
            return
        await self._keep()
        assert self._id is not None
        workspace, actor = self._site.workspace, self._visitor.actor
        was = self._revision if self._edits else None
        made = await answer_of(partial(finish, workspace, actor, wanted, self._id, was=was))
        if made is None:
            return
        if not self._edits:
            await answer_of(partial(run_now, self._site, self._visitor, made.id))
        changed = self._edits and made.revision != self._revision
        ui.navigate.to(f"/instances/{made.id}" + (f"?edited={made.revision}" if changed else ""))

    # Step 1

    def _set_up(self) -> None:
        document = self._document
        with card("stack"):
            name = ui.input(_("Name"), placeholder=_("Buy again")).props("outlined autofocus maxlength=200")
            name.bind_value(document, "name").on_value_change(self._changed)
            about = ui.input(_("Description")).props("outlined").bind_value(document, "description")
            about.on_value_change(self._changed)
        with card():
            text(_("What kind of question is it?"), "h2")
            kinds = {
                "conversion": _("Conversion: the goal is good news, such as a purchase. High scores are green."),
                "churn": _("Churn: the goal is bad news, such as staying away. High scores are red."),
            }
            ui.radio(kinds, value=document["propensity_type"]).bind_value(document, "propensity_type")
        with block("details"):
            text(_("What this is not for"), "summary")
            text(
                _(
                    "Prices; whether an offer makes somebody likelier to act; recommending among thousands of "
                    "products; or something that has never happened yet."
                ),
                "p",
                "soft",
            )

    # Step 2

    def _select_data(self) -> None:
        if not self._known:
            with empty(_("No data yet"), _("Bring a file of timestamped events; its mapping is guessed."), "storage"):
                action(_("Upload a file"), self._upload, "upload", kind="main")
            return
        with card():
            with block("div", "row between"):
                search = ui.input(placeholder=_("Search the datasets")).props("outlined dense clearable")
                search.classes("search").props["aria-label"] = _("Search the datasets")
                action(_("Upload a file"), self._upload, "upload")
            place = block("div", "stack tight choices")
        self._identity_place = card()
        self._draw_datasets(place, "")
        search.on_value_change(lambda change: self._draw_datasets(place, change.value or ""))
        self._draw_identity()

    def _draw_datasets(self, place: Element, wanted: str) -> None:
        place.clear()
        with place:
            for dataset in self._known:
                if wanted.casefold() in dataset.name.casefold():
                    self._dataset(dataset)

    def _dataset(self, dataset: Dataset) -> None:
        chosen = self._document["datasets"]

        def choose(*, wanted: bool) -> None:
            chosen[:] = [name for name in chosen if name != dataset.name] + ([dataset.name] if wanted else [])
            self._draw_identity()
            self._changed()

        with block("div", "choice"):
            box = ui.checkbox(dataset.name, value=dataset.name in chosen).props("dense")
            box.on_value_change(lambda change: choose(wanted=bool(change.value)))
            with block("span", "soft small"):
                identities = ", ".join(dataset.namespaces) or _("no identity")
                text(
                    _(
                        "{kind} · {fields} fields · {identities}",
                        kind=kind_word(dataset.kind),
                        fields=count(len(dataset.fields)),
                        identities=identities,
                    ),
                    "span",
                )
            self._look_at(dataset)

    def _look_at(self, dataset: Dataset) -> None:
        """Show how complete the fields are and a few rows, once somebody wants to see them."""
        look = partial(describe_dataset, self._site.workspace, dataset.name)
        with block("details", "look-at") as details:
            text(_("Look at it"), "summary", "small")
            place = block("div")

        def open_() -> None:
            if not place.default_slot.children:
                with place:
                    later(look, glance, waiting=_("Looking through the rows …"))

        details.on("toggle", open_, js_handler="(e) => e.target.open && emit()")

    def _draw_identity(self) -> None:
        chosen = [each for each in self._known if each.name in self._document["datasets"]]
        every = sorted({name for each in chosen for name in each.namespaces})
        shared = [name for name in every if all(name in each.namespaces for each in chosen)]
        if self._document["namespace"] not in shared:
            self._document["namespace"] = shared[0] if shared else ""
        self._identity_place.clear()
        with self._identity_place:
            text(_("Whom to score"), "h2")
            if not chosen:
                text(_("Choose datasets first."), "p", "soft")
                return
            for name in every:
                lacking = [each.name for each in chosen if name not in each.namespaces]
                if lacking:
                    text(_("{name}: not in {datasets}", name=name, datasets=", ".join(lacking)), "p", "soft")
            if shared:
                options = {name: _("{name}: in all of them", name=name) if chosen[1:] else name for name in shared}
                ui.radio(options, value=self._document["namespace"]).bind_value(self._document, "namespace")
            else:
                text(_("These datasets share no identity: choose others."), "p", "note")

    def _upload(self) -> None:
        async def done(name: str) -> None:
            self._known = await to_thread(datasets_to_choose, self._site.workspace)
            if name not in self._document["datasets"]:
                self._document["datasets"].append(name)
            self._show()

        upload_dialog(self._site, done=done)

    # Step 3

    def _builder(self) -> Builder:
        return Builder(self._choices.fields, self._changed, self._suggest)

    async def _suggest(self, path: str) -> list[str]:
        if path not in self._suggested:
            names = list(self._document["datasets"])
            self._suggested[path] = await to_thread(common_values, self._site.workspace, names, path)
        return self._suggested[path]

    def _define_goal(self) -> None:
        goal, build = self._document["goal"], self._builder()
        with card():
            with block("div", "row tight"):
                text(_("The goal"), "h2")
                hint(_("The goal"), _("What people may do in the outcome window: the days after they are scored."))
            with block("div", "sentence"):
                text(_("A customer"), "span")
                self._choice(goal, "occurs", {True: _("will do"), False: _("will not do")}, _("Will or will not"))
                self._choice(goal, "match", {"all": _("all of"), "any": _("any of")}, _("All or any"))
                text(_("these, within"), "span")
                self._windows(goal)
                text(_("days:"), "span")
            build.events(goal["events"], add=_("Another event"))
        self._population(build)
        with card(), self._more(_("Custom events"), bool(self._document["custom_events"])):
            text(_("Things people do that may matter for the goal; factors show them by their name."), "p", "soft")
            build.events(self._document["custom_events"], add=_("Add a custom event"), named=True, counted=False)
        if self._choices.attributes:
            with card(), self._more(_("Profile attributes"), bool(self._document["profile_attributes"])):
                self._attributes()

    def _population(self, build: Builder) -> None:
        population = self._document["eligible_population"]
        written = population["events"] or population["exclude"] or population["lookback_days"] != 45
        with card(), self._more(_("Who is scored"), bool(written)):
            text(_("The eligible population: nobody else is learnt from or scored."), "p", "soft")
            with block("div", "sentence"):
                text(_("Customers who, in the last"), "span")
                self._days(population, "lookback_days", _("Lookback in days"))
                text(_("days, had any activity, or did"), "span")
                self._choice(population, "match", {"all": _("all of"), "any": _("any of")}, _("All or any"))
                text(_("these:"), "span")
            build.events(population["events"], add=_("Add an event they did"))
            text(_("Leave out those who did any of these:"), "p")
            build.events(population["exclude"], add=_("Add an event that leaves out"))

    def _attributes(self) -> None:
        text(_("What is known of people, as it was known at each moment of the past."), "p", "soft")
        chosen = self._document["profile_attributes"]
        paths = [path for path in self._choices.attributes if path != "timestamp"]
        box = ui.select(paths, value=[each["field"] for each in chosen if each["field"] in paths], multiple=True)
        box.props("outlined use-chips").props["aria-label"] = _("Profile attributes")

        def take(fields: list[str]) -> None:
            old = {each["field"]: each for each in chosen}
            chosen[:] = [old.get(path, {"name": path.rpartition(".")[2], "field": path}) for path in fields]
            self._changed()

        box.on_value_change(lambda change: take(change.value))

    def _more(self, title: str, is_open: bool) -> Element:  # noqa: FBT001
        details = block("details", "more")
        if is_open:
            details.props["open"] = True
        with details:
            text(title, "summary")
        return details

    def _choice(self, document: Document, key: str, options: dict[Any, str], label: str) -> None:
        box = ui.select(options, value=document[key]).props("outlined dense options-dense")
        box.props["aria-label"] = label
        box.on_value_change(lambda change: self._set(document, key, change.value))

    def _days(self, document: Document, key: str, label: str) -> None:
        box = ui.number(value=document[key], min=1, max=365, precision=0).props("outlined dense").classes("days")
        box.props["aria-label"] = label
        box.on_value_change(lambda change: self._set(document, key, int(change.value)) if change.value else None)

    def _windows(self, goal: Document) -> None:
        """Ask for the main outcome window; shorter ones, where the instance has them, stay."""
        given = goal["window_days"]
        *shorter, main = given if isinstance(given, list) else [given]

        def take(days: int) -> None:
            kept = [each for each in shorter if each < days]
            self._set(goal, "window_days", [*kept, days] if kept else days)

        box = ui.number(value=main, min=1, max=365, precision=0).props("outlined dense").classes("days")
        box.props["aria-label"] = _("Outcome window in days")
        box.on_value_change(lambda change: take(int(change.value)) if change.value else None)

    def _set(self, document: Document, key: str, value: Any) -> None:
        document[key] = value
        self._changed()

    def _suggestion(self, choice: Document) -> None:
        """Take windows that would meet every floor."""
        self._document["goal"]["window_days"] = choice["window_days"]
        self._document["eligible_population"]["lookback_days"] = choice["lookback_days"]
        self._show()

    # Step 4

    def _set_options(self) -> None:
        document = self._document
        with card():
            text(_("How often"), "h2")
            often = {"weekly": _("Every week"), "monthly": _("Every month"), "none": _("Only when I run it")}
            ui.radio(often, value=document["schedule"]).bind_value(document, "schedule").on_value_change(self._changed)
        with card():
            text(_("Profiles"), "h2")
            toggle = ui.switch(_("Show the scores in the profiles of people, for segments")).props("dense")
            toggle.bind_value(document, "profile_enabled").on_value_change(self._changed)
        with card(), self._more(_("Events that are not looked at"), bool(document["exclusions"])):
            text(_("Such as those of test accounts or robots: as if they had never happened."), "p", "soft")
            self._builder().events(document["exclusions"], add=_("Add an exclusion"), counted=False)
