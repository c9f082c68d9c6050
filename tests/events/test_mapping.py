"""Mapping files: what is allowed, and what is said about the rest."""

import pytest

from likelier.errors import MappingError
from likelier.events.mapping import Use, load_mapping, parse_mapping


def vetted(expression):
    return parse_mapping(f"identity: {{namespace: N, value: who}}\nfields:\n  a.b: {expression}").fields["a.b"]


@pytest.mark.parametrize(
    "expression",
    [
        "amount",
        '"Customer ID"',
        "1",
        "'x'",
        "a + b * -c / 2 - 3 % 4",
        "CASE WHEN a = 'x' AND NOT b IS NULL THEN 1 ELSE 0 END",
        "CASE kind WHEN 'x' THEN 1 END",
        "CAST(a AS DOUBLE)",
        "a::DATE",
        "TRY_CAST(a AS DECIMAL(10, 2))",
        "concat_ws('-', a, b) || lower(c)",
        "coalesce(nullif(trim(a), ''), b)",
        "a IN ('x', 'y') OR b BETWEEN 1 AND 2 OR c LIKE 'C%'",
        "strptime(day, '%d/%m/%Y')",
        "make_timestamp(2024, 1, 2, 3, 4, 5.6)",
        "date_trunc('day', at) + INTERVAL 1 DAY",
        "regexp_extract(a, '(\\\\d+)', 1)",
        "if(a > 1, 2, 3)",
    ],
)
def test_scalar_expressions_are_allowed(expression):
    vetted(f'"{expression}"' if '"' not in expression else f"'{expression}'")


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("(SELECT content FROM read_text('events.jsonl'))", "a query"),
        ("a IN (SELECT b FROM c)", "a query"),
        ("EXISTS (SELECT 1)", "the function exists"),
        ("read_text('x')", "the function read_text"),
        ("getenv('HOME')", "the function getenv"),
        ("random()", "the function random"),
        ("now()", "now"),
        ("count(*)", "count, which looks at several rows,"),
        ("sum(a) OVER ()", "which looks at several rows,"),
        ("row_number() OVER ()", "which looks at several rows,"),
        ("a; DROP TABLE b", "is not allowed"),
        ("DROP TABLE b", "is not allowed"),
        ("a AS b", "is not allowed"),
        ("'*'", "*"),
        ("a -> 'x'", "is not allowed"),
        ("[1, 2]", "is not allowed"),
        ("'{x: 1}'", "is not allowed"),
        ("x -> x + 1", "is not allowed"),
        ("CAST(a AS JSON)", "the type JSON"),
        ("CAST(a AS STRUCT(b INT))", "the type"),
        ("a +", "is not an SQL expression"),
        ("Customer ID x", "double quotes"),
        ("$1", "is not allowed"),
        ("?", "is not allowed"),
        ("COLUMNS('a')", "is not allowed"),
        ("a COLLATE NOCASE", "is not allowed"),
    ],
)
def test_everything_else_is_refused_and_named(expression, found):
    written = expression if expression.startswith("'") else f'"{expression}"'
    with pytest.raises(MappingError) as refused:
        vetted(written)
    assert found in str(refused.value)
    assert "a.b: " in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{{", "is not YAML"),
        ("- a", "must hold the keys identity, timestamp, id, fields"),
        ("identty: {namespace: N, value: a}", "there is no key 'identty'. Did you mean 'identity'?"),
        ("identity: {namespace: N, valu: a}", "identity: there is no key 'valu'. Did you mean 'value'?"),
        ("identity: who", "must be written {namespace: CRMID, value: a_column}"),
        ("identity: {namespace: N}", "needs both a namespace and a value"),
        ("identity: {namespace: 'a.b', value: a}", "may hold letters"),
        ("fields: [a]", "fields must hold XDM paths"),
        ("fields: {'a b': c}", "'a b' is not an XDM path"),
        ("fields: {timestamp: c}", "stands under the key 'timestamp'"),
        ("fields: {_id: c}", "stands under the key 'id'"),
        ("fields: {identityMap.CRMID: c}", "stands under the key 'identity'"),
        ("fields: {a.b: null}", "an expression is a text"),
        ("fields: {a.b: [1]}", "an expression is a text"),
        ("timestamp: [1]", "an expression is a text"),
    ],
)
def test_says_what_is_wrong_with_the_file(text, said):
    with pytest.raises(MappingError) as refused:
        parse_mapping(text, "m.yaml")
    assert said in str(refused.value)
    assert "m.yaml" in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(MappingError, match="cannot be read"):
        load_mapping(tmp_path / "none.yaml")


def test_paths_lose_their_prefixes():
    assert list(parse_mapping("fields: {'xdm:commerce.xdm:order.priceTotal': a}").fields) == [
        "commerce.order.priceTotal"
    ]


def test_columns_are_found_by_their_paths():
    assert list(vetted("a + lower(_shop.b.c) + very.long.path.of.names").columns()) == [
        "a",
        "_shop.b.c",
        "very.long.path.of.names",
    ]


@pytest.mark.parametrize(
    ("expression", "use"),
    [
        ("x", Use.TEXT),
        ("x > 0", Use.NUMBER),
        ("x IN (1, 2)", Use.NUMBER),
        ("(x) * 2", Use.NUMBER),
        ("abs(x)", Use.NUMBER),
        ("x = 'a'", Use.TEXT),
        ("x < y", Use.ANY),
        ("CASE WHEN a = 'b' THEN x END", Use.TEXT),
        ("CASE WHEN a = 'b' THEN x ELSE 0 END", Use.NUMBER),
        ("CASE WHEN x THEN 1 END", Use.ANY),
        ("CASE x WHEN 'a' THEN 1 END", Use.TEXT),
        ("CASE x WHEN 1 THEN 'a' END", Use.NUMBER),
        ("coalesce(x, 0)", Use.NUMBER),
        ("coalesce(x, '-')", Use.TEXT),
        ("if(x > 2, 'a', 'b')", Use.NUMBER),
        ("x || 'a'", Use.TEXT),
        ("CAST(x AS INT)", Use.TEXT),
        ("strptime(x, '%Y')", Use.TEXT),
        ("x LIKE 'C%'", Use.TEXT),
        ("NOT x", Use.ANY),
    ],
)
def test_tells_what_a_column_is_used_as(expression, use):
    uses = {}
    vetted(f'"{expression}"').sql(lambda column, found: uses.setdefault(column, found).value)
    assert uses["x"] is use
