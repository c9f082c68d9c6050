"""A shop whose true probabilities are known: events to try, test and measure with."""

from likelier.simulate.goals import BUY, CANCEL, LAPSE, TrueGoal
from likelier.simulate.kinds import KINDS
from likelier.simulate.simulation import DEFAULT_END, Simulation, simulate
from likelier.simulate.truth import document

__all__ = ["BUY", "CANCEL", "DEFAULT_END", "KINDS", "LAPSE", "Simulation", "TrueGoal", "document", "simulate"]
