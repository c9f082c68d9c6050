"""One run that asks about several outcome windows."""

import datetime as dt
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.datasets import open_dataset, person_rows
from likelier.errors import RunError, UsageError
from likelier.instance.reading import make_instance
from likelier.model import artifact
from likelier.pipeline import Inputs, Scorer, insights_of, preflight, scorer_files, scores_file
from likelier.pipeline.asking import Soon, load_asked, load_soon
from likelier.pipeline.ondemand import of_identity
from likelier.pipeline.reading import calendar_of
from likelier.pipeline.soon import late_rows
from likelier.pipeline.stages import Run
from likelier.timespan import DAY

WINDOWS = [3, 7, 14]
ASKED = make_instance(shop.ASKED.dump() | {"goal": shop.goal(window_days=WINDOWS)})
COLUMNS = ["probability_3d", "probability_7d", "probability_14d"]


@pytest.fixture(scope="module")
def engine():
    with DuckDB() as engine:
        yield engine


@pytest.fixture(scope="module")
def folder(lake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several") / "run"
    shop.run(lake, folder, ASKED)
    return folder


@pytest.fixture(scope="module")
def scored(folder):
    return pq.read_table(scores_file(folder))


def test_no_probability_decreases_with_the_window(scored):
    every = np.stack([scored[name].to_numpy() for name in COLUMNS], axis=1)
    assert (np.diff(every, axis=1) >= 0).all()
    assert (every[:, -1] == scored["probability"].to_numpy()).all()
    assert (every[:, 0] < every[:, 1]).mean() > 0.9
    waited = scored["expected_days"].to_numpy()
    assert waited.min() > 0
    assert waited.max() <= 14


def test_the_main_window_is_what_it_would_be_alone(done, scored):
    folder, said = done
    alone = pq.read_table(scores_file(folder))
    assert not {*COLUMNS, "expected_days"} & {*alone.column_names}
    assert scored.select(alone.column_names).equals(alone)
    assert said["insights"]["by_window"] == []


def test_every_window_is_judged_at_the_same_cut_off(folder):
    said = insights_of(folder)
    by_window = said["by_window"]
    assert [one["days"] for one in by_window] == WINDOWS
    assert by_window[-1]["auc"] == said["metrics"]["auc"]
    assert by_window[-1]["rate"] == said["metrics"]["base_rate"]
    for one in by_window:
        assert one["auc"]["value"] > 0.7
        assert abs(one["mean_probability"] - one["rate"]) < 0.05
    assert by_window[0]["rate"] < by_window[1]["rate"] < by_window[2]["rate"]
    low, high = said["scores"]["mean_interval"]
    assert low < said["scores"]["mean_probability"] < high


def test_shorter_windows_also_learn_from_what_the_longest_cannot_know(lake, folder, engine):
    """Counted one by one over the raw events."""
    inputs = Inputs(ASKED, shop.AS_OF, 7, shop.versions(lake, ["shop", "people"]))
    run = Run(inputs, engine, lake, folder)
    calendar = calendar_of(inputs, run.said("read"), run.question)
    soon = load_soon(folder, calendar)
    assert calendar.recent[0] > calendar.judge
    assert calendar.recent[-1] == shop.AS_OF - 3 * DAY
    assert (load_asked(folder).eligible[:, :-1] == soon.eligible[:, : len(calendar.labelled)]).all()
    bought: dict[str, list[dt.datetime]] = {}
    table = shop.events()
    for who, moment, value in zip(
        *(table[name].to_pylist() for name in ("identityMap.CRMID", "timestamp", "commerce.purchases.value")),
        strict=True,
    ):
        bought.setdefault(who, [])
        bought[who] += [moment] if value else []
    for place, days in enumerate(WINDOWS[:-1]):
        for column, cut_off in list(enumerate(soon.cut_offs))[-6::2]:
            came = [any(cut_off <= moment < cut_off + days * DAY for moment in bought[who]) for who in sorted(bought)]
            counts = soon.eligible[:, column]
            assert (soon.labels[place][counts, column] == np.array(came)[counts]).all()


def test_one_person_on_demand_gets_the_same_to_the_last_bit(lake, folder, scored, engine):
    datasets = [open_dataset(lake, name) for name in ASKED.datasets]
    schemas = {one.name: lake.schema(one.table) for one in datasets}
    scorer = Scorer.load(_left(folder), ASKED, datasets, schemas, engine)
    for row in scored.to_pylist()[::60]:
        who = row["id"]
        rows = {one.name: person_rows(lambda: engine, lake, one, "CRMID", who) for one in datasets}
        found = scorer.score(who, {name: of_identity(each, "CRMID", who) for name, each in rows.items()}, shop.AS_OF)
        assert {name: found[name] for name in (*COLUMNS, "expected_days")} == {
            name: row[name] for name in (*COLUMNS, "expected_days")
        }


def _left(folder):
    left = folder / "left"
    left.mkdir(exist_ok=True)
    for file in scorer_files(folder):
        (left / file.name).write_bytes(file.read_bytes())
    return left


def test_a_window_in_which_hardly_anything_happens_is_told_before_a_run(lake, engine, tmp_path):
    rare = {"events": [{**shop.goal()["events"][0], "at_least": 4}], "window_days": [1, 14]}
    asked = shop.instance(goal=shop.goal(**rare), exploratory=True)
    problem = preflight(asked, shop.AS_OF, engine=engine, lake=lake)["problem"]
    assert problem["code"] == 400
    assert problem["message"].startswith("Within 1 days ")
    with pytest.raises(RunError, match="Within 1 days"):
        shop.run(lake, tmp_path / "run", asked)


def test_a_model_whose_shorter_windows_are_of_an_earlier_version_says_what_to_do(folder, tmp_path):
    shutil.copytree(folder / "train", tmp_path / "train")
    (tmp_path / "train" / "trees-7.txt").write_text("")
    with pytest.raises(UsageError, match="The next run makes a new one"):
        artifact.load(tmp_path / "train")


def test_of_late_rows_that_are_too_many_everybody_keeps_as_many():
    cut_offs = tuple(shop.AS_OF - days * DAY for days in range(8, 2, -1))
    known = Soon(cut_offs, np.ones((100, 6), bool), np.ones((1, 100, 6), bool))
    drawn = [late_rows(known, cut_offs[0] - DAY, shop.AS_OF, 3, most=200, seed=seed) for seed in (1, 2)]
    for rows in drawn:
        assert np.bincount(rows.profile).tolist() == [2] * 100
        assert len(np.unique(np.stack([rows.profile, rows.cut_off]), axis=1).T) == 200
    assert (drawn[0].cut_off != drawn[1].cut_off).any()
