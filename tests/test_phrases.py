"""What a phrase remembers survives storing, copying and being raised."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelier.errors import RunError
from likelier.phrases import Phrase, dump, join, load, say, say_many

phrases = st.recursive(
    st.text(max_size=8) | st.builds(say, st.just("{n:,} people, {part:.1%}"), n=st.integers(), part=st.floats(0, 1)),
    lambda inner: (
        st.builds(say, st.just("{what} within {days}"), what=inner, days=inner)
        | st.builds(say_many, st.just("{n} day of {what}"), st.just("{n} days of {what}"), st.integers(), what=inner)
        | st.builds(join, st.lists(inner, max_size=3))
    ),
    max_leaves=5,
)


def remembered(text):
    if not isinstance(text, Phrase):
        return text
    values = {name: remembered(value) for name, value in text.values.items()}
    return str.__str__(text), text.template, text.plural, values


@given(phrases)
def test_a_phrase_survives_being_stored(phrase):
    assert remembered(load(json.loads(json.dumps(dump(phrase))))) == remembered(phrase)


@given(phrases)
def test_a_phrase_survives_being_copied(phrase):
    assert remembered(pickle.loads(pickle.dumps(phrase))) == remembered(copy.deepcopy(phrase)) == remembered(phrase)


@given(phrases)
def test_an_error_keeps_the_phrase_it_was_raised_with(phrase):
    assert remembered(str(ValueError(phrase))) == remembered(phrase)


def test_a_run_error_reads_as_before_and_keeps_its_parts():
    error = RunError(410, say("Nobody was active in the {n} days before.", n=45))
    with pytest.raises(RunError, match=r"^410 NO POPULATION: Nobody was active in the 45 days before\.$"):
        raise error
    assert [part for part in str(error).values.values() if isinstance(part, Phrase)] == [error.title, error.message]
