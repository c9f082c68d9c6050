"""Serve the pages of a home folder: `python -m tests.ui.serving HOME PORT`; the cookie `who` says who looks."""

import sys

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from tests.pipeline.shop import few_trees

from likelier.access.identity import Actor
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings
from likelier.ui import Visitor, frame, mount
from likelier.ui.parts import action, later
from likelier.ui.site import Site, address, in_a_thread


def visitor(request: Request) -> Visitor | None:
    who = request.cookies.get("who", "ann")
    ann = who == "ann"
    return None if who == "stranger" else Visitor(Actor(who), may_manage=ann, may_audit=ann, may_administer=ann)


def faulty(site: Site) -> None:
    """Add a page that is at fault in every place where one can be: `/faulty?at=PLACE`."""

    def fail() -> None:
        raise RuntimeError("nobody is to read this")

    @address("/faulty")
    def page(at: str) -> None:
        if at == "page":
            fail()
        with frame.page(site, "Faulty", at=""):
            if at == "place":
                later(fail, print)
            action("Fail", fail)


def serve(home: str, port: int) -> None:
    app = FastAPI()
    with open_workspace(read_settings({}, home=home)) as workspace, few_trees():
        mount(app, workspace, visitor=visitor)
        faulty(Site(workspace, visitor, in_a_thread(workspace)))
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
