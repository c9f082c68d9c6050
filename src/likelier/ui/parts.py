"""Small pieces that pages are put together from. Every text is set as text, never parsed as HTML."""

from __future__ import annotations

import datetime as dt
import logging
from asyncio import to_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutine
from typing import Any, TypeVar

from nicegui import ElementFilter, background_tasks, context, ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from likelier.errors import LikelierError
from likelier.runs.records import Run, State
from likelier.ui.language import _, date, figure, plural, said

Answer = TypeVar("Answer")


class Words(TextElement):
    """An element that holds a text."""

    def __init__(self, content: str, tag: str) -> None:
        super().__init__(tag=tag, text=content)


def text(content: str, tag: str = "p", classes: str = "", **props: str) -> Words:
    words = Words(said(content), tag)
    words.classes(classes)
    return _with(words, props)


def block(tag: str, classes: str = "", **props: str) -> Element:
    element = ui.element(tag)
    element.classes(classes)
    return _with(element, props)


def link(label: str, address: str, classes: str = "") -> Words:
    return text(label, "a", classes, href=address)


def icon(name: str, classes: str = "") -> Element:
    """Draw a sign that says nothing a word beside it does not say."""
    return ui.icon(name).classes(f"sign-icon {classes}").props("aria-hidden=true")


def _with(element: Any, props: dict[str, str]) -> Any:
    for name, value in props.items():
        element.props[name.replace("_", "-")] = said(value)
    return element


def tool(sign: str, meaning: str, on_click: Callable[..., Any] | None = None) -> ui.button:
    """Draw a small round button whose sign says what it does, and whose label does for those who cannot see it."""
    button = ui.button(icon=sign, on_click=_of_the_page(on_click), color=None).props("flat round dense").classes("tool")
    button.props["aria-label"] = meaning
    return button


def hint(term: str, meaning: str) -> None:
    """Draw a sign beside a term that says what it means, to whoever asks."""
    with tool("help_outline", _("What does '{term}' mean?", term=term)).classes("hint"), ui.menu():
        text(meaning, "p", "meaning")


