"""Profile attributes with the moment each value became known, as numbers for the kernel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from likelier.activities.codes import Trait
from likelier.backend import Engine, batches
from likelier.datasets import FieldType
from likelier.instance import Attribute


@dataclass(frozen=True)
class TraitHistory:
    """Every known value; profile p's stand at ``starts[p]:starts[p + 1]``, ascending in the time they became known.

    `values` is float64, records x traits, NaN where a record says nothing of a trait: numbers as they are, texts as
    their place in the trait's values (or the count of values for rarer ones), moments in days since 1970.
    """

    starts: np.ndarray
    times: np.ndarray
    values: np.ndarray


def no_traits(profiles: int, traits: int = 0) -> TraitHistory:
    return TraitHistory(np.zeros(profiles + 1, np.int64), np.empty(0, np.int64), np.empty((0, traits)))


def read_traits(
    engine: Engine,
    attributes: Sequence[tuple[Attribute, ibis.Table]],
    traits: Sequence[Trait],
    ids: pa.Array,
    before: dt.datetime,
) -> TraitHistory:
    """Read what was known before a moment of the profiles that have events.

    `attributes` pairs each attribute with its table of columns ``who``, ``timestamp`` and the attribute's field.
    """

    def known(attribute: Attribute, table: ibis.Table) -> Iterator[pa.RecordBatch]:
        rows = table.filter((table.timestamp < ibis.literal(before)) & table[attribute.field.path].notnull())
        yield from batches(engine.stream(rows.select(who=rows.who, t=rows.timestamp, value=rows[attribute.field.path])))

    return gathered([known(attribute, table) for attribute, table in attributes], traits, ids)


def gathered(known: Sequence[Iterable[pa.RecordBatch]], traits: Sequence[Trait], ids: pa.Array) -> TraitHistory:
    """Join what is known of each trait, in batches of ``who``, ``t`` and ``value``, none of them null.

    Of two values of a trait since the same moment the greater counts, as one has to, and always the same.
    """
    who, times, values = [], [], []
    for place, (rows_of_trait, trait) in enumerate(zip(known, traits, strict=True)):
        for batch in rows_of_trait:
            profile = pc.index_in(batch["who"], ids)
            kept = profile.is_valid()
            rows = np.full((pc.sum(kept).as_py() or 0, len(traits)), np.nan)
            rows[:, place] = _numbers(batch["value"].filter(kept), trait)
            who.append(profile.filter(kept).to_numpy(zero_copy_only=False).astype(np.int64))
            times.append(batch["t"].filter(kept).view(pa.int64()).to_numpy())
            values.append(rows)
    if not any(map(len, who)):
        return no_traits(len(ids), len(traits))
    people, moments, matrix = np.concatenate(who), np.concatenate(times), np.concatenate(values)
    order = np.lexsort((np.nanmax(matrix, axis=1), moments, people))
    starts = np.searchsorted(people[order], np.arange(len(ids) + 1))
    return TraitHistory(starts.astype(np.int64), moments[order], matrix[order])


def _numbers(values: pa.Array, trait: Trait) -> np.ndarray:
    if trait.type == FieldType.NUMBER:
        return values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if trait.type == FieldType.MOMENT:
        return values.cast(pa.timestamp("us", "UTC")).view(pa.int64()).to_numpy() / 86_400_000_000
    texts = values.cast(pa.string())
    return pc.fill_null(pc.index_in(texts, pa.array(trait.values)), len(trait.values)).to_numpy().astype(np.float64)


def save(history: TraitHistory, folder: Path) -> None:
    np.savez(folder / "traits.npz", starts=history.starts, times=history.times, values=history.values)


def load_traits(folder: Path) -> TraitHistory:
    with np.load(folder / "traits.npz") as kept:
        return TraitHistory(kept["starts"], kept["times"], kept["values"])
