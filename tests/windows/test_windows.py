"""Who is asked about when, and what the label reads: by hand and against a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelier.timespan import DAY, DAY_US, from_us, parse_moment
from likelier.windows import Rules, eligible_and_labels, history_needed, plan

ANY, GOAL, OTHER, BANNED = 0, 1, 2, 3


def decided(events, cut_off, **changes):
    """Decide for one person with events of (days since 1970, signals)."""
    ordered = sorted(events, key=lambda event: event[0])
    words = np.array([[sum(1 << signal for signal in {ANY, *signals})] for _, signals in ordered], np.int64)
    asked = {
        "goal": Rules.of([GOAL], [1], "all"),
        "occurs": True,
        "include": Rules.of([ANY], [1], "all"),
        "exclude": Rules.of([], [], "any"),
        "outcome_days": 10,
        "lookback_days": 20,
    }
    eligible, labels = eligible_and_labels(
        np.array([round(day * DAY_US) for day, _ in ordered], np.int64),
        words.reshape(len(ordered), 1),
        np.array([0, len(ordered)], np.int64),
        [from_us(round(cut_off * DAY_US))],
        **asked | changes,
    )
    return bool(eligible[0, 0]), bool(labels[0, 0])


MICRO = 1 / DAY_US


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([(90, set()), (105, {GOAL})], (True, True)),
        ([(90, set()), (100, {GOAL})], (True, True)),  # at the cut-off: outcome
        ([(90, set()), (110, {GOAL})], (True, False)),  # at the window's end: too late
        ([(90, set()), (110 - MICRO, {GOAL})], (True, True)),
        ([(80, set()), (105, {GOAL})], (True, True)),  # exactly the lookback ago: still in
        ([(80 - MICRO, set()), (105, {GOAL})], (False, False)),
        ([(100, {GOAL})], (False, False)),  # active from the cut-off on only: not eligible
        ([(99, {GOAL})], (True, False)),  # the goal before the cut-off is no outcome
        ([], (False, False)),
    ],
)
def test_edges(events, expected):
    assert decided(events, 100) == expected


def test_rules_combine():
    events = [(85, {OTHER}), (95, set()), (102, {GOAL}), (103, {GOAL, OTHER})]
    both = Rules.of([GOAL, OTHER], [1, 1], "all")
    assert decided(events, 100, goal=both) == (True, True)
    assert decided(events, 100, goal=Rules.of([GOAL, OTHER], [3, 1], "all")) == (True, False)
    assert decided(events, 100, goal=Rules.of([GOAL, OTHER], [3, 1], "any")) == (True, True)
    assert decided(events, 100, goal=Rules.of([GOAL], [2], "all"), occurs=False) == (True, False)
    assert decided(events, 100, include=Rules.of([OTHER], [1], "all")) == (True, True)
    assert decided(events, 100, include=Rules.of([OTHER], [2], "all")) == (False, False)
    assert decided(events, 100, exclude=Rules.of([OTHER], [1], "any")) == (False, False)


def test_no_training_outcome_is_open_at_the_judge_cut_off():
    calendar = plan(parse_moment("2023-01-01"), parse_moment("2024-01-01"), outcome_days=30, lookback_days=45)
    assert calendar.judge == parse_moment("2023-12-02")
    assert max(calendar.training) + 30 * DAY == calendar.judge
    assert calendar.labelled[-1] == calendar.judge
    assert set(calendar.training) < set(calendar.labelled)
    assert len(calendar.training) == 24
    assert {b - a for a, b in zip(calendar.training, calendar.training[1:], strict=False)} == {10 * DAY}


@pytest.mark.parametrize(("lookback", "outcome", "needed"), [(60, 30, 90), (45, 7, 52), (7, 7, 37)])
def test_history_needed(lookback, outcome, needed):
    assert history_needed(lookback, outcome) == needed


def test_with_just_enough_history_other_people_judge():
    start = parse_moment("2024-01-01")
    calendar = plan(start, start + 60 * DAY, outcome_days=30, lookback_days=30)
    assert calendar.judged_by == "held-out profiles"
    assert calendar.labelled == (start + 30 * DAY,)


EVENT = st.tuples(st.integers(0, 60).map(lambda half: half / 2), st.sets(st.sampled_from([GOAL, OTHER, BANNED])))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(EVENT, max_size=12),
    st.integers(0, 30),
    st.sampled_from(["all", "any"]),
    st.booleans(),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(1, 15),
)
def test_against_a_plain_loop(events, cut_off, match, occurs, at_least, outcome, lookback):
    got = decided(
        events,
        cut_off,
        goal=Rules.of([GOAL, OTHER], [at_least, 1], match),
        occurs=occurs,
        include=Rules.of([OTHER, ANY], [1, 2], match),
        exclude=Rules.of([BANNED], [1], "any"),
        outcome_days=outcome,
        lookback_days=lookback,
    )
    past = [signals for day, signals in events if cut_off - lookback <= day < cut_off]
    then = [signals for day, signals in events if cut_off <= day < cut_off + outcome]
    joined = all if match == "all" else any
    eligible = (
        joined([sum(OTHER in s for s in past) >= 1, len(past) >= 2])
        and bool(past)
        and not any(BANNED in s for s in past)
    )
    reached = joined([sum(GOAL in s for s in then) >= at_least, sum(OTHER in s for s in then) >= 1])
    assert got == (eligible, eligible and reached == occurs)
