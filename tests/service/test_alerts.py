"""What people are told without asking: of what, once, by a real mail server and a real webhook, and when."""

import datetime as dt
import email
import http.server
import json
import logging
import socket
import threading
from dataclasses import replace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from likelier.errors import TransientError, UsageError
from likelier.exports import mail
from likelier.exports.webhook import signature
from likelier.languages import Language
from likelier.phrases import day, dump, say
from likelier.runs.records import Failure
from likelier.service.alerts import QuietHours, list_alerts, notice, notice_schedules, send_test, send_waiting, state
from likelier.service.deleted import remove_for_good
from likelier.service.instances import Edit, delete_instance, edit_instance, restore_instance, save_instance
from likelier.service.runs import claim, start_run
from likelier.service.worker import queue_due
from likelier.store import alerts, outcomes
from likelier.store.runs import Ledger

SECRET, PASSWORD, PATIENCE = "between us", "mail s@cret", 60.0
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
BROKE = {"kind": "tracking", "name": "purchases", "weight": 0.05, "words": "purchases stopped on 3 May 2024."}
SMALL = {"kind": "factor", "name": "price", "weight": 0.02, "words": "A little."}


class Post:
    """A mail server that keeps what it gets, and refuses it when told to."""

    def __init__(self):
        self.mails, self.senders, self.full = [], [], False

    async def handle_DATA(self, _server, _session, envelope):
        if self.full:
            return "452 Insufficient system storage"
        self.senders.append((envelope.mail_from, envelope.rcpt_tos))
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    def texts(self):
        return [each.get_content() for each in self.mails]


