"""The shorter outcome windows of a run: learnt beside the main one from the same features, judged at the same cut-off.

Every window learns from the examples of the main one, and from later cut-offs that only it can know by then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from likelier.model import calibrate
from likelier.model.evaluate import auc, calibration, calibration_error
from likelier.model.sooner import Sooner, fit_sooner, in_order
from likelier.model.train import Learnt, log_odds
from likelier.pipeline.asking import Soon
from likelier.timespan import DAY, DAY_US, to_us
from likelier.windows import Calendar, Row

MOST_ROWS = 30_000


@dataclass(frozen=True)
class Examples:
    """Rows with their features and what the main model says of them."""

    rows: Row
    matrix: np.ndarray
    main: np.ndarray


def examples(learnt: Learnt, parts: Sequence[tuple[Row, np.ndarray]]) -> Examples:
    """Take some of the rows of each part, in equal measure."""
    step = -(-sum(len(matrix) for _, matrix in parts) // MOST_ROWS) or 1
    profile = np.concatenate([rows.profile[::step] for rows, _ in parts])
    cut_off = np.concatenate([rows.cut_off[::step] for rows, _ in parts])
    matrix = np.concatenate([matrix[::step] for _, matrix in parts])
    return Examples(Row(profile, cut_off), matrix, log_odds(learnt, matrix))


def late_rows(soon: Soon, after: dt.datetime, known_by: dt.datetime, days: int, seed: int) -> Row:
    """Draw rows at cut-offs after an instant whose shortest window has closed by another."""
    columns = np.array(
        [k for k, cut_off in enumerate(soon.cut_offs) if after < cut_off <= known_by - days * DAY], np.int64
    )
    profile, column = np.nonzero(soon.eligible[:, columns])
    if len(profile) > MOST_ROWS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(profile), MOST_ROWS, replace=False))
        profile, column = profile[drawn], column[drawn]
    moments = np.array([to_us(soon.cut_offs[k]) for k in columns], np.int64)
    return Row(profile, moments[column])


def learn(soon: Soon, calendar: Calendar, found: Examples, known_by: dt.datetime, seed: int) -> tuple[Sooner, ...]:
    """Learn every shorter window from the examples at which it has closed by an instant."""
    return tuple(
        _learn(days, labels_of(soon, place, found.rows), found, known_by, seed)
        for place, days in enumerate(calendar.shorter_days)
    )


def labels_of(soon: Soon, place: int, rows: Row) -> np.ndarray:
    """Say of rows at known cut-offs, which are in order, whether the goal was reached within a shorter window."""
    column = np.searchsorted([to_us(cut_off) for cut_off in soon.cut_offs], rows.cut_off)
    return np.asarray(soon.labels[place][rows.profile, column])


def _learn(days: int, labels: np.ndarray, found: Examples, known_by: dt.datetime, seed: int) -> Sooner:
    known = found.rows.cut_off + days * DAY_US <= to_us(known_by)
    main, matrix, labels = found.main[known], found.matrix[known], labels[known]
    learnt = fit_sooner(days, main, matrix, labels, seed=seed)
    moments = found.rows.cut_off[known]
    latest = moments > moments.max() - days * DAY_US
    return learnt.shifted(calibrate.lasting_shift(learnt.log_odds(main[latest], matrix[latest]), labels[latest]))


def probabilities(
    sooner: Sequence[Sooner], raw: np.ndarray, main: np.ndarray, matrix: np.ndarray, *, occurs: bool
) -> np.ndarray:
    """Give the probability of every window, shortest first; `main` is that of the longest, from `raw` log-odds."""
    return in_order([one.probability(raw, matrix) for one in sooner], main, occurs=occurs)


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
