"""What is remembered is worked out once, and is what stands in the data."""

import json
import threading

import pytest

from likelier.access.identity import Actor
from likelier.service.data import dataset_list, describe_dataset, ingest_files
from likelier.service.remembered import Remembered


def test_of_several_who_ask_at_once_one_works_it_out():
    kept, began, go_on, worked = Remembered[int](most=2), threading.Event(), threading.Event(), []

    def work_out():
        worked.append(1)
        began.set()
        assert go_on.wait(30)
        return 7

    answers = []
    threads = [threading.Thread(target=lambda: answers.append(kept.get("key", work_out))) for _ in range(3)]
    threads[0].start()
    assert began.wait(30)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join()
    assert (answers, worked) == ([7, 7, 7], [1])


def test_what_failed_is_tried_again_and_the_oldest_makes_room():
    kept = Remembered[int](most=2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert [kept.get(key, lambda: 1) for key in "abc"] == [1, 1, 1]
    assert [kept.get(key, lambda: 2) for key in "cba"] == [1, 1, 2]


@pytest.fixture
def database(tmp_path):
    """What is remembered is of the lake: one database says it all."""
    return f"sqlite:///{tmp_path / 'likelier.db'}"


def test_a_dataset_is_described_as_it_is_now(workspace, tmp_path):
    event = {"timestamp": "2024-04-30T13:00:00Z", "identityMap": {"CRMID": [{"id": "p1"}]}, "eventType": "x"}
    for number in range(3):
        told, (brief,) = describe_dataset(workspace, "shop"), dataset_list(workspace)
        assert told["rows"] == brief["rows"] == number + 1
        assert told["rejected"] == number
        assert (told["last"], told["last"]) == (
            brief["last"],
            "2024-04-30T1" + ("3" if number else "2") + ":00:00+00:00",
        )
        file = tmp_path / f"{number}.jsonl"
        file.write_text(json.dumps({**event, "_id": f"e{number}"}) + "\n{broken")
        ingest_files(workspace, Actor("ann"), "shop", [file], mapping=None, kind="events")
