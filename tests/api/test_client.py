"""The client against the application: each operation, and what it does when no answer comes."""

import httpx
import pytest

import likelier
from likelier import Client, wire
from likelier.client import NoAnswerError, ProblemError
from likelier.client.client import FIRST_WAIT

from .test_routes import ASKED

EVENT = {"_id": "2", "timestamp": "2024-04-30T13:00:00Z", "identityMap": {"CRMID": [{"id": "p2"}]}, "eventType": "x"}


@pytest.fixture
def api(client, token):
    return Client(token=token("admin")["authorization"].removeprefix("Bearer "), http=client)


def test_the_client_is_found_where_it_is_looked_for():
    with pytest.raises(AttributeError):
        likelier.Clint  # noqa: B018
    assert likelier.Client is Client


def test_datasets_and_events(api):
    told = api.send_events("shop", [EVENT, EVENT])
    assert (told.accepted, told.duplicate, told.rejected) == (1, 1, 0)
    (shop,) = api.datasets()
    assert (shop.name, shop.rows, api.dataset("shop").rows) == ("shop", 2, 2)
    assert api.profile("CRMID", "p2").events[0]["id"] == "2"


def test_the_life_of_an_instance(api, tmp_path):
    made = api.create_instance(ASKED)
    edited = api.edit_instance(made, description="x")
    assert (edited.description, edited.goal["window_days"]) == ("x", 30)  # what it does not know it leaves alone
    with pytest.raises(ProblemError, match="changed by somebody else") as refused:
        api.edit_instance(made, description="y")
    assert refused.value.status == 412
    assert api.check("Buy").problem["code"] in range(400, 415)
    (run,) = api.runs("Buy")
    assert api.cancel_run(run.id).state == api.wait_for(run.id).state == "cancelled"
    assert api.start_run("Buy", seed=3).seed == 3
    with pytest.raises(ProblemError, match="no scores yet"):
        api.insights("Buy")
    with pytest.raises(ProblemError, match="no scores yet"):
        api.save_scores("Buy", tmp_path / "scores.csv")
    assert list(tmp_path.glob("*scores*")) == []
    assert api.performance("Buy").runs == []
    assert list(api.alerts()) == []
    copy = api.clone_instance("Buy", "Buy too")
    draft = api.create_instance({**ASKED, "name": "Later"}, draft=True)
    assert api.finish_draft(draft).status == "enabled"
    api.delete_instance(copy)
    assert [each.name for each in api.instances()] == ["Buy", "Later"]
    assert next(api.audit(object_id=copy.id)).action == "instance.delete"
    back = api.edit_instance(api.restore_instance("Buy too"), name="Buy three")
    assert api.undo_edit(back).name == "Buy too"


def test_segments_and_tokens(api):
    text = "did (eventType exists)"
    made = api.create_segment("Active", text=text)
    assert api.estimate_segment(text=text).size == made.size == 1
    assert [each.id for each in api.members("Active")] == ["p1"]
    edited = api.edit_segment(made, name="Busy")
    assert api.segment("Busy").revision == edited.revision
    assert [each.name for each in api.segments()] == ["Busy"]
    api.delete_segment(edited)
    assert api.restore_segment(edited.id).size == 1
    secret = api.create_token("nightly", "view")
    api.revoke_token(secret.id)
    assert len(list(api.tokens())) == 2


def test_segments_are_compared_and_some_of_their_members_kept_back(api):
    api.create_segment("Active", text="did (eventType exists)")
    api.create_segment("Nobody", text="did (eventType = 'never')")
    found = api.overlap("Active", "Nobody")
    assert (found.first.alone, found.second.size, found.both, found.share_of_second) == (1, 0, 0, None)
    assert (api.differences("Active").members, api.differences("Active").others) == (1, 0)
    with pytest.raises(ProblemError, match="Nobody of this segment is kept back") as missing:
        api.hold_out("Active")
    assert missing.value.status == 404
    with pytest.raises(ProblemError, match="does not fit"):
        api.begin_hold_out("Active", 95, outcome="did (eventType exists)", window_days=30)
    begun = api.begin_hold_out("Active", 50, outcome="did (eventType exists)", window_days=30)
    assert (begun.treated.people + begun.kept_back.people, begun.complete, begun.effect) == (1, False, None)
    assert api.hold_out("Active") == begun
    with pytest.raises(ProblemError, match="has a hold-out already"):
        api.begin_hold_out("Active", 50, outcome="did (eventType exists)", window_days=30)
    api.end_hold_out("Active")
    with pytest.raises(ProblemError, match="is kept back"):
        api.hold_out("Active")


