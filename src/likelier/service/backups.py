"""Keeping the store elsewhere, and having it back.

The lake is a folder, or a bucket, of files that are only ever added to: whoever copies it after the store has all that
the store speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.errors import StorageError
from likelier.service.files import whole_file
from likelier.service.workspace import Workspace
from likelier.store import backup


def write_backup(workspace: Workspace, actor: Actor, path: Path) -> Mapping[str, int]:
    """Write the whole store to a file that only its owner may read, and say how many rows of each table."""
    _note(workspace, actor, "store.backup", path)
    with whole_file(path) as file:
        Path(file.name).chmod(0o600)
        return backup.dump(workspace.store, file, now=workspace.clock())


def restore_backup(workspace: Workspace, actor: Actor, path: Path) -> Mapping[str, int]:
    """Fill an empty store with what a backup holds."""
    try:
        with path.open("rb") as file:
            read = backup.load(workspace.store, file)
    except OSError as error:
        raise StorageError(f"'{path}' cannot be read: {error.strerror}.") from error
    _note(workspace, actor, "store.restore", path)
    return read


def _note(workspace: Workspace, actor: Actor, action: str, path: Path) -> None:
    with workspace.store.write() as connection:
        record(connection, actor, action, Thing("store", path.name, path.name), now=workspace.clock())
