"""What holds when, on tables one can check by hand."""

import datetime as dt

import pyarrow as pa
import pytest

from likelier.backend import DuckDB
from likelier.conditions.algebra import OPERATORS, all_of, any_of, operators_for, where
from likelier.datasets import Field, FieldType
from likelier.errors import ConditionError

PAGE = Field("page", FieldType.TEXT)
SKUS = Field("skus", FieldType.TEXT, array=True)
PRICE = Field("price", FieldType.NUMBER)
MOBILE = Field("mobile", FieldType.FLAG)
END = Field("end", FieldType.MOMENT)


@pytest.fixture(scope="module")
def engine():
    with DuckDB(threads=1) as engine:
        yield engine


@pytest.fixture
def held(engine):
    """Evaluate a condition on a column of values."""

    def evaluate(condition, values, kind=None):
        field = next(iter(condition.fields))
        events = engine.values(pa.table({"n": range(len(values)), field: pa.array(values, kind)}))
        return engine.table(events.select("n", holds=condition.holds(events)).order_by("n")).column("holds").to_pylist()

    return evaluate


PAGES = ["home", "Home page", "", None]


@pytest.mark.parametrize(
    ("operator", "value", "ignore_case", "holds"),
    [
        #                                   home   Home page  ""    null
        ("exists", None, False,            [True,  True,  True,  False]),
        ("not_exists", None, False,        [False, False, False, True]),
        ("equals", "home", False,          [True,  False, False, False]),
        ("equals", "HOME", True,           [True,  False, False, False]),
        ("equals", "", False,              [False, False, True,  False]),
        ("not_equals", "home", False,      [False, True,  True,  False]),
        ("starts_with", "ho", False,       [True,  False, False, False]),
        ("starts_with", "ho", True,        [True,  True,  False, False]),
        ("not_starts_with", "ho", False,   [False, True,  True,  False]),
        ("ends_with", "e", False,          [True,  True,  False, False]),
        ("not_ends_with", "page", False,   [True,  False, True,  False]),
        ("contains", "me p", False,        [False, True,  False, False]),
        ("contains", "%", False,           [False, False, False, False]),
        ("not_contains", "H", False,       [True,  False, True,  False]),
        ("not_contains", "H", True,        [False, False, True,  False]),
        ("in", ["home", ""], False,        [True,  False, True,  False]),
        ("not_in", ["home", ""], False,    [False, True,  False, False]),
        ("not_in", ["HOME"], True,         [False, True,  True,  False]),
        ("matches", "^h.*e$", False,       [True,  False, False, False]),
        ("matches", "^h.*e$", True,        [True,  True,  False, False]),
        ("matches", "ome", False,          [True,  True,  False, False]),
    ],
)  # fmt: skip
def test_texts(held, operator, value, ignore_case, holds):
    assert held(where(PAGE, operator, value, ignore_case=ignore_case), PAGES) == holds


BASKETS = [["a", "b"], ["b"], [None], [], None, [None, "a"]]


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        #                      a,b    b      [null] []     null   null,a
        ("exists", None,      [True,  True,  False, False, False, True]),
        ("not_exists", None,  [False, False, True,  True,  True,  False]),
        ("equals", "a",       [True,  False, False, False, False, True]),
        ("not_equals", "a",   [False, True,  False, False, False, False]),
        ("in", ["a", "c"],    [True,  False, False, False, False, True]),
        ("not_in", ["a", "c"],[False, True,  False, False, False, False]),
    ],
)  # fmt: skip
def test_arrays_ask_for_some_element_and_negated_operators_for_none(held, operator, value, holds):
    assert held(where(SKUS, operator, value), BASKETS, pa.list_(pa.string())) == holds


def test_two_conditions_on_an_array_may_be_satisfied_by_two_elements(held):
    both = where(SKUS, "equals", "a") & where(SKUS, "equals", "b")
    assert held(both, BASKETS, pa.list_(pa.string())) == [True, False, False, False, False, False]


