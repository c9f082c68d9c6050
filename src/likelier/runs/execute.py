"""Carrying a run from where it stands to its end.

A run is a function of its definition, data versions, as-of and seed, and each stage leaves its output in the run's
folder in one rename. So whoever holds the run's lease calls the stages in order: finished ones answer from the folder,
the one that was cut off begins again, and the outcome is the same. Where the folder is gone (another machine), all
begin again, with the same outcome.

Nothing is visible before the end. The scores are appended to the lake under the run's id, which a second append does
not repeat, and become readable by the one transaction that makes the run a success.
"""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from likelier import scores
from likelier.backend import Engine
from likelier.datasets import open_dataset
from likelier.errors import LikelierError, RunError, StorageError, TransientError
from likelier.identity.cuts import CUTS
from likelier.instance import Instance
from likelier.lake import Lake
from likelier.logs import about_run
from likelier.phrases import say
from likelier.profiles.published import fetch_scorer, publish_other_scores, publish_scorer, publish_scores
from likelier.readings import Readings
from likelier.runs.owners import claim_of
from likelier.runs.records import Failure, LeaseLostError, Progress, Run, RunCancelledError, Watch, scores_table
from likelier.timespan import next_midnight

log = logging.getLogger(__name__)
INSIGHTS = "insights"
ATTEMPTS_WAIT = 0.5
"""Seconds before the first repetition of what failed for a passing reason; each further one waits twice as long."""


class Ledger(Protocol):
    """Where runs are recorded. Every change raises :class:`LeaseLostError` when the run's lease is another's."""

    def claim(
        self, run_id: str, owner: str, *, now: dt.datetime, until: dt.datetime, instead_of: str | None = None
    ) -> Run | None:
        """Take the lease of a run that is queued, or whose owner was not heard of, or is `instead_of`."""

    def pin(
        self, run: Run, *, as_of: dt.datetime, data_versions: Mapping[str, int], model: Mapping[str, Any] | None = None
    ) -> None:
        """Settle what the run runs on, and with which model."""

    def beat(self, run: Run, progress: Progress | None, *, until: dt.datetime) -> bool:
        """Renew the lease and write the progress; answer whether the run is to be cancelled."""

    def finish_stage(self, run: Run, *, stages: Mapping[str, Mapping[str, Any]], timings: Mapping[str, float]) -> None:
        """Record the stages finished so far."""

    def publish(
        self, run: Run, *, scored: int, auc: float | None, document: Mapping[str, Any], now: dt.datetime
    ) -> None:
        """Make the run a success and its scores and insights visible, all at once."""

    def fail(
        self,
        run: Run,
        failure: Failure,
        *,
        auc: float | None = None,
        document: Mapping[str, Any] | None = None,
        now: dt.datetime,
    ) -> None:
        """End the run with the reason."""

    def cancel(self, run: Run, *, now: dt.datetime) -> None:
        """End the run as somebody asked."""

    def release(self, run: Run) -> None:
        """Put the run back into the queue."""


class Stages(Protocol):
    """What a run does, in order: :mod:`likelier.pipeline`."""

    @property
    def STAGES(self) -> Sequence[str]:  # noqa: N802 - a constant of the module
        """The stages' names, in order."""

    @property
    def Inputs(self) -> Callable[..., Any]:  # noqa: N802 - a class of the module
        """All that decides a run's result."""

    def with_champion(self, inputs: Any, *, as_of: dt.datetime, due: bool, stale: bool) -> Any:
        """The inputs of a run that keeps the model in its folder "champion", or has it stand up to a new one."""

    def newest_event(self, engine: Engine, lake: Lake, datasets: tuple[str, ...]) -> dt.datetime:
        """When the latest event of the datasets happened."""

    def read_together(
        self,
        wanted: Sequence[tuple[Any, Path]],
        *,
        engine: Engine,
        lake: Lake,
        progress: Callable[[float, int], None],
    ) -> int:
        """Leave the stage "read" in the folders of those inputs that can share it."""

    def run_stage(
        self,
        name: str,
        inputs: Any,
        *,
        engine: Engine,
        lake: Lake,
        folder: Path,
        progress: Callable[[float, int], None],
        readings: Readings | None,
    ) -> dict[str, Any]:
        """Do one stage, or answer what it said when its output is in the folder already.

        What earlier runs have read need not be read again.
        """

    def scores_file(self, folder: Path) -> Path:
        """Where the scores are."""

    def other_scores_file(self, folder: Path) -> Path | None:
        """Where the scores of the model that lost are, when two stood up to each other."""

    def scorer_files(self, folder: Path) -> Sequence[Path]:
        """What it takes to score one person later."""

    def insights_of(self, folder: Path) -> dict[str, Any]:
        """What a report shows."""


