"""Conditions as text: what is written reads back, and what cannot be read says where."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelier.conditions.algebra import all_of, any_of, operators_for, where
from likelier.conditions.text import read_condition, write_condition
from likelier.datasets import Field, FieldType
from likelier.errors import ConditionError

PAGE = Field("web.page", FieldType.TEXT)
SKU = Field("productListItems.SKU", FieldType.TEXT, array=True)
PRICE = Field("price", FieldType.NUMBER)
MOBILE = Field("device.mobile", FieldType.FLAG)
END = Field("endDate", FieldType.MOMENT)
ODD = Field("a `b` \\ and", FieldType.TEXT)
NOT = Field("not", FieldType.NUMBER)
FIELDS = {field.path: field for field in (PAGE, SKU, PRICE, MOBILE, END, ODD, NOT)}
HAS_PAGE, PAID, LATE = where(PAGE, "exists"), where(PRICE, "greater_than", 3), where(END, "less_than", "2024-01-31")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("price greater_than 3", PAID),
        ("price > 3", PAID),
        ("  price\n\t>3 ", PAID),
        ("web.page exists and price > 3", HAS_PAGE & PAID),
        ("web.page exists AND price > 3", HAS_PAGE & PAID),
        ("price > 3 or price > 3 and endDate < 2024-01-31", PAID | (PAID & LATE)),
        ("(price > 3 or price > 3) and endDate < 2024-01-31", (PAID | PAID) & LATE),
        ("not price > 3 and endDate < 2024-01-31", ~PAID & LATE),
        ("not (price > 3 and endDate < 2024-01-31)", ~(PAID & LATE)),
        ("not not price > 3", PAID),
        ("((price > 3))", PAID),
        ("price = -1.5e-3", where(PRICE, "equals", -0.0015)),
        ("price != 0", where(PRICE, "not_equals", 0)),
        ("price >= 1 and price <= 2", where(PRICE, "greater_or_equal", 1) & where(PRICE, "less_or_equal", 2)),
        ("device.mobile equals TRUE", where(MOBILE, "equals", True)),
        ("web.page not_exists", ~HAS_PAGE),
        ('web.page starts_with "home" ignore_case', where(PAGE, "starts_with", "home", ignore_case=True)),
        ("web.page = 'say \"a\" it\\'s\\n\\u00e9 \\\\'", where(PAGE, "equals", "say \"a\" it's\né \\")),
        ('web.page = "it\'s 😀"', where(PAGE, "equals", "it's 😀")),
        ('productListItems.SKU in ["a", \'b\'] ignore_case', where(SKU, "in", ["a", "b"], ignore_case=True)),
        ("price not_in [1,2]", where(PRICE, "not_in", [1, 2])),
        ("endDate = 2024-01-31T12:30:00.5+02:00", where(END, "equals", "2024-01-31T12:30:00.5+02:00")),
        ('endDate = "2024-01-31"', where(END, "equals", "2024-01-31")),
        (r"`a \`b\` \\ and` exists and `not` > 1", where(ODD, "exists") & where(NOT, "greater_than", 1)),
    ],
)  # fmt: skip
def test_reading(text, condition):
    assert read_condition(text, FIELDS) == condition


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (PAID, "price greater_than 3"),
        (~HAS_PAGE, "web.page not_exists"),
        (~PAID, "not (price greater_than 3)"),
        (where(PRICE, "not_equals", 0.5), "price not_equals 0.5"),
        (HAS_PAGE & (PAID | LATE), "web.page exists and (price greater_than 3 or endDate less_than 2024-01-31)"),
        (HAS_PAGE | (PAID & LATE), "web.page exists or price greater_than 3 and endDate less_than 2024-01-31"),
        (where(SKU, "not_in", ["a", 'b"'], ignore_case=True), r'productListItems.SKU not_in ["a", "b\""] ignore_case'),
        (where(ODD, "exists"), r"`a \`b\` \\ and` exists"),
        (where(NOT, "exists"), "`not` exists"),
        (where(MOBILE, "equals", False), "device.mobile equals false"),
    ],
)  # fmt: skip
def test_writing(condition, text):
    assert write_condition(condition) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "At the end: expected a field, 'not' or '('."),
        ("price", "At the end: expected an operator, such as 'exists' or 'equals'."),
        ("price >", "At the end: expected the value of 'greater_than', such as \"home\", 3 or 2024-01-31."),
        ("price > 3 and", "At the end: expected a field, 'not' or '('."),
        ("price > 3 price > 3", "At character 11 (price): expected 'and', 'or' or the end."),
        ("(price > 3", "At the end: expected 'and', 'or' or ')'."),
        ("price > 3)", "At character 10 ()): expected 'and', 'or' or the end."),
        ("prices > 3", "At character 1 (prices): There is no field 'prices'. Did you mean 'price'?"),
        ("price greater 3", ("At character 7 (greater): there is no operator 'greater'. "
                            "Did you mean 'greater_than' or 'greater_or_equal'?")),
        ("price and 3", "At character 7 (and): expected an operator, such as 'exists' or 'equals'."),
        ("price contains 'a'", ("At character 7 (contains): 'price' holds numbers, which 'contains' does not fit. "
         "Use one of: exists, not_exists, equals, not_equals, greater_than, greater_or_equal, less_than, "
         "less_or_equal, in, not_in.")),
        ("price = '3'", "At character 9 ('3'): 'price' holds numbers; \"3\" is a text. Write it without quotes: 3."),
        ("price = 3 ignore_case", "At character 9 (3): 'price' holds numbers: ignore_case is for text. Leave it out."),
        ("price in 3", "At character 10 (3): 'in' takes a list, such as [\"a\", \"b\"]."),
        ("price in [3 4]", "At character 13 (4): expected ',' or ']'."),
        ("price in []", "At character 11 (]): expected the value of 'in', such as \"home\", 3 or 2024-01-31."),
        ("web.page = home", 'At character 12 (home): put a text in quotes: "home".'),
        ("web.page = 007", 'At character 12 (007): this is no number; put a text in quotes: "007".'),
        ("web.page = 'home", "At character 12 ('): this quote is not closed."),
        ("web.page = '\\q'", "At character 12 ('\\q'): there is no such escape; write \\\\ for a backslash."),
        ("price = 3; DROP TABLE events", "At character 10 (;): this character fits nowhere here."),
        ("price = 3 -- and", "At character 11 (-): this character fits nowhere here."),
        ("price = 1" + "0" * 400, f"At character 9 (1{'0' * 400}): 'price' holds finite numbers; this one is not."),
        ("(" * 5000 + "price > 3", "At character 101 ((): this is nested more than 100 levels deep."),
        ("not " * 5000 + "price > 3", "At character 401 (not): this is nested more than 100 levels deep."),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_where_and_why(text, message):
    with pytest.raises(ConditionError) as raised:
        read_condition(text, FIELDS)
    assert str(raised.value) == message


# --- there and back --------------------------------------------------------------------------------------------------

paths = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
) | st.sampled_from(["and", "OR", "not", "true", "ignore_case", "in", "exists", "1a", "a.b", "_x", "a-b", "`", "\\"])


def field_at(path):
    """Give every path one type."""
    return Field(path, list(FieldType)[sum(map(ord, path)) % 4], array=len(path) % 2 == 0)


fields = paths.map(field_at)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
values = {
    FieldType.TEXT: texts,
    FieldType.NUMBER: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20),
    FieldType.FLAG: st.booleans(),
    FieldType.MOMENT: st.datetimes().filter(lambda at: 1 < at.year < 9999)
    | st.dates().filter(lambda at: at.year < 9999),
}


@st.composite
def simple(draw):
    field = draw(fields)
    operator = draw(st.sampled_from(operators_for(field)))
    if "exists" in operator:
        return where(field, operator)
    value = st.sampled_from(["a", "^b+", r"\."]) if operator == "matches" else values[field.type]
    many = st.lists(value, min_size=1, max_size=3)
    ignore_case = field.type is FieldType.TEXT and draw(st.booleans())
    return where(field, operator, draw(many if operator in ("in", "not_in") else value), ignore_case=ignore_case)


conditions = st.recursive(
    simple(),
    lambda inner: st.one_of(
        st.builds(all_of, st.lists(inner, min_size=1, max_size=3)),
        st.builds(any_of, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda condition: ~condition, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(conditions)
def test_what_is_written_reads_back(condition):
    text = write_condition(condition)
    again = read_condition(text, {path: field_at(path) for path in condition.fields})
    assert again == condition
    assert write_condition(again) == text


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*"()[],'\"`\\;-3 ", "and ", "or ", "not ", "price ", "> ", "in ", "exists ", '"a" ', "2024-01-31"]
        )
    )
)
def test_any_text_is_read_or_refused(pieces):
    try:
        condition = read_condition("".join(pieces), FIELDS)
    except ConditionError as error:
        assert str(error).startswith("At ")  # noqa: PT017 - one of both outcomes
    else:
        assert read_condition(write_condition(condition), FIELDS) == condition