def test_the_opposite_also_holds_where_there_is_no_value(held):
    home = where(PAGE, "equals", "home")
    assert held(~home, PAGES) == [False, True, True, True]
    assert held(where(PAGE, "not_equals", "home") | ~where(PAGE, "exists"), PAGES) == held(~home, PAGES)
    assert ~~home == home


PRICES = [9.99, 10.0, 10.01, None, float("nan")]


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        #                            9.99   10     10.01  null   nan
        ("exists", None,            [True,  True,  True,  False, False]),
        ("greater_than", 10,        [False, False, True,  False, False]),
        ("greater_or_equal", 10,    [False, True,  True,  False, False]),
        ("less_than", 10,           [True,  False, False, False, False]),
        ("less_or_equal", 10,       [True,  True,  False, False, False]),
        ("equals", 10.0,            [False, True,  False, False, False]),
        ("not_equals", 10,          [True,  False, True,  False, False]),
        ("in", [10, 9.99],          [True,  True,  False, False, False]),
    ],
)  # fmt: skip
def test_numbers(held, operator, value, holds):
    assert held(where(PRICE, operator, value), PRICES) == holds


def test_whole_numbers_in_a_table_do_too(held):
    assert held(where(PRICE, "greater_than", 1), [1, 2, None], pa.int64()) == [False, True, False]


def test_flags(held):
    assert held(where(MOBILE, "equals", True), [True, False, None]) == [True, False, False]
    assert held(where(MOBILE, "not_equals", True), [True, False, None]) == [False, True, False]


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


ENDS = [at("2024-01-30T23:59:59.999999"), at("2024-01-31"), at("2024-01-31T23:59:59.999999"), at("2024-02-01"), None]


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        #                                                    30.    31.    31. late 1.  null
        ("equals", "2024-01-31",                            [False, True,  True,  False, False]),
        ("not_equals", "2024-01-31",                        [True,  False, False, True,  False]),
        ("greater_than", "2024-01-31",                      [False, False, False, True,  False]),
        ("greater_or_equal", "2024-01-31",                  [False, True,  True,  True,  False]),
        ("less_than", "2024-01-31",                         [True,  False, False, False, False]),
        ("less_or_equal", "2024-01-31",                     [True,  True,  True,  False, False]),
        ("equals", "2024-01-31T00:00:00Z",                  [False, True,  False, False, False]),
        ("greater_than", "2024-01-31T00:00:00Z",            [False, False, True,  True,  False]),
        ("less_or_equal", "2024-01-31T02:00:00+02:00",      [True,  True,  False, False, False]),
        ("in", ["2024-01-30", "2024-02-01T00:00:00"],       [True,  False, False, True,  False]),
        ("equals", dt.date(2024, 1, 31),                    [False, True,  True,  False, False]),
        ("equals", at("2024-01-31"),                        [False, True,  False, False, False]),
    ],
)  # fmt: skip
def test_a_date_is_its_whole_day_and_a_moment_its_microsecond(held, operator, value, holds):
    assert held(where(END, operator, value), ENDS, pa.timestamp("us", "UTC")) == holds


def test_a_table_without_the_column_has_no_value_there(engine):
    events = engine.values(pa.table({"n": [1, 2]}))
    conditions = [where(SKUS, "equals", "a"), where(SKUS, "not_equals", "a"), where(SKUS, "not_exists")]
    holds = {f"c{index}": condition.holds(events) for index, condition in enumerate(conditions)}
    rows = engine.table(events.select(**holds)).to_pylist()
    assert rows == [{"c0": False, "c1": False, "c2": True}] * 2


