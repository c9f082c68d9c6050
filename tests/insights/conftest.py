"""The example insights, made once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from likelier.insights.estimate import likely_rates
from likelier.insights.performance import Outcome, came_true, together, with_likely


@pytest.fixture(scope="session")
def example() -> ModuleType:
    source = importlib.util.spec_from_file_location("insights_example", Path(__file__).with_name("example.py"))
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    return module


@pytest.fixture
def insights(example):
    return example.make()


@pytest.fixture
def run(example):
    return example.run()


@pytest.fixture
def backtest():
    """A backtest of three cut-offs, the oldest without enough history."""
    rng = np.random.default_rng(1)
    rows, judged = [], []
    for month in (5, 6):
        probability = 1 / (1 + np.exp(-rng.normal(-1, 1.5, 2000)))
        odds = probability / (1 - probability)
        score = 100 * odds / (odds + probability.mean() / (1 - probability.mean()))
        came = Outcome(probability, score, rng.random(2000) < probability)
        sure = {"centre": 0.0, "level": 0.0, "slope": 1.0, "covariance": [[0.01, 0], [0, 0.01]]}
        told = with_likely(came_true(came), {"rates": likely_rates(probability, score, sure)})
        judged.append(came)
        rows.append(
            {
                "cut_off": f"2024-0{month}-01T00:00:00+00:00",
                "until": f"2024-0{month + 1}-01T00:00:00+00:00",
                "scored": 2001,
                "gone": 1,
                "published": month == 6,
                "promised": {key: told[key] for key in ("auc", "deciles", "gains", "calibration")},
                **told,
            }
        )
    problem = {"code": 407, "title": "NOT ENOUGH HISTORICAL EVENT DATA", "message": "Too short.", "suggestions": []}
    return {
        "instance": {"name": "Buy <script>alert(1)</script>", "goal": {"window_days": 30}},
        "goal_words": "makes a purchase within 30 days",
        "goal_deed": "make a purchase",
        "population_words": "were active",
        "propensity_type": "conversion",
        "known_until": "2024-07-01T00:00:00+00:00",
        "outcome_days": 30,
        "seed": 7,
        "data_versions": {"shop": 3},
        "cut_offs": [{"cut_off": "2024-04-01T00:00:00+00:00", "until": "", "problem": problem}, *rows],
        "together": came_true(together(judged)),
    }
