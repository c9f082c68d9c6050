"""Random conditions on random rows: the engine and a plain loop agree, row by row."""

from __future__ import annotations

import datetime as dt
import math
import random
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likelier.backend import DuckDB
from likelier.conditions.algebra import all_of, any_of, operators_for, where
from likelier.datasets import Field, FieldType

NAN = float("nan")
TEXTS = [
    "", "home", "Home", "HOME", "home page", "ho", "me", "%", "_", "h%e", "a_b", "O'Brien", '"', "\\", "\\n",
    "\n", "é", "É", "ß", "ẞ", "ΣΑΣ", "σας", "日本", "x'; DROP TABLE events; --", "{0}", "$1", "?",
    ":name", "a\tb", " home ", "null", "true", "1",
]  # fmt: skip
NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.1, 0.30000000000000004, 1e308, -1e308, 5e-324, 2.0**53, 2.0**53 + 2, 3.0, 7.5]
MOMENTS = [
    "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00.000001+00:00", "2024-01-01T23:59:59.999999+00:00",
    "2024-01-02T00:00:00+00:00", "2024-02-29T12:00:00+00:00", "1970-01-01T00:00:00+00:00",
    "1969-12-31T23:59:59.999999+00:00",
    "2023-12-31T23:59:59.999999+00:00", "2199-07-04T05:06:07.891234+00:00", "1901-01-01T00:00:00+00:00",
]  # fmt: skip
WRITTEN_MOMENTS = [
    *MOMENTS,
    "2024-01-01",
    "2024-02-29",
    "1969-12-31",
    "2024-01-01T02:00:00+02:00",
    "2024-01-01T00:00:00Z",
]
PATTERNS = ["home", "^home$", "^h", "e$", "o.e", "[A-Z]+", r"\d", "a|é", "", "^$", r"\.", "(ho)(me)?", "H"]

POOL = {
    FieldType.TEXT: TEXTS,
    FieldType.NUMBER: [*NUMBERS, NAN],
    FieldType.FLAG: [True, False],
    FieldType.MOMENT: MOMENTS,
}
ARROW = {
    FieldType.TEXT: pa.string(),
    FieldType.NUMBER: pa.float64(),
    FieldType.FLAG: pa.bool_(),
    FieldType.MOMENT: pa.timestamp("us", "UTC"),
}
FIELDS = [Field(f"some.{kind}{'s' if array else ''}", kind, array) for kind in FieldType for array in (False, True)]
ROWS = 400


# --- the oracle ------------------------------------------------------------------------------------------------------


def satisfies(kind, row_value, operator, written, ignore_case):
    """Say whether one value that is there satisfies a positive operator."""
    if operator == "exists":
        return True
    if kind is FieldType.MOMENT:
        return moment_satisfies(row_value, operator, written)
    fold = (lambda text: "".join(letter.lower() for letter in text)) if ignore_case else (lambda text: text)
    match operator:
        case "equals":
            return fold(row_value) == fold(written)
        case "in":
            return fold(row_value) in [fold(one) for one in written]
        case "greater_than":
            return row_value > written
        case "greater_or_equal":
            return row_value >= written
        case "less_than":
            return row_value < written
        case "less_or_equal":
            return row_value <= written
        case "starts_with":
            return fold(row_value)[: len(fold(written))] == fold(written)
        case "ends_with":
            return fold(row_value)[::-1][: len(fold(written))] == fold(written)[::-1]
        case "contains":
            return fold(written) in fold(row_value)
        case "matches":
            return re.search(written.replace("$", r"\Z"), row_value, re.IGNORECASE if ignore_case else 0) is not None
    raise AssertionError(operator)


def moment_satisfies(row_value, operator, written):
    if operator == "in":
        return any(moment_satisfies(row_value, "equals", one) for one in written)
    if len(written) == 10:  # a date: only the day counts
        row_value, other = row_value.date(), dt.date.fromisoformat(written)
    else:
        other = dt.datetime.fromisoformat(written)
    return {
        "equals": row_value == other,
        "greater_than": row_value > other,
        "greater_or_equal": row_value >= other,
        "less_than": row_value < other,
        "less_or_equal": row_value <= other,
    }[operator]


