"""The handbook of sending data names every key, function and format, and its mapping works."""

import re
from pathlib import Path

import pytest

from likelier.events.mapping import FUNCTIONS, KEYS, parse_mapping
from likelier.events.sources import FORMATS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def handbook():
    return (DOCS / "ingest.md").read_text()


def test_names_every_function_that_is_allowed(handbook):
    listed = handbook.split("anything else is refused:")[1].split("`")[1]
    assert set(listed.split()) == FUNCTIONS


def test_names_every_key_and_format(handbook):
    table = re.findall(r"^\| `(\w+)` \|", handbook.split("## Mappings")[1], re.MULTILINE)
    assert tuple(table) == KEYS
    assert set(FORMATS) <= set(re.findall(r"`(\.\w+)`", handbook))


def test_its_mapping_can_be_read(handbook):
    example = handbook.split("## Mappings")[1].split("```yaml")[1].split("```")[0]
    assert len(parse_mapping(example).fields) == 4
