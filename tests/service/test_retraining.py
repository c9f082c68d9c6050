"""When a model is kept, called to account, replaced: plans over a made-up history."""

import datetime as dt

import pytest

from likelier.errors import UsageError
from likelier.profiles.published import has_scorer, publish_scorer
from likelier.runs.records import WHEN_DUE, State
from likelier.service.instances import save_instance
from likelier.service.retraining import model_before, models_in_use, plan, roll_back
from likelier.service.runs import claim, start_run
from likelier.store import audit, outcomes
from likelier.store import runs as records
from likelier.store.runs import Ledger

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
JANUARY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
QUIET = {"findings": []}


@pytest.fixture
def history(workspace, ann, make, monkeypatch):
    """Runs one after the other: `history(days, ...)` makes one as of so many days after January and gives its plan."""
    monkeypatch.setattr("likelier.service.retraining.has_scorer", lambda *_: True)

    def it(days, *, drift=None, kept=True, ends=True, seed=1, wish=WHEN_DUE, queued=None, compared=None, **changes):
        instance = save_instance(workspace, ann, make(**changes))
        as_of = JANUARY + days * DAY
        run = claim(workspace, queued or start_run(workspace, ann, instance, as_of=as_of, seed=seed, wish=wish))
        chosen = plan(workspace, run)
        ledger = Ledger(workspace.store)
        ledger.pin(run, as_of=as_of, data_versions={"shop": 0}, model=chosen)
        stays = bool(chosen["run"]) and (kept or not chosen["due"])
        workspace.clock.forward(minutes=1)
        said = {"kept": stays, "stale": chosen.get("stale")}
        if compared and chosen.get("due"):
            said |= {"challenger_auc": {"value": compared[0]}, "auc": {"value": compared[1]}}
        ledger.finish_stage(run, stages={"train": {"champion": said}}, timings={})
        document = {"drift": drift or QUIET}
        if ends:
            ledger.publish(run, scored=1, auc=0.8, document=document, now=workspace.clock())
        else:
            ledger.cancel(run, now=workspace.clock())
        with workspace.store.read() as connection:
            return chosen, records.find(connection, run.id)

    return it


def test_the_first_run_makes_a_model_and_the_next_ones_keep_it(history):
    chosen, first = history(0)
    assert (chosen["run"], first.model_run) == (None, first.id)
    for week in (7, 14, 21, 28):
        chosen, run = history(week)
        assert (chosen["run"], chosen["due"], run.model_run) == (first.id, False, first.id)
        assert chosen["because"] == "The model of 1 Jan 2024 is not due."


def test_the_same_moment_again_keeps_the_model(history):
    _, first = history(0)
    assert history(0)[0]["run"] == first.id


def test_another_definition_seed_or_an_earlier_moment_trains_anew(history, ask):
    history(10)
    assert history(20, seed=2)[0]["run"] is None
    assert history(0)[0]["run"] is None
    assert history(30, goal=ask()["goal"] | {"window_days": 14})[0]["run"] is None


def test_a_changed_name_or_schedule_is_no_other_definition(history):
    _, first = history(0)
    assert history(7, schedule="weekly")[0]["run"] == first.id


def test_after_three_months_it_stands_up_to_a_new_one_and_stays_when_it_is_no_worse(history):
    _, first = history(0)
    chosen, run = history(91)
    assert (chosen["due"], chosen["stale"], chosen["because"]) == (True, False, "The model is 91 days old.")
    assert run.model_run == first.id


def test_a_new_model_that_won_is_the_next_champion(history):
    history(0)
    _, second = history(91, kept=False)
    assert second.model_run == second.id
    chosen, _ = history(98)
    assert (chosen["run"], chosen["due"]) == (second.id, False)


def test_after_six_months_it_is_stale(history):
    history(0)
    assert history(182)[0]["stale"]


@pytest.mark.parametrize(
    ("kind", "weight", "due"), [("factor", 0.3, True), ("factor", 0.05, False), ("tracking", 0.9, False)]
)
def test_drift_that_matters_makes_it_due_and_broken_tracking_does_not(history, kind, weight, due):
    history(0)
    history(28, drift={"findings": [{"kind": kind, "weight": weight, "words": "Prices doubled."}]})
    chosen, _ = history(35)
    assert chosen["due"] is due
    if due:
        assert chosen["because"] == "Drift that matters: Prices doubled."


def test_what_drifts_while_tracking_is_broken_is_not_learnt(history):
    """Where no purchases are told any more the rate falls, too: a new model would expect that of everybody."""
    history(0)
    lost = [("tracking", 0.5), ("base rate", 1.0)]
    history(28, drift={"findings": [{"kind": kind, "weight": weight, "words": "Less."} for kind, weight in lost]})
    assert not history(35)[0]["due"]


def test_it_is_not_called_to_account_before_an_outcome_window_has_passed(history):
    _, first = history(0, drift={"findings": [{"kind": "factor", "weight": 0.9, "words": "Prices doubled."}]})
    chosen, _ = history(7)
    assert (chosen["run"], chosen["due"]) == (first.id, False)
    assert chosen["because"].startswith("Drift that matters: Prices doubled. It is kept until")


