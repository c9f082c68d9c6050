"""Hold-outs: always the same side, and intervals that are what they say."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from likelier.backend import DuckDB
from likelier.profiles.holdout import Side, effect, is_kept_back, people_needed

IDS = [f"p{number}é" for number in range(20_000)]


@pytest.fixture(scope="module")
def sides():
    """Who is kept back, by percent."""
    with DuckDB(threads=1) as engine:
        people = engine.values(pa.table({"id": IDS}))
        shares = {f"k{percent}": is_kept_back(people.id, "seed", percent) for percent in (0, 10, 20)}
        return engine.table(people.select(**shares)).to_pydict()


def test_a_side_follows_from_seed_and_id_alone(sides):
    plain = [int(hashlib.sha256(f"seed:{one}".encode()).hexdigest()[:8], 16) < 0.1 * 2**32 for one in IDS]
    assert sides["k10"] == plain


def test_shares_are_what_was_asked(sides):
    assert sum(sides["k0"]) == 0
    assert sum(sides["k10"]) / len(IDS) == pytest.approx(0.1, abs=0.01)
    assert all(more for less, more in zip(sides["k10"], sides["k20"], strict=True) if less)


def test_the_interval_covers_a_known_effect():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(300):
        kept = rng.random(2_000) < 0.2
        outcome = rng.random(2_000) < np.where(kept, 0.20, 0.26)
        found = effect(
            Side(int((~kept).sum()), int(outcome[~kept].sum())), Side(int(kept.sum()), int(outcome[kept].sum()))
        )
        covered += found.low <= 0.06 <= found.high
    assert 0.93 <= covered / 300 <= 0.97


def test_as_many_people_as_needed_show_the_effect_four_times_of_five():
    rng = np.random.default_rng(6)
    needed = people_needed(0.2, 0.06, 0.2)
    shown = 0
    for _ in range(400):
        kept = round(needed * 0.2)
        treated = needed - kept
        shown += effect(Side(treated, rng.binomial(treated, 0.26)), Side(kept, rng.binomial(kept, 0.2))).low > 0
    assert shown / 400 == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(("treated", "kept_back"), [((10, 0), (10, 0)), ((1, 1), (1, 0)), ((5, 5), (3, 3))])
def test_few_people_give_an_interval_within_reason(treated, kept_back):
    found = effect(Side(*treated), Side(*kept_back))
    assert -1 <= found.low <= found.difference <= found.high <= 1
