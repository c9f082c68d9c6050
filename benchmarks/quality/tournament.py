"""Who predicts best: `python benchmarks/quality/tournament.py DATA WORK [--again NAME]` writes `tournament.md`.

Every competitor answers every task at several cut-offs with the same past (see `tasks.py`) and is judged on what then
happened. Answers are kept in the folder WORK; `--again ours` asks only us anew. A competitor that needs packages of
its own runs with the Python of an environment `WORK/envs/NAME`, and is left out where there is none:

    featuretools  featuretools lightgbm pyarrow 'pandas<3' 'setuptools<80'
    getml         getml==1.5.* pandas pyarrow
    flaml         'flaml[automl]' lightgbm duckdb pyarrow
"""

import argparse
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score
from tasks import TASKS, Task, ingested, lay_out

from likelier.model.evaluate import calibration_error

HERE = Path(__file__).parent
OURS = "ours"
REPEATS = 300


@dataclass(frozen=True)
class Competitor:
    """A program that reads a task's folder and writes its answers."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    environment: str | None = None

    def python(self, work: Path) -> Path:
        return work / "envs" / self.environment / "bin" / "python" if self.environment else Path(sys.executable)


COMPETITORS = [
    Competitor(OURS, "ours.py"),
    Competitor("windows + LightGBM", "windows.py", ("default",)),
    Competitor("windows + 4 leaves, 24 cut-offs", "windows.py", ("small",)),
    Competitor("BG/NBD", "bgnbd.py"),
    Competitor("featuretools + LightGBM", "featuretools_dfs.py", environment="featuretools"),
    Competitor("getML FastProp + XGBoost", "getml_fastprop.py", environment="getml"),
    Competitor("windows + FLAML", "flaml_windows.py", environment="flaml"),
]


@dataclass(frozen=True)
class Judged:
    """One competitor's probabilities beside the outcomes at one cut-off, in the order of ids."""

    probability: np.ndarray
    labels: np.ndarray


