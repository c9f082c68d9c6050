"""PQL read as a rule: what it says in our own words, and what is refused where."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles.rules_made import ATTRIBUTE_FIELDS, EVENT_FIELDS, INSTANCES, SEGMENTS
from tests.service.segment_shop import ANN, open_home, put_events

from likelier.datasets import Field, FieldType
from likelier.errors import ConditionError
from likelier.profiles.pql import read_pql
from likelier.profiles.text import Names, read_rule, write_rule
from likelier.service import segments

NAMES = Names(EVENT_FIELDS, ATTRIBUTE_FIELDS, INSTANCES, SEGMENTS)
PAID = "commerce.purchases.value"


@pytest.mark.parametrize(
    ("pql", "text"),
    [
        ('tier = "gold"', 'tier = "gold"'),
        ('tier.equals("gold", false)', 'tier = "gold" ignore_case'),
        ('tier.notEqualTo("gold") and age >= 18', 'tier != "gold" and age >= 18'),
        ('not (tier.startsWith("g") or age < 18)', 'not (tier starts_with "g" or age < 18)'),
        ('!tier.doesNotContain("x")', 'not (tier not_contains "x")'),
        ('tier in ["gold", "home"] AND age.isNotNull()', 'tier in ["gold", "home"] and age exists'),
        ("age.isNull() or age != -1.5", "age not_exists or age != -1.5"),
        (f"exists E from xEvent where E.{PAID} > 0", f"did ({PAID} > 0)"),
        (f"not exists E from xEvent where (E.{PAID} > 0 and E.timestamp occurs <= 30 days before now)",
         f"not did ({PAID} > 0) in the last 30 days"),
        ('exists e from xEvent where e.web.page.contains("sale") and (e.timestamp occurs < 2 weeks before now)',
         'did (web.page contains "sale") in the last 14 days'),
        (f'xEvent[web.page = "home" or {PAID} = 1].count() >= 3',
         f'did (web.page = "home" or {PAID} = 1) at least 3 times'),
        (f"xEvent[{PAID} = 1].count() < 2", f"not did ({PAID} = 1) at least 2 times"),
        (f"xEvent[{PAID} = 1].count() = 0", f"not did ({PAID} = 1)"),
        (f"xEvent[{PAID} = 1].count() = 2",
         f"did ({PAID} = 1) at least 2 times and not did ({PAID} = 1) at least 3 times"),
        (f"xEvent.exists({PAID} = 1)", f"did ({PAID} = 1)"),
        ("xEvent[timestamp occurs < 7 days before now].count() > 4",
         "did (timestamp exists) at least 5 times in the last 7 days"),
        (f'chain(xEvent, timestamp, [A: WHAT({PAID} > 0) WHEN(<= 7 days before now) COUNT(>= 2)]) and inSegment("VIP")',
         f'did ({PAID} > 0) at least 2 times in the last 7 days and in segment "VIP"'),
        (f"xEvent.exists({PAID} = 1 and timestamp occurs after date(2024, 2, 29))",
         f"did ({PAID} = 1 and timestamp > 2024-02-29)"),
    ],
)  # fmt: skip
def test_what_it_says(pql, text):
    names = Names(
        {**EVENT_FIELDS, "timestamp": Field("timestamp", FieldType.MOMENT)}, ATTRIBUTE_FIELDS, INSTANCES, SEGMENTS
    )
    rule = read_pql(pql, names)
    assert write_rule(rule) == write_rule(read_rule(text, names))


@pytest.mark.parametrize(
    ("pql", "said"),
    [
        ('teir = "gold"', r'character 1 \("teir"\): There is no profile attribute .* Did you mean \'tier\''),
        (f"xEvent.exists({PAID}x = 1)", "There is no field of an event"),
        ('tier like "g%"', r'character 6 \("like"\): like has no counterpart'),
        ("forall E from xEvent where E.x = 1", "forall has no counterpart"),
        ("age.average() > 1", "average has no counterpart"),
        (f"chain(xEvent, timestamp, [A: WHAT({PAID} > 0), B: WHAT({PAID} > 0)])", "a sequence of events"),
        (f"xEvent.exists({PAID} = 1 and timestamp occurs <= 3 months before now)", "months is no span"),
        (f"xEvent.exists({PAID} = 1 or timestamp occurs <= 3 days before now)", "join it with 'and'"),
        (f"xEvent.exists({PAID} = 1 and (age = 1 or timestamp occurs <= 3 days before now))", "There is no field"),
        ("xEvent.exists(not (timestamp occurs <= 3 days before now))", "cannot be denied"),
        (f"xEvent.exists({PAID} = 1 and timestamp occurs > 3 days before now)", "looks at the last days"),
        (f"xEvent[{PAID} = 1].count() >= 0", "every count"),
        ('inSegment("Stuff")', "Did you mean 'Staff'"),
        ('age = "old"', r'character 5 \("="\)'),
        ('tier = "gold', "expected a text"),
        ("tier = date(2024, 2, 30)", "no such date"),
        ('tier = "gold" tier', "expected 'and', 'or' or the end"),
        ("(" * 60 + 'tier = "x"' + ")" * 60, "nested more than 50"),
        ("", "the end"),
    ],
)
def test_what_is_refused(pql, said):
    with pytest.raises(ConditionError, match=said):
        read_pql(pql, NAMES)


WORDS = (
    'tier = "a" and or not ( ) xEvent [ ] . exists E from where chain , timestamp occurs <= 3 days before now count !'
)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=14))
def test_nothing_but_a_clear_error(words):
    with contextlib.suppress(ConditionError):
        read_pql(" ".join(words), NAMES).words()


def test_a_segment_of_an_imported_rule(tmp_path):
    home = open_home(tmp_path / "home")
    put_events(home, [("a", 1, True), ("b", 9, True), ("c", 1, False)])
    pql = f"xEvent[{PAID} > 0 and timestamp occurs <= 5 days before now].count() >= 1"
    made = segments.create_segment(home, ANN, "Recent", segments.Wanted(pql=pql, namespace="CRMID"))
    assert (made["size"], made["text"]) == (1, f"did ({PAID} greater_than 0) in the last 5 days")
    home.store.close()
