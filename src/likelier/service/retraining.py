"""Which model a run uses: the one that is there, while it is not due, and why.

A run that somebody asks for makes a model of its own. One that is made by schedule keeps the model there is, for later
moments of the same question, until that is due: when it is three months old (`retrain_days`), when what it rests on
has drifted so far that it matters to the scores, or when the order of people came true worse than promised. A due model
stands up to a new one at a cut-off later than all it learnt from, and goes when the new one is better beyond chance;
after six months (`stale_days`) it goes in any case. A model is not called to account before an outcome window has
passed since it was made: there would be nothing it has not seen to ask it about.

The plan is pinned with the run, so a run is a function of its definition, data, moment, seed and plan, and repeats.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from likelier.access.audit import record
from likelier.access.identity import Actor
from likelier.errors import UsageError
from likelier.insights.matters import ABRUPT
from likelier.insights.performance_words import drifted
from likelier.phrases import day, join, say
from likelier.profiles.published import has_scorer
from likelier.runs.records import WHEN_DUE, Run, State
from likelier.service.instances import thing, whole_instance
from likelier.service.runs import start_run
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import outcomes
from likelier.store import runs as records
from likelier.timespan import DAY

DRIFTS = ("factor", "base rate", "scores", "population")
"""What a new model can answer to. Broken tracking, and what comes of it, it would only learn."""
MATTERS = 0.1
WORSE = 0.02


def plan(workspace: Workspace, run: Run) -> dict[str, Any]:
    """Say which model a run is to use: `run` names the run that made it, None for a new one; `because` says why."""
    if run.wish is None:
        return _anew(say("A new model was asked for."))
    with workspace.store.read() as connection:
        if run.wish != WHEN_DUE:
            return _back_to(connection, run.wish)
        if workspace.settings.retrain_days <= 0:
            return _anew(say("Every run trains anew."))
        return _while_not_due(connection, workspace, run)


def roll_back(workspace: Workspace, actor: Actor, name: str) -> Run:
    """Queue a run with the model before the one in use; later runs keep it until it is due.

    Rolling back once more leads to the model that was in use.
    """
    with workspace.store.read() as connection:
        instance = stored.get(connection, name)
        now, before = _now_and_before(connection, workspace, instance)
    if before is None:
        raise UsageError(
            say("'{name}' has no earlier model of its present definition to roll back to.", name=instance.name)
        )
    run = start_run(workspace, actor, instance, as_of=None, seed=before.seed, wish=before.id)
    told = {"from": now.id if now else None, "to": before.id}
    with workspace.store.write() as connection:
        record(connection, actor, "instance.roll_back", thing(instance), now=workspace.clock(), after=told)
    return run


def model_before(workspace: Workspace, name: str) -> Run | None:
    """Give the run whose model a roll-back leads to; None where there is none to go back to."""
    with workspace.store.read() as connection:
        return _now_and_before(connection, workspace, stored.get(connection, name))[1]


def models_in_use(connection: Connection, instance_id: str) -> tuple[str, ...]:
    """Name the runs that made the model in use and the one before it."""
    models = models_of(connection, instance_id)
    return tuple(each.id for each, _ in zip(models, range(2), strict=False))


def models_of(connection: Connection, instance_id: str, version: int | None = None) -> Iterator[Run]:
    """Give the runs that made the models in use, from now backwards, each once."""
    seen = set()
    for each in _successes(connection, instance_id, version):
        if each.model_run not in seen and (made := records.find(connection, each.model_run)):
            yield made
        seen.add(each.model_run)


def _now_and_before(
    connection: Connection, workspace: Workspace, instance: stored.Instance
) -> tuple[Run | None, Run | None]:
    """Give the runs that made the model in use, of the present definition, and the one before it, if that is there."""
    models = models_of(connection, instance.id, instance.version)
    now, before = next(models, None), next(models, None)
    return now, before if before and has_scorer(workspace.lake, instance.id, before.id) else None


def _successes(connection: Connection, instance_id: str, version: int | None) -> Iterator[Run]:
    for each in records.history(connection, instance_id=instance_id):
        if each.state is State.SUCCESS and version in (None, each.version):
            yield each


def _back_to(connection: Connection, run_id: str) -> dict[str, Any]:
    made = records.find(connection, run_id)
    assert made is not None
    assert made.as_of is not None
    because = say("Rolled back to the model of {made}.", made=day(made.as_of))
    return {"run": made.id, "as_of": made.as_of.isoformat(), "due": False, "stale": False, "because": because}


def _while_not_due(connection: Connection, workspace: Workspace, run: Run) -> dict[str, Any]:
    settings = workspace.settings
    latest = _latest(connection, run)
    if latest is None:
        return _anew(say("There is no earlier model of this definition."))
    champion = records.find(connection, latest.model_run)
    instance = stored.find(connection, run.instance_id)
    if champion is None or instance is None or not has_scorer(workspace.lake, run.instance_id, champion.id):
        return _anew(say("The files of the model before are gone, or of an earlier version."))
    window = whole_instance(connection, instance, run.version).goal.outcome_days * DAY
    assert run.as_of is not None
    assert champion.as_of is not None
    age = run.as_of - champion.as_of
    drift = (records.read_insights(connection, latest.id) or {}).get("drift") or {}
    because = _reason(age, settings.retrain_days, drift, _came_true(connection, run, champion))
    kept = {"run": champion.id, "as_of": champion.as_of.isoformat(), "due": False, "stale": False}
    if because is None:
        return {**kept, "because": say("The model of {made} is not due.", made=day(champion.as_of))}
    if age < window:
        waits = say("It is kept until an outcome window has passed since it was made.")
        return {**kept, "because": join([because, waits])}
    return {**kept, "due": True, "stale": age >= settings.stale_days * DAY, "because": because}


def _latest(connection: Connection, run: Run) -> Run | None:
    """The newest run that gave scores to the same question, with a model that had seen nothing of what comes now."""
    for each in _successes(connection, run.instance_id, run.version):
        if each.seed != run.seed or each.id == run.id:
            continue
        made = records.find(connection, each.model_run)
        if made and made.as_of and run.as_of and made.as_of <= run.as_of:
            return each
    return None


def _came_true(connection: Connection, run: Run, champion: Run) -> Mapping[str, Any] | None:
    """What came of the newest scores that a model gave."""
    known = outcomes.recorded(connection, run.instance_id)
    for each in records.history(connection, instance_id=run.instance_id):
        if each.id in known and each.model_run == champion.id:
            return {"promised": champion.auc, "auc": known[each.id].document["auc"]}
    return None


def _reason(
    age: dt.timedelta, retrain_days: float, drift: Mapping[str, Any], came: Mapping[str, Any] | None
) -> str | None:
    """Say why a model is due; None while it is not."""
    if age >= retrain_days * DAY:
        return say("The model is {days:,.0f} days old.", days=age / DAY)
    findings = drift.get("findings") or ()
    broken = any(found["kind"] in ABRUPT for found in findings)  # then what drifts may be the damage
    for found in findings:
        if found["kind"] in DRIFTS and found["weight"] >= MATTERS and not broken:
            return say("Drift that matters: {words}", words=drifted(found))
    if came and came["auc"] and came["promised"]:
        auc, promised = came["auc"], came["promised"]
        if auc["high"] < promised and promised - auc["value"] > WORSE:
            return say(
                "The AUC came true as {came:.2f}, where {promised:.2f} was promised.",
                came=auc["value"],
                promised=promised,
            )
    return None


def _anew(because: str) -> dict[str, Any]:
    return {"run": None, "because": because}
