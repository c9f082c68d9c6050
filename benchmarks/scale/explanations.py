"""Reasons against LightGBM's own on the same trees: how many rows a second, and how far apart.

python benchmarks/scale/explanations.py [--rows 100000] [--folder DIR]

The trees are those of a run of `floor.py` (its folder is named) or of made-up rows, with the settings that every run
has. Each of the three ways goes over all rows several times in turn; the least processor time of each counts, as on a
busy machine the clock on the wall counts other people's work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from likelier.activities.reduce import load
from likelier.activities.traits import load_traits
from likelier.explanations.contributions import Explainer
from likelier.features.kernel import compute
from likelier.model import artifact
from likelier.model.train import Booster, fit_forests
from likelier.windows import Row

FEATURES = 120
TURNS = 2
AS_OF_US = 1_719_619_200_000_000


def made_up(rows: int) -> tuple[tuple[Booster, ...], np.ndarray]:
    """Counts, ages and absent values, and an outcome that depends on some of them."""
    rng = np.random.default_rng(1)
    matrix = rng.gamma(1.5, 8, (rows, FEATURES)).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    drive = np.nan_to_num(matrix[:, :12] @ rng.normal(0, 0.05, 12).astype(np.float32))
    labels = rng.random(rows) < 1 / (1 + np.exp(1 - drive))
    return fit_forests(matrix[:60_000], labels[:60_000], seed=7, people=60_000), matrix


def of_a_run(folder: Path, rows: int) -> tuple[tuple[Booster, ...], np.ndarray]:
    """Take the trees of a run, and the features of the people it knows at several moments."""
    activities, _ = load(folder / "run" / "read")
    model = artifact.load(folder / "run" / "train")
    people = np.sort(np.random.default_rng(1).integers(0, activities.profiles, rows))
    at = Row(people, AS_OF_US - 86_400_000_000 * (np.arange(rows) % 30))
    return model.learnt.forests, compute(
        activities, load_traits(folder / "run" / "read"), model.codebook, model.features, at
    )


def least(ways: dict[str, Callable[[], np.ndarray]]) -> dict[str, tuple[float, float, np.ndarray]]:
    """Give of each way the least processor seconds and seconds, and its answer."""
    found: dict[str, tuple[float, float, np.ndarray]] = {}
    for _ in range(TURNS):
        for name, way in ways.items():
            began, spent = time.perf_counter(), time.process_time()
            answer = way()
            took = time.process_time() - spent, time.perf_counter() - began
            before = found.get(name)
            found[name] = (min(took[0], before[0]), min(took[1], before[1]), answer) if before else (*took, answer)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    forests, matrix = of_a_run(chosen.folder, chosen.rows) if chosen.folder else made_up(chosen.rows)
    ours = Explainer.of(forests, np.arange(matrix.shape[1]))
    ours.contributions(matrix[:1000])  # compiled before anything is measured
    found = least(
        {
            "reasons": lambda: ours.contributions(matrix),
            "predict": lambda: np.mean([one.predict(matrix, raw_score=True) for one in forests], axis=0),
            "pred_contrib": lambda: np.mean([one.predict(matrix, pred_contrib=True) for one in forests], axis=0),
        }
    )
    for name, (processor, seconds, _) in found.items():
        print(
            f"{name:13}{processor:8.2f} CPU s {processor / chosen.rows * 1e6:7.1f} us a row{seconds:8.2f} s "
            f"{chosen.rows / seconds:>11,.0f} rows/s"
        )
    mine, raw, theirs = (found[name][2] for name in ("reasons", "predict", "pred_contrib"))
    print(f"{found['pred_contrib'][0] / found['reasons'][0]:.1f} x the speed of pred_contrib (wanted: 8)")
    print(f"{found['reasons'][0] / found['predict'][0]:.2f} x the time of predict (wanted: at most 2)")
    print(f"{sum(one.num_trees() for one in forests)} trees, {matrix.shape[1]} features")
    print(f"largest difference to pred_contrib {np.abs(mine - theirs[:, :-1]).max():.1e} log-odds")
    print(f"largest difference of the sum to predict {np.abs(ours.base + mine.sum(axis=1) - raw).max():.1e} log-odds")


if __name__ == "__main__":
    main()
