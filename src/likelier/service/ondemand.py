"""The score of one person as of now, by the instance's current model."""

from __future__ import annotations

import atexit
import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from likelier.datasets import Dataset, open_dataset, person_rows
from likelier.errors import UsageError
from likelier.identity.cuts import cut_links
from likelier.identity.graph import MOST_SHOWN, around, rows_of
from likelier.identity.links import node
from likelier.instance import Instance
from likelier.lake import Lake
from likelier.phrases import say
from likelier.profiles.published import fetch_scorer, find_scores
from likelier.runs.records import Run
from likelier.service.instances import whole_instance
from likelier.service.profiles import engine_when_needed
from likelier.service.workspace import Workspace
from likelier.store import instances as stored
from likelier.store import runs as records
from likelier.timespan import next_midnight

if TYPE_CHECKING:
    from likelier.backend import DuckDB
    from likelier.pipeline import Scorer

MOST_LOADED = 16
COMPARED = (
    "Score and percentile compare this person with the people that run {run} scored as of {as_of:%Y-%m-%d}; the "
    "probability rests on nothing but the person."
)


def score_now(
    workspace: Workspace, namespace: str, identity: str, instance_name: str, *, as_of: dt.datetime | None = None
) -> dict[str, Any]:
    """Score one person by what is known at an instant, with the model of the instance's latest run.

    Without an instant it is the one a run begun now would take: the midnight (UTC) after the newest event. The answer
    has the numbers such a run would give if it kept the model and the population: `eligible` says whether the person
    would be scored at all, `score` has a row of the score table, or is None.
    """
    with workspace.store.read() as connection:
        found = stored.get(connection, instance_name)
        run = records.published(connection, found.id)
        if run is None:
            raise UsageError(say("'{name}' has no scores yet. Run it: likelier run.", name=found.name))
        asked = whole_instance(connection, found, run.version)
    if not found.profile_enabled:
        raise UsageError(say("'{name}' keeps its scores off the profiles: its profile toggle is off.", name=found.name))
    if namespace != asked.namespace and not asked.stitch:
        raise UsageError(
            say(
                "'{name}' scores people by their {namespace}, not by their {other_namespace}.",
                name=found.name,
                namespace=asked.namespace,
                other_namespace=namespace,
            )
        )
    datasets = [open_dataset(workspace.lake, name) for name in asked.datasets]
    moment = as_of or _newest_midnight(workspace, datasets)
    scorer = _scorer(workspace.lake, run, asked, datasets)
    rows: dict[str, Any]
    if asked.stitch:
        identity, rows = _stitched(workspace, datasets, asked.namespace, (namespace, identity), moment)
    else:
        rows = _rows(workspace, datasets, namespace, identity)
    score = scorer.score(identity, rows, moment) if rows else None
    return {
        "instance": found.name,
        "instance_id": found.id,
        "run": run.id,
        "as_of": moment.isoformat(),
        "eligible": score is not None,
        "population": scorer.question.population.words(),
        "compared_with": COMPARED.format(run=run.id[:8], as_of=run.as_of),
        "score": None if score is None else _told(workspace, run, identity, score),
    }


def _told(workspace: Workspace, run: Run, identity: str, score: dict[str, Any]) -> dict[str, Any]:
    """Give people with the probability they were published with the percentile they were published with.

    Equal probabilities have different percentiles there: somebody has to come first.
    """
    published = find_scores(workspace.lake, run.instance_id, run.id, identity)
    for row in published.to_pylist() if published is not None else []:
        if row["probability"] == score["probability"]:
            score["percentile"] = row["percentile"]
    named = {"instance": run.instance, "instance_id": run.instance_id, "run": run.id}
    return {**named, **score, "score_date": score["score_date"].isoformat()}


def _rows(workspace: Workspace, datasets: Sequence[Dataset], namespace: str, identity: str) -> dict[str, Any]:
    from likelier.pipeline.ondemand import of_identity  # noqa: PLC0415 - loads the model libraries

    with engine_when_needed(workspace) as engine:
        return {
            dataset.name: of_identity(
                person_rows(engine, workspace.lake, dataset, namespace, identity), namespace, identity
            )
            for dataset in datasets
        }


def _stitched(
    workspace: Workspace, datasets: Sequence[Dataset], namespace: str, asked: tuple[str, str], before: dt.datetime
) -> tuple[str, dict[str, Any]]:
    """Give the id that stands for a person, by the links known before a moment, and their rows; none for nobody."""
    with engine_when_needed(workspace) as engine:

        @cache
        def find(name: str, one: str) -> list[tuple[Dataset, pa.Table]]:
            knowing = [dataset for dataset in datasets if name in dataset.namespaces]
            return [(dataset, person_rows(engine, workspace.lake, dataset, name, one)) for dataset in knowing]

        found = around(find, node(*asked), cut_links(workspace.lake), before)
        if len(found.ids) >= MOST_SHOWN:
            raise UsageError(
                say(
                    "{most_shown} ids and more are linked with it. Look at them: likelier links show.",
                    most_shown=MOST_SHOWN,
                )
            )
        stands = found.stands(namespace)
        if stands is None:
            return asked[1], {}
        return stands, rows_of(found, find, namespace, stands)


def _newest_midnight(workspace: Workspace, datasets: Sequence[Dataset]) -> dt.datetime:
    from likelier.pipeline import newest_event  # noqa: PLC0415 - loads the model libraries

    events = [dataset for dataset in datasets if dataset.kind == "events"]
    newest = [snapshot.newest for dataset in events if (snapshot := workspace.lake.snapshot(dataset.table))]
    if newest and None not in newest:
        return next_midnight(max(moment for moment in newest if moment is not None))
    with workspace.engine() as engine:
        return next_midnight(newest_event(engine, workspace.lake, tuple(dataset.name for dataset in datasets)))


def _scorer(lake: Lake, run: Run, asked: Instance, datasets: Sequence[Dataset]) -> Scorer:
    """Load a run's scorer, or take the one that is loaded; a new column in a dataset makes it load again."""
    schemas = {one.name: snapshot.schema for one in datasets if (snapshot := lake.snapshot(one.table))}
    key = (lake.root, run.id, str(schemas))
    if key not in _loaded:
        while len(_loaded) >= MOST_LOADED:
            _loaded.pop(next(iter(_loaded)), None)
        _loaded[key] = _load(lake, run, asked, datasets, schemas)
    return _loaded[key]


_loaded: dict[tuple[str, str, str], Scorer] = {}


def _load(
    lake: Lake, run: Run, asked: Instance, datasets: Sequence[Dataset], schemas: Mapping[str, pa.Schema]
) -> Scorer:
    from likelier.pipeline import Scorer  # noqa: PLC0415 - loads the model libraries

    with tempfile.TemporaryDirectory(prefix="likelier-") as name:
        if not fetch_scorer(lake, run.instance_id, run.id, Path(name)):
            raise UsageError(
                say(
                    "'{instance}' was last run before models were kept. Run it again: likelier run.",
                    instance=run.instance,
                )
            )
        return Scorer.load(Path(name), asked, datasets, schemas, _engine())


@cache
def _engine() -> DuckDB:
    """One engine for all scores on demand: opening one takes longer than scoring."""
    from likelier.backend import DuckDB  # noqa: PLC0415 - loads the engine

    engine = DuckDB("256MB", 1)
    atexit.register(engine.close)
    return engine
