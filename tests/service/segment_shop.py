"""A small home: six people, what they did, and scores of two instances, without a model."""

import datetime as dt
import itertools

import pyarrow as pa
import pyarrow.parquet as pq

from likelier.access.identity import Actor
from likelier.explanations.factors import FACTOR_TYPE
from likelier.instance import make_instance
from likelier.lake import Lake
from likelier.runs.execute import append_scores
from likelier.runs.records import Run, State
from likelier.scores import SCHEMA
from likelier.service.instances import save_instance
from likelier.service.runs import claim
from likelier.service.workspace import Workspace
from likelier.settings import read_settings
from likelier.store.database import open_store
from likelier.store.runs import Ledger, queue
from likelier.timespan import DAY, UTC

NOW = dt.datetime(2024, 5, 1, 9, tzinfo=UTC)
NEWEST = dt.datetime(2024, 4, 30, 12, tzinfo=UTC)
ANN = Actor("ann")
PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
MOMENT = pa.timestamp("us", "UTC")
assert FACTOR_TYPE in [field.type.value_type for field in SCHEMA if pa.types.is_list(field.type)]


def open_home(home, **changes) -> Workspace:
    settings = read_settings({}, home=home, **changes)
    ids = itertools.count()
    clock = itertools.count()
    return Workspace(
        settings,
        open_store(settings.database),
        Lake(settings.lake),
        lambda: NOW + next(clock) * dt.timedelta(minutes=1),
        lambda: f"id{next(ids):03}",
    )


def put_events(workspace, rows, batch="one", name="shop"):
    """Rows of (who, days before the newest event, purchase or not)."""
    table = pa.table(
        {
            "_id": [f"{batch}{number}" for number in range(len(rows))],
            "timestamp": pa.array([NEWEST - days * DAY for _, days, _ in rows], MOMENT),
            "identityMap.CRMID": [who for who, _, _ in rows],
            "identityMap.ECID": [f"cookie-{who}" for who, _, _ in rows],
            "web.webPageDetails.name": [None if bought else "home" for _, _, bought in rows],
            "commerce.purchases.value": pa.array([1.0 if bought else None for _, _, bought in rows], pa.float64()),
        }
    )
    workspace.lake.append(f"datasets/{name}/events", table.to_reader(), batch=batch)


def put_people(workspace, rows, name="customers"):
    table = pa.table(
        {
            "_id": [f"a{who}" for who, _ in rows],
            "timestamp": pa.array([dt.datetime(1970, 1, 1, tzinfo=UTC)] * len(rows), MOMENT),
            "identityMap.CRMID": [who for who, _ in rows],
            "tier": [tier for _, tier in rows],
        }
    )
    workspace.lake.append(f"datasets/{name}/profiles", table.to_reader(), batch="people")


def add_instance(workspace, name="Buy again", **changes):
    return save_instance(
        workspace,
        ANN,
        make_instance(
            {
                "name": name,
                "propensity_type": "conversion",
                "datasets": ["shop"],
                "namespace": "CRMID",
                "goal": {"events": [PURCHASE], "window_days": 30},
                **changes,
            }
        ),
    )


def add_scores(workspace, instance, scores, folder, factors=("Days since webVisit",)):
    """Publish a run whose scores are given per person, with one factor that says the score as its value."""
    run = Run(
        id=workspace.new_id(),
        instance_id=instance.id,
        instance=instance.name,
        version=1,
        state=State.QUEUED,
        seed=1,
        started_by="ann",
        queued_at=workspace.clock(),
    )
    with workspace.store.write() as connection:
        assert queue(connection, run)
    claimed = claim(workspace, run)
    rows = [
        {
            "namespace": "CRMID",
            "id": who,
            "score": score,
            "probability": score / 100,
            "percentile": 50,
            "bucket": "low" if score < 25 else "high" if score >= 75 else "medium",
            "propensity_type": "conversion",
            "score_date": NEWEST,
            "factors": [
                {"code": code, "value": f"{score:g}", "importance": "high", "contribution": score - 50.0}
                for code in factors
            ],
            "base_log_odds": 0.0,
        }
        for who, score in scores.items()
    ]
    path = folder / f"{run.id}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    scored = append_scores(claimed, path, workspace.lake)
    ledger = Ledger(workspace.store)
    ledger.pin(claimed, as_of=NEWEST, data_versions={"shop": 0})
    ledger.publish(claimed, scored=scored, auc=0.8, document={"factors": {}}, now=workspace.clock())
    return claimed
