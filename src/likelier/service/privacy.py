"""What a person may ask of whoever keeps data about them: all of it, and that it be deleted.

Both find the person by one id, and with it the further ids that stand in the same rows and in nobody else's
(:class:`~likelier.datasets.erasing.Person`). An id that others have as well is told and left alone.

Deleting reaches events, attributes, rows set aside, scores of all runs, members of segments and hold-outs, what is
published of all that, the versions and logs of the tables, and what is kept for replies. It is refused while a run
reads. Whatever interrupts it, asking again completes it: the rows that say which ids belong together go last.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import operator
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.backend import Engine
from likelier.datasets import Dataset, is_published, list_datasets, publish_rows, read_dataset, read_rejects
from likelier.datasets.erasing import Id, Person, carries, delete_rows, mentions, recognise, written
from likelier.errors import UnknownNameError
from likelier.identity.cuts import CUTS, cut_links
from likelier.identity.links import parted
from likelier.profiles.published import scores_shelves
from likelier.purge import purge, tables
from likelier.runs.records import State
from likelier.service.data import known_ids
from likelier.service.deleted import remove_for_good
from likelier.service.runs import RunUnderWayError
from likelier.service.scene import MOST
from likelier.service.worker import tidy
from likelier.service.workspace import Workspace
from likelier.shelf import take_off
from likelier.store import erasures
from likelier.store import instances as stored_instances
from likelier.store import runs as records
from likelier.store import segments as stored_segments
from likelier.store.erasures import Erasure
from likelier.store.segments import members_shelf

log = logging.getLogger(__name__)
SCORES, SEGMENTS, HOLD_OUTS = "scores/", "segments/", "holdouts/"


# --- access ----------------------------------------------------------------------------------------------------------


def everything_about(workspace: Workspace, actor: Actor, namespace: str, identity: str) -> dict[str, Any]:
    """Gather all that is known of a person into one document."""
    datasets = _datasets_with(workspace, namespace)
    with workspace.store.write() as connection:
        record(connection, actor, "privacy.access", _somebody(namespace, workspace.new_id()), now=workspace.clock())
    with workspace.engine() as engine:
        person = _recognised(workspace, engine, datasets, namespace, identity)
        return {
            "namespace": namespace,
            "id": identity,
            "as_of": workspace.clock().isoformat(),
            **_told(person),
            "events": list(_rows(workspace, engine, datasets, person, "events")),
            "attributes": list(_rows(workspace, engine, datasets, person, "profiles")),
            "scores": list(_scores(workspace, engine, person)),
            "segments": list(_segments(workspace, engine, person)),
            "hold_outs": list(_hold_outs(workspace, engine, person)),
            "set_aside": list(_set_aside(workspace, engine, datasets, person)),
            "cut_links": [
                [{"namespace": one, "id": theirs} for one, theirs in pair]
                for pair in _apart(workspace)
                if not person.ids.isdisjoint(pair)
            ],
        }


def _recognised(
    workspace: Workspace, engine: Engine, datasets: Sequence[Dataset], namespace: str, identity: str
) -> Person:
    return recognise(engine, workspace.lake, datasets, namespace, identity, _apart(workspace))


def _apart(workspace: Workspace) -> list[tuple[Id, Id]]:
    return [(parted(one), parted(other)) for one, other in cut_links(workspace.lake)]


def _datasets_with(workspace: Workspace, namespace: str) -> list[Dataset]:
    datasets = list_datasets(workspace.lake)
    known = {name for dataset in datasets for name in dataset.namespaces}
    if namespace not in known:
        raise UnknownNameError("namespace", namespace, known)
    return datasets


def _told(person: Person) -> dict[str, Any]:
    return {
        "ids": [{"namespace": namespace, "id": one} for namespace, one in sorted(person.ids)],
        "shared_ids": [{"namespace": namespace, "id": one} for namespace, one in sorted(person.shared)],
    }


def _rows(
    workspace: Workspace, engine: Engine, datasets: Iterable[Dataset], person: Person, kind: str
) -> Iterator[dict[str, Any]]:
    for dataset in datasets:
        if dataset.kind == kind:
            table = read_dataset(engine, workspace.lake, dataset)
            for row in engine.table(table.filter(carries(table, person.ids)).order_by("timestamp", "_id")).to_pylist():
                yield {"dataset": dataset.name, **_plain(row)}


def _scores(workspace: Workspace, engine: Engine, person: Person) -> Iterator[dict[str, Any]]:
    with workspace.store.read() as connection:
        names = {run.id: run.instance for run in records.history(connection)}
    for table in _people_tables(workspace, SCORES):
        for row in _about(workspace, engine, table, person):
            yield {"instance": names.get(row["run_id"]), **_plain(row)}


def _segments(workspace: Workspace, engine: Engine, person: Person) -> Iterator[dict[str, Any]]:
    with workspace.store.read() as connection:
        deleted = stored_segments.put_away_ones(connection, after=workspace.clock())
        segments = [*stored_segments.every(connection), *deleted]
        counts = {
            count.snapshot: (one, count) for one in segments for count in stored_segments.counts(connection, one.id)
        }
    for table in _people_tables(workspace, SEGMENTS):
        for row in _about(workspace, engine, table, person):
            if row["snapshot"] in counts:
                segment, count = counts[row["snapshot"]]
                yield {
                    "segment": segment.name,
                    "namespace": row["namespace"],
                    "id": row["id"],
                    "at": count.at.isoformat(),
                }


def _hold_outs(workspace: Workspace, engine: Engine, person: Person) -> Iterator[dict[str, Any]]:
    with workspace.store.read() as connection:
        names = {segment.id: segment.name for segment in stored_segments.every(connection)}
    for table in _people_tables(workspace, HOLD_OUTS):
        for row in _about(workspace, engine, table, person):
            name = names.get(table.removeprefix(HOLD_OUTS))
            yield {"segment": name, **{key: row[key] for key in ("namespace", "id", "kept_back")}}


def _set_aside(
    workspace: Workspace, engine: Engine, datasets: Iterable[Dataset], person: Person
) -> Iterator[dict[str, Any]]:
    named = [mentions(one) for _, one in person.ids]
    for dataset in datasets:
        rows = read_rejects(engine, workspace.lake, dataset)
        words = [form for _, one in person.ids for form in written(one)]
        near = functools.reduce(operator.or_, (rows.raw.contains(word) for word in words))
        for row in engine.table(rows.filter(near)).to_pylist():
            if any(names(row["raw"]) for names in named):
                yield {"dataset": dataset.name, **row}


def _people_tables(workspace: Workspace, below: str) -> list[str]:
    names = (f"{below}{name}" for name in workspace.lake.names(below.rstrip("/")))
    return [name for name in names if workspace.lake.exists(name) and workspace.lake.files(name)]


def _about(workspace: Workspace, engine: Engine, table: str, person: Person) -> list[dict[str, Any]]:
    rows = engine.read(workspace.lake.files(table))
    spaces = sorted({namespace for namespace, _ in person.ids})
    theirs = [(rows.namespace == one) & rows.id.isin(person.of(one)) for one in spaces]
    found: list[dict[str, Any]] = engine.table(rows.filter(functools.reduce(operator.or_, theirs))).to_pylist()
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.astimezone(dt.UTC).isoformat() if isinstance(value, dt.datetime) else value


# --- deletion --------------------------------------------------------------------------------------------------------


def erase(workspace: Workspace, actor: Actor, namespace: str, identity: str) -> dict[str, Any]:
    """Delete all that is known of a person, and say how much there was; the answer holds none of their ids.

    `left` says where in the store somebody wrote one of the ids: a segment's rule, the name of a file in the log.
    """
    datasets = _datasets_with(workspace, namespace)
    with workspace.engine() as engine:
        person = _recognised(workspace, engine, datasets, namespace, identity)
        work = _Erasing(workspace, engine, person, begin(workspace, actor, person.ids))
        finished = None
        try:
            remove_for_good(workspace, at_once=True)
            work.delete(datasets)
            finished = workspace.clock()
        finally:
            _end(workspace, actor, work, finished)
    _look_at_outcomes(workspace)
    with workspace.store.write() as connection:
        erasures.forget_replies(connection, (one for _, one in person.ids))
    workspace.store.let_go()
    return {
        "erasure": work.erasure.id,
        "namespace": namespace,
        "ids": len(person.ids),
        "shared_ids": len(person.shared),
        "deleted": dict(work.counts),
        "left": _left(workspace, person),
    }


def proofs_of(workspace: Workspace, namespace: str, identity: str) -> list[dict[str, Any]]:
    """Tell when somebody was deleted, by an id of theirs; newest first."""
    with workspace.store.read() as connection:
        found = [one for one in erasures.every(connection) if one.is_of(namespace, identity)]
    return [
        {
            "erasure": one.id,
            "requested_at": one.requested_at.isoformat(),
            "requested_by": one.requested_by,
            "finished_at": one.finished_at.isoformat() if one.finished_at else None,
            "deleted": dict(one.counts or {}),
        }
        for one in found
    ]


@dataclass
class _Erasing:
    """One erasure at work."""

    workspace: Workspace
    engine: Engine
    person: Person
    erasure: Erasure
    counts: Counter[str] = field(default_factory=Counter)

    def delete(self, datasets: Iterable[Dataset]) -> None:
        held = tables(self.workspace.lake)
        for table in held:
            if not _is_linking(table):
                self._from(table, self.person.ids)
        self._off_shelves()
        self._files_of_runs()
        linking = [table for table in held if _is_linking(table)]
        for ids, but in ((self.person.ids - {self.person.asked}, {self.person.asked}), (self.person.ids, set())):
            for table in linking:
                self._from(table, ids, but)
        self._publish_again(datasets)
        for table in held:
            purge(self.workspace.lake, table)
            self._go_on()

    def _from(self, table: str, ids: Iterable[Id], but: Iterable[Id] = ()) -> None:
        self.counts[_kind(table)] += delete_rows(self.workspace.lake, table, ids, but=but) if ids else 0
        self._go_on()

    def _off_shelves(self) -> None:
        lake = self.workspace.lake
        for name in scores_shelves(lake):
            take_off(lake, name, self._is_theirs)
        with self.workspace.store.read() as connection:
            counts = [
                (segment, count)
                for segment in stored_segments.every(connection)
                for count in stored_segments.counts(connection, segment.id)
            ]
        for segment, count in counts:
            take_off(lake, members_shelf(segment, count.snapshot), partial(self._is_in, segment.namespace))
        self._go_on()

    def _is_theirs(self, block: pa.RecordBatch) -> pa.Array:
        found = pa.repeat(pa.scalar(False), block.num_rows)
        for namespace in {one for one, _ in self.person.ids}:
            here = pc.and_(pc.equal(block["namespace"], namespace), self._is_in(namespace, block))
            found = pc.or_(found, here)
        return found

    def _is_in(self, namespace: str, block: pa.RecordBatch) -> pa.Array:
        return pc.is_in(block["id"], pa.array(self.person.of(namespace), pa.string()))

    def _files_of_runs(self) -> None:
        """Remove what runs that are over left here, what they have read, and accounts of failures."""
        tidy(self.workspace)
        self.workspace.readings.forget()
        named = [mentions(one) for _, one in self.person.ids]
        for story in Path(self.workspace.settings.runs).glob("*.error.txt"):
            said = story.read_text(encoding="utf-8", errors="replace")
            if any(names(said) for names in named):
                story.unlink(missing_ok=True)

    def _publish_again(self, datasets: Iterable[Dataset]) -> None:
        for dataset in datasets:
            known_ids(self.workspace, dataset.name).forget(self.workspace.lake.files(dataset.table))
            if is_published(self.workspace.lake, dataset):
                publish_rows(self.engine, self.workspace.lake, dataset, strictly=True)
            self._go_on()

    def _go_on(self) -> None:
        with self.workspace.store.write() as connection:
            erasures.go_on(connection, self.erasure.id, now=self.workspace.clock())


def _is_linking(table: str) -> bool:
    """Whether a table's rows say which ids belong together, or which do not."""
    return table == CUTS or (table.startswith("datasets/") and table.endswith(("/events", "/profiles")))


