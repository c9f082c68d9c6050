"""The handbook names every key and every operator, and its examples work."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from likelier.conditions.algebra import OPERATORS, operators_for
from likelier.conditions.text import read_condition
from likelier.datasets import Field, FieldType
from likelier.documents import read_document
from likelier.instance import parts

DOCS = Path(__file__).parents[2] / "docs"
MODELS = [part for part in vars(parts).values() if isinstance(part, type) and issubclass(part, BaseModel)]


@pytest.fixture(scope="module")
def conditions():
    return (DOCS / "conditions.md").read_text()


def test_every_key_is_explained():
    words = set(re.findall(r"\w+", (DOCS / "instance.md").read_text()))
    assert {key for model in MODELS for key in model.model_fields} <= words


def test_the_table_of_operators_tells_the_truth(conditions):
    table = conditions.split("## Operators")[1].split("Conditions on text")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| `")]
    kinds = (FieldType.TEXT, FieldType.NUMBER, FieldType.MOMENT, FieldType.FLAG)
    told = {
        (kind, operator)
        for names, *fits, _ in rows
        for operator in re.findall(r"`(\w+)`", names)
        for kind, fit in zip(kinds, fits, strict=True)
        if fit.strip() == "yes"
    }
    assert told == {(kind, operator) for kind in kinds for operator in operators_for(Field("x", kind))}
    assert {operator for _, operator in told} == set(OPERATORS)


def test_the_examples_work(conditions):
    yaml, text = re.findall(r"```\w*\n(.*?)```", conditions, re.DOTALL)
    for part in read_document(yaml).value["conditions"]:
        parts.ConditionPart.model_validate(part)
    fields = [
        Field("commerce.purchases.value", FieldType.NUMBER),
        Field("web.webPageDetails.name", FieldType.TEXT),
        Field("eventType", FieldType.TEXT),
        Field("device.mobile", FieldType.FLAG),
        Field("timestamp", FieldType.MOMENT),
    ]
    for line in text.strip().splitlines():
        read_condition(line, {field.path: field for field in fields})
