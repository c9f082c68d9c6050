"""Segments and scores delivered outside: once, or after each run that changes them.

A destination is a file or object-store URL (``members.parquet``, ``s3://bucket/scores.csv``), ``postgresql://...`` with
a table, or an ``https://`` webhook, whose secret is the setting `webhook_secret`. ``$NAME`` and ``${NAME}`` in it stand
for variables of the environment, so what is kept holds no password.

Each attempt is recorded with its outcome. Its key follows from what is delivered (a run's scores, a segment's snapshot)
and where, so whoever attempts the same again continues the same delivery. Deliveries after a run have a process of
their own: neither that run nor the next one waits for a destination. A delivery whose process died is ended by the next
server that looks, and begun once more when it is one of those that are repeated.

Whoever asks over REST or on the pages is not at this machine: files are written below the setting `export_folder`
alone, other variables than those that begin with EXPORT_ are not read, and nobody waits for the destination.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import os
import re
import string
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ibis
import pyarrow as pa
import pyarrow.fs

from likelier.access.audit import Thing, record
from likelier.access.identity import SCHEDULER, Actor
from likelier.errors import LikelierError, StorageError, UsageError
from likelier.exports import postgresql, webhook
from likelier.phrases import say
from likelier.runs.owners import is_gone, this_process
from likelier.runs.records import Run, scores_table
from likelier.service.files import whole_file
from likelier.service.runs import find_published
from likelier.service.scene import opened_scene
from likelier.service.scores import FORMATS, read_scores
from likelier.service.segments import to_send
from likelier.service.worker import environment_of
from likelier.service.workspace import Workspace, open_workspace
from likelier.settings import read_settings
from likelier.store import exports as stored
from likelier.store import instances as stored_instances
from likelier.store.exports import Delivery, Export
from likelier.store.segments import members_table

log = logging.getLogger(__name__)
WEB = ("http", "https")
OBJECT_STORES = ("s3", "gs", "gcs", "abfs", "abfss")
FOR_EXPORTS = "EXPORT_"
MODES = ("replace", "upsert")
LONGEST = dt.timedelta(days=1)
"""After which a process that cannot be asked, being on another machine, is taken to have died."""


@dataclass(frozen=True)
class Destination:
    """Where rows go."""

    url: str
    table: str | None = None
    mode: str = "replace"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(say("'{mode}' is no way to fill a table. Write replace or upsert.", mode=self.mode))
        if not _is_url(self.url) or not (self.table or "").isprintable():
            raise UsageError(say("'{url}' is no destination.", url=self.url))
        if self.url.startswith("$"):  # what it is turns out when the variable is read
            return
        if (self.table is not None) != self.is_database:
            raise UsageError(say("A table goes with postgresql://..., and that with a table."))
        if not self.is_database and not self.is_web and self.format not in FORMATS:
            endings = ", ".join(f".{name}" for name in FORMATS)
            raise UsageError(
                say(
                    "'{place}' is no destination: a file ends in {endings}; or give postgresql:// or https://.",
                    place=self.place,
                    endings=endings,
                )
            )

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def is_database(self) -> bool:
        return self.scheme in ("postgresql", "postgres")

    @property
    def is_web(self) -> bool:
        return self.scheme in WEB

    @property
    def format(self) -> str:
        return urlsplit(self.url).path.rpartition(".")[2].lower()

    @property
    def place(self) -> str:
        """Where it is, without secrets: a webhook's query may be one."""
        parts = urlsplit(self.url)
        if self.is_web:
            return f"{parts.scheme}://{parts.hostname}{parts.path}"
        where = re.sub(r"//[^@/]*@", "//", self.url.partition("?")[0])
        return f"{where} {self.table}" if self.table else where

    def refuse_secrets(self) -> None:
        """Refuse to be kept with a password in it."""
        found = urlsplit(self.url).password
        if found and not found.startswith("$"):
            raise UsageError(
                say("A destination that is kept holds no password: put it into a variable and write ${{NAME}}.")
            )

    def confined(self, folder: str) -> Destination:
        """Give it as somebody elsewhere may name it, files below a folder; refuse what only this machine may do."""
        names = string.Template(self.url).get_identifiers()
        if others := [name for name in names if not name.startswith(FOR_EXPORTS)]:
            raise UsageError(
                say(
                    "The variable {variable} is not for exports: its name does not begin with {for_exports}.",
                    variable=others[0],
                    for_exports=FOR_EXPORTS,
                )
            )
        if ".." in self.url:
            raise UsageError(say("A destination holds no '..' here."))
        if self.url.startswith("$") or self.is_database or self.is_web or self.scheme in OBJECT_STORES:
            return self
        if self.scheme or Path(self.url).is_absolute():
            raise UsageError(
                say("'{place}' cannot be written from here. Write a name, such as members.csv.", place=self.place)
            )
        if not folder:
            raise UsageError(say("No files can be written from here: the server has no LIKELIER_EXPORT_FOLDER."))
        return Destination(str(Path(folder) / self.url), self.table, self.mode)

    def resolved(self) -> Destination:
        try:
            url = string.Template(self.url).substitute(os.environ)
        except (KeyError, ValueError) as error:
            raise UsageError(
                say("The destination names {error}, which is no variable of the environment.", error=str(error))
            ) from None
        return Destination(url, self.table, self.mode)


