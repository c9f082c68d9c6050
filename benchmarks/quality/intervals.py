"""Do the 95 % intervals hold what they promise? `python benchmarks/quality/intervals.py [--repeats 100]`.

People with made-up features and known odds, so that no data has to be ingested: the default model is fitted on some of
them and judged on others, of whom 50, 100 or 200 reach the goal, as a run does. The truth of an interval is what the
same fitted model shows on 50,000 further people. Printed is the share of repeats in which the interval holds it; with
100 repeats a perfect interval shows 0.90 to 0.99.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

from likelier.model.evaluate import auc, deciles, precision_auc
from likelier.model.train import fit, log_odds

FEATURES, MANY = 12, 50_000
JUDGED = 5  # times each model is judged
POSITIVES = (50, 100, 200)
RATES = (0.05, 0.3)


class World:
    """Counts and recencies of people, and their odds: curved, with one interaction, so that no model is exact."""

    def __init__(self, rate: float, spread: float) -> None:
        self._weights = np.random.default_rng(3).normal(size=4) * spread
        odds = self._odds(self._features(np.random.default_rng(4), MANY))
        self._level = brentq(lambda level: expit(odds + level).mean() - rate, -20, 20)

    def _features(self, rng: np.random.Generator, people: int) -> np.ndarray:
        habits = rng.gamma(1.0, 1.0, (people, FEATURES // 2))
        return np.concatenate([rng.poisson(3 * habits), rng.exponential(20 / (0.2 + habits))], axis=1)

    def _odds(self, features: np.ndarray) -> np.ndarray:
        counts, since = np.log1p(features[:, :2]), np.log1p(features[:, FEATURES // 2 : FEATURES // 2 + 2])
        return np.concatenate([counts, -since], axis=1) @ np.abs(self._weights) + 0.3 * counts[:, 0] * counts[:, 1]

    def people(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        features = self._features(rng, count)
        labels = rng.random(count) < expit(self._odds(features) + self._level)
        return features.astype(np.float32), labels


def held(world: World, positives: int, rate: float, seed: int) -> Iterator[dict[str, bool]]:
    """Judge one model on a few people again and again; say which intervals hold what many more show."""
    rng = np.random.default_rng(seed)
    people = round(positives / rate)
    learnt = fit(*world.people(rng, 2 * people), seed=seed)
    many, came = world.people(rng, MANY)
    every = expit(log_odds(learnt, many))
    true_auc, true_lift = float(roc_auc_score(came, every)), deciles(every, came)[0]["lift"]
    true_precision = float(average_precision_score(came, every))
    for _ in range(JUDGED):
        matrix, labels = world.people(rng, people)
        some = expit(log_odds(learnt, matrix))
        tenth = deciles(some, labels)[0]
        yield {
            "auc": holds(auc(some, labels), true_auc),
            "pr_auc": holds(precision_auc(some, labels, seed=seed), true_precision),
            "lift": tenth["lift_low"] <= true_lift <= tenth["lift_high"],
        }


def holds(interval: dict[str, float], truth: float) -> bool:
    return interval["low"] <= truth <= interval["high"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=100)
    chosen = parser.parse_args()
    print(f"{'positives':>10}{'rate':>7}{'spread':>8}{'AUC':>8}{'PR-AUC':>8}{'lift':>8}")
    for spread in (0.4, 1.2):
        for rate in RATES:
            world = World(rate, spread)
            for positives in POSITIVES:
                each = [
                    one
                    for model in range(chosen.repeats // JUDGED)
                    for one in held(world, positives, rate, 1000 * positives + model)
                ]
                shares = "".join(f"{np.mean([one[name] for one in each]):8.2f}" for name in ("auc", "pr_auc", "lift"))
                print(f"{positives:10}{rate:7.2f}{spread:8.1f}{shares}", flush=True)


if __name__ == "__main__":
    main()
