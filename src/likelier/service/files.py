"""Files that people ask for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from likelier.errors import StorageError
from likelier.phrases import say


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write beside the file and put it in its place at the end: nobody reads half a file."""
    beside = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        with beside.open("xb") as file:
            yield file
        beside.replace(path)
    except OSError as error:
        raise StorageError(say("'{path}' cannot be written: {error}.", path=path, error=error.strerror)) from error
    finally:
        beside.unlink(missing_ok=True)
