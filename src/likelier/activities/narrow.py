"""Take out of activities that were read for several questions what one of them looks for.

What is left is, byte for byte, what reading the events for that question alone would have given: the same events in the
same order, with the bits and columns of its own codebook. Files that are the same are shared, not copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likelier.activities.codes import BITS, Codebook
from likelier.activities.reduce import IDS, STARTS, load, save_codebook
from likelier.readings import share

SAME = (STARTS, "times", IDS)
CHUNK = 200_000
AT_ONCE = 1 << 14  # words that stay in the processor's own memory


@dataclass(frozen=True)
class Choice:
    """A question's codebook, and where in the common one each of its signals, measures and slots stands."""

    codebook: Codebook
    signals: Sequence[int]
    measures: Sequence[int]
    slots: Sequence[int]


def narrow(folder: Path, choice: Choice, out: Path) -> None:
    """Leave a question's activities in a folder."""
    common, _ = load(folder)
    out.mkdir(parents=True, exist_ok=True)
    for name in SAME:
        share(folder / name, out / name)
    _write_words(common.words, choice, out / "words")
    _write_columns(common.measures, choice.measures, folder / "measures", out / "measures")
    _write_columns(common.slots, choice.slots, folder / "slots", out / "slots")
    save_codebook(choice.codebook, out)


def _moves(choice: Choice) -> dict[tuple[int, int, int], int]:
    """Gather the bits that move alike: from a common word to one of the question's, so far to the right; most do."""
    found: dict[tuple[int, int, int], int] = {}
    for bit, common in enumerate(choice.signals):
        (mine, place), (theirs, there) = divmod(bit, BITS), divmod(common, BITS)
        move = (theirs, mine, there - place)
        found[move] = found.get(move, 0) | 1 << place
    return found


def _write_words(words: np.ndarray, choice: Choice, file: Path) -> None:
    moves = _moves(choice)
    with file.open("wb") as out:
        for first in range(0, len(words), AT_ONCE):
            some = words[first : first + AT_ONCE]
            found = np.zeros((len(some), choice.codebook.words), np.int64)
            for (theirs, mine, right), bits in moves.items():
                moved = some[:, theirs] >> right if right >= 0 else some[:, theirs] << -right
                found[:, mine] |= moved & bits
            found.tofile(out)


def _write_columns(rows: np.ndarray, chosen: Sequence[int], file: Path, other: Path) -> None:
    if list(chosen) == list(range(rows.shape[1])):
        share(file, other)
        return
    with other.open("wb") as out:
        for first in range(0, len(rows), CHUNK):
            rows[first : first + CHUNK, list(chosen)].tofile(out)
