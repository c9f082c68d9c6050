"""Who predicts best: `python benchmarks/quality/tournament.py DATA WORK [--again NAME]` writes `tournament.md`.

Every competitor answers every task at several cut-offs with the same past (see `tasks.py`) and is judged on what then
happened. Answers are kept in the folder WORK; `--again ours` asks only us anew, `--only` goes no further than some. A
competitor that needs packages of its own runs with the Python of an environment `WORK/envs/NAME`, at the first and the
last cut-off of a task only, and is left out where there is none:

    featuretools  featuretools lightgbm pyarrow 'pandas<3' 'setuptools<80'
    getml         getml==1.5.* pandas pyarrow
    flaml         'flaml[automl]' lightgbm duckdb pyarrow
"""

import argparse
import datetime as dt
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score
from tasks import TASKS, Task, ingested, lay_out, spread_out

from likelier.model.evaluate import calibration_error

HERE = Path(__file__).parent
OURS = "ours"
REPEATS = 300
FEW = 2  # cut-offs for those that take long


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
    if competitor.environment:
        folder = with_few_judges(folder)
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
        before = spent()
        command = [competitor.python(work), script, folder, kept, *extra]
        done = subprocess.run(
            list(map(str, command)), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            print(f"  failed: {done.stderr[-1500:]}", flush=True)
            return None
        said.write_text(json.dumps({"seconds": spent() - before}))
    return {"seconds": json.loads(said.read_text())["seconds"], "judged": judged(folder, kept)}


def spent() -> float:
    """Processor seconds of every program that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def with_few_judges(folder: Path) -> Path:
    """Lay the same task out with its first and its last cut-off alone."""
    few = folder / "few"
    few.mkdir(exist_ok=True)
    for file in folder.glob("*.parquet"):
        if not (few / file.name).exists():
            os.link(file, few / file.name)
    task = json.loads((folder / "task.json").read_text())
    (few / "task.json").write_text(json.dumps({**task, "judges": spread_out(task["judges"], FEW)}))
    return few


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
    parser.add_argument("--only", default="", help="ask only the competitors whose name contains this; writes no table")
    parser.add_argument("--task", default="", help="only the tasks whose name contains this; writes no table")
    parser.add_argument("--machine", default="two shared cores, 24 GB", help="the machine in words")
    chosen = parser.parse_args()
    answers: dict[str, dict[str, dict]] = {}
    for task in TASKS:
        if chosen.task not in task.name:
            continue
        answers[task.name] = {}
        for competitor in COMPETITORS:
            if chosen.only not in competitor.name:
                continue
            again = bool(chosen.again) and chosen.again in competitor.name
            found = answered(competitor, task, chosen.data, chosen.work, again=again)
            if found:
                answers[task.name][competitor.name] = found
                mean = np.mean([auc(one.probability, one.labels) for one in found["judged"].values()])
                print(f"{task.name:40} {competitor.name:34} {mean:.4f} {found['seconds']:7.1f} s", flush=True)
    if not chosen.task and not chosen.only:
        text = report(answers, chosen.machine)
        print(text)
        (HERE / "tournament.md").write_text(text)


def report(answers: dict[str, dict[str, dict]], machine: str) -> str:
    """Compare those that answered everything at every cut-off; beside them each that answered some of it."""
    everywhere = [
        one.name for one in COMPETITORS if not one.environment and all(one.name in given for given in answers.values())
    ]
    seldom = [one.name for one in COMPETITORS if one.environment and any(one.name in a for a in answers.values())]
    lines = [
        "# Tournament",
        "",
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine}. Written by `tournament.py`, which says what was done.",
        "",
        *table(answers, everywhere),
    ]
    if seldom:
        lines += ["", "## Those with packages of their own", "", *beside_ours(answers, seldom)]
    return "\n".join([*lines, ""])


def beside_ours(answers: dict[str, dict[str, dict]], names: list[str]) -> list[str]:
    """Hold each competitor against ours on the tasks and at the cut-offs that it answered."""
    found = {
        name: {
            task: _in_common(given, [OURS, name]) | {"seconds": _a_cut_off(given, [OURS, name])}
            for task, given in answers.items()
            if name in given
        }
        for name in names
    }
    lines = [
        f"Asked at {FEW} cut-offs of a task, the first and the last, and held against ours there.",
        "",
        "| | tasks | AUC | ours | ours less it | calibration error | ours | processor seconds | ours |",
        "|---" * 9 + "|",
        *(_beside_ours(name, of_task) for name, of_task in found.items()),
        "",
        "| task | " + " | ".join(f"{name} | ours" for name in names) + " |",
        "|---" * (2 * len(names) + 1) + "|",
    ]
    for task in answers:
        both = [(found[name].get(task), name) for name in names]
        if not any(one for one, _ in both):
            continue
        cells = [f"{_auc(one[name]):.4f} | {_auc(one[OURS]):.4f}" if one else " | " for one, name in both]
        lines.append(f"| {task} | " + " | ".join(cells) + " |")
    return lines


def _beside_ours(name: str, of_task: dict[str, dict]) -> str:
    rng = np.random.default_rng(1)
    drawn = [resampled({who: one[who] for who in (OURS, name)}, rng) for one in of_task.values()]
    low, high = np.quantile(np.mean([one[OURS] - one[name] for one in drawn], axis=0), [0.025, 0.975])
    its, mine = (np.mean([_auc(one[who]) for one in of_task.values()]) for who in (name, OURS))
    errors = [
        np.mean(
            [
                np.mean([calibration_error(x.probability, x.labels) for x in one[who].values()])
                for one in of_task.values()
            ]
        )
        for who in (name, OURS)
    ]
    seconds = [np.mean([one["seconds"][who] for one in of_task.values()]) for who in (name, OURS)]
    gained = f"{mine - its:+.4f} ({low:+.4f} to {high:+.4f})"
    return (
        f"| {name} | {len(of_task)} | {its:.4f} | {mine:.4f} | {gained} | {errors[0]:.4f} | {errors[1]:.4f} "
        f"| {seconds[0]:.1f} | {seconds[1]:.1f} |"
    )


def _auc(of_judge: dict[str, Judged]) -> float:
    return float(np.mean([auc(one.probability, one.labels) for one in of_judge.values()]))


def _a_cut_off(given: dict[str, dict], names: list[str]) -> dict[str, float]:
    return {name: given[name]["seconds"] / len(given[name]["judged"]) for name in names}


def table(answers: dict[str, dict[str, dict]], complete: list[str]) -> list[str]:
    """Compare competitors on every task, at the cut-offs that all of them answered."""
    rng = np.random.default_rng(1)
    means: dict[str, dict[str, dict[str, float]]] = {}
    drawn = {}
    compared = {task: _in_common(given, complete) for task, given in answers.items()}
    for task, given in answers.items():
        means[task] = {}
        for name in complete:
            each = [figures(one, rng) for one in compared[task][name].values()]
            means[task][name] = {key: float(np.mean([row[key] for row in each])) for key in each[0]}
            means[task][name]["seconds"] = given[name]["seconds"] / len(given[name]["judged"])
        drawn[task] = resampled(compared[task], rng)
    return [*_overall(means, drawn, complete), "", *_by_task(means, drawn, compared, complete)]


def _in_common(given: dict[str, dict], names: list[str]) -> dict[str, dict[str, Judged]]:
    """Keep the cut-offs that all answered."""
    judges = [judge for judge in given[OURS]["judged"] if all(judge in given[name]["judged"] for name in names)]
    return {name: {judge: given[name]["judged"][judge] for judge in judges} for name in names}


def _overall(means: dict, drawn: dict, names: list[str]) -> list[str]:
    keys = list(next(iter(next(iter(means.values())).values())))
    lines = ["Means over tasks, each the mean over its cut-offs; processor seconds a cut-off.", ""]
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


def _by_task(means: dict, drawn: dict, compared: dict, names: list[str]) -> list[str]:
    others = [name for name in names if name != OURS]
    lines = ["AUC by task, and ours less the best other of that task with its 95 % interval.", ""]
    lines += [
        "| task | cut-offs | people | rate | " + " | ".join(names) + " | difference |",
        "|---" * (len(names) + 5) + "|",
    ]
    for task, of_task in means.items():
        best = max(others, key=lambda name, of_task=of_task: of_task[name]["AUC"])
        low, high = np.quantile(drawn[task][OURS] - drawn[task][best], [0.025, 0.975])
        judged_ones = list(compared[task][OURS].values())
        people = sum(len(one.labels) for one in judged_ones)
        rate = float(np.mean([one.labels.mean() for one in judged_ones]))
        cells = " | ".join(f"{of_task[name]['AUC']:.4f}" for name in names)
        gain = of_task[OURS]["AUC"] - of_task[best]["AUC"]
        gained = f"{gain:+.4f} ({low:+.4f} to {high:+.4f})"
        lines.append(f"| {task} | {len(judged_ones)} | {people:,} | {rate:.3f} | {cells} | {gained} |")
    return lines


if __name__ == "__main__":
    main()
