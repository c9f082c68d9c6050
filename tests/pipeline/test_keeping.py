"""A model of an earlier run, used on while it is good enough."""

import contextlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.errors import RunError
from likelier.lake import Lake
from likelier.model import artifact
from likelier.pipeline import STAGES, Inputs, other_scores_file, run_stage, scorer_files, scores_file
from likelier.pipeline.keeping import Kept, challenge
from likelier.pipeline.reading import Champion
from likelier.timespan import DAY, to_us

EARLIER = shop.AS_OF - 28 * DAY


@pytest.fixture(scope="module", autouse=True)
def trusting():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("likelier.pipeline.learning.refuse_leaks", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    shop.put(lake, shop.events())
    return lake


def run(lake, folder, as_of, champion=None, model=None):
    """Run as of a moment; `model` is the folder of the run whose model is the champion."""
    if model:
        (folder / "champion").mkdir(parents=True)
        for file in scorer_files(model):
            shutil.copy(file, folder / "champion")
    inputs = Inputs(shop.instance(), as_of, 7, shop.versions(lake, ["shop"]), champion)
    with DuckDB() as engine:
        return {stage: run_stage(stage, inputs, engine=engine, lake=lake, folder=folder) for stage in STAGES}


@pytest.fixture(scope="module")
def first(lake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("first") / "run"
    return folder, run(lake, folder, EARLIER)


@pytest.fixture(scope="module")
def kept(lake, first, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "run"
    return folder, run(lake, folder, shop.AS_OF, Champion(EARLIER, due=False), first[0])


def scores(folder):
    return pq.read_table(scores_file(folder))


def test_a_kept_model_is_the_same_and_scores_those_of_today(first, kept):
    one, other = (artifact.load(folder / "train") for folder in (first[0], kept[0]))
    texts = [[trees.model_to_string() for trees in model.learnt.forests] for model in (one, other)]
    assert texts[0] == texts[1]
    assert one.learnt.curves.to_json() == other.learnt.curves.to_json()
    assert (one.codebook, one.features) == (other.codebook, other.features)
    assert set(scores(kept[0])["score_date"].to_pylist()) == {shop.AS_OF}


def test_its_probabilities_follow_what_came_since_it_was_made_and_count_nothing_twice(lake, first, kept, tmp_path):
    """Two outcome windows have closed since; a run after one that kept it begins from what it was at first."""
    made, now = (artifact.load(run[0] / "train") for run in (first, kept))
    assert (made.as_made, now.as_made) == (None, made.calibration)
    assert now.calibration.slopes != made.calibration.slopes
    run(lake, tmp_path / "next", shop.AS_OF, Champion(EARLIER, due=False), kept[0])
    assert scores_file(tmp_path / "next").read_bytes() == scores_file(kept[0]).read_bytes()


def test_it_is_judged_where_it_had_learnt_nothing_yet(kept):
    """The judge cut-off lies two weeks after all that it learnt from; who bought then is counted by a loop."""
    trained = kept[1]["train"]
    assert trained["champion"] == {"kept": True, "as_of": EARLIER.isoformat(), "judged_anew": True}
    judge = shop.AS_OF - 14 * DAY
    rows = shop.events().to_pylist()
    eligible = {row["identityMap.CRMID"] for row in rows if judge - 45 * DAY <= row["timestamp"] < judge}
    bought = {
        row["identityMap.CRMID"]
        for row in rows
        if judge <= row["timestamp"] < shop.AS_OF and row["commerce.purchases.value"] is not None
    }
    assert trained["judged_rows"] == len(eligible)
    assert trained["metrics"]["base_rate"] == pytest.approx(len(bought & eligible) / len(eligible))


def test_its_clock_stands_still_where_tracking_was_lost_since(first, tmp_path):
    start, end = shop.AS_OF - 10 * DAY, shop.AS_OF - 7 * DAY
    moments = shop.events()["timestamp"]
    lost = pc.and_(pc.greater_equal(moments, pa.scalar(start)), pc.less(moments, pa.scalar(end)))
    lake = Lake(str(tmp_path / "lake"))
    shop.put(lake, shop.events().filter(pc.invert(lost)))
    run(lake, tmp_path / "run", shop.AS_OF, Champion(EARLIER, due=False), first[0])
    assert artifact.load(tmp_path / "run" / "train").features.silent == ((to_us(start), to_us(end)),)


def test_at_its_own_moment_a_kept_model_gives_the_same_bytes(lake, first, tmp_path):
    said = run(lake, tmp_path / "again", EARLIER, Champion(EARLIER, due=False), first[0])
    assert scores_file(tmp_path / "again").read_bytes() == scores_file(first[0]).read_bytes()
    assert said["train"]["metrics"] == first[1]["train"]["metrics"]
    assert said["train"]["champion"]["judged_anew"] is False


@pytest.fixture(scope="module")
def due(lake, first, tmp_path_factory):
    folder = tmp_path_factory.mktemp("due") / "run"
    return folder, run(lake, folder, shop.AS_OF, Champion(EARLIER, due=True), first[0])


def test_a_new_model_that_is_no_better_leaves_the_champion_where_it_is(kept, due):
    """In a shop in which nothing changed; the scores are those of the kept model, byte for byte."""
    said = due[1]["train"]["champion"]
    assert said["kept"]
    assert said["gained"] == pytest.approx(said["challenger_auc"]["value"] - said["auc"]["value"])
    assert said["gained"] < 2.33 * said["error"]
    assert scores_file(due[0]).read_bytes() == scores_file(kept[0]).read_bytes()
    assert not {"read", "other"} & {path.name for path in scorer_files(due[0])}


def test_a_stale_champion_goes_and_whichever_lost_scores_beside(lake, first, kept, due, tmp_path):
    said = run(lake, tmp_path / "stale", shop.AS_OF, Champion(EARLIER, due=True, stale=True), first[0])
    assert not said["train"]["champion"]["kept"]
    assert "read" not in {path.name for path in scorer_files(tmp_path / "stale")}
    assert other_scores_file(kept[0]) is None
    for one, other in ((tmp_path / "stale", due[0]), (due[0], tmp_path / "stale")):
        lost, won = pq.read_table(other_scores_file(one)), scores(other)
        assert lost["id"].to_pylist() == won["id"].to_pylist()
        assert np.allclose(lost["probability"], won["probability"], rtol=1e-9)
    assert said["insights"]["champion"]["scores"]["used_mean"] == pytest.approx(
        np.mean(scores(tmp_path / "stale")["probability"].to_numpy())
    )


def test_where_no_new_model_can_be_made_the_champion_stays_unless_it_is_stale(tmp_path, monkeypatch):
    def fails(_):
        raise RunError(402, "'Order status' gives the outcome away.", [])

    monkeypatch.setattr("likelier.pipeline.keeping.keep", lambda *_: {"champion": {"kept": True}})
    for stale in (False, True):
        kept = Kept(Champion(EARLIER, due=True, stale=stale), None, {}, None, occurs=True)
        with pytest.raises(RunError) if stale else contextlib.nullcontext():
            said = challenge(kept, fails, tmp_path)
    assert said["champion"] == {"kept": True, "challenger_problem": "'Order status' gives the outcome away."}