@pytest.mark.parametrize(("value", "high", "due"), [(0.7, 0.74, True), (0.77, 0.81, False), (0.79, 0.795, False)])
def test_an_auc_that_came_true_worse_than_promised_makes_it_due(workspace, history, value, high, due):
    _, first = history(0)
    auc = {"value": value, "low": 2 * value - high, "high": high}
    with workspace.store.write() as connection:
        now = workspace.clock()
        outcomes.put(connection, outcomes.Recorded(first.id, {"auc": auc}, "x", {"shop": 0}, now, now))
    assert history(40)[0]["due"] is due


def test_a_run_that_gave_no_scores_leaves_the_champion(history):
    _, first = history(0)
    _, cancelled = history(7, ends=False)
    assert cancelled.state is State.CANCELLED
    assert history(14)[0]["run"] == first.id


def test_ten_quiet_retrains_and_one_real_change_replace_the_champion_once(history):
    """Every three months a challenger; the sixth is better."""
    makers = [history(0)[1].model_run]
    makers += [history(91 + turn, kept=turn != 6)[1].model_run for turn in range(1, 12)]
    assert len(set(makers)) == 2
    assert makers.index(makers[-1]) == 6


def test_whoever_wants_every_run_to_train_may(workspace, history):
    history(0)
    object.__setattr__(workspace.settings, "retrain_days", 0.0)
    assert history(7)[0] == {"run": None, "because": "Every run trains anew."}


def test_a_run_that_somebody_asks_for_makes_a_model_of_its_own(history):
    _, first = history(0)
    chosen, run = history(7, wish=None)
    assert (chosen["run"], chosen["because"]) == (None, "A new model was asked for.")
    assert run.model_run == run.id != first.id
    assert history(14)[0]["run"] == run.id


def test_rolling_back_leads_to_the_model_before_and_once_more_to_the_one_after(workspace, ann, history):
    _, first = history(0)
    _, second = history(91, kept=False)
    history(98)
    with workspace.store.read() as connection:
        assert models_in_use(connection, first.instance_id) == (second.id, first.id)
    for days, wanted in ((105, first), (112, second)):
        assert model_before(workspace, "Buy").id == wanted.id
        queued = roll_back(workspace, ann, "Buy")
        assert queued.wish == wanted.id
        chosen, run = history(days, wish=queued.wish, queued=queued)
        assert (chosen["run"], chosen["due"], run.model_run) == (wanted.id, False, wanted.id)
        assert run.decision == f"Rolled back to the model of {wanted.as_of.day} {wanted.as_of:%b %Y}."
        assert history(days + 1)[0]["run"] == wanted.id
    with workspace.store.read() as connection:
        told = [entry.after for entry in audit.page(connection, audit.Filter(action="instance.roll_back"))]
    assert told == [{"from": first.id, "to": second.id}, {"from": second.id, "to": first.id}]


def test_a_roll_back_that_is_refused_is_not_in_the_log(workspace, ann, history, monkeypatch):
    history(0)
    history(91, kept=False)

    def refuse(*_, **__):
        raise UsageError("A run is under way.")

    monkeypatch.setattr("likelier.service.retraining.start_run", refuse)
    with pytest.raises(UsageError, match="under way"):
        roll_back(workspace, ann, "Buy")
    with workspace.store.read() as connection:
        assert not audit.page(connection, audit.Filter(action="instance.roll_back"))


def test_there_is_nothing_to_roll_back_to_before_a_second_model(workspace, ann, history, ask):
    for changes in ({}, {"goal": ask()["goal"] | {"window_days": 14}}):
        history(30, **changes)
        assert model_before(workspace, "Buy") is None
        with pytest.raises(UsageError, match="no earlier model of its present definition"):
            roll_back(workspace, ann, "Buy")


def test_a_model_whose_files_are_gone_is_none_to_go_back_to(workspace, history, monkeypatch):
    history(0)
    history(91, kept=False)
    monkeypatch.setattr("likelier.service.retraining.has_scorer", lambda *_: False)
    assert model_before(workspace, "Buy") is None


def test_a_model_that_an_earlier_version_made_another_way_gives_way_to_a_new_one(
    workspace, history, monkeypatch, tmp_path
):
    _, first = history(0)
    monkeypatch.setattr("likelier.service.retraining.has_scorer", has_scorer)
    for name, run in (("trees.txt", first.id), ("trees-7.txt", None)):
        (tmp_path / name).write_text("")
        publish_scorer(workspace.lake, first.instance_id, first.id, [tmp_path / name])
        assert history(7)[0]["run"] == run


def test_the_decision_says_which_model_was_used_and_why(history):
    history(0)
    _, run = history(91, compared=(0.71, 0.702))
    assert run.decision == (
        "The model is 91 days old. The new one is not better beyond chance (AUC 0.710 against 0.702), so it stays."
    )
    _, run = history(98, compared=(0.78, 0.70), kept=False)
    assert run.decision.endswith("The new one is better (AUC 0.780 against 0.700) and takes its place.")
