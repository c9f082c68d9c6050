"""How often does a new model replace the old one? `python benchmarks/quality/champion.py [--shops N]`

In a small shop nothing changes for ten retrains, three months apart as is usual; then, from a known day on, other
people buy. The old model should stand in quiet and go at the first retrain after the change. The retrains after that
show how long it takes until the new world is learnt. No model is held to be stale here: merit alone decides.
"""

import argparse
import datetime as dt
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.lake import Lake
from likelier.pipeline import Inputs, run_stage, scorer_files
from likelier.pipeline.reading import Champion
from likelier.timespan import DAY

PEOPLE, HISTORY, AFTERWARDS = 1500, 330, 3
STAGES = ("read", "check", "train", "score")


def others_buy(events: pa.Table, change: dt.datetime) -> pa.Table:
    """From a day on half of the people buy, whoever they were that did before."""
    later = pc.greater_equal(events["timestamp"], pa.scalar(change, pa.timestamp("us", "UTC"))).to_numpy()
    who = np.char.lstrip(np.array(events["identityMap.CRMID"].to_pylist()), "p").astype(int)
    drawn = np.random.default_rng(3).random(len(events)) < 0.3
    buys = np.where(later, drawn & (who % 2 == 0), pc.is_valid(events["commerce.purchases.value"]).to_numpy())
    columns = {
        "commerce.purchases.value": pa.array(np.where(buys, 1.0, np.nan), from_pandas=True),
        "commerce.order.priceTotal": pa.array(np.where(buys, 30.0, np.nan), from_pandas=True),
        "eventType": pa.array(np.where(buys, "commerce.purchases", "web.webpagedetails.pageViews")),
    }
    for name, values in columns.items():
        events = events.set_column(events.column_names.index(name), name, values)
    return events


def retrain(lake: Lake, folder: Path, as_of: dt.datetime, champion: tuple[Path, dt.datetime] | None, engine: DuckDB):
    """Run as of a moment against the model in use; say what was found of the two."""
    if champion:
        (folder / "champion").mkdir(parents=True)
        for file in scorer_files(champion[0]):
            shutil.copy(file, folder / "champion")
    used = champion and Champion(champion[1], due=True)
    inputs = Inputs(shop.instance(), as_of, 7, shop.versions(lake, ["shop"]), used)
    said = {stage: run_stage(stage, inputs, engine=engine, lake=lake, folder=folder) for stage in STAGES}
    return said["train"].get("champion")


def watch(seed: int, quiet: int, apart: int, engine: DuckDB) -> list[bool]:
    """Let a shop go on; say of each retrain whether the model in use was replaced."""
    begin = shop.START + HISTORY * DAY
    change = begin + (quiet * apart + 1) * DAY
    turns = quiet + AFTERWARDS
    events = shop.events(PEOPLE, HISTORY + apart * turns, seed)
    replaced = []
    with tempfile.TemporaryDirectory() as work:
        lake = Lake(str(Path(work) / "lake"))
        shop.put(lake, others_buy(events, change))
        used = Path(work) / "0", begin
        retrain(lake, used[0], begin, None, engine)
        for turn in range(1, turns + 1):
            now = begin + turn * apart * DAY
            told = retrain(lake, Path(work) / str(turn), now, used, engine)
            aucs = f"{told['auc']['value']:.3f} old, {told['challenger_auc']['value']:.3f} new"
            gained = f"gained {told['gained']:+.4f} (standard error {told['error']:.4f})"
            when = f"{(now - change).days:+5} days from the change"
            print(f"shop {seed}, {when}: {aucs}, {gained}, {'kept' if told['kept'] else 'REPLACED'}", flush=True)
            replaced.append(not told["kept"])
            if replaced[-1]:
                used = Path(work) / str(turn), now
    return replaced


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shops", type=int, default=3)
    parser.add_argument("--quiet", type=int, default=10, help="retrains before the change")
    parser.add_argument("--apart", type=int, default=91, help="days from one to the next")
    chosen = parser.parse_args()
    with DuckDB(threads=1) as engine:
        found = [watch(seed, chosen.quiet, chosen.apart, engine) for seed in range(1, chosen.shops + 1)]
    for words, part in (
        ("in quiet", slice(0, chosen.quiet)),
        ("at the first after the change", slice(chosen.quiet, chosen.quiet + 1)),
        ("later", slice(chosen.quiet + 1, None)),
    ):
        every = [each for one in found for each in one[part]]
        print(f"replaced {words}: {sum(every)} of {len(every)}")


if __name__ == "__main__":
    main()
