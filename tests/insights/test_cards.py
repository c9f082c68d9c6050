"""A model card tells what the record tells, as a page and as Markdown."""

import re

import pytest

from likelier.insights.cards import card, card_page, markdown

TITLES = [
    "Purpose",
    "Data",
    "Windows",
    "How good it is",
    "Do its probabilities come true?",
    "What came true since",
    "What came true by tier",
    "What moves the scores of the high",
    "What has changed since it was judged",
    "Known limits",
    "What it may not be used for",
]


@pytest.fixture
def drawn(insights, run, backtest):
    came = backtest["cut_offs"][1] | {"state": "settled", "corrections": []}
    rates = {"profiles": 300, "qualifying": 60, "expected": 0.25, "rate": 0.2, "low": 0.16, "high": 0.25}
    auc = {"value": 0.71, "low": 0.66, "high": 0.75}
    slices = [
        {"by": "tier", "values": [{"value": "gold", **rates, "auc": auc}, {"value": "x|y", **rates, "auc": None}]}
    ]
    told = insights | {"drift": {"before": "", "usual_is_known": True, "findings": []}}
    return card(told, run, came, slices)


def test_every_part_is_there_in_both_forms(drawn):
    html, text = card_page(drawn), markdown(drawn)
    assert [section.title for section in drawn.sections] == TITLES
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [*TITLES, "Record"]
    for title in TITLES:
        assert f">{title}</h2>" in html


def test_it_says_for_whom_it_works_and_for_whom_that_cannot_be_told(drawn):
    text = markdown(drawn)
    assert "| gold | 300 | 25% → 20% (16% – 25%) | 0.710 (0.660 – 0.750) |" in text
    assert "| x\\|y | 300 | 25% → 20% (16% – 25%) | too few to tell |" in text


def test_tables_of_the_markdown_have_as_many_cells_as_heads(drawn):
    for block in re.findall(r"(?:^\|.*\n)+", markdown(drawn), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_what_was_not_judged_or_has_not_come_is_left_out(insights, run):
    titles = [section.title for section in card(insights, run).sections]
    assert "What came true since" not in titles
    assert card_page(card({"instance": {"name": "Buy"}}, run))


def test_hostile_names_stay_names(insights, run):
    name = "<script>alert(1)</script> [x](javascript:y) # | *b*"
    hostile = card(insights | {"instance": {**insights["instance"], "name": name}}, run)
    assert "<script>alert" not in card_page(hostile)
    text = markdown(hostile)
    assert text.startswith("# \\<script\\>alert(1)\\</script\\> \\[x\\](javascript:y) \\# \\| \\*b\\*\n")
