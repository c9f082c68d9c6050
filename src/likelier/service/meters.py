"""What operators watch, as Prometheus reads it.

Requests and events are counted by the process that served them. Runs, their stages and the queue are read from the
store when somebody looks, whoever carried them on, so each server tells the same of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from likelier.runs.records import State
from likelier.service.workspace import Workspace
from likelier.store import runs as records

OUTCOMES = ("accepted", "duplicate", "rejected")
counted = CollectorRegistry()
events = Counter("likelier_events", "Rows taken in, by what became of them.", ["outcome"], registry=counted)
requests = Counter("likelier_http_requests", "Requests answered.", ["method", "route", "status"], registry=counted)
seconds = Histogram(
    "likelier_http_request_seconds",
    "Seconds to the end of the answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
    registry=counted,
)
for outcome in OUTCOMES:
    events.labels(outcome)  # nought is told, too


def exposition(workspace: Workspace) -> bytes:
    """Everything there is to watch, in Prometheus' text format."""
    read = CollectorRegistry()
    read.register(_Stored(workspace))
    return generate_latest(counted) + generate_latest(read)


class _Stored(Collector):
    """What the store knows of runs."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        with self._workspace.store.read() as connection:
            states = records.count_by_state(connection)
            stages = records.stage_seconds(connection)
            queued = [run.queued_at for run in records.waiting(connection) if run.state == State.QUEUED]
        runs = GaugeMetricFamily("likelier_runs", "Runs by state.", labels=["state"])
        for state in State:
            runs.add_metric([state], states.get(state, 0))
        took = SummaryMetricFamily("likelier_stage_seconds", "Seconds that stages of runs took.", labels=["stage"])
        for stage, (count, total) in sorted(stages.items()):
            took.add_metric([stage], count_value=count, sum_value=total)
        oldest = max((self._workspace.clock() - moment for moment in queued), default=dt.timedelta())
        yield runs
        yield took
        yield GaugeMetricFamily("likelier_queue_runs", "Runs that wait for a process.", value=len(queued))
        yield GaugeMetricFamily(
            "likelier_queue_oldest_seconds", "How long the first of them has waited.", value=oldest.total_seconds()
        )
