"""A simulated shop, from its events to scores: what likelier does, to be seen in minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from likelier.access.identity import Actor
from likelier.instance import Instance, make_instance
from likelier.runs.records import Run, Watch
from likelier.service.data import ingest_files
from likelier.service.instances import save_instance
from likelier.service.runs import start_run
from likelier.service.work import carry_on_here
from likelier.service.workspace import Workspace
from likelier.simulate import KINDS, document, simulate

EVENTS, PROFILES = "shop", "customers"
Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Shop:
    """The demo's data, in the lake and as files."""

    folder: Path
    profiles: int
    events: int


def fill_shop(workspace: Workspace, actor: Actor, *, profiles: int, seed: int, tell: Told) -> Shop:
    """Simulate a shop and ingest its events and customers."""
    folder = workspace.settings.home / "simulated"
    made = simulate(
        folder, profiles=profiles, seed=seed, progress=lambda done, what: tell(f"Simulating a shop: {what}", done)
    )
    events, people = list(made.event_files), list(made.profile_files)
    ingest_files(
        workspace,
        actor,
        EVENTS,
        events,
        mapping=None,
        kind="events",
        progress=lambda done, _: tell("Ingesting events", done),
    )
    ingest_files(workspace, actor, PROFILES, people, mapping=None, kind="profiles")
    return Shop(folder, made.profiles, made.events)


def demo_instances() -> list[Instance]:
    """Who will buy, and who will stay away."""
    shop = KINDS["shop"]
    return [
        make_instance(document(goal, shop, EVENTS, PROFILES), f"demo instance '{goal.name}'") for goal in shop.goals
    ]


def run_demo(workspace: Workspace, actor: Actor, instance: Instance, *, seed: int, watch: Watch) -> Run:
    saved = save_instance(workspace, actor, instance)
    return carry_on_here(workspace, start_run(workspace, actor, saved, as_of=None, seed=seed), watch)
