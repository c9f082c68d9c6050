"""Runs that scored some people without having learnt anything."""

import numpy as np
import pyarrow as pa

from likelier.runs.records import scores_table
from likelier.scores import SCHEMA, Scale, buckets, percentiles
from likelier.service.instances import whole_instance
from likelier.service.runs import claim, start_run
from likelier.store.runs import Ledger

BUCKETS = ("low", "medium", "high")


def publish(workspace, actor, instance, as_of, people):
    """Publish the probabilities of people, by id, as the scores of a run as of a moment; give the run's id."""
    run = claim(workspace, start_run(workspace, actor, instance, as_of=as_of, seed=1))
    with workspace.store.read() as connection:
        asked = whole_instance(connection, instance)
    ledger = Ledger(workspace.store)
    ledger.pin(run, as_of=as_of, data_versions={"shop": workspace.lake.version("datasets/shop/events")})
    probability = np.array(list(people.values()))
    score = Scale.of(probability).score(probability)
    place = buckets(score)
    columns = {
        "namespace": ["CRMID"] * len(people),
        "id": list(people),
        "score": score,
        "probability": probability,
        "percentile": percentiles(probability),
        "bucket": [BUCKETS[each] for each in place],
        "propensity_type": ["conversion"] * len(people),
        "score_date": pa.array([as_of] * len(people), pa.timestamp("us", "UTC")),
        "factors": [[]] * len(people),
        "base_log_odds": [0.0] * len(people),
    }
    table = pa.table(columns, schema=SCHEMA).append_column("run_id", pa.array([run.id] * len(people)))
    workspace.lake.append(scores_table(instance.id), table.to_reader(), batch=run.id)
    counted = {name: int((place == k).sum()) for k, name in enumerate(BUCKETS)}
    means = {name: float(probability[place == k].mean()) if counted[name] else None for k, name in enumerate(BUCKETS)}
    insights = {
        "instance": asked.dump(),
        "goal_deed": "make a purchase",
        "scores": {**counted, "mean_probability": float(probability.mean()), "expected": means},
        "metrics": {"auc": {"value": 0.8, "low": 0.7, "high": 0.9}, "base_rate": 0.3},
        "estimate": {"auc": {"value": 0.6, "low": 0.55, "high": 0.65}, "rates": {}},
    }
    ledger.publish(run, scored=len(people), auc=0.8, document=insights, now=workspace.clock())
    return run.id
