"""``likelier serve``: the application, the pages on it, and the worker beside it."""

from __future__ import annotations

import secrets
import signal
import threading
from functools import partial
from importlib import import_module

import uvicorn
from starlette.requests import Request

from likelier.access.identity import Actor, person_at_the_keyboard
from likelier.access.roles import Permission, Role
from likelier.access.users import create_user
from likelier.api.application import make_app
from likelier.api.frame import visitor_of
from likelier.cli.frame import margin
from likelier.logs import write_lines
from likelier.service.worker import Worker
from likelier.service.workspace import Workspace
from likelier.store import access
from likelier.ui.mount import mount
from likelier.ui.site import Visitor

GRACE = 20
"""Seconds that requests under way have to end when the server is told to stop."""


def serve(workspace: Workspace, host: str, port: int) -> None:
    """Serve until stopped."""
    app = make_app(workspace)
    mount(app, workspace, visitor=partial(_visitor, workspace), begin=lambda _: None)
    worker = Worker(workspace)
    console = margin()
    console.print(f"likelier is at http://{host}:{port}", markup=False)
    if password := _first_password(workspace):
        console.print(f"Sign in as 'admin' with the password {password} (shown this once).", markup=False)
    write_lines()
    signal.signal(signal.SIGTERM, _leave)
    worker.start()
    # What counts loads for seconds, for which whoever is first would wait.
    threading.Thread(target=import_module, args=("likelier.pipeline",), daemon=True, name="load").start()
    try:
        # Told to stop, it takes no more requests, lets those under way end, and sends itself the signal again.
        uvicorn.run(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
    finally:
        worker.stop()


def _leave(*_: object) -> None:
    """End in an orderly way: the run under way goes back into the queue."""
    raise SystemExit(0)


def _visitor(workspace: Workspace, request: Request) -> Visitor | None:
    actor = visitor_of(workspace, request)
    if actor is None or not _sees(actor, request.url.path):
        return None
    manage, audit, admin = (actor.may(one) for one in (Permission.MANAGE, Permission.AUDIT, Permission.ADMIN))
    return Visitor(actor, manage, audit, admin, signs_in=True)


def _sees(actor: Actor, path: str) -> bool:
    return actor.may(Permission.READ) or (path == "/audit" and actor.may(Permission.AUDIT))


def _first_password(workspace: Workspace) -> str | None:
    """Make the first user where there is none; None where there is one."""
    with workspace.store.write() as connection:
        if access.list_users(connection):
            return None
        password = secrets.token_urlsafe(12)
        create_user(
            connection,
            person_at_the_keyboard(),
            user_id=workspace.new_id(),
            name="admin",
            role=Role.ADMIN,
            password=password,
            now=workspace.clock(),
        )
        return password
