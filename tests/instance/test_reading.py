"""Instance files: what is read, and what a fault says."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from likelier.conditions.algebra import OPERATORS
from likelier.errors import InstanceError
from likelier.instance import Instance, load_instance, make_instance, parse_instance

FULL = """\
name: Buy again
description: Purchase in the next 90 days among recent buyers
propensity_type: conversion
datasets: [retail]
namespace: CRMID
goal:
  occurs: true
  match: all
  events:
    - name: purchase
      match: all
      at_least: 1
      conditions:
        - {field: commerce.purchases.value, operator: exists}
  window_days: 90
eligible_population:
  lookback_days: 120
  match: any
  events: [{conditions: [{field: commerce.purchases.value, operator: exists}]}]
  exclude: []
custom_events:
  - {name: Watch purchase, conditions: [{field: productListItems.SKU, operator: equals, value: prd1013}]}
profile_attributes: []
exclusions: []
schedule: weekly
profile_enabled: true
"""
SHORT = """\
name: Buy again
propensity_type: conversion
datasets: [retail]
namespace: CRMID
goal:
  events:
  - conditions:
    - {field: web.webPageDetails.name, operator: equals, value: home}
  window_days: 30
"""


def test_the_file_of_the_handbook():
    instance = parse_instance(FULL)
    assert instance.goal.window_days == 90
    assert instance.goal.events[0].name == "purchase"
    assert instance.eligible_population.events[0].conditions[0].field == "commerce.purchases.value"
    assert instance.custom_events[0].conditions[0].value == "prd1013"
    assert instance.schedule == "weekly"


def test_what_is_left_out():
    instance = parse_instance(SHORT)
    assert (instance.description, instance.schedule, instance.profile_enabled) == ("", "none", True)
    assert (instance.goal.occurs, instance.goal.match, instance.goal.events[0].at_least) == (True, "all", 1)
    population = instance.eligible_population
    assert (population.lookback_days, population.events, population.exclude) == (45, (), ())
    assert (instance.custom_events, instance.exclusions, instance.profile_attributes) == ((), (), ())


def test_a_file_may_begin_with_a_byte_order_mark_and_be_json(tmp_path):
    path = tmp_path / "i.yaml"
    path.write_text(json.dumps(parse_instance(FULL).dump()), encoding="utf-8-sig")
    assert load_instance(path) == parse_instance(FULL)


def test_nothing_of_it_can_change():
    instance = parse_instance(FULL)
    with pytest.raises(ValidationError):
        instance.goal.window_days = 3
    assert hash(instance) == hash(parse_instance(FULL))


EVENTS = "`events: [{conditions: [{field: commerce.purchases.value, operator: exists}]}]`"
NEAR = "Did you mean 'equals' or 'not_equals' or 'less_or_equal'?"
CONDITION = "goal.events[0].conditions[0]"
SCALARS = "Write a text, a number, true or false, or a list of those, such as `value: home`."
FAULTS = [
    # what stands there, what is written instead, what the fault says
    ("name: Buy again", "nam: Buy again",
     "line 1: nam: there is no key 'nam' here. Did you mean 'name' or 'namespace'?"),
    ("name: Buy again", "name: ''", "line 1: name is empty. Write a name, such as `name: Buy again`."),
    ("name: Buy again", "name: 2024", "line 1: name: 2024 is a number. Write a name, such as `name: Buy again`."),
    ("name: Buy again", "name:", "line 1: name: nothing stands here. Write a name, such as `name: Buy again`."),
    ("name: Buy again", "name: 'Buy '",
     "line 1: name: it begins or ends with a space, or holds a line break. Write a name, such as `name: Buy again`."),
    ("type: conversion", "type: conversion s",
     "line 2: propensity_type: 'conversion s' is not known. Did you mean 'conversion'?"),
    ("type: conversion", "type: 3", ("line 2: propensity_type: 3 is a number. "
     "Write conversion (the goal is good news) or churn (it is bad news), such as `propensity_type: conversion`.")),
    ("[retail]", "retail",
     'line 3: datasets: "retail" is a text. Write a list of datasets, such as `datasets: [retail]`.'),
    ("[retail]", "[]", "line 3: datasets is empty. Write a list of datasets, such as `datasets: [retail]`."),
    ("[retail]", "[retail, 7]",
     "line 3: datasets[1]: 7 is a number. Write a list of datasets, such as `datasets: [retail]`."),
    ("[retail]", "[retail, retail]",
     "line 3: datasets: 'retail' stands here twice. Write a list of datasets, such as `datasets: [retail]`."),
    ("namespace: CRMID\n", "",
     "line 1: namespace is missing. Write the identity to score, such as `namespace: CRMID`."),
    ("  window_days: 30", "",
     "line 5: goal.window_days is missing. Write a whole number of days from 1 to 365, such as `window_days: 30`."),
    ("window_days: 30", "window_day: 30",
     "line 9: goal.window_day: there is no key 'window_day' here. Did you mean 'window_days'?"),
    ("window_days: 30", "window_days: 30\n  occurs: no",
     ('line 10: goal.occurs: "no" is a text. '
      "Write true (will occur) or false (will not occur), such as `occurs: true`.")),
    ("window_days: 30", "window_days: 30.5", ("line 9: goal.window_days: 30.5 is a number. "
     "Write a whole number of days from 1 to 365, such as `window_days: 30`.")),
    ("window_days: 30", "window_days: 0", ("line 9: goal.window_days: 0 is out of range. "
     "Write a whole number of days from 1 to 365, such as `window_days: 30`.")),
    ("window_days: 30", "window_days: true", ("line 9: goal.window_days: true is a flag. "
     "Write a whole number of days from 1 to 365, such as `window_days: 30`.")),
    ("window_days: 30", "window_days: [7, 900]", ("line 9: goal.window_days: [7, 900] is out of range. "
     "Write a whole number of days from 1 to 365, such as `window_days: 30`.")),
    ("window_days: 30", "window_days: [30, 7]", ("line 9: goal.window_days: each window must be longer than the one "
     "before it. Write up to 5, shortest first, such as `window_days: [7, 30, 90]`.")),
    ("window_days: 30", "window_days: [7, 7]", ("line 9: goal.window_days: each window must be longer than the one "
     "before it. Write up to 5, shortest first, such as `window_days: [7, 30, 90]`.")),
    ("window_days: 30", "window_days: [1, 2, 3, 4, 5, 6]", ("line 9: goal.window_days: 6 windows are not from 1 to 5. "
     "Write up to 5, shortest first, such as `window_days: [7, 30, 90]`.")),
    ("window_days: 30", "window_days: []", ("line 9: goal.window_days: 0 windows are not from 1 to 5. "
     "Write up to 5, shortest first, such as `window_days: [7, 30, 90]`.")),
    ("window_days: 30", "window_days: [7, x]", ("line 9: goal.window_days: only whole numbers of days fit here. "
     "Write up to 5, shortest first, such as `window_days: [7, 30, 90]`.")),
    ("window_days: 30", "window_days: 30\n  match: every",
     "line 10: goal.match: 'every' is not known. Known: all, any."),
    ("window_days: 30", "window_days: 30\n  match: al", "line 10: goal.match: 'al' is not known. Did you mean 'all'?"),
    ("  - conditions:", "  - at_least: 0\n    conditions:", ("line 7: goal.events[0].at_least: 0 is out of range. "
     "Write how many such events, from 1 to 1000, such as `at_least: 1`.")),
    ("    - {field: web.webPageDetails.name, operator: equals, value: home}", "    - field",
     (f'line 8: {CONDITION}: "field" is a text. Write a list of conditions that hold on one event, such as '
     "`conditions: [{field: commerce.purchases.value, operator: exists}]`.")),
    ("  - conditions:\n    - {field: web.webPageDetails.name, operator: equals, value: home}", "    []",
     f"line 6: goal.events is empty. Write a list of events, such as {EVENTS}."),
    ("operator: equals", "operator: equal", (f"line 8: {CONDITION}.operator: 'equal' is not known. "
     "Did you mean 'equals' or 'not_equals' or 'less_or_equal'?")),
    ("operator: equals", "operater: equals",
     f"line 8: {CONDITION}.operater: there is no key 'operater' here. Did you mean 'operator'?"),
    ("value: home", "value: [home]",
     f"line 8: {CONDITION}.value: 'equals' takes one value; [\"home\"] is a list. For several, use 'in'."),
    ("value: home", "value: {a: 1}", f'line 8: {CONDITION}.value: {{"a": 1}} is a group of keys. {SCALARS}'),
    ("value: home", "value: [[1]]", f"line 8: {CONDITION}.value: [[1]] is a list. {SCALARS}"),
    ("value: home", "value: .inf", f"line 8: {CONDITION}.value: Infinity is a number. {SCALARS}"),
    (", value: home", "", (f"line 8: {CONDITION}.value: 'equals' needs a value. "
     "To ask whether there is any, use 'exists' or 'not_exists'.")),
    ("operator: equals", "operator: exists",
     f"line 8: {CONDITION}.value: 'exists' takes no value. Leave out 'value' and 'ignore_case'."),
    ("value: home", "value: home, ignore_case: 1", (f"line 8: {CONDITION}.ignore_case: 1 is a number. "
     "Write true or false, such as `ignore_case: true`.")),
    ("  window_days: 30", "  window_days: 30\neligible_population: [a]",
     ('line 10: eligible_population: ["a"] is a list. Write the keys lookback_days, events and exclude, indented, '
     "such as `eligible_population: {lookback_days: 45}`.")),
    ("  window_days: 30", "  window_days: 30\ncustom_events: [{conditions: [{field: a, operator: exists}]}]",
     "line 10: custom_events[0].name is missing. Write the name that factors show, such as `name: Watch purchase`."),
    ("  window_days: 30", "  window_days: 30\nschedule: dayly",
     "line 10: schedule: 'dayly' is not known. Known: monthly, none, weekly."),
    ("  window_days: 30", "  window_days: 30\ngoal: 1",
     "line 10: the key 'goal' stands here a second time. Keep one of the two."),
]  # fmt: skip


@pytest.mark.parametrize(("there", "instead", "fault"), FAULTS)
def test_a_fault_names_its_line_its_key_and_what_to_write(there, instead, fault):
    assert SHORT.count(there) == 1
    with pytest.raises(InstanceError) as raised:
        parse_instance(SHORT.replace(there, instead), "i.yaml")
    assert str(raised.value) == f"i.yaml, {fault}"


def test_several_faults_are_told_at_once_in_the_order_of_the_file():
    text = SHORT.replace("CRMID", "''").replace("30", "900").replace("equals", "equals!")
    with pytest.raises(InstanceError) as raised:
        parse_instance(text, "i.yaml")
    assert str(raised.value).splitlines() == [
        "i.yaml has 3 faults:",
        "  line 4: namespace is empty. Write the identity to score, such as `namespace: CRMID`.",
        f"  line 8: {CONDITION}.operator: 'equals!' is not known. {NEAR}",
        (
            "  line 9: goal.window_days: 900 is out of range. "
            "Write a whole number of days from 1 to 365, such as `window_days: 30`."
        ),
    ]
    assert [key for key, _ in raised.value.problems] == ["namespace", f"{CONDITION}.operator", "goal.window_days"]


def test_exploratory_scores_never_go_to_the_profiles():
    text = yaml.safe_dump(parse_instance(SHORT).dump() | {"exploratory": True})
    with pytest.raises(InstanceError, match="profile_enabled: exploratory scores never go to the profiles"):
        parse_instance(text)
    without = {key: value for key, value in yaml.safe_load(text).items() if key != "profile_enabled"}
    assert not parse_instance(yaml.safe_dump(without)).profile_enabled


def test_two_custom_events_of_one_name():
    keys = parse_instance(FULL).dump()
    keys["custom_events"] *= 2
    with pytest.raises(InstanceError, match="custom_events: 'Watch purchase' stands here twice"):
        make_instance(keys)


def test_faults_of_values_that_came_without_a_file():
    with pytest.raises(InstanceError) as raised:
        make_instance({**parse_instance(SHORT).dump(), "schedule": "dayly"}, "the request")
    assert str(raised.value) == "the request: schedule: 'dayly' is not known. Known: monthly, none, weekly."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "i.yaml holds no instance: it is empty. It begins with a key, such as `name: Buy again`."),
        ("- a", 'i.yaml holds no instance: ["a"] is a list. It begins with a key, such as `name: Buy again`.'),
        ("a", 'i.yaml holds no instance: "a" is a text. It begins with a key, such as `name: Buy again`.'),
    ],
)
def test_something_else(text, message):
    with pytest.raises(InstanceError) as raised:
        parse_instance(text, "i.yaml")
    assert str(raised.value) == message


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InstanceError, match=r"There is no file .*none.yaml"):
        load_instance(tmp_path / "none.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x01\x80")
    with pytest.raises(InstanceError, match="cannot be read as a text file"):
        load_instance(tmp_path / "binary")
    with pytest.raises(InstanceError, match="cannot be read as a text file"):
        load_instance(tmp_path)


# --- dump and hash ---------------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
scalars = names | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def conditions(draw):
    operator = draw(st.sampled_from(OPERATORS))
    condition = {"field": draw(names), "operator": operator}
    if "exists" in operator:
        return condition
    condition["value"] = draw(st.lists(scalars, min_size=1, max_size=3) if operator in ("in", "not_in") else scalars)
    return {**condition, "ignore_case": True} if draw(st.booleans()) else condition


def parts(**keys):
    more = {"match": st.sampled_from(["all", "any"]), **keys}
    return st.fixed_dictionaries({"conditions": st.lists(conditions(), min_size=1, max_size=2)}, optional=more)


events = st.lists(parts(at_least=st.integers(1, 9), name=names), min_size=1, max_size=2)
files = st.fixed_dictionaries(
    {
        "name": names,
        "propensity_type": st.sampled_from(["conversion", "churn"]),
        "datasets": st.lists(names, min_size=1, max_size=2, unique=True),
        "namespace": names,
        "goal": st.fixed_dictionaries(
            {"events": events, "window_days": st.integers(1, 365)},
            optional={"occurs": st.booleans(), "match": st.sampled_from(["all", "any"])},
        ),
    },
    optional={
        "description": names,
        "eligible_population": st.fixed_dictionaries(
            {}, optional={"lookback_days": st.integers(1, 365), "events": events, "exclude": events}
        ),
        "exclusions": st.lists(parts(name=names), max_size=2),
        "profile_attributes": st.lists(st.fixed_dictionaries({"field": names}, optional={"name": names}), max_size=2),
        "schedule": st.sampled_from(["weekly", "monthly", "none"]),
        "profile_enabled": st.booleans(),
    },
)


@settings(max_examples=40, deadline=None)
@given(files)
def test_a_dump_is_the_same_instance_as_a_file_and_over_an_api(keys):
    instance = make_instance(keys)
    dump = instance.dump()
    for again in (
        make_instance(dump),
        parse_instance(yaml.safe_dump(dump, allow_unicode=True)),
        parse_instance(json.dumps(dump)),
        Instance.model_validate_json(json.dumps(dump)),
    ):
        assert again == instance
        assert again.definition_hash == instance.definition_hash
        assert again.dump() == dump


def changed(**keys):
    return make_instance({**parse_instance(SHORT).dump(), **keys})


def test_the_definition_is_what_is_asked():
    asked = parse_instance(SHORT)
    for same in ({"name": "x"}, {"description": "x"}, {"schedule": "monthly"}, {"profile_enabled": False}):
        assert changed(**same).definition_hash == asked.definition_hash
    others = [
        changed(namespace="ECID"),
        changed(propensity_type="churn"),
        changed(eligible_population={"lookback_days": 46}),
        changed(goal={**asked.dump()["goal"], "occurs": False}),
        changed(exclusions=[{"conditions": [{"field": "a", "operator": "exists"}]}]),
    ]
    assert len({one.definition_hash for one in [asked, *others]}) == 6


def test_the_hash_stays_from_one_version_to_the_next():
    assert parse_instance(SHORT).definition_hash.startswith("7962edaadc95bf9c")


def test_three_and_three_point_zero_ask_the_same():
    def price(value):
        condition = {"field": "commerce.order.priceTotal", "operator": "greater_than", "value": value}
        return changed(goal={"events": [{"conditions": [condition]}], "window_days": 30})

    assert price(3.0).definition_hash == price(3).definition_hash


def test_one_window_or_several():
    goal = {"events": [{"conditions": [{"field": "a", "operator": "exists"}]}]}
    one, several = (changed(goal={**goal, "window_days": days}) for days in ([30], [7, 30, 90]))
    assert (one.goal.window_days, one.goal.windows, one.goal.outcome_days) == (30, (30,), 30)
    assert (several.goal.windows, several.goal.outcome_days) == ((7, 30, 90), 90)
    assert several.dump()["goal"]["window_days"] == [7, 30, 90]
    assert make_instance(several.dump()) == several
    assert one.definition_hash == changed(goal={**goal, "window_days": 30}).definition_hash != several.definition_hash
