"""The shorter outcome windows of a run: learnt beside the main one from the same features, judged at the same cut-off.

Every window learns from the examples of the main one, and from later cut-offs that only it can know by then; but from
none that an instance of its own would find too old, as long as the others tell enough. A quarter's cut-offs reach back
years, and who came within a week two years ago is no guide to next week. Why so: `docs/adr/0023-several-windows.md`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np

from likelier.model import calibrate
from likelier.model.evaluate import auc, calibration, calibration_error
from likelier.model.sooner import Sooner, fit_sooner, in_order
from likelier.pipeline.asking import Soon
from likelier.timespan import DAY, DAY_US, to_us
from likelier.windows import MOST_CUT_OFFS, Calendar, Row, cut_off_step

MOST_ROWS = 30_000
MOST_ROWS_TO_JUDGE = 10_000  # those of a model that says how good the other one is
OF_THE_MAIN = 4  # times as many rows as the main window learns from, so that the time follows its
ENOUGH = 500  # examples of either outcome


def most_rows(of_the_main: int) -> int:
    return min(MOST_ROWS, OF_THE_MAIN * of_the_main)


def late_rows(soon: Soon, after: dt.datetime, known_by: dt.datetime, days: int, most: int, seed: int) -> Row:
    """Draw at most so many rows at cut-offs after an instant whose shortest window has closed by another."""
    columns = np.array(
        [k for k, cut_off in enumerate(soon.cut_offs) if after < cut_off <= known_by - days * DAY], np.int64
    )
    profile, column = np.nonzero(soon.eligible[:, columns])
    if len(profile) > most:
        parts = np.arange(most + 1) * len(profile) // most  # one of each, so that nobody is drawn much more often
        drawn = np.random.default_rng(seed).integers(parts[:-1], parts[1:])
        profile, column = profile[drawn], column[drawn]
    moments = np.array([to_us(soon.cut_offs[k]) for k in columns], np.int64)
    return Row(profile, moments[column])


def learn(
    soon: Soon,
    calendar: Calendar,
    parts: Sequence[tuple[Row, np.ndarray]],
    known_by: dt.datetime,
    most: int,
    seed: int,
) -> tuple[Sooner, ...]:
    """Learn every shorter window from at most so many of some rows, given with their matrices."""
    rows = Row(*(np.concatenate(each) for each in zip(*((r.profile, r.cut_off) for r, _ in parts), strict=True)))
    matrix = np.concatenate([matrix for _, matrix in parts])
    found = []
    for place, days in enumerate(calendar.shorter_days):
        labels = labels_of(soon, place, rows)
        some = chosen(days, rows.cut_off, labels, known_by, most)
        found.append(_learn(days, Row(rows.profile[some], rows.cut_off[some]), matrix[some], labels[some], seed))
    return tuple(found)


def chosen(days: int, cut_offs: np.ndarray, labels: np.ndarray, known_by: dt.datetime, most: int) -> np.ndarray:
    """Choose rows at which a window had closed by an instant: the latest if they tell enough, and at most so many.

    >>> from likelier.timespan import parse_moment
    >>> ends = [parse_moment(day) for day in ("2024-01-02", "2024-05-01", "2024-05-20", "2024-05-31")]
    >>> cut_offs = np.repeat([to_us(end) for end in ends], 1500)
    >>> rare, usual = (np.arange(len(cut_offs)) % every == 0 for every in (100, 3))
    >>> known_by = parse_moment("2024-06-01")
    >>> [np.unique(chosen(7, cut_offs, labels, known_by, 9000) // 1500).tolist() for labels in (rare, usual)]
    [[0, 1, 2], [1, 2]]
    """
    last = known_by - days * DAY
    first = last - MOST_CUT_OFFS * cut_off_step(days)
    known = cut_offs <= to_us(last)
    late = known & (cut_offs >= to_us(first))
    enough = min(int(labels[late].sum()), int((~labels[late]).sum())) >= ENOUGH
    found = np.flatnonzero(late if enough else known)
    return found[:: -(-len(found) // most) or 1]


def labels_of(soon: Soon, place: int, rows: Row) -> np.ndarray:
    """Say of rows at known cut-offs, which are in order, whether the goal was reached within a shorter window."""
    column = np.searchsorted([to_us(cut_off) for cut_off in soon.cut_offs], rows.cut_off)
    return np.asarray(soon.labels[place][rows.profile, column])


def _learn(days: int, rows: Row, matrix: np.ndarray, labels: np.ndarray, seed: int) -> Sooner:
    sooner = fit_sooner(days, matrix, labels, rows.profile, seed=seed)
    latest = rows.cut_off > rows.cut_off.max() - days * DAY_US
    return sooner.shifted(calibrate.lasting_shift(sooner.log_odds(matrix[latest]), labels[latest]))


def probabilities(sooner: Sequence[Sooner], main: np.ndarray, matrix: np.ndarray, *, occurs: bool) -> np.ndarray:
    """Give the probability of every window, shortest first; `main` is that of the longest."""
    return in_order([one.probability(matrix) for one in sooner], main, occurs=occurs)


def judged(windows: Sequence[int], probability: np.ndarray, labels: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """Say of every window how good it is; `probability` has a column and `labels` an array for each."""
    return [
        {
            "days": days,
            "auc": auc(given, came) if came.any() and not came.all() else None,
            "mean_probability": float(given.mean()),
            "rate": float(came.mean()),
            "calibration_error": calibration_error(given, came),
            "calibration": calibration(given, came),
        }
        for days, given, came in zip(windows, probability.T, labels, strict=True)
    ]
