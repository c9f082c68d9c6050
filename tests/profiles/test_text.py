"""Rules as text: what is written reads back, and what cannot be read says where."""

import pytest
from hypothesis import given, settings
from tests.profiles.rules_made import ATTRIBUTE_FIELDS, EVENT_FIELDS, INSTANCES, PAID, SEGMENTS, rules

from likelier.conditions.algebra import where
from likelier.errors import ConditionError
from likelier.profiles.rules import NUMERIC_VALUE, Did, FactorActs, InSegment, score_is
from likelier.profiles.text import Names, read_rule, write_rule

NAMES = Names(EVENT_FIELDS, ATTRIBUTE_FIELDS, INSTANCES, SEGMENTS)
BOUGHT = where(PAID, "exists")
HIGH = score_is("Buy again", "score", lambda field: where(field, "greater_or_equal", 75))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('score of "Buy again" >= 75', HIGH),
        ("SCORE OF 'Buy again' >= 75", HIGH),
        ('factor "a" of "Buy again"', FactorActs("Buy again", "a")),
        ('factor "a" of "Buy again" lowers and value > 20',
         FactorActs("Buy again", "a", "lowers", where(NUMERIC_VALUE, "greater_than", 20))),
        ('factor "a" of "Buy again" raises and score of "Buy again" >= 75',
         FactorActs("Buy again", "a", "raises") & HIGH),
        ("did (commerce.purchases.value exists)", Did(BOUGHT)),
        ("did (commerce.purchases.value exists) at least 1 time in the last 1 day", Did(BOUGHT, 1, 1)),
        ("did not (commerce.purchases.value exists) in the last 30 days", ~Did(BOUGHT, 1, 30)),
        ('did (commerce.purchases.value exists) and in segment "VIP"', Did(BOUGHT) & InSegment("VIP")),
        ('score of "Buy again" not_exists',
         ~score_is("Buy again", "score", lambda field: where(field, "exists"))),
    ],
)  # fmt: skip
def test_reading(text, rule):
    assert read_rule(text, NAMES) == rule


def test_the_example_of_the_handbook_reads_back():
    text = (
        'score of "Buy again" >= 75 and factor "Days since webVisit" of "Buy again" raises and value > 20 and '
        'did (commerce.purchases.value exists) at least 2 times in the last 30 days and not in segment "Staff"'
    )
    assert write_rule(read_rule(text, NAMES)) == text.replace(">=", "greater_or_equal").replace(">", "greater_than")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "At the end: expected a field, 'not' or '('."),
        ("score >= 75", "At character 7 (>=): expected 'of'."),
        ("score of Buy >= 75", "At character 10 (Buy): expected the instance's name in quotes."),
        ('score of "Buy agian" > 1', ("At character 10 (\"Buy agian\"): There is no instance 'Buy agian'. "
                                      "Did you mean 'Buy again'?")),
        ('bucket of "Buy again" > "low"', ("At character 23 (>): 'bucket' holds text, which 'greater_than' does not "
         "fit. Use one of: exists, not_exists, equals, not_equals, starts_with, not_starts_with, ends_with, "
         "not_ends_with, contains, not_contains, in, not_in, matches.")),
        ('in segment "Stuff"', "At character 12 (\"Stuff\"): There is no segment 'Stuff'. Did you mean 'Staff'?"),
        ("did commerce.purchases.value exists", ("At character 5 (commerce.purchases.value): expected '(' and a "
                                                 "condition on an event.")),
        ("did (tier = 'gold')", ("At character 6 (tier): There is no field 'tier'. "
          "Known: commerce.purchases.value, items.SKU, web.page.")),
        ("did (web.page exists) at least 0 times", "At character 32 (0): expected a whole number of at least 1."),
        ("did (web.page exists) in the last 99999 days",
         "At character 23 (in): 99999 days are no span. Write 1 to 36500."),
        ("teir = 'gold'", "At character 1 (teir): There is no field 'teir'. Did you mean 'tier'?"),
        ('factor "a" of "Buy again" and value exists',
         "At character 27 (and): A factor always has a value: compare it, or leave this out."),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_where_and_why(text, message):
    with pytest.raises(ConditionError) as raised:
        read_rule(text, NAMES)
    assert str(raised.value) == message


@settings(max_examples=200, deadline=None)
@given(rules)
def test_what_is_written_reads_back(rule):
    text = write_rule(rule)
    again = read_rule(text, NAMES)
    assert again == rule
    assert write_rule(again) == text