def train_anew(_: Run) -> Mapping[str, Any]:
    """Plan a run with a model of its own."""
    return {"run": None, "because": say("A new model was asked for.")}


@dataclass(frozen=True)
class Bench:
    """What running takes; each part is given, so a test may give another."""

    ledger: Ledger
    stages: Stages
    lake: Lake
    engine: Callable[[], AbstractContextManager[Engine]]
    folder: Path
    clock: Callable[[], dt.datetime]
    lease: dt.timedelta
    beat_seconds: float
    attempts: int
    minimum_auc: float
    wait: Callable[[float], None] = time.sleep
    plan: Callable[[Run], Mapping[str, Any]] = train_anew
    readings: Readings | None = None

    def workplace(self, run: Run) -> Path:
        """The folder of this claim on the run."""
        assert run.lease is not None
        return self.folder / run.id / claim_of(run.lease.owner)


def carry_on(run: Run, instance: Instance, bench: Bench, watch: Watch = lambda _: None) -> None:
    """Carry a claimed run to its end, and record which it was.

    Raises :class:`LeaseLostError` when another process took the run over meanwhile.
    """
    with about_run(run.id):
        log.info("run taken up", extra={"attempt": run.lease.attempt if run.lease else 0})
        _to_its_end(run, instance, bench, watch)
        log.info("run over")
    _clear(run, bench)


def read_ahead(claimed: Sequence[tuple[Run, Instance]], bench: Bench, watch: Watch = lambda _: None) -> None:
    """Have claimed runs share the reading of the events, as far as they can, and put them back into the queue.

    From there on each is like any run that was interrupted: whoever carries it on finds what it has read already. What
    goes wrong here is nobody's end: a run that finds nothing reads by itself, and then says what is wrong.
    """
    with ExitStack() as over:
        for run, _ in claimed:
            over.callback(_release, run, bench)
        hearts = [over.enter_context(_heart(run, bench, lambda _: None)) for run, _ in claimed]
        engine = over.enter_context(bench.engine())
        shared = replace(bench, engine=lambda: nullcontext(engine))

        def progress(fraction: float, rows: int) -> None:
            for heart in hearts:
                heart.show(Progress("read", fraction, rows))
            watch(Progress("read", fraction, rows))

        try:
            wanted = [ready for run, instance in claimed if (ready := _made_ready(run, instance, shared))]
            bench.stages.read_together(wanted, engine=engine, lake=bench.lake, progress=progress)
        except (LikelierError, OSError) as error:
            log.info("runs read by themselves: %s", error)


def _made_ready(run: Run, instance: Instance, bench: Bench) -> tuple[Any, Path] | None:
    """Pin a run, and make its folder."""
    try:
        return _inputs(_pinned(run, instance, bench), instance, bench)
    except LikelierError:
        return None


def _release(run: Run, bench: Bench) -> None:
    with suppress(LeaseLostError):
        bench.ledger.release(run)


def _to_its_end(run: Run, instance: Instance, bench: Bench, watch: Watch) -> None:
    try:
        with _heart(run, bench, watch) as heart:
            _to_success(run, instance, bench, heart)
    except RunCancelledError:
        bench.ledger.cancel(run, now=bench.clock())
    except RunError as error:
        _fail(run, Failure.of(error), bench)
    except (StorageError, TransientError) as error:
        _fail(run, Failure(None, "STORAGE", str(error), _STORAGE_ADVICE), bench)
    except LeaseLostError:
        raise
    except LikelierError as error:
        _fail(run, Failure(None, "CONFIGURATION", str(error)), bench)
    except OSError as error:
        _fail(run, Failure(None, "STORAGE", _of_the_system(error), _STORAGE_ADVICE), bench)
    except Exception as error:
        log.exception("run failed unexpectedly")
        _fail(run, _unexpected(run, error, bench), bench)


def _of_the_system(error: OSError) -> str:
    """Say what the system refused; NumPy, when a file takes no more, says only how much of it was written."""
    return f"{error.strerror or 'A file took no more: the disk may be full, or files may not grow so large'}."


_STORAGE_ADVICE = ("Check the space on the disk and the connection to the store and the lake, then run again.",)


def _to_success(run: Run, instance: Instance, bench: Bench, heart: Heart) -> None:
    _refuse_endless_attempts(run, bench)
    run = _pinned(run, instance, bench)
    with bench.engine() as engine:
        run = _all_stages(run, instance, engine, bench, heart)
    _publish(run, bench, heart)


def _refuse_endless_attempts(run: Run, bench: Bench) -> None:
    if run.lease and run.lease.attempt > bench.attempts:
        stage = run.progress.stage if run.progress else "first"
        raise StorageError(
            say(
                "The process died {attempts} times in the {stage} stage, the last time without a word. "
                "Often the machine has too little memory.",
                attempts=bench.attempts,
                stage=stage,
            )
        )