def is_there(value):
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def expected(spec, row):
    match spec:
        case ("and", parts):
            return all(expected(part, row) for part in parts)
        case ("or", parts):
            return any(expected(part, row) for part in parts)
        case ("not", part):
            return not expected(part, row)
        case ("where", field, operator, written, ignore_case):
            held = row[field.path] if field.array else [row[field.path]]
            there = [value for value in held or [] if is_there(value)]
            if operator == "not_exists":
                return not there
            hits = [satisfies(field.type, one, operator.removeprefix("not_"), written, ignore_case) for one in there]
            return bool(there) and not any(hits) if operator.startswith("not_") else any(hits)
    raise AssertionError(spec)


def built(spec):
    match spec:
        case ("and", parts):
            return all_of(built(part) for part in parts)
        case ("or", parts):
            return any_of(built(part) for part in parts)
        case ("not", part):
            return ~built(part)
        case ("where", field, operator, written, ignore_case):
            return where(field, operator, written, ignore_case=ignore_case)
    raise AssertionError(spec)


# --- random rows, random conditions ----------------------------------------------------------------------------------


def random_value(chance, field):
    if chance.random() < 0.15:
        return None
    pool = POOL[field.type]
    if field.array:
        return [None if chance.random() < 0.1 else chance.choice(pool) for _ in range(chance.choice([0, 1, 1, 2, 3]))]
    return chance.choice(pool)


def as_moment(field, value):
    if field.type is not FieldType.MOMENT or value is None:
        return value
    return (
        [one and dt.datetime.fromisoformat(one) for one in value] if field.array else dt.datetime.fromisoformat(value)
    )


class Sample:
    """The same rows twice: in the engine and as plain dicts."""

    def __init__(self, engine, folder):
        chance = random.Random(20240501)
        self.rows = [
            {field.path: as_moment(field, random_value(chance, field)) for field in FIELDS} for _ in range(ROWS)
        ]
        schema = pa.schema([(f.path, pa.list_(ARROW[f.type]) if f.array else ARROW[f.type]) for f in FIELDS])
        table = pa.Table.from_pylist(self.rows, schema).append_column("row", pa.array(range(ROWS)))
        pq.write_table(table, folder / "part.parquet")
        self.engine, self.events = engine, engine.read([str(folder / "part.parquet")])

    def holds(self, conditions):
        columns = {f"c{index}": condition.holds(self.events) for index, condition in enumerate(conditions)}
        table = self.engine.table(self.events.select("row", **columns).order_by("row"))
        return [table.column(name).to_pylist() for name in columns]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    with DuckDB(threads=1) as engine:
        yield Sample(engine, tmp_path_factory.mktemp("events"))


@st.composite
def simple(draw):
    field = draw(st.sampled_from(FIELDS))
    operator = draw(st.sampled_from(operators_for(field)))
    ignore_case = field.type is FieldType.TEXT and "exists" not in operator and draw(st.booleans())
    return ("where", field, operator, draw(written(field, operator)), ignore_case)


def written(field, operator):
    if operator in ("exists", "not_exists"):
        return st.none()
    if operator == "matches":
        return st.sampled_from([pattern for pattern in PATTERNS if pattern])
    pool = {
        FieldType.TEXT: TEXTS,
        FieldType.NUMBER: NUMBERS,
        FieldType.FLAG: [True, False],
        FieldType.MOMENT: WRITTEN_MOMENTS,
    }
    values = st.sampled_from(pool[field.type])
    if operator in ("in", "not_in"):
        return st.lists(values, min_size=1, max_size=4)
    return values if operator in ("equals", "not_equals") else values.filter(lambda value: value != "")


specs = st.recursive(
    simple(),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(specs, min_size=1, max_size=25))
def test_the_engine_equals_a_plain_loop(sample, specs):
    for spec, got in zip(specs, sample.holds(map(built, specs)), strict=True):
        assert got == [expected(spec, row) for row in sample.rows], spec


@settings(max_examples=200, deadline=None)
@given(specs)
def test_a_repr_rebuilds_its_condition(spec):
    condition = built(spec)
    again = eval(repr(condition), {"where": where, "Field": Field, "FieldType": FieldType})
    assert again == condition
    assert hash(again) == hash(condition)
    assert repr(again) == repr(condition)
