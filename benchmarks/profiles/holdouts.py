"""Does a hold-out's interval cover the truth? `python benchmarks/profiles/holdouts.py` counts in how many repeats.

In each repeat a segment of its own keeps back a share of its members, by the rule that segments use; everybody's
chance of the outcome is their own, and treating them adds a known part to it, more for some than for others. The truth
is the mean of what it adds. Repeats come in groups of 300: where 95 % is exact, nine groups of ten lie within 93 to
97 %. Then members join, leave and change places: nobody may change sides, and whoever is kept back at 10 % is at 30 %
too.
"""

import argparse
import hashlib
import time

import numpy as np
import pyarrow as pa

from likelier.backend import DuckDB
from likelier.profiles.holdout import DIGITS, Side, effect, is_kept_back

CASES = (  # members, percent kept back, mean chance untreated, mean part that treating adds
    (5_000, 10, 0.20, 0.04),
    (5_000, 50, 0.20, 0.00),
    (10_000, 10, 0.02, 0.005),
    (1_000, 20, 0.60, -0.05),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=10, help="of repeats, for each case")
    parser.add_argument("--repeats", type=int, default=300, help="in a group")
    chosen = parser.parse_args()
    began, inside = time.perf_counter(), 0
    print("| members | kept back | rate | effect | covered | by groups |", "|---|---|---|---|---|---|", sep="\n")
    with DuckDB() as engine:
        for number, (members, percent, rate, added) in enumerate(CASES):
            found = [covered(CASES[number], chosen.repeats, group, engine) for group in range(chosen.groups)]
            inside += sum(0.93 <= one <= 0.97 for one in found)
            groups = " ".join(f"{100 * one:.1f}" for one in found)
            print(f"| {members:,} | {percent} % | {rate} | {added:+} | {np.mean(found):.2%} | {groups} |", flush=True)
        moved = stay(engine)
    print(f"{inside} of {len(CASES) * chosen.groups} groups of {chosen.repeats} within 93 to 97 %")
    print(f"of {moved:,} people nobody changed sides; {time.perf_counter() - began:.0f} s")


def covered(case: tuple[int, int, float, float], repeats: int, group: int, engine: DuckDB) -> float:
    """Give the share of repeats whose interval holds the truth."""
    members, percent, rate, added = case
    rng = np.random.default_rng([members, percent, group])
    names = np.array([f"p{number}" for number in range(members)])
    hits = 0
    for back in sides(engine, names, [f"segment-{group}-{repeat}" for repeat in range(repeats)], percent):
        chance = rng.beta(4 * rate, 4 * (1 - rate), members)
        treated_chance = np.clip(chance + added * 2 * rng.random(members), 0, 1)
        did = rng.random(members) < np.where(back, chance, treated_chance)
        truth = float((treated_chance - chance).mean())
        found = effect(*(Side(int(side.sum()), int(did[side].sum())) for side in (~back, back)))
        hits += found.low <= truth <= found.high
    return hits / repeats


def sides(engine: DuckDB, names: np.ndarray, seeds: list[str], percent: float) -> list[np.ndarray]:
    people = engine.values(pa.table({"id": names, "place": np.arange(len(names))}))
    asked = {seed: is_kept_back(people.id, seed, percent) for seed in seeds}
    found = engine.table(people.select("place", **asked).order_by("place"))
    return [found[seed].to_numpy() for seed in seeds]


def stay(engine: DuckDB, members: int = 100_000) -> int:
    """Ask again in another order, with others beside, at another share, and in plain Python."""
    names = np.array([f"p{number}" for number in range(members)])
    (first,) = sides(engine, names, ["one"], 10)
    order = np.random.default_rng(1).permutation(members)[: members // 2]
    joined = np.concatenate([names[order], [f"q{number}" for number in range(members)]])
    (again,), (more,) = sides(engine, joined, ["one"], 10), sides(engine, names, ["one"], 30)
    lowest = round(0.1 * 16**DIGITS)
    plain = [int(hashlib.sha256(f"one:{name}".encode()).hexdigest()[:DIGITS], 16) < lowest for name in names]
    assert (again[: len(order)] == first[order]).all()
    assert (more | ~first).all()
    assert first.tolist() == plain
    return members


if __name__ == "__main__":
    main()
