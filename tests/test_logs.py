"""What a log line tells, and what it never does."""

import io
import json
import logging

import pytest

from likelier.logs import Lines, about_run, request_id


@pytest.fixture
def logged():
    """Log to a stream of our own; give the lines as objects."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines())
    log = logging.getLogger("likelier.tested")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    yield log, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.removeHandler(handler)
    log.propagate = True


def test_a_line_names_its_run_and_request(logged):
    log, lines = logged
    token = request_id.set("q1")
    with about_run("r1"):
        log.info("stage finished", extra={"stage": "train", "seconds": 2.5})
    request_id.reset(token)
    log.warning("over")
    first, last = lines()
    assert {key: first[key] for key in ("level", "message", "request", "run", "stage", "seconds")} == {
        "level": "info",
        "message": "stage finished",
        "request": "q1",
        "run": "r1",
        "stage": "train",
        "seconds": 2.5,
    }
    assert {"request", "run"}.isdisjoint(last)


def test_an_exception_is_told_by_its_kind_and_places_not_by_its_message(logged):
    log, lines = logged
    try:
        try:
            int("ann@example.com")
        except ValueError as error:
            raise KeyError("Oxford Street\nand a second line") from error
    except KeyError:
        log.exception("something failed")
    (line,) = lines()
    assert (line["error"]["kind"], line["error"]["cause"]["kind"]) == ("KeyError", "ValueError")
    assert "test_an_exception_is_told" in line["error"]["places"][0]
    assert "ann@example.com" not in str(line)
    assert "Oxford" not in str(line)
