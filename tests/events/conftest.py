"""Sending files to a lake and looking at what came of it."""

import datetime as dt
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from likelier.backend import DuckDB
from likelier.datasets import Dataset, open_dataset, read_dataset, read_rejects
from likelier.events.ingest import IngestResult, ingest
from likelier.lake import Lake

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)


@dataclass
class Desk:
    """A lake in a folder, and a place for the files that are sent to it."""

    folder: Path
    numbers: itertools.count = field(default_factory=itertools.count)

    @property
    def lake(self) -> Lake:
        return Lake(str(self.folder / "lake"))

    def write(self, content, suffix: str = ".jsonl") -> Path:
        file = self.folder / f"file-{next(self.numbers)}{suffix}"
        if isinstance(content, list):
            content = "\n".join(json.dumps(row) for row in content)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def ingest(self, *files: Path, name: str = "web", now: dt.datetime = NOW, **options) -> IngestResult:
        return ingest(self.lake, name, files, now=now, **options)

    def send(self, content, suffix: str = ".jsonl", **options) -> tuple[int, int, int]:
        """Send a file; give how many rows were accepted, duplicate, rejected."""
        found = self.ingest(self.write(content, suffix), **options)
        return found.accepted, found.duplicate, found.rejected

    def dataset(self, name: str = "web") -> Dataset:
        return open_dataset(self.lake, name)

    def rows(self, name: str = "web") -> list[dict]:
        """Give the rows by id, without what is null."""
        with DuckDB() as engine:
            rows = engine.table(read_dataset(engine, self.lake, self.dataset(name))).to_pylist()
        rows.sort(key=lambda row: row["_id"])
        return [{key: value for key, value in row.items() if value is not None} for row in rows]

    def values(self, path: str, name: str = "web") -> list:
        return [row.get(path) for row in self.rows(name)]

    def rejects(self, name: str = "web") -> list[tuple[int, str]]:
        """Give line and reason of the rows set aside."""
        with DuckDB() as engine:
            rows = engine.table(read_rejects(engine, self.lake, self.dataset(name))).to_pylist()
        return sorted((row["line"], row["reason"]) for row in rows)

    def reasons(self, name: str = "web") -> list[str]:
        return [reason for _, reason in self.rejects(name)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def event(number=1, **fields) -> dict:
    """An event of its own."""
    return {
        "_id": f"e{number:03}",
        "timestamp": "2024-01-01T00:00:00Z",
        "identityMap": {"CRMID": [{"id": "a", "primary": True}]},
        **fields,
    }


@pytest.fixture
def make():
    return event
