"""Every code a run can end with, on real conditions, with a message that carries the numbers."""

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.pipeline import shop

from likelier.backend import DuckDB
from likelier.errors import RunError
from likelier.lake import Lake
from likelier.pipeline import preflight
from likelier.timespan import DAY

EXISTS = {"field": "commerce.purchases.value", "operator": "exists"}
NEVER = {"field": "web.webPageDetails.name", "operator": "equals", "value": "nowhere"}
VISIT = {"field": "eventType", "operator": "exists"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    shop.put(lake, shop.events())
    return lake


def failure(lake, tmp_path, asked=None, as_of=shop.AS_OF) -> RunError:
    with pytest.raises(RunError) as caught:
        shop.run(lake, tmp_path / "run", asked, as_of)
    assert caught.value.suggestions
    return caught.value


def population(lookback_days=45, *conditions, exclude=()):
    return {
        "lookback_days": lookback_days,
        "match": "any",
        "events": [{"conditions": [condition]} for condition in conditions],
        "exclude": [{"conditions": [condition]} for condition in exclude],
    }


def test_400_too_few_met_the_goal(lake, tmp_path):
    rare = shop.goal(events=[{"conditions": [EXISTS], "at_least": 3}])
    error = failure(lake, tmp_path, shop.instance(goal=rare))
    assert error.code == 400
    assert "500 of each are needed" in error.message


def test_401_too_few_people(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    shop.put(lake, shop.events(50))
    error = failure(lake, tmp_path)
    assert error.code == 401
    assert "1,000 are needed" in error.message


def test_an_exploratory_run_goes_on_with_less_and_says_so(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    shop.put(lake, shop.events(120))
    assert any("exploratory: true" in hint for hint in failure(lake, tmp_path).suggestions)
    said = shop.run(lake, tmp_path / "exploratory", shop.instance(exploratory=True))
    auc = said["insights"]["metrics"]["auc"]
    assert auc["high"] - auc["low"] > 0.1
    assert said["insights"]["notes"][0].startswith("Exploratory: only ")


def test_exploring_needs_something_to_look_at(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    shop.put(lake, shop.events(4))
    error = failure(lake, tmp_path, shop.instance(exploratory=True))
    assert error.code in {400, 401}
    assert "20 of each" in error.message or "40 are needed" in error.message


def test_405_nobody_to_score(lake, tmp_path):
    """The events end two months before the run."""
    error = failure(lake, tmp_path, as_of=shop.AS_OF + 60 * DAY)
    assert error.code == 405
    assert str(error).startswith("405 NO SCORING DATA: As of 2024-07-29 nobody is eligible")


def test_407_too_little_history(lake, tmp_path):
    error = failure(lake, tmp_path, as_of=shop.START + 50 * DAY)
    assert error.code == 407
    assert "50.0 days, from 2024-01-01 to 2024-02-20" in error.message
    assert "needs 59" in error.message
    assert error.suggestions[0] == ("Look back 35 days for eligible people instead of 45 (lookback_days).")
    assert "Predict 5 days ahead instead of 14" in error.suggestions[1] or "Predict 4 days" in error.suggestions[1]


def test_408_the_eligible_have_long_been_silent(lake, tmp_path):
    asked = shop.instance(eligible_population=population(90, VISIT))
    error = failure(lake, tmp_path, asked, as_of=shop.AS_OF + 40 * DAY)
    assert error.code == 408
    assert "has any event in the 30 days before 2024-07-09" in error.message


def test_409_the_goal_never_happened(lake, tmp_path):
    error = failure(lake, tmp_path, shop.instance(goal=shop.goal(events=[{"conditions": [NEVER]}])))
    assert error.code == 409


def test_410_nobody_is_eligible(lake, tmp_path):
    error = failure(lake, tmp_path, shop.instance(eligible_population=population(45, NEVER)))
    assert error.code == 410
    assert "from 2024-02-03 to 2024-05-16" in error.message


def test_411_no_data_before_the_date(lake, tmp_path):
    assert failure(lake, tmp_path, as_of=shop.START).code == 411


def test_412_the_exclusions_leave_nothing(lake, tmp_path):
    error = failure(lake, tmp_path, shop.instance(exclusions=[{"conditions": [VISIT]}]))
    assert error.code == 412


def test_413_everybody_meets_the_goal(lake, tmp_path):
    """Who bought in the lookback and must not buy again: nobody reaches the goal who is also eligible."""
    events = shop.events()
    daily = pc.and_(pc.equal(events["eventType"], "commerce.purchases"), True)
    lake = Lake(str(tmp_path / "lake"))
    shop.put(lake, events.filter(pc.or_(pc.invert(daily), pc.less(events["timestamp"], pa.scalar(shop.START + DAY)))))
    error = failure(lake, tmp_path)
    assert error.code == 413


def test_codes_have_titles():
    for code in (400, 401, 402, 403, 405, 407, 408, 409, 410, 411, 412, 413, 414):
        assert RunError(code, "x").title.isupper()


class TestPreflight:
    def check(self, lake, asked=None, as_of=shop.AS_OF, **how):
        with DuckDB() as engine:
            return preflight(asked or shop.instance(), as_of, engine=engine, lake=lake, **how)

    def test_a_sound_instance_has_no_problem(self, lake):
        found = self.check(lake)
        assert "problem" not in found
        assert found["counts"]["eligible"] > 500
        assert found["counts"]["per_cut_off"][-1]["role"] == "score"
        assert found["goal_words"] == "makes a purchase within 14 days"

    def test_some_of_the_people_stand_for_all(self, lake):
        """The 95 % range of a share of n drawn people is about its value ± 1 / sqrt(n)."""
        exact = self.check(lake)
        found = self.check(lake, most_events=exact["events"] // 2 + 1)
        assert exact["sampled"] == 1
        assert found["sampled"] == pytest.approx(0.5, abs=0.002)
        assert found["profiles"] == pytest.approx(exact["profiles"], rel=2 / exact["profiles"] ** 0.5)
        rates = [each["counts"]["per_cut_off"][0]["base_rate"] for each in (exact, found)]
        assert rates[1] == pytest.approx(rates[0], abs=2 / exact["profiles"] ** 0.5)

    def test_what_is_suggested_would_meet_the_floors(self, lake):
        asked = shop.instance(goal=shop.goal(events=[{"conditions": [EXISTS], "at_least": 2}], window_days=7))
        found = self.check(lake, asked)
        assert found["problem"]["code"] == 400
        choice = found["problem"]["alternatives"][0]
        assert choice["qualifying"] >= 500
        changed = shop.instance(
            goal=asked.dump()["goal"] | {"window_days": choice["window_days"]},
            eligible_population={"lookback_days": choice["lookback_days"]},
        )
        assert "problem" not in self.check(lake, changed)

    def test_a_silent_week_is_told(self, tmp_path):
        events = shop.events()
        lost = (shop.START + 80 * DAY, shop.START + 87 * DAY)
        outside = pc.or_(
            pc.less(events["timestamp"], pa.scalar(lost[0])), pc.greater_equal(events["timestamp"], pa.scalar(lost[1]))
        )
        lake = Lake(str(tmp_path / "lake"))
        shop.put(lake, events.filter(outside))
        found = self.check(lake)
        assert found["gaps"] == [{"first": "2024-03-21", "days": 7, "of_goal": False}]
        assert any("from 2024-03-21" in warning for warning in found["warnings"])

    def test_a_problem_is_told_and_not_raised(self, lake):
        assert self.check(lake, as_of=shop.START + dt.timedelta(days=20))["problem"]["code"] == 407