def test_users(api, client):
    assert api.create_user("eve", "view", "twelve letters").signs_in_with == "a password"
    assert client.post("/sign-in", data={"name": "eve", "password": "twelve letters"}).status_code == 303
    assert api.edit_user("eve", disabled=True).disabled_at is not None
    assert client.get("/api/v1/instances", headers={"authorization": ""}).status_code == 401
    edited = api.edit_user("eve", disabled=False, role="manage", password="other twelve letters")
    assert (edited.disabled_at, edited.role, api.user(edited.id)) == (None, "manage", edited)
    assert client.post("/sign-in", data={"name": "eve", "password": "twelve letters"}).status_code == 401
    assert client.post("/sign-in", data={"name": "eve", "password": "other twelve letters"}).status_code == 303
    with pytest.raises(ProblemError, match="There is a user named 'eve' already"):
        api.create_user("eve", "view", "twelve letters")
    with pytest.raises(ProblemError, match="does not fit"):
        api.edit_user("eve", password="short")
    assert "eve" in [user.name for user in api.users()]


class Shaky(httpx.BaseTransport):
    """Loses some answers after the work was done."""

    def __init__(self, answers):
        self.answers, self.asked = list(answers), []

    def handle_request(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if answer is None:
            raise httpx.ReadError("gone")
        status, body = answer
        kind = "application/problem+json" if isinstance(body, dict) and "title" in body else "application/json"
        return httpx.Response(status, json=body, headers={"content-type": kind})


def shaky(*answers):
    transport, waits = Shaky(answers), []
    http = httpx.Client(base_url="http://test", transport=transport)
    return Client(token="t", http=http, wait=waits.append), transport.asked, waits


COUNTS = {"accepted": 1, "duplicate": 0, "rejected": 0, "batch": None}
BUSY = {"type": "about:blank", "title": "Try again", "status": 503, "detail": "Wait a little."}


def test_what_got_no_answer_is_asked_again_with_growing_waits():
    api, asked, waits = shaky(None, (503, BUSY), (200, COUNTS))
    assert api.send_events("shop", [EVENT]).accepted == 1
    assert len({request.content for request in asked}) == 1
    assert waits == [FIRST_WAIT, 2 * FIRST_WAIT]


def test_what_is_posted_again_carries_the_same_key():
    api, asked, _ = shaky(None, (201, {"id": "1", "token": "secret"}))
    api.create_token("nightly", "view")
    keys = [request.headers["idempotency-key"] for request in asked]
    assert keys[0] == keys[1]


def test_an_edit_is_made_once_and_a_second_delete_finds_nothing():
    segment = wire.Segment.model_construct(id="s1", revision="r1")
    gone = {"type": "about:blank", "title": "Not found", "status": 404, "detail": "There is no segment."}
    api, asked, _ = shaky(None, (404, gone))
    api.delete_segment(segment)
    assert [request.headers["if-match"] for request in asked] == ['"r1"'] * 2
    api, asked, _ = shaky(None)
    with pytest.raises(NoAnswerError, match="gone"):
        api.edit_segment(segment, name="x")


def test_who_never_answers_is_left_alone_in_the_end():
    api, asked, _ = shaky(*[None] * 4)
    with pytest.raises(NoAnswerError):
        list(api.datasets())
    assert len(asked) == 4


def test_an_answer_that_is_no_problem_of_ours_is_told_as_it_is():
    api, _, _ = shaky((502, ["bad gateway"]))
    with pytest.raises(ProblemError) as failed:
        api.dataset("shop")
    assert failed.value.status == 502