def _of_the_page(on_click: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Have what a click begins belong to the page: the button's own place may be drawn anew meanwhile."""
    if on_click is None:
        return None

    async def clicked() -> None:
        with context.client.content:
            answer = on_click()
            if iscoroutine(answer):  # a dialog can be awaited too, which opens it again
                await answer

    return clicked


def card(classes: str = "", tag: str = "section", **props: str) -> Element:
    return block(tag, f"card {classes}", **props)


def heading(title: str, about: str = "") -> None:
    """Draw the title of a page, with a sentence on what it is for."""
    with block("div"):
        text(title, "h1")
        if about:
            text(about, "p", "lead")


def action(
    label: str, on_click: Callable[..., Any] | None = None, sign: str | None = None, *, kind: str = "plain"
) -> ui.button:
    """Draw a button: `main` for what the page is for, `plain` for the rest, `bad` for what cannot be undone."""
    button = ui.button(label, on_click=_of_the_page(on_click), icon=sign, color=None)
    look = {"main": "unelevated", "plain": "outline", "bad": "outline", "quiet": "flat"}[kind]
    return button.props(f"no-caps {look}").classes(f"action {kind}")


# What happened


def toast(message: str) -> None:
    ui.notify(said(message), type="positive", position="bottom", classes="toast")


def offer_undo(message: str, undo: Callable[[], Any]) -> None:
    """Say what happened, and for a while offer to undo it, in the place that the frame keeps for it."""
    (place,) = ElementFilter(marker=UNDO)

    def undone() -> Any:
        place.clear()
        return undo()

    place.clear()
    with place, block("div", "undo"):
        text(message, "span")
        action(_("Undo"), undone, "undo", kind="quiet")
        tool("close", _("Close"), place.clear)
        ui.timer(UNDO_SECONDS, place.clear, once=True)


UNDO = "undo"
UNDO_SECONDS = 60.0


def complain(message: str) -> None:
    ui.notify(
        said(message), type="negative", position="bottom", timeout=10_000, close_button=_("Close"), classes="toast"
    )


def unexpected() -> str:
    """What is told of a fault of ours, of which a person can do nothing."""
    return _("Something went wrong that should not have. It is in the log; nothing else was changed.")


async def answer_of(work: Callable[[], Answer]) -> Answer | None:
    """Do something in a thread; when it is refused say why, and answer None."""
    try:
        return await to_thread(work)
    except LikelierError as error:
        complain(str(error))
        return None


def later(work: Callable[[], Answer], draw: Callable[[Answer], None], *, waiting: str = "") -> Element:
    """Leave a place that says it loads, and fill it when the work is done; or say why it could not, with a retry."""
    place = block("div", "later")
    client = context.client

    async def fill() -> None:
        place.clear()
        with place:
            loading(waiting)
        try:
            found = await to_thread(work)
        except LikelierError as error:
            found, fault = None, str(error)
        except Exception:
            logging.getLogger(__name__).exception("a place of a page was not filled")
            found, fault = None, unexpected()
        else:
            fault = ""
        if client._deleted:  # noqa: SLF001 - whoever asked has left
            return
        place.clear()
        with place:
            if fault:
                failed(fault, fill)
            else:
                draw(found)  # type: ignore[arg-type]

    background_tasks.create(fill(), name="later")
    return place


def loading(words: str = "") -> None:
    with block("div", "loading", role="status"):
        for _line in range(3):
            block("div", "bone")
        text(words or _("Loading …"), "span", "away" if not words else "soft")


def failed(why: str, again: Callable[..., Any] | None = None) -> None:
    with card("problem", role="alert"):
        text(_("This could not be shown"), "h2")
        text(why)
        if again:
            action(_("Try again"), again, "refresh")


@contextmanager
def empty(title: str, about: str, sign: str) -> Iterator[None]:
    """Say that there is nothing yet, and leave room for what to do about it."""
    with card("empty-state"):
        icon(sign, "big")
        text(title, "h2")
        text(about, "p", "soft")
        with block("div", "row center"):
            yield


@contextmanager
def opened(title: str, classes: str = "") -> Iterator[None]:
    """Open a dialog with a title and a way to close it, and leave room for its content."""
    with context.client.content, ui.dialog() as dialog, block("div", f"card dialog {classes}"):
        dialog.props["aria-label"] = title
        with block("div", "row between nowrap"):
            text(title, "h2")
            tool("close", _("Close"), dialog.close)
        yield
    dialog.on("hide", dialog.delete)
    dialog.open()


async def confirmed(
    question: str, consequence: str, do_it: str, *, stay: str = "", sign: str = "delete", kind: str = "bad"
) -> bool:
    """Ask before something that cannot be undone, or not at once, and say what comes of it."""
    with ui.dialog() as dialog, block("div", "card dialog"):
        dialog.props["role"], dialog.props["aria-label"] = "alertdialog", question
        text(question, "h2")
        text(consequence)
        with block("div", "row end"):
            action(stay or _("Keep it"), lambda: dialog.submit(False), kind="plain").props("autofocus")
            action(do_it, lambda: dialog.submit(True), sign, kind=kind)
    agreed = bool(await dialog)
    dialog.delete()
    return agreed


# Words for states and moments

STATES = {
    State.QUEUED: "schedule",
    State.RUNNING: "autorenew",
    State.SUCCESS: "check_circle",
    State.TRAINING_ISSUE: "warning",
    State.FAILED: "error",
    State.CANCELLED: "block",
}


def state_word(state: State) -> str:
    return {
        State.QUEUED: _("Waiting"),
        State.RUNNING: _("Running"),
        State.SUCCESS: _("Success"),
        State.TRAINING_ISSUE: _("Training issue"),
        State.FAILED: _("Failed"),
        State.CANCELLED: _("Cancelled"),
    }[state]


def state(of: State) -> None:
    state_mark(STATES[of], state_word(of), of)


def state_mark(sign: str, word: str, look: str) -> None:
    """Draw a sign with its word, in the look of a run's state."""
    with block("span", f"state {look}"):
        icon(sign)
        text(word, "span")


def stage_word(stage: str) -> str:
    return {
        "read": _("Reading events"),
        "check": _("Checking the counts"),
        "train": _("Learning"),
        "score": _("Scoring"),
        "insights": _("Gathering insights"),
        "publish": _("Publishing"),
    }.get(stage, stage)


STAGES = ("read", "check", "train", "score", "insights")


def progress_of(of: Run) -> float:
    """Say how far a run is, of all its stages."""
    if of.progress is None:
        return 0.0
    place = STAGES.index(of.progress.stage) if of.progress.stage in STAGES else len(STAGES) - 1
    return (place + min(max(of.progress.fraction, 0), 1)) / len(STAGES)


def progress(of: Run) -> None:
    """Draw how far a run is."""
    part = progress_of(of)
    words = stage_word(of.progress.stage) if of.progress else _("Waiting to start")
    with block("div", "progress"):
        text(f"{words} · {figure(part, '.0%')}", "span", "soft", role="status")
        bar = block("div", "track", role="progressbar", aria_label=words)
        bar.props["aria-valuenow"] = str(round(100 * part))
        with bar:
            block("div", "done").style(f"width: {100 * part:.1f}%")


def ago(moment: dt.datetime | None, now: dt.datetime) -> str:
    """Say how long ago something was, as people do."""
    if moment is None:
        return "–"
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return plural("a minute ago", "{n} minutes ago", int(seconds // 60))
    if seconds < 86_400:
        return plural("an hour ago", "{n} hours ago", int(seconds // 3600))
    if seconds < 30 * 86_400:
        return plural("a day ago", "{n} days ago", int(seconds // 86_400))
    return date(moment)


def value_word(value: str) -> str:
    """Say the value of a factor; a few are words of ours."""
    return {"never": _("never"), "none": _("none"), "other": _("other")}.get(value, value)


def bar(part: float | None, words: str) -> None:
    """Draw a fraction as a bar with its words."""
    with block("div", "bar-cell"):
        with block("div", "track", aria_hidden="true"):
            block("div", "done").style(f"width: {100 * (part or 0):.1f}%")
        text(words, "span", "n")
