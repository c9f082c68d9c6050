"""What is looked for in an event, each thing with its place in the event's words.

A *signal* is a yes or no of one event ("is a purchase", "page is home"): one bit. A *measure* is a number an event
carries (an amount). A *category* is a text whose distinct values are worth counting (SKUs). The codebook is chosen
once, from events before the judge cut-off, and remembered with the model, so that scoring reads events as training did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from likelier.datasets import FieldType

BITS = 62  # of a signed 64-bit word: no engine's sign bit or shift is ever in question


class Source(StrEnum):
    """Where a signal's condition comes from."""

    CUSTOM = "custom"
    STANDARD = "standard"
    GOAL = "goal"
    EVENT_TYPE = "event type"
    ANY = "any"
    VALUE = "value"
    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True)
class Signal:
    """A yes or no of one event; `place` counts the question's rules, `path` and `value` name a field's value."""

    name: str
    source: Source
    path: str = ""
    value: str = ""
    place: int = 0

    @property
    def judges(self) -> bool:
        """True when the signal decides eligibility or the label; it may still be a feature's subject."""
        return self.source in {Source.GOAL, Source.INCLUDE, Source.EXCLUDE}


@dataclass(frozen=True)
class Measure:
    """A number or a moment that events carry; lists are summed."""

    name: str
    path: str
    type: FieldType
    array: bool = False


@dataclass(frozen=True)
class Category:
    """A text whose distinct values are counted; a list gives its first few."""

    name: str
    path: str
    array: bool = False

    @property
    def slots(self) -> int:
        return 4 if self.array else 1


@dataclass(frozen=True)
class Trait:
    """A profile attribute; `values` are its common texts, most common first."""

    name: str
    path: str
    type: FieldType
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Codebook:
    """Everything looked for, in the order of its bits and columns."""

    signals: tuple[Signal, ...]
    measures: tuple[Measure, ...] = ()
    categories: tuple[Category, ...] = ()
    traits: tuple[Trait, ...] = ()

    @property
    def words(self) -> int:
        return -(-len(self.signals) // BITS)

    @property
    def slots(self) -> int:
        return sum(category.slots for category in self.categories)

    def bits(self, source: Source) -> list[int]:
        """Give the bits of a source's signals in the order of the question's rules."""
        found = [(signal.place, bit) for bit, signal in enumerate(self.signals) if signal.source == source]
        return [bit for _, bit in sorted(found)]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Codebook:
        return cls(
            tuple(Signal(**{**row, "source": Source(row["source"])}) for row in data["signals"]),
            tuple(Measure(**{**row, "type": FieldType(row["type"])}) for row in data["measures"]),
            tuple(Category(**row) for row in data["categories"]),
            tuple(
                Trait(**{**row, "type": FieldType(row["type"]), "values": tuple(row["values"])})
                for row in data["traits"]
            ),
        )


def short_name(path: str, others: Sequence[str]) -> str:
    """Name a path by as few of its last parts as set it apart.

    >>> short_name("commerce.order.priceTotal", ["productListItems.quantity"])
    'priceTotal'
    >>> short_name("commerce.order.priceTotal", ["productListItems.priceTotal"])
    'order priceTotal'
    """
    parts = path.split(".")
    taken = [other.split(".") for other in others if other != path]
    for count in range(1, len(parts)):
        if all(other[-count:] != parts[-count:] for other in taken):
            return " ".join(parts[-count:])
    return " ".join(parts)