@pytest.mark.parametrize(
    "hostile", ["x'; DROP TABLE events; --", "\\'; --", "a\nb", "$$", "{0}", "%s", "?1", "é\u202e"]
)
def test_a_value_is_only_ever_a_value(held, hostile):
    values = [hostile, "other", None]
    for operator in ("equals", "starts_with", "ends_with", "contains"):
        assert held(where(PAGE, operator, hostile), values) == [True, False, False]
        assert held(where(PAGE, operator, hostile.upper(), ignore_case=True), values) == [True, False, False]
    assert held(where(PAGE, "in", [hostile]), values) == [True, False, False]


def test_a_hostile_path_is_only_ever_a_path(held):
    field = Field('a"; DROP TABLE events; --', FieldType.TEXT)
    assert held(where(field, "exists"), ["x", None]) == [True, False]


def test_long_lists_and_long_chains(held):
    many = [f"sku{index}" for index in range(3000)]
    assert held(where(PAGE, "in", many), ["sku2999", "sku3000"]) == [True, False]
    assert held(any_of(where(PAGE, "equals", one) for one in many[:100]), ["sku99", "sku100"]) == [True, False]
    days = [f"{1970 + index // 12}-{index % 12 + 1:02}-01" for index in range(100)]
    assert held(where(END, "in", days), [at("1978-04-01"), at("1978-04-02")], pa.timestamp("us", "UTC")) == [
        True,
        False,
    ]


def test_operators_that_fit():
    assert set(OPERATORS) == {name for kind in FieldType for name in operators_for(Field("x", kind))}
    assert len(OPERATORS) == 17
    assert operators_for(PRICE) == operators_for(END)


def test_joining():
    a, b, c = where(PAGE, "exists"), where(SKUS, "exists"), where(PRICE, "exists")
    assert (a & b) & c == a & (b & c) == all_of([a, b, c])
    assert (a | b) | c == any_of([a, b, c])
    assert all_of([a]) == any_of([a]) == a
    assert (a & b & c).fields == {PAGE.path, SKUS.path, PRICE.path}
    with pytest.raises(ConditionError, match="at least one"):
        all_of([])


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (where(PAGE, "exists"), "page exists"),
        (where(PAGE, "not_exists"), "page does not exist"),
        (where(PAGE, "not_equals", 'a "b"'), r'page is not "a \"b\""'),
        (where(PAGE, "in", ["é", "b"], ignore_case=True), 'page is one of "é", "b" in any case'),
        (where(SKUS, "contains", "a"), 'some skus contains "a"'),
        (where(SKUS, "not_contains", "a"), 'no skus contains "a"'),
        (where(PRICE, "greater_or_equal", 50), "price is at least 50"),
        (where(PRICE, "less_than", 0.5), "price is less than 0.5"),
        (where(MOBILE, "equals", False), "mobile is false"),
        (where(END, "less_or_equal", "2024-01-31"), "end is at most 2024-01-31"),
        (
            (where(PAGE, "exists") | where(MOBILE, "exists")) & ~where(PRICE, "equals", 1),
            "(page exists or mobile exists) and not (price is 1)",
        ),
    ],
)
def test_words(condition, words):
    assert condition.words() == words


FOR_FLAGS = "Use one of: exists, not_exists, equals, not_equals."
FOR_NUMBERS = f"{FOR_FLAGS[:-1]}, greater_than, greater_or_equal, less_than, less_or_equal, in, not_in."
FOR_NONE = "To ask whether there is any, use 'exists' or 'not_exists'."
FOR_SEVERAL = "For several, join several conditions with match: any."
PATTERNS_ARE = "Patterns are RE2: no look-around, no back-references; write \\ before a sign that stands for itself."
DATES = "Write a date such as 2011-11-01 (the whole day in UTC) or 2011-11-01T12:00:00Z."


@pytest.mark.parametrize(
    ("field", "operator", "value", "message"),
    [
        (PAGE, "equal", "x", "There is no operator 'equal'. Did you mean 'equals' or 'not_equals' or 'less_or_equal'?"),
        (MOBILE, "in", [True], f"'mobile' holds true or false, which 'in' does not fit. {FOR_FLAGS}"),
        (PRICE, "contains", "x", f"'price' holds numbers, which 'contains' does not fit. {FOR_NUMBERS}"),
    ],
)  # fmt: skip
def test_an_operator_that_does_not_fit_says_what_would(field, operator, value, message):
    with pytest.raises(ConditionError) as raised:
        where(field, operator, value)
    assert (str(raised.value), raised.value.key) == (message, "operator")