def _is_url(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:  # an address in brackets that is none
        return False
    return text.isprintable()


@dataclass(frozen=True)
class Asked:
    """What is delivered: the members of a segment or the latest scores of an instance, by name or id."""

    segment: str | None = None
    instance: str | None = None

    def __post_init__(self) -> None:
        if (self.segment is None) == (self.instance is None):
            raise UsageError(say("Say what is delivered: a segment, or the scores of an instance."))


def export_once(workspace: Workspace, actor: Actor, asked: Asked, destination: Destination) -> dict[str, Any]:
    """Deliver now."""
    return _deliver(workspace, actor, "", asked, destination)


def add_export(workspace: Workspace, actor: Actor, name: str, asked: Asked, destination: Destination) -> dict[str, Any]:
    """Deliver now, and after each run that changes what is delivered."""
    _keep(workspace, actor, name, asked, destination)
    return send_export(workspace, actor, name)


def start_export(
    workspace: Workspace, actor: Actor, name: str | None, asked: Asked, destination: Destination
) -> dict[str, Any]:
    """Begin to deliver as somebody elsewhere asks, now or, with a name, now and after each run; answer the delivery."""
    to = destination.confined(workspace.settings.export_folder)
    if name is not None:
        _keep(workspace, actor, name, asked, to)
        return start_sending(workspace, actor, name)
    to.refuse_secrets()
    return _begun(lambda begun: _deliver(workspace, actor, "", asked, to, begun))


def start_sending(workspace: Workspace, actor: Actor, name: str) -> dict[str, Any]:
    """Begin to deliver what an export delivers; answer the delivery."""
    return _begun(lambda begun: send_export(workspace, actor, name, begun))


def _begun(deliver: Callable[[Callable[[Delivery], None]], Any]) -> dict[str, Any]:
    """Deliver in a thread, and wait no longer than until that is recorded as begun."""
    begun: Future[Delivery] = Future()

    def work() -> None:
        try:
            deliver(begun.set_result)
        except BaseException as error:  # noqa: BLE001 - what came of a delivery that has begun is recorded
            if not begun.done():
                begun.set_exception(error)

    threading.Thread(target=work, name="delivery", daemon=True).start()
    return _told(begun.result())


def _keep(workspace: Workspace, actor: Actor, name: str, asked: Asked, destination: Destination) -> None:
    if not name.strip() or not name.isprintable():
        raise UsageError(say("'{name}' is no name for an export.", name=name))
    destination.refuse_secrets()
    with opened_scene(workspace) as scene:
        segment_id = scene.find(asked.segment).id if asked.segment else None
        instance_id = stored_instances.get(scene.connection, asked.instance).id if asked.instance else None
    kept = {
        "url": destination.url,
        "mode": destination.mode,
        **({"table": destination.table} if destination.table else {}),
    }
    made = Export(workspace.new_id(), name, segment_id, instance_id, kept, workspace.clock(), actor.name)
    with workspace.store.write() as connection:
        stored.add(connection, made)
        told = {"to": destination.place, "segment": asked.segment, "instance": asked.instance}
        record(connection, actor, "export.create", Thing("export", made.id, name), now=made.created_at, after=told)


def _unheard(_: Delivery) -> None:
    """Nobody waits for a delivery to begin."""


def send_export(
    workspace: Workspace, actor: Actor, name: str, begun: Callable[[Delivery], None] = _unheard
) -> dict[str, Any]:
    """Deliver what an export delivers, as it is now; `begun` hears of the beginning."""
    with workspace.store.read() as connection:
        found = stored.get(connection, name)
    asked = Asked(found.segment_id, found.instance_id)
    return _deliver(workspace, actor, found.name, asked, Destination(**found.destination), begun)


def remove_export(workspace: Workspace, actor: Actor, name: str) -> None:
    """Deliver no more; what was delivered stays where it is."""
    with workspace.store.write() as connection:
        found = stored.get(connection, name)
        stored.remove(connection, found.id)
        record(connection, actor, "export.delete", Thing("export", found.id, found.name), now=workspace.clock())


def list_exports(workspace: Workspace) -> list[dict[str, Any]]:
    """The exports that are repeated, by name."""
    with workspace.store.read() as connection:
        found = stored.every(connection)
    return [
        {
            "id": one.id,
            "name": one.name,
            "segment_id": one.segment_id,
            "instance_id": one.instance_id,
            "to": Destination(**one.destination).place,
            "created_at": one.created_at.isoformat(),
            "created_by": one.created_by,
        }
        for one in found
    ]


def list_deliveries(
    workspace: Workspace, limit: int = 100, *, after: str | None = None, segment: str | None = None
) -> list[dict[str, Any]]:
    """What was delivered, newest first; of a segment alone, or what came before a delivery, when told."""
    what = None if segment is None else f"segment '{segment}'"
    with workspace.store.read() as connection:
        return [_told(one) for one in stored.newest(connection, limit, after=after, what=what)]


def deliver_after(workspace: Workspace, run: Run) -> None:
    """Begin, in a process of its own, to deliver what a run changed."""
    try:
        if _concerned(workspace, run.instance_id):
            words = [sys.executable, "-m", "likelier.service.exports", run.instance_id]
            subprocess.Popen(words, env=environment_of(workspace.settings), start_new_session=True)  # noqa: S603 - our own words
    except Exception:  # the run has ended, whatever becomes of this
        log.exception("Deliveries after run %s could not be begun", run.id)


def deliver_all(workspace: Workspace, instance_id: str) -> None:
    """Deliver what the scores of an instance are part of; a destination that fails leaves the others alone."""
    for name in _concerned(workspace, instance_id):
        try:
            send_export(workspace, SCHEDULER, name)
        except LikelierError as error:
            log.warning("An export failed: %s", type(error).__name__)


def end_broken_off(workspace: Workspace) -> None:
    """End the deliveries whose process died; what is repeated after runs is begun again, once."""
    with workspace.store.read() as connection:
        left = [one for one in stored.under_way(connection) if _is_broken_off(one, workspace.clock())]
    for one in left:
        said = say("The process that delivered it died. Deliver it again: what was broken off goes on.")
        with workspace.store.write() as connection:
            ended = stored.give_up(connection, one.ended(workspace.clock(), error=said))
            again = ended and bool(one.export) and not stored.failed_before(connection, one)
        if again:
            _begin_again(workspace, one.export)


def _is_broken_off(delivery: Delivery, now: dt.datetime) -> bool:
    return (delivery.owner is not None and is_gone(delivery.owner)) or delivery.started_at < now - LONGEST


def _begin_again(workspace: Workspace, name: str) -> None:
    try:
        start_sending(workspace, SCHEDULER, name)
    except LikelierError as error:  # what it delivers may be gone, and so may the export
        log.warning("An export was broken off and cannot be begun again: %s", error)


def _concerned(workspace: Workspace, instance_id: str) -> list[str]:
    with opened_scene(workspace) as scene:
        reached = {one.id for one in scene.segments if instance_id in scene.reach(one)}
        found = stored.every(scene.connection)
    return [one.name for one in found if one.instance_id == instance_id or one.segment_id in reached]


def _deliver(
    workspace: Workspace,
    actor: Actor,
    name: str,
    asked: Asked,
    destination: Destination,
    heard: Callable[[Delivery], None] = _unheard,
) -> dict[str, Any]:
    with _opened(workspace, asked) as (what, source, rows):
        key = hashlib.sha256("\0".join((source, destination.url, destination.table or "")).encode()).hexdigest()[:32]
        begun = Delivery(
            workspace.new_id(),
            key,
            name,
            what,
            destination.place,
            started_at=workspace.clock(),
            started_by=actor.name,
            owner=this_process("delivery"),
        )
        with workspace.store.write() as connection:
            stored.begin(connection, begun)
            told = {"what": what, "to": destination.place}
            record(
                connection,
                actor,
                "export.send",
                Thing("delivery", begun.id, name or what),
                now=begun.started_at,
                after=told,
            )
        heard(begun)
        try:
            count = _send(workspace, destination.resolved(), key, rows)
        except BaseException as error:
            said = str(error) if isinstance(error, LikelierError) else type(error).__name__
            _end(workspace, begun.ended(workspace.clock(), error=said))
            raise
        return _end(workspace, begun.ended(workspace.clock(), rows=count))


def _end(workspace: Workspace, ended: Delivery) -> dict[str, Any]:
    with workspace.store.write() as connection:
        stored.end(connection, ended)
    return _told(ended)


def _told(delivery: Delivery) -> dict[str, Any]:
    moments = {key: value.isoformat() for key in ("started_at", "finished_at") if (value := getattr(delivery, key))}
    told = {key: value for key, value in vars(delivery).items() if key != "owner"}
    return {**told, "finished_at": None, **moments}


@contextmanager
def _opened(workspace: Workspace, asked: Asked) -> Iterator[tuple[str, str, pa.RecordBatchReader]]:
    """Open what is delivered: how it is called, what names exactly these rows, and the rows in a fixed order."""
    with opened_scene(workspace) as scene:
        if asked.segment is not None:
            segment = scene.find(asked.segment)
            source, found = to_send(scene, segment)
            source += f" {workspace.lake.version(members_table(segment))}"  # somebody may have been deleted since
            yield f"segment '{segment.name}'", source, scene.engine.stream(found.order_by("id"))
        else:
            assert asked.instance is not None
            run = find_published(scene.connection, asked.instance)
            scores: ibis.Table = read_scores(scene.engine, workspace, run)
            source = f"{run.id} {workspace.lake.version(scores_table(run.instance_id))}"
            yield f"scores of '{run.instance}'", source, scene.engine.stream(scores.order_by("namespace", "id"))


def _send(workspace: Workspace, destination: Destination, key: str, rows: pa.RecordBatchReader) -> int:
    if destination.is_web:
        secret = workspace.settings.webhook_secret
        if not secret:
            raise UsageError(say("A webhook's batches are signed: set LIKELIER_WEBHOOK_SECRET."))
        return webhook.deliver(destination.url, secret, key, rows)
    if destination.is_database:
        assert destination.table is not None
        mode: postgresql.Mode = "upsert" if destination.mode == "upsert" else "replace"
        return postgresql.deliver(destination.url, destination.table, rows, mode)
    write = FORMATS[destination.format]
    if not destination.scheme:
        with whole_file(Path(destination.url)) as file:
            return write(rows, file)
    with tempfile.TemporaryDirectory(prefix="likelier-") as folder:
        file_here = Path(folder) / "rows"
        with file_here.open("xb") as file:
            count = write(rows, file)
        try:
            filesystem, path = pyarrow.fs.FileSystem.from_uri(destination.url)
            # An object appears when its upload is complete.
            pyarrow.fs.copy_files(
                str(file_here), path, source_filesystem=pyarrow.fs.LocalFileSystem(), destination_filesystem=filesystem
            )
        except (OSError, pa.ArrowException) as error:
            raise StorageError(say("'{place}' cannot be written.", place=destination.place)) from error
        return count


if __name__ == "__main__":
    with open_workspace(read_settings()) as opened:
        deliver_all(opened, sys.argv[1])
