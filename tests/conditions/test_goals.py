"""Goals and populations say what they ask in plain English."""

import pytest

from likelier.conditions.algebra import where
from likelier.conditions.goals import EventRule, Goal, Population
from likelier.datasets import Field, FieldType

TYPE = Field("eventType", FieldType.TEXT)
BOUGHT = where(Field("commerce.purchases.value", FieldType.NUMBER), "exists")
CAME = where(Field("web.webPageDetails.name", FieldType.TEXT), "exists")
WATCH = where(Field("productListItems.SKU", FieldType.TEXT, array=True), "equals", "prd1013")


def rule(condition, at_least=1, name=None):
    return EventRule(name or condition.words(), condition, at_least)


PURCHASE, VISIT, TWO, ANYTHING = rule(BOUGHT), rule(CAME), rule(BOUGHT, 2), rule(where(TYPE, "exists"))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (BOUGHT, "makes a purchase"),
        (where(Field("commerce.purchases.value", FieldType.NUMBER), "greater_than", 0), "makes a purchase"),
        (where(Field("commerce.purchases.value", FieldType.NUMBER), "greater_or_equal", 1), "makes a purchase"),
        (where(TYPE, "equals", "commerce.purchases"), "makes a purchase"),
        (where(TYPE, "equals", "web.webpagedetails.pageViews"), "visits a web page"),
        (where(TYPE, "equals", "coupon_redeemed"), 'has a "coupon_redeemed" event'),
        (where(TYPE, "exists"), "has any activity"),
        (where(Field("search.keywords", FieldType.TEXT), "exists"), "searches for something"),
        (where(Field("application.launches.value", FieldType.NUMBER), "exists"), "launches the application"),
        (
            where(Field("commerce.purchases.value", FieldType.NUMBER), "greater_than", 5),
            "has an event where commerce.purchases.value is greater than 5",
        ),
        (WATCH, 'has an event where some productListItems.SKU is "prd1013"'),
        (
            BOUGHT & WATCH,
            'has an event where commerce.purchases.value exists and some productListItems.SKU is "prd1013"',
        ),
    ],
)
def test_a_rule(condition, words):
    assert rule(condition).words() == words


def test_a_named_rule_goes_by_its_name_unless_everybody_knows_the_event():
    assert rule(BOUGHT & WATCH, name="Watch purchase").words() == 'does "Watch purchase"'
    assert rule(BOUGHT & WATCH, 2, name="Watch purchase").denial() == 'does "Watch purchase" fewer than 2 times'
    assert rule(BOUGHT, name="purchase").words("past") == "made a purchase"


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Goal((PURCHASE,)), "makes a purchase within 30 days"),
        (Goal((PURCHASE,), window_days=1), "makes a purchase within 1 day"),
        (Goal((TWO,), window_days=7), "makes a purchase at least 2 times within 7 days"),
        (Goal((PURCHASE, VISIT), "all"), "makes a purchase and visits a web page within 30 days"),
        (Goal((PURCHASE, VISIT), "any"), "makes a purchase or visits a web page within 30 days"),
        (Goal((PURCHASE, VISIT, TWO), "any"),
         "makes a purchase, visits a web page or makes a purchase at least 2 times within 30 days"),
        (Goal((PURCHASE,), occurs=False), "does not make a purchase within 30 days"),
        (Goal((TWO,), occurs=False), "makes a purchase fewer than 2 times within 30 days"),
        (Goal((PURCHASE, VISIT), "any", occurs=False),
         "does not make a purchase and does not visit a web page within 30 days"),
        (Goal((PURCHASE, VISIT), "all", occurs=False),
         "does not make a purchase or does not visit a web page within 30 days"),
        (Goal((ANYTHING,), occurs=False, window_days=60), "does not have any activity within 60 days"),
    ],
)  # fmt: skip
def test_a_goal(goal, words):
    assert goal.words() == words


@pytest.mark.parametrize(
    ("population", "words"),
    [
        (Population(), "had any activity in the last 45 days"),
        (Population((ANYTHING,), lookback_days=120), "had any activity in the last 120 days"),
        (Population((PURCHASE, VISIT), "any", 120), "made a purchase or visited a web page in the last 120 days"),
        (Population((PURCHASE,), exclude=(TWO,)),
         "made a purchase in the last 45 days, except those who made a purchase at least 2 times in that time"),
    ],
)  # fmt: skip
def test_a_population(population, words):
    assert population.words() == words
