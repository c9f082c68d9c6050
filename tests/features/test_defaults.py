"""Which signals get features, and which of them tell the goal."""

import numpy as np

from likelier.activities.codes import Codebook, Signal, Source
from likelier.features.defaults import distinct_signals, often, telling_the_goal

CODEBOOK = Codebook(
    (
        Signal("any event", Source.ANY),
        Signal("purchase", Source.GOAL),
        Signal("order", Source.STANDARD),
        Signal("checkouts", Source.STANDARD),
        Signal("refund", Source.STANDARD),
    )
)
# One row an event, one bit a signal, the last signal first: a visit, a checkout left alone, two with an order.
SAMPLE = np.array([[0b00001], [0b01001], [0b01111], [0b01111]], np.int64)


def test_what_is_there_exactly_when_the_goal_is_tells_it():
    assert telling_the_goal(CODEBOOK, SAMPLE) == {1, 2}


def test_a_goal_that_nobody_met_is_told_by_nothing():
    assert telling_the_goal(CODEBOOK, SAMPLE[:2]) == set()


def test_of_signals_that_say_the_same_the_better_named_is_kept():
    assert distinct_signals(CODEBOOK, SAMPLE) == [0, 2, 3, 4]


def test_events_are_counted_signal_by_signal():
    assert often(CODEBOOK, SAMPLE).tolist() == [4, 2, 2, 3, 0]
