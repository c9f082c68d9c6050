"""Whether it came true: each past run with its promise and, once its outcome window has closed, what happened.

A run is *open* until the data reaches beyond its outcome window, *provisional* until it reaches `late_days` further,
for events come in late, and *settled* then. Late events change a settled run too; the change is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from likelier import pipeline
from likelier.backend import Engine
from likelier.datasets import Dataset, list_datasets, read_dataset
from likelier.errors import UnknownNameError, UsageError
from likelier.insights import words
from likelier.insights.performance import of_run
from likelier.insights.slices import by_value
from likelier.instance import Instance
from likelier.phrases import say
from likelier.profiles.segments import current_attributes
from likelier.service.instances import whole_instance
from likelier.service.outcomes import Scoring, look_again, outcome_of, room, scorings
from likelier.service.runs import find_run
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import outcomes as store
from likelier.store import runs as records
from likelier.store.outcomes import Recorded


def performance(
    workspace: Workspace,
    name: str,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    by: str | None = None,
    run_id: str | None = None,
    look: bool = True,
) -> dict[str, Any]:
    """Tell of each run that scored at a moment in `[since, until)`, oldest first, whether it came true.

    `look` decides first what has become known since it was last asked. `by` names an attribute by whose values one run
    is told apart: the one of `run_id`, else the latest whose outcomes are known.
    """
    if look:
        look_again(workspace, name)
    with workspace.store.read() as connection:
        instance = stored.get(connection, name)
        known = store.recorded(connection, instance.id)
        found = [
            each
            for each in scorings(connection, workspace, instance)
            if (since is None or each.cut_off >= since) and (until is None or each.cut_off < until)
        ]
        insights = {each.run.id: records.read_insights(connection, each.run.id) or {} for each in found}
        wanted = find_run(connection, run_id).id if run_id else None
    told: dict[str, Any] = {
        "id": instance.id,
        "instance": instance.name,
        "propensity_type": found[-1].instance.propensity_type if found else None,
        "goal_deed": words.deed(insights[found[-1].run.id]) if found else None,
        "late_days": workspace.settings.late_days,
        "known_until": _iso(max((each.known_until for each in known.values()), default=None)),
        "runs": [_told(each, insights[each.run.id], known.get(each.run.id)) for each in found],
    }
    if by is not None:
        chosen = [each for each in found if each.run.id in known and wanted in (None, each.run.id)]
        if not chosen:
            raise UsageError(say("No outcome is known yet, so there is nothing to tell apart by an attribute."))
        (told["slices"],) = _sliced(workspace, chosen[-1], known[chosen[-1].run.id], [by])
    return told


def _told(scoring: Scoring, insights: Mapping[str, Any], known: Recorded | None) -> dict[str, Any]:
    return {
        "run": scoring.run.id,
        "version": scoring.run.version,
        "cut_off": scoring.cut_off.isoformat(),
        "until": scoring.until.isoformat(),
        "settles": scoring.settles.isoformat(),
        "state": _state(scoring, known),
        "known_until": _iso(known.known_until if known else None),
        "scored": scoring.run.scored,
        **of_run(insights, known.document if known else None),
        "corrections": list(known.corrections) if known else [],
    }


def _state(scoring: Scoring, known: Recorded | None) -> str:
    if known is None:
        return "open"
    return "settled" if known.known_until >= scoring.settles else "provisional"


def by_every_attribute(workspace: Workspace, name: str, run_id: str | None = None) -> list[dict[str, Any]]:
    """Tell one run apart by each attribute that its model may use; one that is gone by now is left out.

    The run is the one named, else the latest whose outcomes are known. Where they are not, there is nothing to tell.
    """
    with workspace.store.read() as connection:
        instance = stored.get(connection, name)
        known = store.recorded(connection, instance.id)
        closed = [each for each in scorings(connection, workspace, instance) if each.run.id in known]
    chosen = [each for each in closed if run_id in (None, each.run.id)]
    if not chosen:
        return []
    scoring = chosen[-1]
    there = _holders(workspace, scoring.instance)
    named = {path: name for path, name in _named(scoring.instance).items() if path in there}
    parts = _sliced(workspace, scoring, known[scoring.run.id], list(named)) if named else []
    return [{**part, "by": named[part["by"]]} for part in parts]


def _sliced(workspace: Workspace, scoring: Scoring, known: Recorded, paths: Sequence[str]) -> list[dict[str, Any]]:
    """Tell one run apart by the values that attributes had when it scored."""
    found = [_attribute(workspace, scoring.instance, path) for path in paths]
    inputs = pipeline.Inputs(scoring.instance, known.known_until, 0, known.data_versions)
    with workspace.engine() as engine, room(workspace) as folder:
        came = pipeline.outcomes(inputs, (scoring.cut_off,), engine=engine, lake=workspace.lake, folder=folder)
        outcome, ids, _ = outcome_of(workspace, engine, scoring, came)
        values = [_known_at(workspace, engine, holder, field, scoring) for holder, field in found]
    return [
        {
            "by": path,
            "run": scoring.run.id,
            "cut_off": scoring.cut_off.isoformat(),
            "values": by_value(outcome, _of(ids, each)),
        }
        for path, each in zip(paths, values, strict=True)
    ]


def _of(ids: pa.Array, values: pa.Table) -> list[Any]:
    """Give the value of each id, None where none is known."""
    places = pc.index_in(ids, value_set=values["id"].combine_chunks().cast(pa.string()))
    return values["value"].combine_chunks().take(places).to_pylist()


def attributes(workspace: Workspace, name: str) -> dict[str, str]:
    """Say by what runs can be told apart: paths of attributes, with the names the instance gives them if it does."""
    with workspace.store.read() as connection:
        instance = whole_instance(connection, stored.get(connection, name))
    named = _named(instance)
    return {path: named.get(path, path) for path in sorted(_holders(workspace, instance))}


def _named(instance: Instance) -> dict[str, str]:
    """Give the paths of the attributes that an instance's models may use, with what it calls them."""
    return {each.field: each.name or each.field for each in instance.profile_attributes}


def _attribute(workspace: Workspace, instance: Instance, name: str) -> tuple[Dataset, str]:
    """Find the dataset of profiles that holds an attribute, by the name the instance gives it or by its path."""
    named = {each.name or each.field: each.field for each in instance.profile_attributes}
    holders = _holders(workspace, instance)
    path = named.get(name, name)
    if path not in holders:
        raise UnknownNameError("attribute", name, {*named, *holders})
    return holders[path], path


def _holders(workspace: Workspace, instance: Instance) -> dict[str, Dataset]:
    """Give of each attribute the dataset of profiles that holds it, the first by name where there are several."""
    told = [each for each in list_datasets(workspace.lake) if each.kind == "profiles"]
    about = [each for each in told if instance.namespace in each.namespaces]
    return {path: each for each in reversed(about) for path in each.fields if path != "timestamp"}


def _known_at(workspace: Workspace, engine: Engine, holder: Dataset, path: str, scoring: Scoring) -> pa.Table:
    """The value that each person was known to have when a run scored."""
    table = read_dataset(engine, workspace.lake, holder)
    rows = table.select("timestamp", path, id=table[f"identityMap.{scoring.instance.namespace}"])
    before = rows.filter((rows.timestamp < ibis.literal(scoring.cut_off)) & rows.id.notnull())
    return engine.table(current_attributes(before, [path]).rename(value=path))


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None
