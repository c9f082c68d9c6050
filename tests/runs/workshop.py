"""A run in small: stages that take no time, on a real store and a real lake."""
# ruff: noqa: ARG002 - stages are called like the real ones

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import types
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from likelier.instance import make_instance
from likelier.lake import Lake
from likelier.runs.execute import Bench, carry_on
from likelier.runs.records import Run, State, scores_table
from likelier.store import instances, runs
from likelier.store.database import Store, open_store
from likelier.store.runs import Ledger

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
EVENT = dt.datetime(2024, 4, 30, 12, tzinfo=dt.UTC)
PURCHASE = {"conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
INSTANCE = make_instance(
    {
        "name": "Buy",
        "propensity_type": "conversion",
        "datasets": ["shop"],
        "namespace": "CRMID",
        "goal": {"events": [PURCHASE], "window_days": 30},
    }
)


@dataclass
class Stages:
    """Stages whose every call is counted; `trouble` happens in the call it is listed under, once each."""

    auc: float = 0.8
    calls: list[str] = field(default_factory=list)
    trouble: dict[str, list[BaseException]] = field(default_factory=dict)
    during: Any = None
    STAGES = ("read", "check", "train", "score", "insights")

    @staticmethod
    def Inputs(instance, as_of, seed, versions):
        return types.SimpleNamespace(instance=instance, as_of=as_of, seed=seed, versions=versions)

    def newest_event(self, engine, lake, datasets):
        return EVENT

    def read_together(self, wanted, *, engine, lake, progress):
        self.calls.append("read together")
        if self.trouble.get("read together"):
            raise self.trouble["read together"].pop(0)
        for _, folder in wanted:
            (folder / "read").mkdir()
            (folder / "read" / "said.json").write_text(json.dumps({"stage": "read"}))
        progress(1.0, 10)
        return len(wanted)

    def run_stage(self, name, inputs, *, engine, lake, folder: Path, progress, readings):
        done = folder / name
        if not done.exists():
            self.calls.append(name)
            progress(0.5, 10)
            if self.during:
                self.during(name, progress)
            if self.trouble.get(name):
                raise self.trouble[name].pop(0)
            work = folder / f".{name}"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            if name == "score":
                ids = [f"p{number}-{inputs.seed}" for number in range(3)]
                pq.write_table(pa.table({"id": ids, "score": [10.0, 50.0, 90.0]}), work / "scores.parquet")
            (work / "said.json").write_text(json.dumps({"stage": name}))
            work.rename(done)
        return json.loads((done / "said.json").read_text())

    def scores_file(self, folder):
        return folder / "score" / "scores.parquet"

    def other_scores_file(self, folder):
        return None

    def scorer_files(self, folder):
        return []

    def insights_of(self, folder):
        assert (folder / "insights" / "said.json").exists()
        return {"metrics": {"auc": {"value": self.auc}}, "seed": 7}


def bench(store: Store, home: Path, stages: Any, **changes: Any) -> Bench:
    made = Bench(
        ledger=Ledger(store),
        stages=stages,
        lake=Lake(str(home / "lake")),
        engine=lambda: contextlib.nullcontext(None),
        folder=home / "runs",
        clock=lambda: dt.datetime.now(dt.UTC),
        lease=dt.timedelta(seconds=30),
        beat_seconds=0.005,
        attempts=3,
        minimum_auc=0.65,
        wait=lambda _: None,
    )
    return replace(made, **changes)


def prepare(store: Store, home: Path, run_id: str = "r1", **changes: Any) -> None:
    """A home with one instance, a dataset with one event, and a queued run."""
    event = pa.table({"_id": ["1"], "timestamp": pa.array([EVENT], pa.timestamp("us", "UTC"))})
    Lake(str(home / "lake")).append("datasets/shop/events", event.to_reader(), batch="one")
    instance = instances.Instance(
        id="buy",
        name="Buy",
        description="",
        status=instances.Status.ENABLED,
        schedule=None,
        profile_enabled=True,
        version=1,
        draft=None,
        revision=1,
        created_at=NOW,
        created_by="ann",
        updated_at=NOW,
    )
    with store.write() as connection:
        if instances.find(connection, "buy") is None:
            instances.add(connection, instance)
            instances.add_version(connection, instance, {}, now=NOW, by="ann")
        assert runs.queue(connection, queued(run_id, **changes))


def queued(run_id: str, **changes: Any) -> Run:
    return Run(
        **{
            "id": run_id,
            "instance_id": "buy",
            "instance": "Buy",
            "version": 1,
            "state": State.QUEUED,
            "seed": 7,
            "started_by": "ann",
            "queued_at": NOW,
            **changes,
        }
    )


def claim(store: Store, owner: str, run_id: str = "r1", instead_of: str | None = None) -> Run | None:
    now = dt.datetime.now(dt.UTC)
    return Ledger(store).claim(
        run_id, f"here/1/1/{owner}", now=now, until=now + dt.timedelta(seconds=30), instead_of=instead_of
    )


def found(store: Store, run_id: str = "r1") -> Run:
    with store.read() as connection:
        return runs.find(connection, run_id)


def scores(home: Path) -> list[tuple[str, str]]:
    """Every (run, id) in the lake, published or not."""
    lake = Lake(str(home / "lake"))
    if not lake.exists(scores_table("buy")):
        return []
    table = pa.concat_tables([pq.read_table(file) for file in lake.files(scores_table("buy"))])
    return sorted(zip(table["run_id"].to_pylist(), table["id"].to_pylist(), strict=True))


class Killer:
    """Counts what an executor asks of its parts, and kills the process before or after the n-th time."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, part: Any, *names: str) -> Any:
        watched = types.SimpleNamespace(**{name: getattr(part, name) for name in dir(part) if name[0] != "_"})
        for name in names:
            setattr(watched, name, self._ticking(getattr(part, name)))
        return watched

    def _ticking(self, work: Any) -> Any:
        def ticking(*args: Any, **kwargs: Any) -> Any:
            self.tick()
            answer = work(*args, **kwargs)
            self.tick()
            return answer

        return ticking


def victim(url: str, home: Path, owner: str, instead_of: str | None, moment: int, run_id: str = "r1") -> None:
    """Carry the run on and die at the given moment, counted in calls; the last one ends well."""
    store = open_store(url)
    killer = Killer(moment)
    run = claim(store, owner, run_id, instead_of)
    assert run is not None
    made = bench(store, home, Stages(), beat_seconds=60)
    made = replace(
        made,
        ledger=killer.around(made.ledger, "pin", "finish_stage", "publish"),
        stages=killer.around(made.stages, "run_stage"),
        lake=killer.around(made.lake, "append"),
    )
    carry_on(run, INSTANCE, made)
    store.close()
