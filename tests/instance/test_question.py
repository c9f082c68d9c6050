"""An instance bound to its datasets."""

import pytest

from likelier.conditions.algebra import where
from likelier.conditions.goals import EventRule, Goal, Population
from likelier.datasets import Dataset, Field, FieldType
from likelier.errors import InstanceError
from likelier.instance import Attribute, ask, make_instance, merged_fields

BOUGHT = Field("commerce.purchases.value", FieldType.NUMBER)
PAGE = Field("web.webPageDetails.name", FieldType.TEXT)
SKU = Field("productListItems.SKU", FieldType.TEXT, array=True)
AGE = Field("person.age", FieldType.NUMBER)


def dataset(name, *fields, kind="events", namespaces=("CRMID",)):
    return Dataset(name, kind, {field.path: field for field in fields}, namespaces, 1)


SHOP = dataset("shop", BOUGHT, SKU)
WEB = dataset("web", PAGE, namespaces=("CRMID", "ECID"))
PEOPLE = dataset("people", AGE, kind="profiles")


def condition(field, operator="exists", **more):
    return {"field": field, "operator": operator, **more}


def instance(*conditions, **keys):
    return make_instance(
        {
            "name": "Buy again",
            "propensity_type": "conversion",
            "datasets": ["shop", "web", "people"],
            "namespace": "CRMID",
            "goal": {
                "events": [{"conditions": list(conditions or (condition("commerce.purchases.value"),))}],
                "window_days": 30,
            },
            **keys,
        }
    )


def problems(asked, *datasets):
    with pytest.raises(InstanceError) as raised:
        ask(asked, datasets or (SHOP, WEB, PEOPLE))
    return [text for _, text in raised.value.problems]


def test_everything_is_bound():
    both = [condition("commerce.purchases.value"), condition("productListItems.SKU", "equals", value="prd1013")]
    question = ask(
        instance(
            goal={
                "occurs": False,
                "match": "any",
                "events": [{"name": "w", "at_least": 2, "conditions": both}, {"match": "any", "conditions": both}],
                "window_days": 7,
            },
            eligible_population={
                "lookback_days": 9,
                "match": "any",
                "events": [{"conditions": [condition("web.webPageDetails.name")]}],
                "exclude": [{"name": "bought", "conditions": [condition("commerce.purchases.value")]}],
            },
            custom_events=[{"name": "Watch purchase", "conditions": both}],
            exclusions=[{"conditions": [condition("web.webPageDetails.name", "starts_with", value="admin")]}],
            profile_attributes=[{"name": "Age", "field": "person.age"}, {"field": "person.age"}],
        ),
        [PEOPLE, WEB, SHOP],
    )
    bought, watch, visit = where(BOUGHT, "exists"), where(SKU, "equals", "prd1013"), where(PAGE, "exists")
    either = EventRule((bought | watch).words(), bought | watch)
    admin = where(PAGE, "starts_with", "admin")
    assert question.goal == Goal((EventRule("w", bought & watch, 2), either), "any", occurs=False, window_days=7)
    assert question.population == Population(
        (EventRule("web.webPageDetails.name exists", visit),), "any", 9, (EventRule("bought", bought),)
    )
    assert question.custom_events == (EventRule("Watch purchase", bought & watch),)
    assert question.exclusions == (EventRule(admin.words(), admin),)
    assert question.attributes == (Attribute("Age", AGE), Attribute("person.age", AGE))
    assert (question.namespace, question.datasets) == ("CRMID", ("shop", "web", "people"))


def test_by_default_any_activity_makes_eligible():
    assert ask(instance(), [SHOP, WEB, PEOPLE]).population == Population((), "all", 45, ())


def test_all_faults_are_told_at_once():
    asked = instance(
        condition("commerce.purchase.value"),
        condition("web.webPageDetails.name", "greater_than", value=3),
        condition("commerce.purchases.value", "equals", value="3"),
        condition("commerce.purchases.value", "equals", value=3, ignore_case=True),
        custom_events=[{"name": "x", "conditions": [condition("productListItems.SKU", "in", value=["a", 7])]}],
    )
    assert problems(asked) == [
        (
            "goal.events[0].conditions[0].field: There is no field 'commerce.purchase.value'. "
            "Did you mean 'commerce.purchases.value'?"
        ),
        (
            "goal.events[0].conditions[1].operator: 'web.webPageDetails.name' holds text, which 'greater_than' "
            "does not fit. Use one of: exists, not_exists, equals, not_equals, starts_with, not_starts_with, "
            "ends_with, not_ends_with, contains, not_contains, in, not_in, matches."
        ),
        (
            "goal.events[0].conditions[2].value: 'commerce.purchases.value' holds numbers; \"3\" is a text. "
            "Write it without quotes: 3."
        ),
        (
            "goal.events[0].conditions[3].ignore_case: 'commerce.purchases.value' holds numbers: "
            "ignore_case is for text. Leave it out."
        ),
        (
            "custom_events[0].conditions[0].value: 'productListItems.SKU' holds text; 7 is a number. "
            'Put it in quotes: "7".'
        ),
    ]


