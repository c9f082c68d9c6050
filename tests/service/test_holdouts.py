"""Hold-outs from their beginning to their report."""

import hashlib

import pyarrow.parquet as pq
import pytest
from tests.service.segment_shop import ANN, add_instance, add_scores, open_home, put_events

from likelier.errors import UsageError
from likelier.service import segments
from likelier.service.holdouts import begin_hold_out, end_hold_out, hold_out_report

PEOPLE = [f"p{number:03}" for number in range(200)]


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [(who, 1, False) for who in PEOPLE])
    segments.create_segment(
        workspace, ANN, "All", segments.Wanted(text="did (web.webPageDetails.name exists)", namespace="CRMID")
    )
    yield workspace
    workspace.store.close()


def kept(home):
    """Who should be kept back at 20 %, by plain Python."""
    segment = segments.get_segment(home, "All")["id"]
    share = {who: int(hashlib.sha256(f"{segment}:{who}".encode()).hexdigest()[:8], 16) / 2**32 for who in PEOPLE}
    return {who for who in PEOPLE if share[who] < 0.2}


def begin(home, **changes):
    asked = {"percent": 20, "outcome": "did (commerce.purchases.value exists)", "window_days": 10, **changes}
    return begin_hold_out(home, ANN, "All", **asked)


def test_the_report_compares_both_sides_when_the_window_is_over(home):
    begun = begin(home)
    back = kept(home)
    assert (begun["kept_back"]["people"], begun["treated"]["people"]) == (len(back), 200 - len(back))
    assert (begun["complete"], begun["effect"]) == (False, None)
    assert "Too early" in begun["words"][0]
    treated = [who for who in PEOPLE if who not in back]
    # Half of the treated buy in the window and none of the others; those too late count for nothing.
    inside = [(who, -3, True) for who in treated[: len(treated) // 2]]
    late = [(who, -11, True) for who in sorted(back)]
    put_events(home, [*inside, *late, ("stranger", -3, True)], batch="later")
    found = hold_out_report(home, "All")
    assert found["complete"]
    assert (found["treated"]["outcomes"], found["kept_back"]["outcomes"]) == (len(treated) // 2, 0)
    assert found["effect"]["sure"]
    assert found["effect"]["low"] < found["effect"]["difference"] == found["treated"]["rate"] < found["effect"]["high"]


def test_without_a_difference_it_says_that_it_cannot_tell(home):
    begin(home)
    put_events(home, [("stranger", -20, False)], batch="later")
    found = hold_out_report(home, "All")
    assert not found["effect"]["sure"]
    assert "neither that acting helped nor that it did not" in " ".join(found["words"])


def test_exports_leave_out_those_kept_back(home, tmp_path):
    begin(home)
    segments.export_segment(home, ANN, "All", tmp_path / "treated.parquet")
    segments.export_segment(home, ANN, "All", tmp_path / "kept.parquet", kept_back=True)
    treated, back = (set(pq.read_table(tmp_path / f"{name}.parquet")["id"].to_pylist()) for name in ("treated", "kept"))
    assert back == kept(home)
    assert treated == set(PEOPLE) - back


def test_the_outcome_may_be_the_goal_of_an_instance(home, tmp_path):
    add_scores(home, add_instance(home), {"p000": 50.0}, tmp_path)
    begun = begin(home, outcome=None, window_days=None, instance="Buy again")
    assert (begun["outcome"], begun["window_days"]) == ("did (commerce.purchases.value exists)", 30)


def test_an_end_forgets_it_and_it_may_begin_again(home):
    begin(home)
    with pytest.raises(UsageError, match="already"):
        begin(home)
    end_hold_out(home, ANN, "All")
    with pytest.raises(UsageError, match="no hold-out"):
        hold_out_report(home, "All")
    assert begin(home, percent=30)["kept_back"]["people"] > len(kept(home))
    segments.delete_segment(home, ANN, "All")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"percent": 0}, "Choose 1 to 90"),
        ({"window_days": None}, "how many days"),
        ({"outcome": None}, "in one way"),
        ({"instance": "Buy"}, "in one way"),
        ({"outcome": "did (commerce.purchases.value exists) in the last 3 days"}, "what people do"),
        ({"outcome": 'in segment "All"'}, "what people do"),
    ],
)
def test_what_cannot_be_compared_is_refused(home, changes, message):
    with pytest.raises(UsageError, match=message):
        begin(home, **changes)
