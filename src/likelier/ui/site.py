"""What the pages stand on: the workspace, and who is looking."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from nicegui import context, ui
from starlette.requests import Request

from likelier.access.identity import Actor, person_at_the_keyboard
from likelier.runs.records import Run
from likelier.service.work import carry_on_here
from likelier.service.workspace import Workspace

PATIENCE = 30.0
"""Seconds that a page may take to be drawn."""


@dataclass(frozen=True)
class Visitor:
    """Who looks at the pages, and what of them is offered."""

    actor: Actor
    may_manage: bool = True
    may_audit: bool = True
    may_administer: bool = True
    signs_in: bool = False


def address(path: str) -> ui.page:
    """Register a page; while a machine is busy its visitors wait for it rather than read that it took too long."""
    return ui.page(path, response_timeout=PATIENCE)


def anybody(_: Request) -> Visitor:
    """Whoever reaches the pages is whoever runs them: for a machine of one's own."""
    return Visitor(person_at_the_keyboard())


@dataclass(frozen=True)
class Site:
    """The pages' ground. `visitor` answers None for a stranger, who is sent to sign in; `begin` gets a queued run."""

    workspace: Workspace
    visitor: Callable[[Request], Visitor | None]
    begin: Callable[[Run], None]

    def who(self) -> Visitor:
        """Who looks at the page that is being drawn."""
        visitor = self.visitor(context.client.request)
        if visitor is None:
            raise PermissionError("Nobody is signed in.")
        return visitor


def in_a_thread(workspace: Workspace) -> Callable[[Run], None]:
    """Carry runs on in this process, each in a thread, while nobody else does."""

    def begin(run: Run) -> None:
        threading.Thread(target=carry_on_here, args=(workspace, run), daemon=True, name=f"run {run.id[:8]}").start()

    return begin
