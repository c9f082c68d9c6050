"""Segments against plain Python: one person at a time, one rule at a time."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.profiles.rules_made import AGE, FACTORS, INSTANCES, PAGE, PAID, SKU, TIER, VALUES, plain_rules, rules

from likelier.backend import DuckDB
from likelier.conditions.algebra import where
from likelier.conditions.condition import And, Not, Or
from likelier.conditions.operations import Denial, Exists
from likelier.errors import UsageError
from likelier.explanations.factors import FACTOR_TYPE
from likelier.profiles.rules import AttributeIs, Did, FactorActs, InSegment, ScoreIs, score_is
from likelier.profiles.segments import People, members
from likelier.timespan import DAY, UTC

AS_OF = dt.datetime(2024, 5, 1, tzinfo=UTC)
MOMENT = pa.timestamp("us", "UTC")
EVENTS = pa.schema(
    [("id", pa.string()), ("timestamp", MOMENT), ("web.page", pa.string()), ("commerce.purchases.value", pa.float64()),
     ("items.SKU", pa.list_(pa.string()))]
)  # fmt: skip
ATTRIBUTES = pa.schema([("id", pa.string()), ("timestamp", MOMENT), ("tier", pa.string()), ("age", pa.float64())])
SCORES = pa.schema(
    [("id", pa.string()), ("score", pa.float64()), ("probability", pa.float64()), ("percentile", pa.int32()),
     ("bucket", pa.string()), ("factors", pa.list_(FACTOR_TYPE))]
)  # fmt: skip


# --- the oracle ------------------------------------------------------------------------------------------------------


def satisfied(condition, row):
    """Whether a row satisfies a condition on its fields."""
    match condition:
        case And(parts):
            return all(satisfied(part, row) for part in parts)
        case Or(parts):
            return any(satisfied(part, row) for part in parts)
        case Not(part):
            return not satisfied(part, row)
        case Denial(part):
            return bool(values(row, part.field)) and not satisfied(part, row)
        case Exists(field):
            return bool(values(row, field))
    stated = condition.stated()
    return any(compares(stated, value) for value in values(row, stated.field))


def values(row, field):
    found = row.get(field.path)
    return [one for one in (found if field.array else [found]) or [] if one is not None]


def compares(stated, value):
    fold = str.lower if stated.ignore_case else lambda text: text
    wanted = stated.value
    match stated.operator:
        case "equals":
            return fold(value) == fold(wanted) if isinstance(wanted, str) else value == wanted
        case "in":
            return fold(value) in [fold(one) for one in wanted]
        case "starts_with":
            return fold(value).startswith(fold(wanted))
        case "contains":
            return fold(wanted) in fold(value)
        case "greater_than":
            return value > wanted
        case "greater_or_equal":
            return value >= wanted
        case "less_than":
            return value < wanted
        case "less_or_equal":
            return value <= wanted
    raise AssertionError(stated)


def belongs(rule, who, world, segments):
    match rule:
        case And(parts):
            return all(belongs(part, who, world, segments) for part in parts)
        case Or(parts):
            return any(belongs(part, who, world, segments) for part in parts)
        case Not(part):
            return not belongs(part, who, world, segments)
        case ScoreIs(instance, condition):
            return any(satisfied(condition, row) for row in world["scores"][instance] if row["id"] == who)
        case FactorActs(instance):
            factors = [f for row in world["scores"][instance] if row["id"] == who for f in row["factors"]]
            return any(acts(rule, factor) for factor in factors)
        case AttributeIs(condition):
            return satisfied(condition, current(who, world))
        case Did(condition, at_least, last_days):
            since = AS_OF - last_days * DAY if last_days else dt.datetime.min.replace(tzinfo=UTC)
            mine = [row for row in world["events"] if row["id"] == who and since <= row["timestamp"]]
            return sum(satisfied(condition, row) for row in mine) >= at_least
        case InSegment(name):
            return belongs(segments[name], who, world, segments)
    raise AssertionError(rule)


def acts(rule, factor):
    if factor["code"] != rule.factor:
        return False
    if rule.effect == "raises" and not factor["contribution"] > 0:
        return False
    if rule.effect == "lowers" and not factor["contribution"] < 0:
        return False
    if rule.value is None:
        return True
    number = rule.value.stated().field.type == "number" if hasattr(rule.value, "stated") else False
    return satisfied(rule.value, {"value": as_number(factor["value"]) if number else factor["value"]})


def as_number(text):
    try:
        return float(text)
    except ValueError:
        return None


def current(who, world):
    mine = [row for row in world["attributes"] if row["id"] == who]
    found = {}
    for path in ("tier", "age"):
        known = [(row["timestamp"], row[path]) for row in mine if row[path] is not None]
        found[path] = max(known)[1] if known else None
    return found


def everybody(world):
    rows = [*world["events"], *world["attributes"], *(row for scores in world["scores"].values() for row in scores)]
    return {row["id"] for row in rows}


# --- random worlds ---------------------------------------------------------------------------------------------------

people = st.sampled_from([f"p{number}" for number in range(8)])
moments = st.integers(-60 * 4, -1).map(lambda quarter: AS_OF + quarter * DAY / 4)
maybe_number = st.none() | st.sampled_from([0.0, 1.0, 3.0, 20.0, 50.0])
event = st.fixed_dictionaries(
    {
        "id": people,
        "timestamp": moments,
        "web.page": st.none() | st.sampled_from(["home", "Home", "sale", "gold"]),
        "commerce.purchases.value": maybe_number,
        "items.SKU": st.none() | st.lists(st.none() | st.sampled_from(["gold", "3", "home"]), max_size=2),
    }
)
attribute = st.fixed_dictionaries(
    {
        "id": people,
        "timestamp": moments,
        "tier": st.none() | st.sampled_from(["gold", "Gold", "home"]),
        "age": maybe_number,
    }
)
factor = st.fixed_dictionaries(
    {
        "code": st.sampled_from(FACTORS),
        "value": st.sampled_from(VALUES),
        "importance": st.just("low"),
        "contribution": st.sampled_from([-0.5, 0.0, 0.5]),
    }
)
score = st.fixed_dictionaries(
    {
        "id": people,
        "score": st.sampled_from([0.0, 25.0, 50.0, 75.0, 99.5]),
        "probability": st.sampled_from([0.0, 0.5, 1.0]),
        "percentile": st.sampled_from([1, 3, 20, 75]),
        "bucket": st.sampled_from(["low", "medium", "high"]),
        "factors": st.lists(factor, max_size=3),
    }
)
worlds = st.fixed_dictionaries(
    {
        "events": st.lists(event, max_size=25),
        "attributes": st.lists(attribute, max_size=12),
        "scores": st.fixed_dictionaries(
            {name: st.lists(score, max_size=8, unique_by=lambda row: row["id"]) for name in INSTANCES}
        ),
    }
)


@pytest.fixture(scope="module")
def engine():
    with DuckDB(threads=1) as duck:
        yield duck


def found(engine, rule, world, segments=None):
    tables = {
        "events": engine.values(pa.Table.from_pylist(world["events"], EVENTS)),
        "attributes": engine.values(pa.Table.from_pylist(world["attributes"], ATTRIBUTES)),
    }
    scores = {name: engine.values(pa.Table.from_pylist(rows, SCORES)) for name, rows in world["scores"].items()}
    ids = engine.table(members(rule, People(AS_OF, **tables, scores=scores), segments))["id"].to_pylist()
    assert len(ids) == len(set(ids))
    return set(ids)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=rules, staff=plain_rules, vip=plain_rules, world=worlds, nested=st.booleans())
def test_a_segment_holds_whom_plain_python_finds(engine, rule, staff, vip, world, nested):
    segments = {"Staff": staff, "VIP": vip & ~InSegment("Staff") if nested else vip}
    wanted = {who for who in everybody(world) if belongs(rule, who, world, segments)}
    assert found(engine, rule, world, segments) == wanted


# --- by hand ---------------------------------------------------------------------------------------------------------


def a_world(**parts):
    return {"events": [], "attributes": [], "scores": {}, **parts}


def purchase(who, days_ago):
    moment = AS_OF - dt.timedelta(days=days_ago)
    return {"id": who, "timestamp": moment, PAGE.path: None, PAID.path: 1.0, SKU.path: None}


def test_the_last_days_begin_with_their_first_moment(engine):
    world = a_world(events=[purchase("in", 30), purchase("out", 30 + 1e-6)])
    assert found(engine, Did(where(PAID, "exists"), 1, 30), world) == {"in"}


def test_who_was_not_scored_has_no_low_score(engine):
    row = {"id": "a", "score": 10.0, "probability": 0.1, "percentile": 1, "bucket": "low", "factors": []}
    world = a_world(scores={"Buy": [row]}, events=[purchase("b", 1)])
    low = score_is("Buy", "score", lambda field: where(field, "less_than", 25))
    assert found(engine, low, world) == {"a"}
    assert found(engine, ~low, world) == {"b"}


def test_an_attribute_is_what_was_last_said(engine):
    rows = [(20, "gold", 30.0), (10, None, 31.0), (5, "silver", None)]
    world = a_world(
        attributes=[{"id": "a", "timestamp": AS_OF - days * DAY, "tier": tier, "age": age} for days, tier, age in rows]
    )
    assert found(engine, AttributeIs(where(TIER, "equals", "silver")) & AttributeIs(where(AGE, "equals", 31)), world)
    assert not found(engine, AttributeIs(where(TIER, "equals", "gold")), world)


def test_segments_in_a_circle_are_refused(engine):
    segments = {"a": ~InSegment("b"), "b": InSegment("c"), "c": InSegment("b")}
    with pytest.raises(UsageError, match="'b' -> 'c' -> 'b'"):
        found(engine, InSegment("a"), a_world(), segments)
