"""A named set of events or profile attributes: its fields, their types, the identities it knows people by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class FieldType(StrEnum):
    """What a field's values are."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"


@dataclass(frozen=True)
class Field:
    """A field of a dataset, named by its XDM path; an array holds a list of values per event."""

    path: str
    type: FieldType
    array: bool = False


@dataclass(frozen=True)
class Dataset:
    """A dataset as it stood at a version of its table."""

    name: str
    kind: Literal["events", "profiles"]
    fields: Mapping[str, Field]
    namespaces: tuple[str, ...]
    version: int
