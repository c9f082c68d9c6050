"""Activities that are mapped from files take memory only while they are read."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from likelier.activities import reduce
from likelier.activities.reduce import Activities

MEGABYTE = 1 << 20


def activities_of(words):
    nothing = np.empty((len(words), 0))
    return Activities(
        pa.array(["ann"]), np.array([0, len(words)]), np.arange(len(words)), words, nothing, nothing.astype(np.int32)
    )


@pytest.fixture
def words(tmp_path):
    """Words in a file of 32 MB."""
    np.arange(4 * MEGABYTE).tofile(tmp_path / "words")
    return np.memmap(tmp_path / "words", np.int64, mode="r", shape=(4 * MEGABYTE, 1))


def mapped_megabytes():
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(told["RssFile"].split()[0]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells how much is mapped")
def test_what_was_read_of_files_is_given_back(words):
    activities = activities_of(words)
    words.sum()
    before = mapped_megabytes()
    activities.let_go()
    assert before - mapped_megabytes() > 30
    part = activities.part(0, 1)
    part.words.sum()
    assert before - mapped_megabytes() < 2
    part.let_go()
    assert before - mapped_megabytes() > 30
    assert part.words[-1] == 4 * MEGABYTE - 1
    with activities.scattered():
        assert part.words[-1] == 4 * MEGABYTE - 1


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells how much is mapped")
def test_a_sample_is_taken_without_holding_all(words):
    before = mapped_megabytes()
    sample = activities_of(words).some_words(MEGABYTE)
    assert mapped_megabytes() - before < 2
    assert np.array_equal(sample, words[::4])


@pytest.mark.parametrize("events", [0, 1, 9, 10, 11, 19, 20, 21, 999, 1000, 1001])
@pytest.mark.parametrize("at_once", [1, 7, 2000])
def test_a_sample_is_spread_evenly(events, at_once, monkeypatch):
    monkeypatch.setattr(reduce, "READ_AT_ONCE", at_once)
    words = np.arange(2 * events).reshape(events, 2)
    assert activities_of(words).some_words(10).tolist() == words[:: max(1, events // 10)].tolist()
