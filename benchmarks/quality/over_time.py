"""Is what is said of quiet weeks true? `python benchmarks/quality/over_time.py OUT.jsonl [--shops N] [--weeks N]`

`--every N` scores every Nth week only, `--rates` does not look for drift, which is most of the time a week takes.

Small shops in which nothing changes are scored weekly by a model that is kept, as a schedule does. The events are read
once for all weeks; every moment sees only what was before it. A line is written of each week: what had drifted, the
estimated AUC, and the AUC and the rates by bucket that came true. `--tell` only sums the lines up:

* quiet weeks with a finding are false alarms;
* the estimated AUC less the realised one, and how often the realised one lies in the estimate's interval;
* how often the rate of a bucket that came true lies between the bounds that were given before it did.
"""

import argparse
import datetime as dt
import json
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pipeline import shop

from likelier.activities import reduce
from likelier.backend import DuckDB
from likelier.insights.performance import Outcome, came_true, with_likely
from likelier.lake import Lake
from likelier.model import artifact
from likelier.pipeline import Inputs, asking, keeping, reading, run_stage, scorer_files, scoring, watching
from likelier.pipeline.reading import Champion
from likelier.timespan import DAY

WINDOW, HISTORY, WEEK = 14, 200, 7 * DAY


class Watched:
    """A shop whose events are all known by now, and a model that was made at some moment."""

    def __init__(self, folder: Path, events, made: dt.datetime, engine: DuckDB) -> None:
        self.folder, self.made, self.engine = folder, made, engine
        self.lake, self.asked = Lake(str(folder / "lake")), shop.instance()
        shop.put(self.lake, events)
        self.end = max(events["timestamp"].to_pylist())
        self.inputs = Inputs(self.asked, made, 7, shop.versions(self.lake, ["shop"]))

    def train(self) -> Path:
        """Make the model."""
        for stage in ("read", "check", "train", "score"):
            run_stage(stage, self.inputs, engine=self.engine, lake=self.lake, folder=self.folder / "first")
        model = self.folder / "model"
        model.mkdir()
        for file in scorer_files(self.folder / "first"):
            shutil.copy(file, model)
        return model

    def read(self, model: Path) -> None:
        """Read all events as the model does."""
        self.model, place = model, self.folder / "week" / "read"
        known = replace(self.inputs, as_of=self.end)
        source = reading.bind(known, self.engine, self.lake)
        self.question, self.said = source.question, reading.measure(source, self.engine, known)
        codebook = artifact.load(model).codebook
        reading.read_again(known, codebook, self.calendar(self.made), self.engine, self.lake, place)
        self.activities, self.codebook = reduce.load(place)

    def calendar(self, as_of: dt.datetime):
        return reading.calendar_of(replace(self.inputs, as_of=as_of), self.said, self.question)

    def week(self, as_of: dt.datetime, *, judge: bool = True, watch: bool = True) -> dict:
        """Score everybody at a moment, say what has changed, and what came of it."""
        work, calendar = self.folder / "week", self.calendar(as_of)
        for name in ("check", "train", "score"):
            shutil.rmtree(work / name, ignore_errors=True)
            (work / name).mkdir()
        asking.check(calendar, self.question, self.engine, work, work / "check")
        champion = Champion(self.made, due=False)
        kept = keeping.Kept.of(champion, calendar, 7, self.model, work, work / "read", occurs=True)
        trained = keeping.keep(kept, work / "train")
        place, quietly = work / "score", lambda *_: None
        scored = scoring.score(self.question, as_of, 7, trained["trust"], self.engine, work, place, quietly)
        source = reading.bind(replace(self.inputs, as_of=as_of), self.engine, self.lake)
        drift = watching.watch(calendar, 7, source, self.engine, work) if watch else {"findings": []}
        findings = [(each["kind"], each["weight"], str(each["words"])) for each in drift["findings"]]
        told = {"as_of": as_of.isoformat(), "findings": findings, "estimate": scored["estimate"], **_plain(trained)}
        return {**told, **(with_likely(self._came_true(work, as_of), told["estimate"]) if judge else {})}

    def _came_true(self, work: Path, as_of: dt.datetime) -> dict:
        eligible, reached = reading.labels(self.activities, self.codebook, self.question, (as_of,))
        table = pq.read_table(work / "score" / "scores.parquet", columns=["id", "probability", "score"])
        who = np.flatnonzero(eligible[:, 0])
        assert table["id"].to_pylist() == self.activities.ids.take(who).to_pylist()
        probability, score = table["probability"].to_numpy(), table["score"].to_numpy()
        true = came_true(Outcome(probability, score, reached[who, 0]))
        return {name: true[name] for name in ("auc", "all", "buckets")}


def _plain(trained: dict) -> dict:
    return {"promised": trained["metrics"]["auc"], "trust": trained["trust"], "calibrated": trained["calibrated"]}


def simulate(given: argparse.Namespace) -> None:
    days = HISTORY + 7 * given.weeks + WINDOW + 1
    with given.out.open("a") as lines, DuckDB(threads=1) as engine:
        for seed in range(given.first, given.first + given.shops):
            with tempfile.TemporaryDirectory() as folder:
                made = shop.START + HISTORY * DAY
                watched = Watched(Path(folder), shop.events(given.people, days, seed), made, engine)
                watched.read(watched.train())
                for week in range(1, given.weeks + 1, given.every):
                    row = watched.week(made + week * WEEK, watch=not given.rates)
                    lines.write(json.dumps({"seed": seed, "week": week, **row}) + "\n")
                    lines.flush()


def tell(rows: list[dict]) -> None:
    alarms = [row for row in rows if row["findings"]]
    print(f"{len(rows)} quiet weeks of {len({row['seed'] for row in rows})} shops")
    print(f"with an alarm: {len(alarms)} ({len(alarms) / len(rows):.1%})")
    for row in alarms:
        print(f"    shop {row['seed']}, {row['as_of'][:10]}: {row['findings']}")
    estimates = [row["estimate"]["auc"] for row in rows]
    aucs = np.array([row["auc"]["value"] for row in rows])
    errors = np.array([each["value"] for each in estimates]) - aucs
    inside = np.mean([each["low"] <= auc <= each["high"] for each, auc in zip(estimates, aucs, strict=True)])
    size = f"mean {errors.mean():+.4f}, mean size {np.abs(errors).mean():.4f}"
    print(f"estimated less realised AUC: {size}, inside the interval {inside:.1%}")
    every = [(name, each) for row in rows for name, each in row["buckets"].items() if each["profiles"]]
    for name in ("low", "medium", "high", None):
        mine = [each for which, each in every if name in (None, which)]
        share = np.mean([each["likely_low"] <= each["rate"] <= each["likely_high"] for each in mine])
        off = np.mean([each["expected"] - each["rate"] for each in mine])
        print(f"rates between the bounds, {name or 'all'}: {share:.1%} of {len(mine)}, less actual {off:+.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shops", type=int, default=8)
    parser.add_argument("--people", type=int, default=1500)
    parser.add_argument("--weeks", type=int, default=25)
    parser.add_argument("--first", type=int, default=1, help="the first shop's seed")
    parser.add_argument("--every", type=int, default=1, help="score every so many weeks")
    parser.add_argument("--rates", action="store_true", help="do not look for drift")
    parser.add_argument("--tell", action="store_true")
    given = parser.parse_args()
    if not given.tell:
        simulate(given)
    tell([json.loads(line) for line in given.out.read_text().splitlines()])


if __name__ == "__main__":
    main()
