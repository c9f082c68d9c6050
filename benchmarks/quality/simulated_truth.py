"""How near the truth: `python benchmarks/quality/simulated_truth.py WORK [--profiles 30000]` prints a table.

Simulates shops of every kind, whose true probabilities and drivers are known, runs their first goal with default
settings under two seeds, and says

AUC part       (expected AUC - 0.5) / (expected AUC of the true probabilities - 0.5)
calibration    mean distance from the true probability over 20 bins of equally many people
Spearman       rank correlation of what our factors give each true driver with its true effect; drivers that are told
               as one factor (visits and purchases, where nearly every visit buys) count as one, the stronger
overlap        Jaccard overlap of the five strongest factors of a person between the two seeds, mean over people
"""

import argparse
import datetime as dt
import json
import os
import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from likelier.backend import DuckDB
from likelier.events.ingest import ingest
from likelier.explanations.factors import OTHER
from likelier.features.definitions import Kind
from likelier.instance.reading import make_instance
from likelier.lake import Lake
from likelier.model import artifact
from likelier.pipeline import Inputs, run_stage, scores_file
from likelier.simulate import KINDS, simulate

SEEDS = (1, 2)
BINS = 20
STRONGEST = 5


def made(kind: str, profiles: int, work: Path) -> tuple[Lake, Path]:
    folder, lake = work / f"{kind}-{profiles}", Lake(str(work / "lake"))
    if not (folder / "drivers.json").exists():
        simulate(folder, profiles=profiles, days=200, seed=5, kind=kind, goals=KINDS[kind].goals[:1])
    now = dt.datetime.now(dt.UTC)
    for what in ("events", "profiles"):
        if not lake.exists(f"datasets/{folder.name}-{what}/{what}"):
            ingest(lake, f"{folder.name}-{what}", sorted(folder.glob(f"{what}-*")), kind=what, now=now)
    return lake, folder


def run(lake: Lake, folder: Path, seed: int) -> tuple[Path, float]:
    """Run under a seed; events are read once for all seeds."""
    goal = json.loads((folder / "drivers.json").read_text())[0]
    names = [f"{folder.name}-events", f"{folder.name}-profiles"]
    instance = make_instance({**goal["instance"], "datasets": names})
    versions = {name: lake.version(f"datasets/{name}/{name.rsplit('-', 1)[1]}") for name in names}
    end = pq.read_table(folder / "truth.parquet", columns=["cut_off"])["cut_off"][0].as_py()
    out = folder / f"run-{seed}"
    for stage in ("check", "train", "score"):
        shutil.rmtree(out / stage, ignore_errors=True)
    if not (out / "read").exists() and (folder / f"run-{SEEDS[0]}" / "read").exists():
        shutil.copytree(folder / f"run-{SEEDS[0]}" / "read", out / "read", copy_function=os.link)
    began = time.perf_counter()
    with DuckDB() as engine:
        for stage in ("read", "check", "train", "score"):
            run_stage(stage, Inputs(instance, end, seed, versions), engine=engine, lake=lake, folder=out)
    return scores_file(out), time.perf_counter() - began


def expected_auc(score: np.ndarray, probability: np.ndarray) -> float:
    """AUC expected over outcomes drawn from the true probabilities: everybody counts as both, by weight."""
    weights = np.concatenate([probability, 1 - probability])
    return float(roc_auc_score(np.repeat([1, 0], len(score)), np.tile(score, 2), sample_weight=weights))


def strongest(factors: list[list[dict]]) -> list[set[str]]:
    return [
        {one["code"] for one in told if one["code"] != OTHER} & {one["code"] for one in told[:STRONGEST]}
        for told in factors
    ]


def overlap(one: list[list[dict]], other: list[list[dict]]) -> float:
    pairs = zip(strongest(one), strongest(other), strict=True)
    return float(np.mean([len(a & b) / max(len(a | b), 1) for a, b in pairs]))


def importance(factors: list[list[dict]], drivers: list[dict]) -> list[float]:
    """Mean absolute contribution of each driver's factors taken together."""
    found = []
    for driver in drivers:
        mine = set(driver["factors"])
        found.append(
            np.mean([abs(sum(one["contribution"] for one in told if one["code"] in mine)) for told in factors])
        )
    return found


def told_apart(drivers: list[dict], model: artifact.Model) -> list[dict]:
    """Join each driver, most of whose columns are told under a factor of another, with this one."""
    owner = {factor: driver["driver"] for driver in drivers for factor in driver["factors"]}
    found = {driver["driver"]: dict(driver) for driver in drivers}
    for guest in drivers:
        starts = tuple(f"{factor}{end}" for factor in guest["factors"] for end in (" ", ","))
        mine = (each for each in model.features.features if f"{each.name} ".startswith(starts))
        # "Days since webVisit against usual gap" begins like a recency and is rhythm.
        homes = Counter(owner.get(each.factor) for each in mine if each.kind != Kind.OVERDUE)
        host = max(homes, key=homes.__getitem__, default=None)
        if host in found and host != guest["driver"]:
            found[host]["effect"] = max(found[host]["effect"], guest["effect"])
            del found[guest["driver"]]
    return list(found.values())


def compared(kind: str, profiles: int, work: Path) -> dict[str, float]:
    lake, folder = made(kind, profiles, work)
    (first, seconds), (second, _) = (run(lake, folder, seed) for seed in SEEDS)
    true = dict(
        zip(*(pq.read_table(folder / "truth.parquet")[c].to_pylist() for c in ("id", "probability")), strict=True)
    )
    given = pq.read_table(first, columns=["id", "probability", "factors"])
    known = np.array([who in true for who in given["id"].to_pylist()])  # bots and test accounts have no truth
    given, again = given.filter(known), pq.read_table(second, columns=["id", "factors"]).filter(known)
    mine = given["probability"].to_numpy()
    real = np.array([true[who] for who in given["id"].to_pylist()])
    parts = np.array_split(np.argsort(mine), BINS)
    drivers = json.loads((folder / "drivers.json").read_text())[0]["drivers"]
    drivers = told_apart(drivers, artifact.load(first.parents[1] / "train"))
    some = slice(0, 5000)
    factors, others = given["factors"].to_pylist()[some], again["factors"].to_pylist()[some]
    effects = [driver["effect"] for driver in drivers]
    return {
        "people": len(mine),
        "rate": real.mean(),
        "AUC": expected_auc(mine, real),
        "true AUC": expected_auc(real, real),
        "AUC part": (expected_auc(mine, real) - 0.5) / (expected_auc(real, real) - 0.5),
        "calibration": sum(len(part) * abs(mine[part].mean() - real[part].mean()) for part in parts) / len(mine),
        "mean off": mine.mean() - real.mean(),
        "Spearman": float(spearmanr(importance(factors, drivers), effects).statistic),
        "overlap": overlap(factors, others),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--profiles", type=int, default=30_000)
    parser.add_argument("--kind", action="append", choices=list(KINDS))
    chosen = parser.parse_args()
    rows = []
    for kind in chosen.kind or KINDS:
        rows.append(compared(kind, chosen.profiles, chosen.work))
        if len(rows) == 1:
            print(f"{'kind':12}" + "".join(f"{name:>12}" for name in rows[0]))
        print(
            f"{kind:12}"
            + "".join(f"{value:12,.4f}" if value < 100 else f"{value:12,.0f}" for value in rows[-1].values()),
            flush=True,
        )
    print(f"{'mean':12}" + "".join(f"{np.mean([row[name] for row in rows]):12,.4f}" for name in rows[0]))


if __name__ == "__main__":
    main()
