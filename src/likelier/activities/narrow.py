"""Take out of activities that were read for several questions what one of them looks for.

What is left is, byte for byte, what reading the events for that question alone would have given: the same events in the
same order, with the bits and columns of its own codebook. Files that are the same are shared, not copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from likelier.activities.codes import BITS, Codebook
from likelier.activities.reduce import IDS, STARTS, load, save_codebook
from likelier.readings import share

SAME = (STARTS, "times", IDS)
BYTES = 8  # of a word
CHUNK = 1_000_000


@dataclass(frozen=True)
class Choice:
    """A question's codebook, and where in the common one each of its signals, measures and slots stands."""

    codebook: Codebook
    signals: Sequence[int]
    measures: Sequence[int]
    slots: Sequence[int]


def narrow(folder: Path, choice: Choice, out: Path) -> None:
    """Leave a question's activities in a folder."""
    common, codebook = load(folder)
    out.mkdir(parents=True, exist_ok=True)
    for name in SAME:
        share(folder / name, out / name)
    _write_words(common.words, _masks(choice, codebook.words), out / "words")
    _write_columns(common.measures, choice.measures, folder / "measures", out / "measures")
    _write_columns(common.slots, choice.slots, folder / "slots", out / "slots")
    save_codebook(choice.codebook, out)


def _masks(choice: Choice, common_words: int) -> np.ndarray:
    """Say for each value of each byte of the common words which of the question's bits it sets."""
    found = np.zeros((common_words, BYTES, 256, choice.codebook.words), np.int64)
    values = np.arange(256)
    for bit, common in enumerate(choice.signals):
        word, place = divmod(common, BITS)
        holds = values >> place % 8 & 1 == 1
        found[word, place // 8, holds, bit // BITS] |= 1 << bit % BITS
    return found


def _write_words(words: np.ndarray, masks: np.ndarray, file: Path) -> None:
    with file.open("wb") as out:
        for first in range(0, len(words), CHUNK):
            some = np.array(words[first : first + CHUNK])
            found = np.zeros((len(some), masks.shape[-1]), np.int64)
            _rewrite(some, masks, found)
            found.tofile(out)


@numba.njit(nogil=True, cache=True)
def _rewrite(words, masks, found):
    for event in range(len(words)):
        for word in range(words.shape[1]):
            left = words[event, word]
            place = 0
            while left:
                for mine in range(found.shape[1]):
                    found[event, mine] |= masks[word, place, left & 255, mine]
                left >>= 8
                place += 1


def _write_columns(rows: np.ndarray, chosen: Sequence[int], file: Path, other: Path) -> None:
    if list(chosen) == list(range(rows.shape[1])):
        share(file, other)
        return
    with other.open("wb") as out:
        for first in range(0, len(rows), CHUNK):
            rows[first : first + CHUNK, list(chosen)].tofile(out)
