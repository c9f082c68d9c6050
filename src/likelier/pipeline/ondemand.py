"""One person's score at an instant, from what is known of them then: the numbers a run of everybody would give.

The model, the codebook, the kernel, the explanations and the calibration are those of the run. The engine reads the
person's rows with the expression it reads everybody's with, compiled once. What a person is compared with stays the
population of the run: its mean odds make the score, its probabilities the percentile.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from likelier import scores
from likelier.activities import codes, consent, reduce, traits
from likelier.backend import Answer, Engine
from likelier.datasets import Dataset
from likelier.events.schema import IDENTITY
from likelier.explanations.contributions import Reasons
from likelier.explanations.factors import Shown, as_lists, shown_factors
from likelier.instance import Attribute, Instance, Question
from likelier.model import artifact
from likelier.pipeline import reading, scoring

Rows = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Scorer:
    """A run's model, ready for one person at a time."""

    question: Question
    model: artifact.Model
    reasons: Reasons
    shown: tuple[Shown, ...]
    scale: scores.Scale
    population: np.ndarray
    _read: Answer
    _events: tuple[str, ...]
    _attributes: tuple[tuple[Attribute, str], ...]
    _consents: Answer | None

    @classmethod
    def load(
        cls,
        folder: Path,
        instance: Instance,
        datasets: Sequence[Dataset],
        schemas: Mapping[str, pa.Schema],
        engine: Engine,
    ) -> Scorer:
        """Load what a run left (:func:`~likelier.pipeline.stages.scorer_files`), for datasets as they are now.

        Where ids are stitched, the rows of a person are gathered under one id before they are given here.
        """
        instance = instance.model_copy(update={"stitch": False})
        model = artifact.load(folder)
        bound: list[reading.Source] = []

        # Rows are chosen by their time before the engine sees them, so that what is compiled fits every instant.
        def asked(rows: Mapping[str, Any]) -> Any:
            bound.append(reading.bind_tables(instance, datasets, rows, reading.ALWAYS))
            source = bound[0]
            found = reduce.reduced(
                engine, source.events, source.question, model.codebook, source.fields, reading.ALWAYS
            )
            return found.order_by(*reduce.ORDER)

        def said(rows: Mapping[str, Any]) -> Any:
            return reading.bind_tables(instance, datasets, rows, reading.ALWAYS).consents

        read = engine.repeated(schemas, asked)
        question = bound[0].question
        with np.load(folder / scoring.POPULATION) as kept:
            scale, population = scores.Scale(float(kept["base_odds"])), kept["probability"]
        return cls(
            question,
            model,
            Reasons.of(model.learnt, model.features.factor_of),
            shown_factors(model.features, np.array(model.strength)),
            scale,
            population,
            read,
            tuple(dataset.name for dataset in datasets if dataset.kind == "events"),
            tuple((one, reading.holder_of(one.field.path, datasets).name) for one in question.attributes),
            engine.repeated(schemas, said) if question.population.consent else None,
        )

    def score(self, identity: str, rows: Rows, as_of: dt.datetime) -> dict[str, Any] | None:
        """Give a row of the score table, None for who is not eligible at the instant.

        `rows` holds of each dataset the rows whose identity in the question's namespace is the person's.
        """
        known = {name: _before(table, as_of) for name, table in rows.items()}
        if not any(len(known[name]) for name in self._events):
            return None
        activities = reduce.of_one(identity, self._read(known), self.model.codebook, self._said(identity, known))
        if not self._is_eligible(activities, as_of):
            return None
        history = self._history(identity, known)
        mine = np.zeros(1, np.int64)
        found = scoring.explain(self.question, self.model, self.reasons, self.shown, activities, history, mine, as_of)
        probability = found.probability
        row = scores.table(
            activities.ids,
            probability,
            self.scale.score(probability),
            np.array([scores.percentile_among(float(probability[0]), self.population)]),
            as_lists(found.contributions, found.values, self.shown),
            found.base,
            namespace=self.question.namespace,
            propensity_type=self.question.propensity_type,
            score_date=as_of,
            windows=scores.windows_of(self.question.goal, found.probabilities),
        )
        answer: dict[str, Any] = row.to_pylist()[0]
        return answer

    def _is_eligible(self, activities: reduce.Activities, as_of: dt.datetime) -> bool:
        if not activities.events:
            return False
        eligible, _ = reading.labels(activities, self.model.codebook, self.question, (as_of,))
        return bool(eligible[0, 0])

    def _said(self, identity: str, known: Rows) -> consent.Consents | None:
        if self._consents is None:
            return None
        return consent.gathered(self._consents(known).to_batches(), pa.array([identity], pa.string()))

    def _history(self, identity: str, known: Rows) -> traits.TraitHistory:
        batches = [
            _values(identity, known[dataset], attribute.field.path).to_batches()
            for attribute, dataset in self._attributes
        ]
        codebook: codes.Codebook = self.model.codebook
        return traits.gathered(batches, codebook.traits, pa.array([identity], pa.string()))


def of_identity(rows: pa.Table, namespace: str, identity: str) -> pa.Table:
    """Keep the rows whose (first) identity in a namespace is a person's: those by which runs know them."""
    return rows.filter(pc.equal(rows[f"{IDENTITY}{namespace}"], identity))


def _before(rows: pa.Table, as_of: dt.datetime) -> pa.Table:
    return rows.filter(pc.less(rows["timestamp"], pa.scalar(as_of, rows.schema.field("timestamp").type)))


def _values(identity: str, rows: pa.Table, path: str) -> pa.Table:
    given = rows.filter(rows[path].is_valid())
    who = pa.repeat(identity, len(given))
    return pa.table({"who": who, "t": given["timestamp"], "value": given[path]})