@pytest.mark.parametrize(
    ("field", "operator", "value", "message"),
    [
        (PAGE, "exists", "x", "'exists' takes no value. Leave out 'value' and 'ignore_case'."),
        (PAGE, "equals", None, f"'equals' needs a value. {FOR_NONE}"),
        (PAGE, "equals", ["a"], "'equals' takes one value; [\"a\"] is a list. For several, use 'in'."),
        (PAGE, "contains", ["a"], f"'contains' takes one value; [\"a\"] is a list. {FOR_SEVERAL}"),
        (PAGE, "in", "a", "'in' takes a list of at least one value, such as [a, b]; \"a\" is a text."),
        (PAGE, "in", [], "'in' takes a list of at least one value, such as [a, b]; [] is a list."),
        (PAGE, "equals", 7, "'page' holds text; 7 is a number. Put it in quotes: \"7\"."),
        (PAGE, "equals", True, "'page' holds text; true is a flag. Put it in quotes: \"true\"."),
        (PAGE, "in", ["a", 7], "'page' holds text; 7 is a number. Put it in quotes: \"7\"."),
        (PAGE, "equals", "a\x00", "The value for 'page' holds a character that no text in a dataset can hold."),
        (PAGE, "contains", "", "Every text of 'page' contains \"\". Use 'exists', or write a longer value."),
        (PAGE, "matches", "a(", f"The pattern 'a(' cannot be read (missing ): a(). {PATTERNS_ARE}"),
        (PRICE, "equals", "3", "'price' holds numbers; \"3\" is a text. Write it without quotes: 3."),
        (PRICE, "equals", "three", "'price' holds numbers; \"three\" is a text. Write a number, such as 3 or 9.99."),
        (PRICE, "equals", True, "'price' holds numbers; true is a flag. Write a number, such as 3 or 9.99."),
        (PRICE, "equals", float("inf"), "'price' holds finite numbers; this one is not."),
        (PRICE, "equals", 10**400, "'price' holds finite numbers; this one is not."),
        (MOBILE, "equals", 1, "'mobile' holds true or false; 1 is a number. Write true or false, without quotes."),
        (END, "equals", "31.1.2024", f"'end' holds moments; \"31.1.2024\" is a text. {DATES}"),
        (END, "equals", "9999-12-31", f"'end' holds moments; \"9999-12-31\" is a text. {DATES}"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_says_what_would(field, operator, value, message):
    with pytest.raises(ConditionError) as raised:
        where(field, operator, value)
    assert (str(raised.value), raised.value.key) == (message, "value")


def test_ignore_case_is_for_text():
    with pytest.raises(ConditionError, match="holds numbers: ignore_case is for text") as raised:
        where(PRICE, "equals", 1, ignore_case=True)
    assert raised.value.key == "ignore_case"


@pytest.mark.parametrize("pattern", ["a(?=b)", r"(a)\1", "[", "a{2,1}", "(?P<n>a)(?P=n)"])
def test_patterns_that_the_engine_cannot_read_are_refused(pattern):
    with pytest.raises(ConditionError, match="cannot be read"):
        where(PAGE, "matches", pattern)


def test_patterns_that_are_taken_work_in_the_engine(held):
    for pattern in [
        r"^\d+$",
        "a|b",
        "(?i)a",
        "[[:alpha:]]",
        r"\pL",
        "a{1,3}?",
        "(?s).",
        r"\bhome\b",
        r"\Qa.b\E",
        "\\\\",
    ]:
        assert held(where(PAGE, "matches", pattern), [None], pa.string()) == [False]
