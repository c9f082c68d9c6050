"""Carrying a run to its end: the ends there are, what is kept, what is taken up again."""

import datetime as dt
import errno
import threading

import pytest
from workshop import INSTANCE, NOW, Stages, bench, claim, found, prepare, scores

from likelier.errors import RunError, TransientError, UsageError
from likelier.runs.execute import carry_on, read_ahead
from likelier.runs.records import LeaseLostError, State
from likelier.store import runs

THREE = [("r1", "p0-7"), ("r1", "p1-7"), ("r1", "p2-7")]


@pytest.fixture
def home(tmp_path, store):
    prepare(store, tmp_path)
    return tmp_path


def run_it(store, home, stages, **changes):
    carry_on(claim(store, "one"), INSTANCE, bench(store, home, stages, **changes))
    return found(store)


def test_a_run_goes_through_its_stages_and_is_published(store, home):
    stages = Stages()
    run = run_it(store, home, stages)
    assert stages.calls == list(Stages.STAGES)
    assert (run.state, run.scored, run.auc, run.error) == (State.SUCCESS, 3, 0.8, None)
    assert (run.as_of, run.data_versions) == (dt.datetime(2024, 5, 1, tzinfo=dt.UTC), {"shop": 0})
    assert list(run.timings) == list(Stages.STAGES)
    assert scores(home) == THREE
    with store.read() as connection:
        assert runs.read_insights(connection, "r1")["seed"] == 7
    assert list((home / "runs").iterdir()) == []


def test_an_as_of_that_was_asked_for_stays(store, tmp_path):
    moment = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
    prepare(store, tmp_path, as_of=moment)
    assert run_it(store, tmp_path, Stages()).as_of == moment


@pytest.mark.parametrize("code", [400, 401, 405, 407, 408, 409, 410, 411, 412, 413])
def test_a_run_that_cannot_give_a_result_says_why(store, home, code):
    run = run_it(store, home, Stages(trouble={"check": [RunError(code, "Because.", ["Do this."])]}))
    assert (run.state, run.error.code, run.error.message) == (State.FAILED, code, "Because.")
    assert run.error.suggestions == ("Do this.",)
    assert scores(home) == []


def test_a_poor_model_is_a_training_issue_whose_insights_can_be_read_and_scores_cannot(store, home):
    run = run_it(store, home, Stages(auc=0.6499))
    assert (run.state, run.error.code, run.auc, run.scored) == (State.TRAINING_ISSUE, 402, 0.6499, None)
    assert scores(home) == []
    with store.read() as connection:
        assert runs.read_insights(connection, "r1") is not None
        assert runs.published(connection, "buy") is None


def test_a_model_at_the_floor_is_published(store, home):
    assert run_it(store, home, Stages(auc=0.65)).state == State.SUCCESS


def test_what_fails_for_a_passing_reason_is_tried_again_with_longer_waits(store, home):
    waits = []
    lost = [TransientError("lost"), TransientError("lost")]
    run = run_it(store, home, Stages(trouble={"score": lost}), wait=waits.append)
    assert (run.state, waits) == (State.SUCCESS, [0.5, 1.0])


def test_what_keeps_failing_ends_the_run(store, home):
    run = run_it(store, home, Stages(trouble={"read": [TransientError("The lake is away.")] * 3}))
    assert (run.state, run.error.title, run.error.message) == (State.FAILED, "STORAGE", "The lake is away.")


def test_a_full_disk_ends_the_run_in_words_and_leaves_nothing(store, home):
    run = run_it(store, home, Stages(trouble={"score": [OSError(errno.ENOSPC, "No space left on device")]}))
    assert (run.state, run.error.message) == (State.FAILED, "No space left on device.")
    assert list((home / "runs").iterdir()) == []


def test_a_definition_that_no_longer_fits_ends_the_run_in_words(store, home):
    run = run_it(store, home, Stages(trouble={"read": [UsageError("There is no field 'x'.")]}))
    assert (run.error.title, run.error.message) == ("CONFIGURATION", "There is no field 'x'.")


def test_what_nobody_foresaw_is_told_without_its_values(store, home):
    run = run_it(store, home, Stages(trouble={"train": [KeyError("ann@example.com")]}))
    assert run.error.title == "UNEXPECTED"
    assert "ann@example.com" not in run.error.message
    assert "ann@example.com" in (home / "runs" / "r1.error.txt").read_text()


def test_a_cancelled_run_stops_at_its_next_step(store, home):
    heard = threading.Event()

    def cancel(stage, progress):
        if stage == "train":
            with store.write() as connection:
                runs.request_cancel(connection, "r1", now=NOW)
            while not heard.wait(0.001):
                progress(0.6, 20)

    stages = Stages(during=cancel)
    run = run_it(store, home, stages)
    assert (run.state, stages.calls, scores(home)) == (State.CANCELLED, ["read", "check", "train"], [])