class PostOffice(Controller):
    """Takes whichever port is free, and has the time that a busy machine needs."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        with socket.create_connection((self.hostname, self.port), PATIENCE) as client:
            client.recv(1024)


@pytest.fixture(scope="module")
def post_office():
    post = Post()

    def check(_server, _session, _envelope, _mechanism, given):
        right = (given.login, given.password) == (b"ann", PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    controller = PostOffice(
        post, hostname="127.0.0.1", port=0, authenticator=check, auth_require_tls=False, ready_timeout=PATIENCE
    )
    controller.start()
    post.port = controller.port
    yield post
    controller.stop()


@pytest.fixture
def post(post_office):
    post_office.mails.clear()
    post_office.senders.clear()
    post_office.full = False
    return post_office


@pytest.fixture(scope="module")
def hook_server():
    taken, status = [], [200]

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if status[0] == 200:
                taken.append((dict(self.headers), body))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server, taken, status
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hook(hook_server):
    _, taken, status = hook_server
    taken.clear()
    status[0] = 200
    return hook_server


@pytest.fixture
def set_up(workspace, post, hook):
    def it(**changes):
        settings = {
            "smtp_url": f"smtp://ann:{PASSWORD.replace('@', '%40').replace(' ', '%20')}@127.0.0.1:{post.port}",
            "alert_email": "ann@example.com, bob@example.com",
            "webhook_secret": SECRET,
            "alert_webhook": f"http://127.0.0.1:{hook[0].server_port}/alerts?token=hidden",
        }
        return replace(workspace, settings=replace(workspace.settings, **{**settings, **changes}))

    return it


@pytest.fixture
def ended(workspace, ann, make):
    """End a run of the instance; give its id."""

    def it(failure=None, drift=()):
        instance = save_instance(workspace, ann, make())
        workspace.clock.forward(hours=1)
        as_of = workspace.clock() - 40 * DAY
        run = claim(workspace, start_run(workspace, ann, instance, as_of=as_of, seed=1))
        ledger = Ledger(workspace.store)
        ledger.pin(run, as_of=as_of, data_versions={"shop": 0})
        if failure:
            ledger.fail(run, failure, now=workspace.clock())
        else:
            scores = {**dict.fromkeys(("low", "medium", "high"), 100), "mean_probability": 0.2}
            expected = {"low": 0.1, "medium": 0.2, "high": 0.3}
            document = {
                "drift": {"findings": list(drift)},
                "scores": {**scores, "expected": expected},
                "metrics": {"auc": {"value": 0.8, "low": 0.78, "high": 0.82}},
            }
            ledger.publish(run, scored=300, auc=0.8, document=document, now=workspace.clock())
        return run

    return it


DISK = Failure(None, "STORAGE", "The disk is full.")
BAD = Failure(402, "BAD MODEL", "AUC 0.55.")

sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def kinds(alerts):
    return sorted((each.kind, str(each.words)) for each in alerts)


def test_a_failed_run_is_told_once_while_it_lasts_and_again_when_it_comes_back(workspace, ended):
    for failure, wanted in [
        (DISK, [("failed run", "STORAGE: The disk is full.")]),
        (DISK, []),
        (BAD, [("poor model", "402 BAD MODEL: AUC 0.55.")]),
        (None, []),
        (DISK, [("failed run", "STORAGE: The disk is full.")]),
    ]:
        run = ended(failure)
        assert kinds(notice(workspace, run.instance_id)) == wanted
        assert notice(workspace, run.instance_id) == []
    assert [bool(each["over_at"]) for each in list_alerts(workspace)] == [False, True, True]


@sqlite
def test_drift_is_told_when_it_matters_or_something_broke(workspace, ended):
    much = {**SMALL, "weight": 0.4, "words": "Prices doubled."}
    run = ended(drift=[BROKE, SMALL])
    assert kinds(notice(workspace, run.instance_id)) == [("drift", BROKE["words"])]
    run = ended(drift=[BROKE, much])
    assert kinds(notice(workspace, run.instance_id)) == [("drift", "Prices doubled.")]


@sqlite
def test_drift_is_told_in_the_reader_s_language(workspace, ended):
    words = say("Hardly any event of any kind has come since {since}: the delivery broke.", since=day("2024-05-03"))
    run = ended(drift=[{**BROKE, "words": words, "said": dump(words)}])
    notice(workspace, run.instance_id)
    with workspace.store.read() as connection:
        (alert,) = alerts.newest(connection, 9)
    said = Language.of("es").say(alert.words)
    assert said == "Casi no ha llegado ningún evento desde el 3 may 2024: la entrega se rompió."


@sqlite
@pytest.mark.parametrize(("rate", "people", "told"), [(0.31, 2000, True), (0.24, 2000, False), (0.31, 50, False)])
def test_expected_and_actual_are_told_to_disagree_only_beyond_chance(workspace, ended, rate, people, told):
    """0.2 was expected. Levels move by 0.2 in log-odds by themselves: 0.24 is no news however many people there are."""
    run = ended()
    about = {"profiles": people, "qualifying": round(rate * people), "rate": rate, "expected": 0.2}
    empty = {"profiles": 0, "rate": None, "expected": None}
    document = {"all": about, "buckets": {"high": empty}, "auc": {"value": 0.79, "low": 0.77, "high": 0.81}}
    with workspace.store.write() as connection:
        now = workspace.clock()
        outcomes.put(connection, outcomes.Recorded(run.id, document, "x", {"shop": 0}, now, now))
    found = kinds(notice(workspace, run.instance_id))
    assert found == ([("disagreement", found[0][1])] if told else [])
    assert not told or found[0][1].endswith("20.0% were expected to meet the goal, and 31.0% did.")


@sqlite
def test_a_missed_schedule_is_told_before_it_is_caught_up(workspace, ann, make, clock):
    instance = save_instance(workspace, ann, make())
    edit_instance(workspace, ann, instance.id, Edit({"schedule": "weekly"}))
    clock.forward(days=6)
    due = clock.now
    while not queue_due(workspace):
        clock.forward(hours=1)
    assert notice_schedules(workspace) == []
    clock.forward(hours=7)  # queued, and no process takes it up
    (alert,) = notice_schedules(workspace)
    assert (alert.kind, alert.noticed_at > due) == ("missed schedule", True)
    clock.forward(days=7)  # nor does any server look
    (again,) = notice_schedules(workspace)
    assert "has not begun" in again.words
    assert notice_schedules(workspace) == []


@sqlite
def test_a_mail_and_a_signed_post_tell_all_that_waits(set_up, ended, post, hook, caplog):
    workspace = set_up(public_url="https://likelier.example.com")
    caplog.set_level(logging.DEBUG, "likelier")
    run = ended(DISK)
    notice(workspace, run.instance_id)
    notice(workspace, ended(drift=[BROKE]).instance_id)
    assert (send_waiting(workspace), send_waiting(workspace)) == (2, 0)
    (letter,) = post.mails
    assert letter["Subject"] == "likelier: failed run, Buy and 1 more"
    assert post.senders == [("likelier@localhost", ["ann@example.com", "bob@example.com"])]
    assert "STORAGE: The disk is full." in letter.get_content()
    assert "https://likelier.example.com" in letter.get_content()
    ((headers, body),) = hook[1]
    assert headers["x-likelier-signature"] == signature(SECRET, headers["x-likelier-timestamp"], body)
    assert [each["kind"] for each in json.loads(body)["alerts"]] == ["failed run", "drift"]
    assert {each["state"] for each in list_alerts(workspace)} == {"told by webhook and e-mail"}
    for secret in (SECRET, PASSWORD, "hidden"):
        assert secret not in caplog.text + repr(workspace.settings)


@sqlite
def test_a_channel_that_fails_is_tried_again_later_and_the_other_is_not_told_twice(set_up, ended, post, hook, clock):
    workspace = set_up()
    post.full, hook[2][0] = True, 200
    notice(workspace, ended(DISK).instance_id)
    assert send_waiting(workspace) == 0
    assert "SMTPDataError" in list_alerts(workspace)[0]["state"]
    post.full = False
    assert send_waiting(workspace) == 0  # not yet
    clock.forward(minutes=11)
    assert send_waiting(workspace) == 1
    assert (len(post.mails), len(hook[1])) == (1, 1)


@sqlite
def test_quiet_hours_are_waited_for(set_up, ended, post, clock):
    workspace = set_up(quiet_hours="22-7 Europe/Berlin", alert_webhook="")
    clock.now = dt.datetime(2024, 5, 1, 21, tzinfo=dt.UTC)
    notice(workspace, ended(DISK).instance_id)
    assert (send_waiting(workspace), post.mails) == (0, [])
    clock.now = dt.datetime(2024, 5, 2, 5, tzinfo=dt.UTC)
    assert (send_waiting(workspace), len(post.mails)) == (1, 1)


@sqlite
def test_without_a_channel_alerts_are_noted_and_a_test_says_what_is_missing(workspace, ann, ended):
    notice(workspace, ended(DISK).instance_id)
    assert send_waiting(workspace) == 0
    assert list_alerts(workspace)[0]["state"] == "noted"
    with pytest.raises(UsageError, match="Set LIKELIER_ALERT_WEBHOOK"):
        send_test(workspace, ann)


def test_alerts_are_found_by_the_name_an_instance_has_now(workspace, ann, ended):
    run = ended(DISK)
    notice(workspace, run.instance_id)
    edit_instance(workspace, ann, run.instance_id, Edit({"name": "Buy 100%"}))
    with workspace.store.read() as connection:
        for wanted, count in (("0%", 1), ("y_1", 0), ("buy", 1), ("sell", 0)):
            assert len(alerts.newest(connection, 9, instance=wanted)) == count
        assert alerts.newest(connection, 9)[0].instance == "Buy 100%"


@sqlite
def test_what_was_noticed_of_a_deleted_instance_is_told_no_more_and_forgotten_with_it(workspace, ann, ended, clock):
    run = ended(DISK)
    notice(workspace, run.instance_id)
    delete_instance(workspace, ann, run.instance_id)
    assert list_alerts(workspace) == []
    restore_instance(workspace, ann, run.instance_id)
    assert [each["instance"] for each in list_alerts(workspace)] == ["Buy"]
    delete_instance(workspace, ann, run.instance_id)
    clock.forward(hours=2)
    remove_for_good(workspace)
    with workspace.store.read() as connection:
        assert alerts.lasting(connection, run.instance_id) == []


@sqlite
def test_whether_somebody_was_told_is_said_in_the_reader_s_language(set_up, ended, hook):
    workspace = set_up(smtp_url="", alert_email="")
    hook[2][0] = 503
    notice(workspace, ended(DISK).instance_id)
    assert send_waiting(workspace) == 0
    with workspace.store.read() as connection:
        (alert,) = alerts.newest(connection, 9)
    assert state(alert) == "is tried again: The webhook failed: it answered 503."
    assert Language.of("es").say(state(alert)) == "se intentará de nuevo: El webhook falló: respondió 503."


@sqlite
def test_a_test_goes_by_every_channel(set_up, ann, post, hook):
    assert send_test(set_up(), ann) == ["webhook", "e-mail"]
    assert (len(hook[1]), "alerts come through" in post.texts()[0]) == (1, True)
    with pytest.raises(TransientError, match="SMTPAuthenticationError") as refused:
        send_test(set_up(smtp_url=f"smtp://ann:wrong@127.0.0.1:{post.port}", alert_webhook=""), ann)
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize("text", ["22", "25-7", "22-7 Nowhere/Land", "night"])
def test_quiet_hours_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match="LIKELIER_QUIET_HOURS"):
        QuietHours.of(text)


def test_no_password_goes_in_the_clear_to_another_machine(post, monkeypatch):
    monkeypatch.setattr("likelier.exports.mail.HERE", ())
    server = mail.Server("smtp", "127.0.0.1", post.port, "ann", PASSWORD)
    with pytest.raises(UsageError, match="not sent in the clear"):
        mail.send(server, mail.message("a@b.c", ["d@e.f"], "x", "y", key="k", now=0.0))
    assert post.mails == []