def test_one_fault_is_one_line():
    with pytest.raises(InstanceError) as raised:
        ask(instance(condition("person.wage")), [SHOP, WEB, PEOPLE])
    assert str(raised.value).startswith("instance 'Buy again': goal.events[0].conditions[0].field: There is no field")


def test_attributes_and_events_are_not_mixed_up():
    asked = instance(condition("person.age"), profile_attributes=[{"field": "web.webPageDetails.name"}])
    assert problems(asked) == [
        (
            "goal.events[0].conditions[0].field: 'person.age' is an attribute of 'people', not on events. "
            "List it under profile_attributes."
        ),
        (
            "profile_attributes[0].field: 'web.webPageDetails.name' is on the events of 'web', not an attribute. "
            "Use it in a condition."
        ),
    ]
    asked = instance(datasets=["shop"], profile_attributes=[{"field": "person.age"}])
    assert problems(asked, SHOP) == [
        "profile_attributes[0].field: 'person.age' needs a dataset of kind profiles. Add one to datasets."
    ]


def test_consent_is_a_condition_on_an_attribute():
    asked = instance(eligible_population={"consent": condition("person.age", "greater_or_equal", value=18)})
    population = ask(asked, [SHOP, WEB, PEOPLE]).population
    assert population.consent == where(AGE, "greater_or_equal", 18)
    assert population.words() == "had any activity in the last 45 days, if person.age is at least 18"
    for wrong, told in (
        (condition("person.age", "equals", value="y"), "value: 'person.age' holds numbers"),
        (condition("web.webPageDetails.name"), "field: 'web.webPageDetails.name' is on the events of 'web'"),
        (condition("person.age", "not_exists"), "operator: a consent is something that was said"),
    ):
        (problem,) = problems(instance(eligible_population={"consent": wrong}))
        assert problem.startswith(f"eligible_population.consent.{told}")


def test_only_attributes_are_not_enough():
    assert problems(instance(datasets=["people"]), PEOPLE)[0] == (
        "datasets: none of them holds events. Add one that was ingested with --kind events."
    )


def test_every_dataset_has_the_namespace():
    assert problems(instance(namespace="ECID")) == [
        "namespace: dataset 'shop' has no 'ECID'. It has 'CRMID'. All datasets have 'CRMID'.",
        "namespace: dataset 'people' has no 'ECID'. It has 'CRMID'. All datasets have 'CRMID'.",
    ]
    nothing = dataset("shop", BOUGHT, namespaces=())
    assert problems(instance(datasets=["shop"]), nothing) == ["namespace: dataset 'shop' has no 'CRMID'. It has none."]


def test_a_dataset_that_was_not_opened():
    assert problems(instance(), SHOP, PEOPLE) == [
        "datasets[1]: There is no dataset 'web'. Known: people, shop.",
    ]


def test_a_field_of_two_types_is_refused_where_it_is_used():
    other = dataset("web", PAGE, Field("commerce.purchases.value", FieldType.TEXT), Field(SKU.path, SKU.type))
    assert problems(
        instance(condition("productListItems.SKU"), condition("commerce.purchases.value")), SHOP, other, PEOPLE
    ) == [
        (
            "goal.events[0].conditions[0].field: 'productListItems.SKU' is not the same in all datasets: "
            "a list of text in 'shop', text in 'web'. Leave out a dataset, or use another field."
        ),
        (
            "goal.events[0].conditions[1].field: 'commerce.purchases.value' is not the same in all datasets: "
            "numbers in 'shop', text in 'web'. Leave out a dataset, or use another field."
        ),
    ]
    assert ask(instance(condition("web.webPageDetails.name")), [SHOP, other, PEOPLE])
    assert merged_fields([SHOP, other])["commerce.purchases.value"] == (BOUGHT, Field(BOUGHT.path, FieldType.TEXT))
    assert merged_fields([SHOP, WEB])["commerce.purchases.value"] == (BOUGHT,)