def _kind(table: str) -> str:
    """Name what a table holds, as counts tell it."""
    first, _, rest = table.partition("/")
    if first == "datasets":
        return {"events": "events", "profiles": "attributes"}.get(rest.rpartition("/")[2], "set_aside")
    return {"scores": "scores", "segments": "segments", "holdouts": "hold_outs", "identity": "cut_links"}.get(
        first, first
    )


def begin(workspace: Workspace, actor: Actor, ids: Iterable[Id]) -> Erasure:
    """Record that what is known of ids is being deleted, unless a run reads; runs wait from here on."""
    now, salt = workspace.clock(), secrets.token_hex(16)
    digests = [erasures.proof(salt, *one) for one in sorted(ids)]
    begun = Erasure(workspace.new_id(), salt, digests, now, actor.name, busy_until=now + erasures.PATIENCE)
    with workspace.store.write() as connection:
        erasures.begin(connection, begun)
        for run in records.waiting(connection):
            # One that is queued for the first time has read nothing yet, and will read what is left.
            if run.state is State.RUNNING or run.pinned:
                raise RunUnderWayError(
                    f"'{run.instance}' is being run and reads what is to be deleted (run {run.id[:8]}). "
                    f"Wait for its end, or stop it: likelier cancel {run.id[:8]}"
                )
    return begun


