"""An instance bound to its datasets: every name a field, every condition checked against the field's type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from likelier.conditions.algebra import Condition, all_of, any_of, where
from likelier.conditions.goals import EventRule, Goal, Population
from likelier.conditions.operations import Exists
from likelier.conditions.values import HOLDS
from likelier.datasets import Dataset, Field, FieldType
from likelier.documents import Path as KeyPath
from likelier.documents import show_path
from likelier.errors import ConditionError, UnknownNameError
from likelier.instance.parts import (
    AttributePart,
    ConditionPart,
    CustomEventPart,
    EventPart,
    ExclusionPart,
    Instance,
)
from likelier.instance.reading import Problem, at_path, refuse
from likelier.phrases import join, say


@dataclass(frozen=True)
class Attribute:
    """A profile attribute, under the name that factors show."""

    name: str
    field: Field


@dataclass(frozen=True)
class Question:
    """What is asked of datasets, ready to compute."""

    name: str
    propensity_type: str
    datasets: tuple[str, ...]
    namespace: str
    goal: Goal
    population: Population
    custom_events: tuple[EventRule, ...]
    exclusions: tuple[EventRule, ...]
    attributes: tuple[Attribute, ...]
    ignored_fields: tuple[str, ...] = ()
    exploratory: bool = False


def ask(instance: Instance, datasets: Sequence[Dataset]) -> Question:
    """Bind an instance to its datasets; an InstanceError tells everything that does not fit them."""
    binding = _Binding(_chosen(instance, datasets))
    binding.check_namespace(instance.namespace)
    question = Question(
        name=instance.name,
        propensity_type=instance.propensity_type,
        datasets=instance.datasets,
        namespace=instance.namespace,
        goal=binding.goal(instance),
        population=binding.population(instance),
        custom_events=binding.rules(instance.custom_events, ("custom_events",)),
        exclusions=binding.rules(instance.exclusions, ("exclusions",)),
        attributes=binding.attributes(instance),
        ignored_fields=binding.ignored(instance),
        exploratory=instance.exploratory,
    )
    if binding.problems:
        raise refuse(binding.problems, say("instance '{name}'", name=instance.name))
    return question


def merged_fields(datasets: Sequence[Dataset]) -> dict[str, tuple[Field, ...]]:
    """Give for each path the fields that the datasets hold there: one, or several where their types differ."""
    merged: dict[str, tuple[Field, ...]] = {}
    for dataset in datasets:
        for path, field in dataset.fields.items():
            known = merged.get(path, ())
            merged[path] = known if field in known else (*known, field)
    return merged


def _chosen(instance: Instance, datasets: Sequence[Dataset]) -> list[Dataset]:
    by_name = {dataset.name: dataset for dataset in datasets}
    problems: list[Problem] = []
    for index, name in enumerate(instance.datasets):
        if name not in by_name:
            path = ("datasets", index)
            problems.append((path, at_path(show_path(path), str(UnknownNameError("dataset", name, by_name)))))
    if problems:
        raise refuse(problems, say("instance '{name}'", name=instance.name))
    return [by_name[name] for name in instance.datasets]


class _Binding:
    """Binds names to the fields of datasets, and remembers what did not fit."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self.problems: list[Problem] = []
        self._datasets = datasets
        self._events = [dataset for dataset in datasets if dataset.kind == "events"]
        self._profiles = [dataset for dataset in datasets if dataset.kind == "profiles"]
        if not self._events:
            self._note(("datasets",), say("none of them holds events. Add one that was ingested with --kind events."))

    def check_namespace(self, namespace: str) -> None:
        lacking = [dataset for dataset in self._datasets if namespace not in dataset.namespaces]
        for dataset in lacking:
            known = ", ".join(f"'{name}'" for name in sorted(dataset.namespaces)) or say("none")
            self._note(
                ("namespace",),
                say(
                    "dataset '{dataset}' has no '{namespace}'. It has {known}.{hint}",
                    dataset=dataset.name,
                    namespace=namespace,
                    known=known,
                    hint=self._shared(),
                ),
            )

    def goal(self, instance: Instance) -> Goal:
        goal = instance.goal
        events = self.rules(goal.events, ("goal", "events"))
        return Goal(events, goal.match, goal.occurs, goal.outcome_days, goal.windows[:-1])

    def population(self, instance: Instance) -> Population:
        part, at = instance.eligible_population, "eligible_population"
        events, exclude = self.rules(part.events, (at, "events")), self.rules(part.exclude, (at, "exclude"))
        consent = self._consent(part.consent, (at, "consent")) if part.consent else None
        return Population(events, part.match, part.lookback_days, exclude, consent)

    def _consent(self, part: ConditionPart, path: KeyPath) -> Condition | None:
        if part.operator == "not_exists":
            self._note((*path, "operator"), say("a consent is something that was said. Write what it has to be."))
        return self._condition(part, path, self._profiles, self._events)

    def rules(
        self, parts: Sequence[EventPart | CustomEventPart | ExclusionPart], path: KeyPath
    ) -> tuple[EventRule, ...]:
        return tuple(self._rule(part, (*path, index)) for index, part in enumerate(parts))

    def attributes(self, instance: Instance) -> tuple[Attribute, ...]:
        parts = instance.profile_attributes
        return tuple(self._attribute(part, ("profile_attributes", index)) for index, part in enumerate(parts))

    def ignored(self, instance: Instance) -> tuple[str, ...]:
        known = merged_fields(self._events)
        for index, name in enumerate(instance.ignored_fields):
            if name not in known:
                self._note(("ignored_fields", index), str(UnknownNameError("field", name, known)))
        return instance.ignored_fields

    def _rule(self, part: EventPart | CustomEventPart | ExclusionPart, path: KeyPath) -> EventRule:
        joined = all_of if part.match == "all" else any_of
        at = (*path, "conditions")
        condition = joined(self._on_event(one, (*at, index)) for index, one in enumerate(part.conditions))
        at_least = part.at_least if isinstance(part, EventPart) else 1
        return EventRule(part.name or condition.words(), condition, at_least)

    def _on_event(self, part: ConditionPart, path: KeyPath) -> Condition:
        return self._condition(part, path, self._events, self._profiles)

    def _condition(
        self, part: ConditionPart, path: KeyPath, among: Sequence[Dataset], others: Sequence[Dataset]
    ) -> Condition:
        field = self._field(part.field, among, others, (*path, "field"))
        if field is None:
            return Exists(Field(part.field, FieldType.TEXT))  # stands in until all problems are told
        try:
            return where(field, part.operator, part.value, ignore_case=part.ignore_case)
        except ConditionError as error:
            self._note((*path, error.key), str(error))
            return Exists(field)

    def _attribute(self, part: AttributePart, path: KeyPath) -> Attribute:
        field = self._field(part.field, self._profiles, self._events, (*path, "field"))
        return Attribute(part.name or part.field, field or Field(part.field, FieldType.TEXT))

    def _field(self, name: str, among: Sequence[Dataset], others: Sequence[Dataset], path: KeyPath) -> Field | None:
        fields = merged_fields(among).get(name, ())
        if len(fields) == 1:
            return fields[0]
        self._note(path, self._differing(name, among) if fields else self._unknown(name, among, others))
        return None

    def _unknown(self, name: str, among: Sequence[Dataset], others: Sequence[Dataset]) -> str:
        for dataset in others:
            if name in dataset.fields:
                return _misplaced(name, dataset)
        if not among:
            kind = "events" if among is self._events else "profiles"
            return say("'{name}' needs a dataset of kind {kind}. Add one to datasets.", name=name, kind=kind)
        return str(UnknownNameError("field", name, merged_fields(among)))

    def _differing(self, name: str, among: Sequence[Dataset]) -> str:
        there = [
            say("{kind} in '{dataset}'", kind=_kind(one.fields[name]), dataset=one.name)
            for one in among
            if name in one.fields
        ]
        return say(
            "'{name}' is not the same in all datasets: {kinds}. Leave out a dataset, or use another field.",
            name=name,
            kinds=join(there, ", "),
        )

    def _shared(self) -> str:
        shared = set.intersection(*(set(dataset.namespaces) for dataset in self._datasets))
        names = ", ".join(f"'{name}'" for name in sorted(shared))
        return say(" All datasets have {names}.", names=names) if shared else ""

    def _note(self, path: KeyPath, text: str) -> None:
        self.problems.append((path, at_path(show_path(path), text)))


def _kind(field: Field) -> str:
    holds = HOLDS[field.type]
    return say("a list of {holds}", holds=holds) if field.array else holds


def _misplaced(name: str, dataset: Dataset) -> str:
    if dataset.kind == "profiles":
        return say(
            "'{name}' is an attribute of '{dataset}', not on events. List it under profile_attributes.",
            name=name,
            dataset=dataset.name,
        )
    return say(
        "'{name}' is on the events of '{dataset}', not an attribute. Use it in a condition.",
        name=name,
        dataset=dataset.name,
    )