def test_a_run_that_another_took_over_is_left_to_it(store, home):
    never = threading.Event()

    def lose(stage, progress):
        if stage == "train":
            assert claim(store, "two", instead_of="here/1/1/one")
            while not never.wait(0.001):
                progress(0.6, 20)

    with pytest.raises(LeaseLostError):
        run_it(store, home, Stages(during=lose))
    assert (found(store).state, found(store).lease.owner, scores(home)) == (State.RUNNING, "here/1/1/two", [])


def test_the_next_owner_goes_on_at_the_stage_that_was_cut_off(store, home):
    class PowerCutError(BaseException):
        pass

    first = Stages(trouble={"score": [PowerCutError()]})
    with pytest.raises(PowerCutError):
        run_it(store, home, first)
    then = Stages()
    carry_on(claim(store, "two", instead_of="here/1/1/one"), INSTANCE, bench(store, home, then))
    assert then.calls == ["score", "insights"]
    assert (found(store).state, scores(home)) == (State.SUCCESS, THREE)


def test_progress_is_written_while_it_works(store, home):
    never = threading.Event()
    seen = []

    def look(stage, _):
        if stage == "train":
            while not (seen and seen[-1].progress and seen[-1].progress.stage == "train"):
                never.wait(0.001)
                seen.append(found(store))

    run_it(store, home, Stages(during=look))
    assert (seen[-1].progress.fraction, seen[-1].progress.rows) == (0.5, 10)


def test_a_stage_at_which_the_process_keeps_dying_is_given_up(store, home):
    for number in range(3):
        assert claim(store, f"dead{number}", instead_of=f"here/1/1/dead{number - 1}")
    carry_on(claim(store, "last", instead_of="here/1/1/dead2"), INSTANCE, bench(store, home, Stages()))
    assert found(store).state == State.FAILED
    assert "died 3 times" in found(store).error.message


def test_a_stage_that_keeps_killing_is_given_up_though_those_before_it_are_answered_each_time(store, home):
    class PowerCutError(BaseException):
        pass

    for number in range(3):
        run = claim(store, f"dead{number}", instead_of=f"here/1/1/dead{number - 1}")
        with pytest.raises(PowerCutError):
            carry_on(run, INSTANCE, bench(store, home, Stages(trouble={"train": [PowerCutError()]})))
    carry_on(claim(store, "last", instead_of="here/1/1/dead2"), INSTANCE, bench(store, home, Stages()))
    assert (found(store).state, "died 3 times" in found(store).error.message) == (State.FAILED, True)


def test_a_store_that_is_away_for_longer_than_the_lease_stops_the_work(store, home):
    never = threading.Event()
    moments = iter([NOW + dt.timedelta(seconds=number) for number in range(100_000)])
    made = bench(
        store,
        home,
        Stages(during=lambda _, progress: [progress(0.5, 1) for _ in iter(lambda: never.wait(0.001), True)]),
        clock=lambda: next(moments),
        lease=dt.timedelta(seconds=5),
    )

    def away(*_, **__):
        raise TransientError("away")

    made.ledger.beat = away
    with pytest.raises(LeaseLostError):
        carry_on(claim(store, "one"), INSTANCE, made)


def test_a_run_that_read_with_others_goes_on_from_there_whoever_carries_it_on(store, home):
    stages, told = Stages(), []
    read_ahead([(claim(store, "one"), INSTANCE)], bench(store, home, stages), told.append)
    waiting = found(store)
    assert (waiting.state, waiting.pinned, waiting.lease) == (State.QUEUED, True, None)
    assert [(each.stage, each.rows) for each in told] == [("read", 10)]
    carry_on(claim(store, "two"), INSTANCE, bench(store, home, stages))
    assert stages.calls == ["read together", "check", "train", "score", "insights"]
    assert (found(store).state, scores(home)) == (State.SUCCESS, THREE)
    assert list((home / "runs").iterdir()) == []


@pytest.mark.parametrize(
    "trouble", [TransientError("lost"), RunError(412, "Nothing.", []), OSError(errno.ENOSPC, "Full")]
)
def test_what_goes_wrong_while_reading_together_is_no_runs_end(store, home, trouble):
    stages = Stages(trouble={"read together": [trouble]})
    read_ahead([(claim(store, "one"), INSTANCE)], bench(store, home, stages))
    carry_on(claim(store, "two"), INSTANCE, bench(store, home, stages))
    assert (stages.calls[:2], found(store).state) == (["read together", "read"], State.SUCCESS)


def test_a_run_whose_data_is_gone_is_left_out_and_says_so_itself(store, home):
    missing = INSTANCE.model_copy(update={"datasets": ("gone",)})
    stages = Stages()
    read_ahead([(claim(store, "one"), missing)], bench(store, home, stages))
    assert (found(store).state, found(store).pinned) == (State.QUEUED, False)
    carry_on(claim(store, "two"), missing, bench(store, home, stages))
    assert (found(store).state, "gone" in found(store).error.message) == (State.FAILED, True)


def test_one_that_is_cancelled_while_it_reads_with_others_ends_so(store, home):
    read_ahead([(claim(store, "one"), INSTANCE)], bench(store, home, Stages()))
    with store.write() as connection:
        runs.request_cancel(connection, "r1", now=NOW)
    assert found(store).state == State.CANCELLED
    assert claim(store, "two") is None