def _end(workspace: Workspace, actor: Actor, work: _Erasing, finished: dt.datetime | None) -> None:
    with workspace.store.write() as connection:
        erasures.end(connection, work.erasure.id, finished=finished, counts=work.counts)
        done = {"finished": finished is not None, **work.counts}
        thing = _somebody(work.person.asked[0], work.erasure.id)
        record(connection, actor, "privacy.delete", thing, now=workspace.clock(), after=done)


def _somebody(namespace: str, request: str) -> Thing:
    """The log names a request, never the person."""
    return Thing("person", request, namespace)


def _look_at_outcomes(workspace: Workspace) -> None:
    """What came true is told of the data as it is now; earlier versions of it can be read no more."""
    from likelier.service.outcomes import look_again  # noqa: PLC0415 - loads the model libraries

    with workspace.store.read() as connection:
        known = {run.instance_id for run in records.history(connection) if run.state is State.SUCCESS}
        there = [one.id for one in stored_instances.page(connection, limit=MOST) if one.id in known]
    for instance_id in there:
        try:
            look_again(workspace, instance_id)
        except Exception:  # the person is deleted, whatever becomes of this; the next run looks again
            log.exception("What came of earlier runs could not be decided after an erasure")


def _left(workspace: Workspace, person: Person) -> list[dict[str, Any]]:
    words = sorted({form for _, one in person.ids for form in written(one)})
    named = [mentions(one) for _, one in person.ids]
    with workspace.store.read() as connection:
        found = erasures.texts(connection, words)
    places = Counter(where for where, text in found if any(names(text) for names in named))
    return [{"where": where, "texts": count} for where, count in sorted(places.items())]
