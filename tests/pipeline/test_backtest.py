"""Runs put back in time, held against a plain loop over the events."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.lake import Lake
from likelier.pipeline import Backtest, Inputs, scores_file
from likelier.pipeline.outcomes import Outcomes
from likelier.timespan import DAY

WINDOW = 14
CUT_OFFS = (shop.AS_OF - 2 * WINDOW * DAY, shop.AS_OF - WINDOW * DAY)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    shop.put(lake, shop.events())
    return lake


def backtest(lake, folder, count, as_of=shop.AS_OF, asked=None):
    with DuckDB() as engine:
        inputs = Inputs(asked or shop.instance(), as_of, 7, shop.versions(lake, ["shop"]))
        return Backtest(inputs, engine, lake, folder, 0.65).run(count)


@pytest.fixture(scope="module")
def found(lake, tmp_path_factory):
    return backtest(lake, tmp_path_factory.mktemp("backtest"), 2)


@pytest.fixture(scope="module")
def pair(lake, found, tmp_path_factory):
    """The first cut-off's row with the scores of a plain run as of it, and who then bought, by a loop."""
    cut_off = CUT_OFFS[0]
    folder = tmp_path_factory.mktemp("run") / "a"
    shop.run(lake, folder, as_of=cut_off)
    scores = pq.read_table(scores_file(folder)).to_pylist()
    return found["cut_offs"][0], scores, buyers(cut_off, cut_off + WINDOW * DAY)


def buyers(start: dt.datetime, end: dt.datetime) -> set[str]:
    return {
        row["identityMap.CRMID"]
        for row in shop.events().to_pylist()
        if start <= row["timestamp"] < end and row["commerce.purchases.value"] is not None
    }


def test_the_windows_follow_one_another_up_to_now(found):
    assert [row["cut_off"] for row in found["cut_offs"]] == [cut_off.isoformat() for cut_off in CUT_OFFS]
    assert found["cut_offs"][0]["until"] == found["cut_offs"][1]["cut_off"]
    assert found["cut_offs"][1]["until"] == shop.AS_OF.isoformat() == found["known_until"]


def test_rates_are_those_of_a_plain_count(pair):
    row, scores, bought = pair
    assert row["scored"] == len(scores)
    for bucket in ("low", "medium", "high"):
        mine = [each for each in scores if each["bucket"] == bucket]
        told = row["buckets"][bucket]
        assert (told["profiles"], told["qualifying"]) == (len(mine), sum(each["id"] in bought for each in mine))
        assert told["expected"] == pytest.approx(np.mean([each["probability"] for each in mine]))
    assert row["all"]["qualifying"] == len(bought & {each["id"] for each in scores})
    assert row["all"]["low"] < row["all"]["rate"] < row["all"]["high"]


def test_auc_and_lift_are_those_of_a_plain_count(pair):
    row, scores, bought = pair
    came = np.array([each["id"] in bought for each in scores])
    probability = np.array([each["probability"] for each in scores])
    assert row["auc"]["value"] == pytest.approx(roc_auc_score(came, probability))
    best = np.argsort(-probability, kind="stable")[: -(-len(scores) // 10)]
    assert row["lift"]["value"] == pytest.approx(came[best].mean() / came.mean())


def test_the_heap_of_all_cut_offs_is_their_sum(found):
    for key in ("profiles", "qualifying"):
        assert found["together"]["all"][key] == sum(row["all"][key] for row in found["cut_offs"])


def test_each_cut_off_that_gave_no_scores_says_what_was_missing(lake, tmp_path):
    """59 days are needed: the older cut-off has 58; the newer has 72, and too few people of both outcomes."""
    told = backtest(lake, tmp_path, 2, as_of=shop.START + 86 * DAY)
    assert [row["problem"]["code"] for row in told["cut_offs"]] == [407, 400]
    assert told["together"] is None


def test_events_after_the_newest_moment_change_nothing(found, tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    shop.put(lake, shop.events())
    later = shop.events(300, 20, seed=9, start=shop.AS_OF)
    shop.put(lake, later.set_column(0, "_id", pa.array([f"late{k}" for k in range(len(later))])), batch="later")
    assert backtest(lake, tmp_path / "work", 1)["cut_offs"] == found["cut_offs"][1:]


def test_somebody_whose_events_were_deleted_is_left_out():
    """What came of them cannot be known."""
    labels = np.array([[True, False], [False, True]])
    came = Outcomes(pa.array(["a", "c"]), CUT_OFFS, np.ones((2, 2), bool), labels, ("", ""))
    known, reached = came.of(pa.array(["c", "b", "a"]), CUT_OFFS[1])
    assert (known.tolist(), reached.tolist()) == ([True, False, True], [True, False])
