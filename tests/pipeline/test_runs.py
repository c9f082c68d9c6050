"""Whole runs: what comes out, that it repeats, and that it never sees what was not yet known."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tests.pipeline import shop
from tests.pipeline.shop import ASKED
from threadpoolctl import threadpool_limits

from likelier.activities.reduce import load
from likelier.activities.traits import load_traits
from likelier.features.kernel import compute
from likelier.insights.reports import report
from likelier.lake import Lake
from likelier.model import artifact
from likelier.model.train import log_odds
from likelier.pipeline import insights_of, scores_file
from likelier.timespan import DAY, to_us
from likelier.windows import Row


def test_exactly_the_eligible_are_scored(scored):
    events = shop.events()
    recent = pc.greater_equal(events["timestamp"], pa.scalar(shop.AS_OF - 45 * DAY))
    assert scored["id"].to_pylist() == sorted(set(events.filter(recent)["identityMap.CRMID"].to_pylist()))


def test_reasons_add_up_to_the_prediction(done, scored):
    folder, _ = done
    rows = scored.to_pylist()
    told = np.array([row["base_log_odds"] + sum(factor["contribution"] for factor in row["factors"]) for row in rows])
    model = artifact.load(folder / "train")
    np.testing.assert_allclose(model.calibration.probability(told), scored["probability"].to_numpy(), atol=1e-9)
    np.testing.assert_allclose(told, log_odds(model.learnt, _matrix(folder, model, rows)), atol=1e-6)


def test_a_model_of_before_there_were_several_forests_loads_as_it_was(done, tmp_path):
    shutil.copytree(done[0] / "train", tmp_path, dirs_exist_ok=True)
    (tmp_path / "forest-0.txt").rename(tmp_path / "trees.txt")
    rest = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({k: rest[k] for k in rest.keys() - {"of_curves"}}))
    old, now = (artifact.load(folder).learnt for folder in (tmp_path, done[0] / "train"))
    assert [one.model_to_string() for one in old.forests] == [one.model_to_string() for one in now.forests]
    assert old.blended(0.0, 3.0) == 1.0


def _matrix(folder, model, rows):
    activities, _ = load(folder / "read")
    places = {name: k for k, name in enumerate(activities.ids.to_pylist())}
    asked = Row(np.array([places[row["id"]] for row in rows]), np.full(len(rows), to_us(shop.AS_OF)))
    return compute(activities, load_traits(folder / "read"), model.codebook, model.features, asked)


def test_each_row_tells_at_most_ten_factors_and_the_rest(scored):
    for factors in scored["factors"].to_pylist():
        assert factors[-1]["code"] == "other"
        sizes = [abs(factor["contribution"]) for factor in factors[:-1]]
        assert len(sizes) <= 10
        assert sizes == sorted(sizes, reverse=True)
        assert {factor["importance"] for factor in factors} <= {"low", "medium", "high"}
        assert all(factor["value"] for factor in factors[:-1])


def test_score_probability_and_percentile_agree(scored):
    probability, score = scored["probability"].to_numpy(), scored["score"].to_numpy()
    base = probability.mean() / (1 - probability.mean())
    odds = probability / (1 - probability)
    np.testing.assert_allclose(score, 100 * odds / (odds + base))
    order = np.argsort(probability, kind="stable")
    percentile = scored["percentile"].to_numpy()[order]
    assert (np.diff(percentile) >= 0).all()
    assert (percentile[0], percentile[-1]) == (1, 100)


def test_a_report_can_be_written_of_what_a_run_says(done):
    page = report(insights_of(done[0]), {"state": "success"})
    assert "of them to make a purchase in the next" in page
    assert page.count('class="card drill"') == len(insights_of(done[0])["spreads"])


def test_the_model_tells_people_apart(done):
    """Rates differ widely between people, so even a small shop is easy."""
    said = insights_of(done[0])
    auc = said["metrics"]["auc"]
    assert auc["low"] < auc["value"] < auc["high"]
    assert auc["value"] > 0.7
    assert sum(said["scores"]["histogram"]) == said["counts"]["scored"]
    assert said["factors"]["high"][0]["direction"] == "raises"


def test_in_a_shop_that_goes_on_nothing_has_changed(done):
    said = insights_of(done[0])
    assert said["drift"]["findings"] == []
    assert said["drift"]["usual_is_known"]
    promised, estimated = said["metrics"]["auc"], said["estimate"]["auc"]
    assert estimated["low"] < promised["value"] < estimated["high"]


def test_the_same_run_gives_the_same_bytes_again_whatever_number_of_threads_there_is(lake, done, tmp_path):
    """On a machine with other cores too: another server may carry a run on."""
    with threadpool_limits(3):
        shop.run(lake, tmp_path / "again", ASKED)
    assert scores_file(tmp_path / "again").read_bytes() == scores_file(done[0]).read_bytes()


def test_a_stage_that_is_done_is_not_done_again(lake, done):
    folder, said = done
    before = scores_file(folder).stat().st_mtime_ns
    assert shop.run(lake, folder, ASKED) == said
    assert scores_file(folder).stat().st_mtime_ns == before


def test_planted_events_and_attributes_from_the_cut_off_on_change_nothing(done, tmp_path):
    """Whatever happens or becomes known at or after the as-of instant, every byte of the scores stays."""
    lake = Lake(str(tmp_path / "lake"))
    shop.put(lake, shop.events())
    shop.put(lake, shop.attributes(), "people", "profiles")
    shop.put(lake, shop.moved(shop.events(400, 20, seed=9), shop.AS_OF), batch="planted")
    known = shop.attributes(seed=5)
    moment = pa.array([shop.AS_OF] * len(known), pa.timestamp("us", "UTC"))
    shop.put(lake, known.set_column(1, "timestamp", moment), "people", "profiles", batch="planted")
    shop.run(lake, tmp_path / "run", ASKED)
    assert scores_file(tmp_path / "run").read_bytes() == scores_file(done[0]).read_bytes()


def test_a_late_row_does_not_reach_a_run_of_an_earlier_data_version(lake, done, tmp_path):
    other = Lake(str(tmp_path / "lake"))
    shop.put(other, shop.events())
    shop.put(other, shop.attributes(), "people", "profiles")
    then = shop.versions(other, ["shop", "people"])
    late = shop.moved(shop.events(300, 20, seed=9), shop.AS_OF - 60 * DAY)
    shop.put(other, late, batch="late")
    shop.run(other, tmp_path / "run", ASKED, versions=then)
    assert scores_file(tmp_path / "run").read_bytes() == scores_file(done[0]).read_bytes()


def test_will_not_occur_turns_the_probabilities_round(lake, tmp_path, scored):
    shop.run(lake, tmp_path / "run", shop.instance(goal=shop.goal(occurs=False), propensity_type="churn"))
    churn = pq.read_table(scores_file(tmp_path / "run"))
    assert churn["id"].to_pylist() == scored["id"].to_pylist()
    assert np.corrcoef(churn["probability"].to_numpy(), scored["probability"].to_numpy())[0, 1] < -0.9
