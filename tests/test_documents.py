"""YAML that people write."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from likelier.documents import read_document
from likelier.errors import UsageError


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("3", 3), ("-3", -3), ("0", 0), ("3.5", 3.5), ("1.0e+20", 1e20), ("true", True), ("false", False),
        ("null", None), ("~", None), ("", None), ("'3'", "3"), (r'"\ud83d\ude00"', "😀"),
        ("007", "007"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("True", "True"), ("2024-01-01", "2024-01-01"), ("1e3", "1e3"),
        ("1e-3", 0.001),
        ("5901234123457590123412", "5901234123457590123412"), ("prd1013", "prd1013"), ("[a, 1]", ["a", 1]),
    ],
)  # fmt: skip
def test_plain_words_are_what_they_look_like(written, read):
    assert read_document(f"key: {written}").value == {"key": read}
    assert type(read_document(f"key: {written}").value["key"]) is type(read)


def test_every_part_knows_its_line():
    document = read_document("a:\n  b:\n  - c: 1\n    d: [x,\n      y]\n")
    assert document.line(("a", "b", 0, "c")) == 3
    assert document.line(("a", "b", 0, "d", 1)) == 5
    assert document.line(("a", "b", 0, "missing")) == 3
    assert document.line(("missing",)) == 1


BRACKETS = "Check that every bracket and quote that is opened is closed."
QUOTES = "Put a value that holds ': ' in quotes, and check the indentation."
TABS = "Indent with spaces, not tabs."
LOOK = "Check the indentation, the brackets and the quotes."
TAG = "could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:x.y'"


@pytest.mark.parametrize(
    ("text", "place", "problem", "hint"),
    [
        ("{{{", "line 1, column 4", "expected the node content, but found the end of the file", BRACKETS),
        ("a: [1, 2\nb: 3", "line 2, column 2", "expected ',' or ']', but got ':'", BRACKETS),
        ("a: 'x\n", "line 2, column 1", "found unexpected end of stream", BRACKETS),
        ("a: b: c", "line 1, column 5", "mapping values are not allowed here", QUOTES),
        ("a: 1\n b: 2", "line 2, column 3", "mapping values are not allowed here", QUOTES),
        ("a:\n\t- b", "line 2, column 1", "found character '\\t' that cannot start any token", TABS),
        (r'a: "\ud83d"', "line 1, column 4", "half a character", LOOK),
        ("a: *b", "line 1, column 4", "found undefined alias 'b'", LOOK),
        ("a: !!python/object:x.y z", "line 1, column 4", TAG, LOOK),
        ("a: 1\n--- \nb: 2", "line 2, column 1", "but found another document", "Keep what stands before '---'."),
    ],
)  # fmt: skip
def test_what_is_not_yaml_says_where_and_why(text, place, problem, hint):
    with pytest.raises(UsageError) as raised:
        read_document(text, "d")
    assert str(raised.value) == f"d, {place}: this is not YAML: {problem}. {hint}"


GROWING = "a: &a [x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "d, line 3: the key 'a' stands here a second time. Keep one of the two."),
        ("? [a]\n: 1", "d, line 1: a key is a word, not a group or a list."),
        ("a: \x01", "d, line 1: there is a character here that no text file should hold."),
        ("[" * 1500, "d is nested too deeply."),
        ("a: &a [*a]", "d is too large: it has more than 50,000 parts or 60 levels."),
        (GROWING + "e: &e [*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e]",
         "d is too large: it has more than 50,000 parts or 60 levels."),
    ],
)  # fmt: skip
def test_what_is_refused_although_it_is_yaml(text, message):
    with pytest.raises(UsageError) as raised:
        read_document(text, "d")
    assert str(raised.value) == message


texts = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" \n"))
scalars = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@settings(deadline=None)
@given(values)
def test_what_pyyaml_writes_reads_back(value):
    for flow in (True, False, None):
        text = yaml.safe_dump({"key": value}, allow_unicode=True, default_flow_style=flow)
        assert read_document(text).value == {"key": value}


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}#&*!|>'\"%@`,? \n\t\\0.~")))
def test_any_text_is_read_or_refused(text):
    try:
        read_document(text)
    except UsageError as error:
        assert str(error).startswith("document")  # noqa: PT017 - one of both outcomes
