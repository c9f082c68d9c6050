"""Time, memory and quality at size: `python benchmarks/scale/simulated_shop.py --profiles 100000` prints them.

Simulates a shop whose true probabilities are known, ingests it and runs its instances, each in a process of its own
whose peak memory is read when it ends, and compares the probabilities with the true ones.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml
from sklearn.metrics import roc_auc_score

SPREAD = 20  # bins of equally many people for the calibration error


def step(name: str, home: Path, *arguments: object) -> str:
    """Run one command, print its seconds and the peak memory of the largest child so far."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "likelier.cli", *map(str, arguments), "--home", str(home)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{name:10}{time.perf_counter() - began:10.1f} s   largest process so far {peak:.2f} GiB", flush=True)
    return answer.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--folder", type=Path, help="where to work")
    parser.add_argument("--made", type=Path, help="a simulation made before")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as work:
        home, made = Path(work) / "home", chosen.made or Path(work) / "made"
        if not chosen.made:
            step("simulate", home, "simulate", "-o", made, "--profiles", chosen.profiles, "--days", chosen.days)
        ingested = json.loads(step("ingest", home, "ingest", "shop", *sorted(made.glob("events-*")), "--json"))
        step(
            "attributes", home, "ingest", "customers", *sorted(made.glob("profiles-*")), "--kind", "profiles", "--json"
        )
        for goal in json.loads((made / "drivers.json").read_text()):
            asked = Path(work) / "asked.yaml"
            asked.write_text(yaml.safe_dump({**goal["instance"], "datasets": ["shop", "customers"]}))
            run = json.loads(step("run", home, "run", asked, "--json"))
            print("  ".join(f"{stage} {seconds:.1f}" for stage, seconds in run["timings"].items()))
            step("scores", home, "scores", goal["goal"], "-o", Path(work) / "scores.parquet")
            compare(Path(work) / "scores.parquet", made / "truth.parquet", goal)
        print(f"{ingested['accepted']:,} events")


def compare(scores: Path, truth: Path, goal: dict) -> None:
    name = goal["goal"]
    given = pq.read_table(scores, columns=["id", "probability", "factors"])
    true = {row["id"]: row["probability"] for row in pq.read_table(truth).to_pylist() if row["goal"] == name}
    given = given.filter([who in true for who in given["id"].to_pylist()])  # bots and test accounts have no truth
    mine = np.array(given["probability"].to_pylist())
    real = np.array([true[who] for who in given["id"].to_pylist()])
    mine_auc, true_auc = expected_auc(mine, real), expected_auc(real, real)
    print(f"{name}: expected AUC {mine_auc:.4f}, of the true probabilities {true_auc:.4f}")
    parts = np.array_split(np.argsort(mine), SPREAD)
    error = sum(len(part) * abs(mine[part].mean() - real[part].mean()) for part in parts) / len(mine)
    print(f"{name}: calibration error {error:.4f}, mean {mine.mean():.4f} of {real.mean():.4f}")
    strength: dict[str, float] = {}
    for factors in given["factors"].to_pylist():
        for factor in factors[:-1]:  # the last is `other`
            strength[factor["code"]] = strength.get(factor["code"], 0) + abs(factor["contribution"])
    print(name, "strongest:", sorted(strength, key=strength.get, reverse=True)[:10])
    print(name, "true:", [(driver["driver"], driver["factors"]) for driver in goal["drivers"][:5]])


def expected_auc(score: np.ndarray, probability: np.ndarray) -> float:
    """AUC expected over outcomes drawn from the true probabilities: everybody counts as both, by weight."""
    who = np.concatenate([score, score])
    weights = np.concatenate([probability, 1 - probability])
    return float(roc_auc_score(np.repeat([1, 0], len(score)), who, sample_weight=weights))


if __name__ == "__main__":
    main()
