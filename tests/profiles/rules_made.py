"""Random rules over few names, so that they often meet the same people."""

from hypothesis import strategies as st

from likelier.conditions.algebra import all_of, any_of, where
from likelier.datasets import Field, FieldType
from likelier.profiles.rules import NUMERIC_VALUE, TEXT_VALUE, Did, FactorActs, InSegment, attribute_is, score_is

PAGE = Field("web.page", FieldType.TEXT)
PAID = Field("commerce.purchases.value", FieldType.NUMBER)
SKU = Field("items.SKU", FieldType.TEXT, array=True)
TIER, AGE, ODD = Field("tier", FieldType.TEXT), Field("age", FieldType.NUMBER), Field("score", FieldType.NUMBER)
EVENT_FIELDS = {field.path: field for field in (PAGE, PAID, SKU)}
ATTRIBUTE_FIELDS = {field.path: field for field in (TIER, AGE, ODD)}
INSTANCES = ("Buy again", 'Le"ave')
SEGMENTS = ("Staff", "VIP")
FACTORS = ("Days since webVisit", "tier", "other")
VALUES = ("3", "20", "0.031", "never", "gold", "")

instances = st.sampled_from(INSTANCES)
numbers = st.sampled_from([0, 1, 3, 20, 25, 50, 75, 99.5])
compare = st.sampled_from(["equals", "greater_than", "greater_or_equal", "less_than", "less_or_equal", "not_equals"])
texts = st.sampled_from(["gold", "home", "sale", "3"])


@st.composite
def on_field(draw, field):
    if field.type is FieldType.NUMBER:
        return where(field, draw(compare), draw(numbers))
    operator = draw(st.sampled_from(["equals", "not_equals", "in", "starts_with", "contains"]))
    ignore_case = draw(st.booleans())
    value = draw(st.lists(texts, min_size=1, max_size=2)) if operator == "in" else draw(texts)
    return where(field, operator, value, ignore_case=ignore_case)


def exists_or(field):
    return st.sampled_from([where(field, "exists"), where(field, "not_exists")]) | on_field(field)


@st.composite
def on_score(draw):
    instance, field = draw(instances), draw(st.sampled_from(["score", "probability", "percentile", "bucket"]))
    if field == "bucket":
        value = draw(st.sampled_from(["low", "medium", "high"]))
        return score_is(instance, field, lambda asked: where(asked, "equals", value))
    operator, value = draw(compare), draw(numbers)
    return score_is(instance, field, lambda asked: where(asked, operator, value))


events = st.recursive(
    st.sampled_from([PAGE, PAID, SKU]).flatmap(exists_or),
    lambda inner: st.builds(all_of, st.lists(inner, min_size=1, max_size=2)) | st.builds(lambda part: ~part, inner),
    max_leaves=2,
)
facts = st.one_of(
    on_score(),
    st.builds(
        FactorActs,
        instances,
        st.sampled_from(FACTORS),
        st.sampled_from([None, "raises", "lowers"]),
        st.none() | on_field(NUMERIC_VALUE) | on_field(TEXT_VALUE),
    ),
    st.sampled_from([TIER, AGE, ODD]).flatmap(exists_or).map(attribute_is),
    st.builds(Did, events, st.integers(1, 3), st.none() | st.integers(1, 40)),
    st.builds(InSegment, st.sampled_from(SEGMENTS)),
)


def rules_over(leaves, most=6):
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(all_of, st.lists(inner, min_size=1, max_size=3)),
            st.builds(any_of, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda rule: ~rule, inner),
        ),
        max_leaves=most,
    )


rules = rules_over(facts)
plain_rules = rules_over(facts.filter(lambda fact: not isinstance(fact, InSegment)), most=3)