def _pinned(run: Run, instance: Instance, bench: Bench) -> Run:
    """Settle as-of and data versions at the first attempt; later ones run on the same."""
    if run.pinned:
        return run
    with bench.engine() as engine:
        datasets = [open_dataset(bench.lake, name) for name in instance.datasets]
        as_of = run.as_of or next_midnight(bench.stages.newest_event(engine, bench.lake, instance.datasets))
    versions = {dataset.name: dataset.version for dataset in datasets}
    if instance.stitch:
        versions[CUTS] = bench.lake.version(CUTS)
    model = bench.plan(replace(run, as_of=as_of))
    bench.ledger.pin(run, as_of=as_of, data_versions=versions, model=model)
    return replace(run, as_of=as_of, data_versions=versions, model=model)


def _all_stages(run: Run, instance: Instance, engine: Engine, bench: Bench, heart: Heart) -> Run:
    inputs, folder = _inputs(run, instance, bench)
    for stage in bench.stages.STAGES:
        began = time.monotonic()
        heart.enter(stage)
        summary = _persistently(
            lambda stage=stage: bench.stages.run_stage(  # type: ignore[misc]
                stage,
                inputs,
                engine=engine,
                lake=bench.lake,
                folder=folder,
                progress=heart.progress,
                readings=bench.readings,
            ),
            bench,
        )
        if stage in run.stages:  # and recorded: only what is new begins the count of attempts anew
            continue
        seconds = time.monotonic() - began
        log.info("stage finished", extra={"stage": stage, "seconds": round(seconds, 3)})
        run = _with_stage(run, stage, summary, seconds)
        _persistently(lambda run=run: bench.ledger.finish_stage(run, stages=run.stages, timings=run.timings), bench)  # type: ignore[misc]
    return run


def _inputs(run: Run, instance: Instance, bench: Bench) -> tuple[Any, Path]:
    """Give what a pinned run runs on, and the folder it works in."""
    assert run.as_of is not None
    assert run.data_versions is not None
    folder = _taken_over(bench.workplace(run))
    inputs = bench.stages.Inputs(instance, run.as_of, run.seed, run.data_versions)
    return _with_champion(inputs, run, folder, bench), folder


def _with_champion(inputs: Any, run: Run, folder: Path, bench: Bench) -> Any:
    """Put the champion that the plan names into the run's folder."""
    plan = run.model or {}
    if not plan.get("run"):
        return inputs
    champion, coming = folder / "champion", folder / ".champion"
    if not champion.exists():
        shutil.rmtree(coming, ignore_errors=True)
        coming.mkdir()
        if not fetch_scorer(bench.lake, run.instance_id, plan["run"], coming):
            raise StorageError(say("The model of run {plan}, which this run is to use, is gone.", plan=plan["run"][:8]))
        coming.rename(champion)
    as_of = dt.datetime.fromisoformat(plan["as_of"])
    return bench.stages.with_champion(inputs, as_of=as_of, due=plan["due"], stale=plan["stale"])


