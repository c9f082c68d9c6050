"""What a person may choose from when they ask a question: fields, and the values that are common in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis

from likelier.datasets import Dataset, Field, FieldType, list_datasets, open_dataset, read_dataset
from likelier.instance import merged_fields
from likelier.service.overview import overviews
from likelier.service.workspace import Workspace
from likelier.store import runs as records
from likelier.store import segments as stored_segments

SAMPLED = 200_000
SUGGESTED = 20


@dataclass(frozen=True)
class Choices:
    """What the chosen datasets offer: event fields, attribute fields, and the identities that all of them have."""

    fields: dict[str, Field]
    attributes: dict[str, Field]
    namespaces: tuple[str, ...]
    has_events: bool


def datasets_to_choose(workspace: Workspace) -> list[Dataset]:
    return list_datasets(workspace.lake)


def choices(workspace: Workspace, names: Sequence[str]) -> Choices:
    """Say what can be asked of datasets together."""
    chosen = [open_dataset(workspace.lake, name) for name in names]
    shared = set.intersection(*(set(each.namespaces) for each in chosen)) if chosen else set()
    return Choices(
        fields=_fields([each for each in chosen if each.kind == "events"]),
        attributes=_fields([each for each in chosen if each.kind == "profiles"]),
        namespaces=tuple(sorted(shared)),
        has_events=any(each.kind == "events" for each in chosen),
    )


def common_values(workspace: Workspace, names: Sequence[str], path: str) -> list[str]:
    """Name the most common values of a text field, of some of the rows."""
    found: dict[str, int] = {}
    with workspace.engine() as engine:
        for name in names:
            dataset = open_dataset(workspace.lake, name)
            field = dataset.fields.get(path)
            if field is None or field.type is not FieldType.TEXT:
                continue
            rows = read_dataset(engine, workspace.lake, dataset).limit(SAMPLED)
            value = rows[path].unnest() if field.array else rows[path]
            counted = rows.select(value=value).filter(ibis._.value.notnull()).group_by("value").agg(n=ibis._.count())
            for row in engine.table(counted.order_by(ibis.desc("n"), "value").limit(SUGGESTED)).to_pylist():
                found[row["value"]] = found.get(row["value"], 0) + row["n"]
    return sorted(found, key=lambda each: (-found[each], each))[:SUGGESTED]


def _fields(datasets: Sequence[Dataset]) -> dict[str, Field]:
    """Leave out a field that is not the same in all of them: nothing can be asked of it."""
    return {path: fields[0] for path, fields in sorted(merged_fields(datasets).items()) if len(fields) == 1}


@dataclass(frozen=True)
class RuleChoices:
    """What a segment may be about: fields of events and attributes, factors by instance, other segments."""

    events: dict[str, Field]
    attributes: dict[str, Field]
    factors: dict[str, tuple[str, ...]]
    segments: tuple[str, ...]
    datasets: tuple[str, ...]


def rule_choices(workspace: Workspace) -> RuleChoices:
    """Say what can be asked of people; instances that have given scores come with the factors they told of."""
    datasets = list_datasets(workspace.lake)
    scored = [row for row in overviews(workspace) if row.published]
    with workspace.store.read() as connection:
        told = {row.name: records.read_insights(connection, row.published.id) for row in scored if row.published}
        segments = tuple(sorted(segment.name for segment in stored_segments.every(connection)))
    return RuleChoices(
        events=_fields([each for each in datasets if each.kind == "events"]),
        attributes=_fields([each for each in datasets if each.kind == "profiles"]),
        factors={name: tuple(sorted((insights or {}).get("spreads") or ())) for name, insights in told.items()},
        segments=segments,
        datasets=tuple(each.name for each in datasets),
    )
