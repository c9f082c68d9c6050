"""What came of people: the outcomes of past cut-offs, decided as those that models learn from are.

A fingerprint of the events in an outcome window tells whether events came in late since it was last looked at.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from likelier.activities import reduce
from likelier.activities.discover import rules_only
from likelier.backend import Engine
from likelier.identity.persons import stands_for
from likelier.lake import Lake
from likelier.pipeline.reading import Inputs, bind, labels, sort, standing, stitched
from likelier.timespan import Span, after, to_us


@dataclass(frozen=True)
class Outcomes:
    """Who reached the goal after which cut-off: boolean arrays (profiles, cut-offs), and a fingerprint per cut-off."""

    ids: pa.Array
    cut_offs: tuple[dt.datetime, ...]
    eligible: np.ndarray
    reached: np.ndarray
    fingerprints: tuple[str, ...]

    def of(self, ids: pa.Array, cut_off: dt.datetime) -> tuple[np.ndarray, np.ndarray]:
        """Say of some people whether they are still known, and of each who is whether the goal was reached.

        Somebody whose events were deleted since is not known any more: nothing can be said of what came.
        """
        found = pc.index_in(ids, value_set=self.ids)
        known = found.is_valid().to_numpy(zero_copy_only=False)
        places = found.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
        return known, self.reached[places, self.cut_offs.index(cut_off)]


def outcomes(
    inputs: Inputs, cut_offs: tuple[dt.datetime, ...], *, engine: Engine, lake: Lake, folder: Path
) -> Outcomes:
    """Decide the outcomes of some cut-offs from the events before `inputs.as_of`, working in a folder."""
    source = bind(inputs, engine, lake)
    codebook = rules_only(source.question)
    source = stitched(source, inputs, engine, lake, cut_offs, folder / "persons")
    sort(source, codebook, engine, inputs.as_of, folder, 0, lambda *_: None)
    activities, _ = reduce.load(folder)
    eligible, reached = labels(activities, codebook, source.question, cut_offs)
    windows = [after(cut_off, source.question.goal.window_days) for cut_off in cut_offs]
    fingerprints = tuple(_fingerprint(activities, window) for window in windows)
    ids, eligible, reached = _by_id(activities, eligible, reached)
    return Outcomes(ids, cut_offs, eligible, reached, fingerprints)


def _by_id(
    activities: reduce.Activities, eligible: np.ndarray, reached: np.ndarray
) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Give one row to each id, at every cut-off that of the person it stood for then."""
    if activities.spans is None:
        return activities.ids, eligible, reached
    names = stands_for(activities.ids)
    ids = pc.unique(names)
    places = pc.index_in(names, ids).to_numpy()
    found = np.zeros((2, len(ids), eligible.shape[1]), bool)
    for place in range(eligible.shape[1]):
        mine = np.flatnonzero(standing(activities, place))
        found[:, places[mine], place] = eligible[mine, place], reached[mine, place]
    return ids, *found


def _fingerprint(activities: reduce.Activities, window: Span) -> str:
    """Digest the events of a window."""
    inside = (activities.times >= to_us(window.start)) & (activities.times < to_us(window.end))
    digest = hashlib.blake2b(digest_size=16)
    for part in (activities.times[inside], activities.words[inside]):
        digest.update(part.tobytes())
    return digest.hexdigest()