def _taken_over(folder: Path) -> Path:
    """Begin with what an earlier claim left.

    Each claim works in a folder of its own, so a process that lost its lease unawares cannot disturb the next one: its
    folder is gone.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    earlier = [path for path in folder.parent.iterdir() if path != folder]
    if earlier and not folder.exists():
        max(earlier, key=lambda path: len(list(path.iterdir()))).rename(folder)
    folder.mkdir(exist_ok=True)
    return folder


def _with_stage(run: Run, stage: str, summary: Mapping[str, Any], seconds: float) -> Run:
    """Record a stage; one that only answered from its folder keeps the time it took.

    Insights have a place of their own when the run is published: here every list of runs would carry them along.
    """
    summary = {} if stage == INSIGHTS else summary
    timings = {**run.timings, stage: max(seconds, run.timings.get(stage, 0.0))}
    return replace(run, stages={**run.stages, stage: summary}, timings=timings)


def _publish(run: Run, bench: Bench, heart: Heart) -> None:
    folder = bench.workplace(run)
    document = bench.stages.insights_of(folder)
    auc = document["metrics"]["auc"]["value"]
    if auc < bench.minimum_auc:
        failure = Failure.of(_bad_model(auc, bench.minimum_auc))
        bench.ledger.fail(run, failure, auc=auc, document=document, now=bench.clock())
        return
    heart.enter("publish")
    scored = _persistently(lambda: append_scores(run, bench.stages.scores_file(folder), bench.lake), bench)
    _persistently(lambda: publish_scores(bench.lake, run.instance_id, run.id, bench.stages.scores_file(folder)), bench)
    _persistently(lambda: publish_scorer(bench.lake, run.instance_id, run.id, bench.stages.scorer_files(folder)), bench)
    if other := bench.stages.other_scores_file(folder):
        _persistently(lambda: publish_other_scores(bench.lake, run.instance_id, run.id, other), bench)
    heart.check()
    _persistently(
        lambda: bench.ledger.publish(run, scored=scored, auc=auc, document=document, now=bench.clock()), bench
    )


def _bad_model(auc: float, minimum: float) -> RunError:
    return RunError(
        402,
        say(
            "Of two people, one who did and one who did not, the model put the right one first in {auc:.0%} of the "
            "cases (AUC {auc:.3f}); half would be chance, and {minimum:.0%} is the least that is published. "
            "The scores before stay in use.",
            auc=auc,
            minimum=minimum,
        ),
        (
            say("Choose a goal that follows more closely from what people do."),
            say("Add datasets or custom events that say more about them."),
            say("Try another outcome window."),
        ),
    )


def append_scores(run: Run, path: Path, lake: Lake) -> int:
    """Append a run's scores to its instance's table; appended once however often it is called."""
    rows = scores.stream(path)
    schema = rows.schema.append(pa.field("run_id", pa.string(), nullable=False))
    marked = (_marked(batch, schema, run.id) for batch in rows)
    lake.append(scores_table(run.instance_id), pa.RecordBatchReader.from_batches(schema, marked), batch=run.id)
    return int(pq.read_metadata(path).num_rows)


def _marked(batch: pa.RecordBatch, schema: pa.Schema, run_id: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*batch.columns, pa.repeat(pa.scalar(run_id), batch.num_rows)], schema=schema)


def _persistently(work: Callable[[], Any], bench: Bench) -> Any:
    """Do it again, after waiting longer each time, while it fails for a passing reason."""
    for attempt in range(1, bench.attempts):
        try:
            return work()
        except TransientError:
            bench.wait(ATTEMPTS_WAIT * 2 ** (attempt - 1))
    return work()


def _fail(run: Run, failure: Failure, bench: Bench) -> None:
    log.warning("run failed", extra={"code": failure.code, "title": str(failure.title)})
    # What the run leaves behind is of no use now, and a full disk needs the space to record the failure.
    _clear(run, bench)
    _persistently(lambda: bench.ledger.fail(run, failure, now=bench.clock()), bench)


def _clear(run: Run, bench: Bench) -> None:
    shutil.rmtree(bench.folder / run.id, ignore_errors=True)


def _unexpected(run: Run, error: Exception, bench: Bench) -> Failure:
    """Keep the whole story in a file on this machine; the record, which more people see, names only its kind."""
    story = bench.folder / f"{run.id}.error.txt"
    story.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return Failure(None, "UNEXPECTED", f"{type(error).__name__}; the details are in {story}.")


class Heart:
    """Renews the lease and writes the progress in the background, and stops the run's work when it has to."""

    def __init__(self, run: Run, bench: Bench, watch: Watch) -> None:
        self._run, self._bench, self._watch = run, bench, watch
        self._now: Progress | None = run.progress
        self._stop: Exception | None = None

    def enter(self, stage: str) -> None:
        self._now = Progress(stage)
        self.check()
        self._watch(self._now)

    def progress(self, fraction: float, rows: int) -> None:
        assert self._now is not None
        self.show(Progress(self._now.stage, fraction, rows))
        self.check()
        self._watch(self._now)

    def show(self, progress: Progress) -> None:
        """Have the next beat write it."""
        self._now = progress

    def check(self) -> None:
        """Raise when the run was cancelled, or is another's by now."""
        if self._stop is not None:
            raise self._stop

    def beat_until(self, over: threading.Event) -> None:
        until = self._bench.clock() + self._bench.lease
        while not over.wait(self._bench.beat_seconds):
            now = self._bench.clock()
            try:
                if self._bench.ledger.beat(self._run, self._now, until=now + self._bench.lease):
                    self._stop = RunCancelledError(self._run.id)
                until = now + self._bench.lease
            except LeaseLostError as error:
                self._stop = error
                return
            except (TransientError, StorageError):
                if now > until:  # nobody heard of this process for so long that another may have the run
                    self._stop = LeaseLostError(self._run.id)
                    return


@contextmanager
def _heart(run: Run, bench: Bench, watch: Watch) -> Iterator[Heart]:
    heart, over = Heart(run, bench, watch), threading.Event()
    thread = threading.Thread(target=heart.beat_until, args=(over,), name=f"heart of {run.id}", daemon=True)
    thread.start()
    try:
        yield heart
    finally:
        over.set()
        thread.join()
