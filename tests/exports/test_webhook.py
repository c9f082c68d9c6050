"""A webhook that fails, hangs or dies half-way: no row missing, none doubled."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from likelier.errors import TransientError, UsageError
from likelier.exports import webhook

SECRET = "between us"
ROWS = pa.table({"id": [f"p{number:03}" for number in range(95)], "score": [float(number) for number in range(95)]})


class Hook:
    """The receiver, that can be started again where it was."""

    def __init__(self, folder):
        self.file, self.port, self.process = folder / "taken.db", 0, None

    def start(self, plan=None):
        self.stop()
        words = [Path(__file__).parent / "receiver.py", self.port, self.file, SECRET, json.dumps(plan or {})]
        self.process = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"

    def taken(self):
        with sqlite3.connect(self.file) as database:
            bodies = [json.loads(body) for (body,) in database.execute("SELECT body FROM batches")]
        bodies.sort(key=lambda body: body["batch"])
        assert [body["last"] for body in bodies] == [False] * (len(bodies) - 1) + [True]
        return [row for body in bodies for row in body["rows"]]


@pytest.fixture
def hook(tmp_path):
    made = Hook(tmp_path)
    yield made
    made.stop()


def deliver(hook, **changes):
    options = {"size": 10, "attempts": 20, "wait": lambda _: None} | changes
    return webhook.deliver(hook.url, SECRET, "d1", ROWS.to_reader(max_chunksize=7), **options)


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"1": "fail", "2": "fail", "5": "fail"},
        {"4": "take and die"},
        {"1": "die"},
        {"3": "take and hang"},
    ],
    ids=str,
)
def test_every_row_arrives_once(hook, plan):
    hook.start(plan)

    def wait(_):
        if hook.process.poll() is not None:
            hook.start()

    patience = 3.0 if "hang" in str(plan) else 60.0
    assert deliver(hook, wait=wait, patience=patience) == 95
    assert hook.taken() == ROWS.to_pylist()


def test_a_later_process_continues(hook):
    hook.start({str(number): "fail" for number in range(5, 100)})
    with pytest.raises(TransientError, match="acknowledged 40 rows and then failed: it answered 503"):
        deliver(hook, attempts=3)
    hook.start()
    assert deliver(hook) == 95
    assert hook.taken() == ROWS.to_pylist()


def test_what_is_refused_is_not_sent_again(hook):
    hook.start({"2": "refuse"})
    with pytest.raises(UsageError, match="refused a batch: it answered 400"):
        deliver(hook, wait=None)


def test_nobody_there_and_another_secret(hook):
    with pytest.raises(TransientError, match="acknowledged 0 rows and then failed: ConnectError"):
        webhook.deliver("http://127.0.0.1:9", SECRET, "d", ROWS.to_reader(), attempts=2, wait=lambda _: None)
    hook.start()
    with pytest.raises(UsageError, match="401"):
        webhook.deliver(hook.url, "a guess", "d", ROWS.to_reader())


@pytest.mark.parametrize(("rows", "sizes"), [(0, [0]), (9, [9]), (10, [10]), (11, [10, 1]), (30, [10, 10, 10])])
def test_batches_follow_from_the_rows_alone(rows, sizes):
    for chunk in (1, 4, 100):
        cut = list(webhook._batches(ROWS.slice(0, rows).to_reader(max_chunksize=chunk), 10))
        assert [len(batch) for batch, _ in cut] == sizes
        assert [last for _, last in cut] == [False] * (len(sizes) - 1) + [True]