def answered(competitor: Competitor, task: Task, data: Path, work: Path, *, again: bool) -> dict | None:
    """Give a competitor's kept answers to a task, asking it where there are none; None where it cannot be asked."""
    folder = lay_out(task, data, work)
    kept = work / "answers" / competitor.name.replace("/", "-") / f"{task.name}.parquet"
    said = kept.with_suffix(".json")
    if again or not said.exists():
        script = HERE / "competitors" / competitor.script
        if not competitor.python(work).exists() or not script.exists():
            return None
        kept.parent.mkdir(parents=True, exist_ok=True)
        extra: Sequence[object] = competitor.arguments
        if competitor.name == OURS:
            lake = ingested(task, data, work)
            (folder / "instance.json").write_text(json.dumps(task.instance()))
            extra = (lake.root, work / "run")
        began = time.perf_counter()
        command = [competitor.python(work), script, folder, kept, *extra]
        done = subprocess.run(
            list(map(str, command)), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            print(f"  failed: {done.stderr[-1500:]}", flush=True)
            return None
        said.write_text(json.dumps({"seconds": time.perf_counter() - began}))
    return {"seconds": json.loads(said.read_text())["seconds"], "judged": judged(folder, kept)}


def judged(folder: Path, kept: Path) -> dict[str, Judged]:
    """Hold answers beside what happened, one entry a judge cut-off; they must be about exactly the eligible."""
    truth, given = pq.read_table(folder / "examples.parquet"), pq.read_table(kept)
    found = {}
    for judge in json.loads((folder / "task.json").read_text())["judges"]:
        moment = dt.datetime.fromisoformat(judge)
        real = truth.filter([when == moment for when in truth["cut_off"].to_pylist()]).sort_by("customer_id")
        said = given.filter([when == moment for when in given["cut_off"].to_pylist()]).sort_by("customer_id")
        assert real["customer_id"].to_pylist() == said["customer_id"].to_pylist(), f"{kept}: others were scored"
        found[judge] = Judged(said["probability"].to_numpy(), real["label"].to_numpy(zero_copy_only=False))
    return found


def auc(score: np.ndarray, labels: np.ndarray) -> float:
    good = int(labels.sum())
    return (rankdata(score)[labels].sum() - good * (good + 1) / 2) / (good * (len(labels) - good))


def excess(probability: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> float:
    """How much larger the calibration error is than perfect calibration would show at this size."""
    drawn = [calibration_error(probability, rng.random(len(probability)) < probability) for _ in range(100)]
    return calibration_error(probability, labels) - float(np.mean(drawn))


def figures(one: Judged, rng: np.random.Generator) -> dict[str, float]:
    probability, labels = one.probability, one.labels
    return {
        "AUC": auc(probability, labels),
        "PR-AUC": float(average_precision_score(labels, probability)),
        "Brier": float(np.mean((probability - labels) ** 2)),
        "calibration error": calibration_error(probability, labels),
        "its excess": excess(probability, labels, rng),
    }


def resampled(of_task: dict[str, dict[str, Judged]], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the people of each cut-off again and again, the same for all; give each competitor's mean AUCs."""
    drawn = {name: np.zeros(REPEATS) for name in of_task}
    judges = list(next(iter(of_task.values())))
    for judge in judges:
        labels = next(iter(of_task.values()))[judge].labels
        for repeat in range(REPEATS):
            rows = rng.integers(0, len(labels), len(labels))
            for name, answers in of_task.items():
                drawn[name][repeat] += auc(answers[judge].probability[rows], labels[rows]) / len(judges)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--again", default="", help="ask the competitors anew whose name contains this")
    parser.add_argument("--task", default="", help="only the tasks whose name contains this; writes no table")
    parser.add_argument("--machine", default="two shared cores, 24 GB", help="the machine in words")
    chosen = parser.parse_args()
    answers: dict[str, dict[str, dict]] = {}
    for task in TASKS:
        if chosen.task not in task.name:
            continue
        answers[task.name] = {}
        for competitor in COMPETITORS:
            again = bool(chosen.again) and chosen.again in competitor.name
            found = answered(competitor, task, chosen.data, chosen.work, again=again)
            if found:
                answers[task.name][competitor.name] = found
                mean = np.mean([auc(one.probability, one.labels) for one in found["judged"].values()])
                print(f"{task.name:40} {competitor.name:34} {mean:.4f} {found['seconds']:7.1f} s", flush=True)
    text = table(answers, chosen.machine)
    print(text)
    if not chosen.task:
        (HERE / "tournament.md").write_text(text)


def table(answers: dict[str, dict[str, dict]], machine: str) -> str:
    rng = np.random.default_rng(1)
    complete = [name for name in (c.name for c in COMPETITORS) if all(name in given for given in answers.values())]
    means: dict[str, dict[str, dict[str, float]]] = {}
    drawn = {}
    for task, given in answers.items():
        means[task] = {}
        for name in complete:
            each = [figures(one, rng) for one in given[name]["judged"].values()]
            means[task][name] = {key: float(np.mean([row[key] for row in each])) for key in each[0]}
            means[task][name]["seconds"] = given[name]["seconds"] / len(each)
        drawn[task] = resampled({name: given[name]["judged"] for name in complete}, rng)
    return "\n".join(
        [
            "# Tournament",
            "",
            f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine}. Written by `tournament.py`, which says what was done.",
            "",
            *_overall(means, drawn, complete),
            "",
            *_by_task(means, drawn, answers, complete),
            "",
        ]
    )


def _overall(means: dict, drawn: dict, names: list[str]) -> list[str]:
    keys = list(next(iter(next(iter(means.values())).values())))
    lines = ["Means over tasks, each the mean over its cut-offs; seconds a cut-off.", ""]
    lines += ["| | " + " | ".join(keys) + " |", "|---" * (len(keys) + 1) + "|"]
    for name in names:
        values = [float(np.mean([of_task[name][key] for of_task in means.values()])) for key in keys]
        lines.append(
            f"| {name} | "
            + " | ".join(
                f"{value:.1f}" if key == "seconds" else f"{value:.4f}" for key, value in zip(keys, values, strict=True)
            )
            + " |"
        )
    others = [name for name in names if name != OURS]
    best = max(others, key=lambda name: np.mean([of_task[name]["AUC"] for of_task in means.values()]))
    gains = np.array([of_task[OURS]["AUC"] - of_task[best]["AUC"] for of_task in means.values()])
    low, high = np.quantile(
        np.mean([of_task[OURS] - of_task[best] for of_task in drawn.values()], axis=0), [0.025, 0.975]
    )
    spread = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
    gained = f"{gains.mean():+.4f}, 95 % interval {low:+.4f} to {high:+.4f} (people drawn again)"
    return [*lines, "", f"Ours less the best other ({best}): {gained}, standard error over tasks {spread:.4f}."]


def _by_task(means: dict, drawn: dict, answers: dict, names: list[str]) -> list[str]:
    others = [name for name in names if name != OURS]
    lines = ["AUC by task, and ours less the best other of that task with its 95 % interval.", ""]
    lines += [
        "| task | cut-offs | people | rate | " + " | ".join(names) + " | difference |",
        "|---" * (len(names) + 5) + "|",
    ]
    for task, of_task in means.items():
        best = max(others, key=lambda name, of_task=of_task: of_task[name]["AUC"])
        low, high = np.quantile(drawn[task][OURS] - drawn[task][best], [0.025, 0.975])
        judged_ones = list(answers[task][OURS]["judged"].values())
        people = sum(len(one.labels) for one in judged_ones)
        rate = float(np.mean([one.labels.mean() for one in judged_ones]))
        cells = " | ".join(f"{of_task[name]['AUC']:.4f}" for name in names)
        gain = of_task[OURS]["AUC"] - of_task[best]["AUC"]
        gained = f"{gain:+.4f} ({low:+.4f} to {high:+.4f})"
        lines.append(f"| {task} | {len(judged_ones)} | {people:,} | {rate:.3f} | {cells} | {gained} |")
    return lines


if __name__ == "__main__":
    main()
