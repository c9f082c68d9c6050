"""The kernel against the plain loop, on random histories and on edges."""

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features.oracle import DAY, Event, value

from likelier.activities.codes import BITS, Category, Codebook, Measure, Signal, Source, Trait
from likelier.activities.reduce import Activities
from likelier.activities.traits import TraitHistory, no_traits
from likelier.datasets import FieldType
from likelier.features import kernel
from likelier.features.defaults import default_features
from likelier.features.kernel import _walk, compute
from likelier.windows import Row

CODEBOOK = Codebook(
    signals=(Signal("any event", Source.ANY), *(Signal(f"s{k}", Source.STANDARD) for k in range(1, 66))),
    measures=(Measure("amount", "amount", FieldType.NUMBER), Measure("end", "end", FieldType.MOMENT)),
    categories=(Category("sku", "sku", array=True), Category("page", "page")),
    traits=(
        Trait("age", "age", FieldType.NUMBER),
        Trait("tier", "tier", FieldType.TEXT, ("gold", "silver")),
        Trait("born", "born", FieldType.MOMENT),
    ),
)
KEPT = [0, 1, 61, 62, 65]  # both sides of a word's end
FEATURES = default_features(CODEBOOK, KEPT, history_days=120, outcome_days=20)
CUT_OFF = 200 * DAY


def activities_of(histories: list[list[Event]]) -> Activities:
    events = [event for history in histories for event in sorted(history, key=lambda event: event.time)]
    words = np.zeros((len(events), 2), np.int64)
    measures = np.full((len(events), 2), np.nan, np.float32)
    slots = np.full((len(events), 5), -1, np.int32)
    for row, event in enumerate(events):
        for signal in event.signals:
            words[row, signal // BITS] |= 1 << (signal % BITS)
        for place, number in event.measures.items():
            measures[row, place] = number
        for place, codes in event.categories.items():
            slots[row, place * 4 : place * 4 + len(codes)] = codes
    return Activities(
        pa.array([f"{k:03}" for k in range(len(histories))]),
        np.concatenate([[0], np.cumsum([len(history) for history in histories])]).astype(np.int64),
        np.array([event.time for event in events], np.int64),
        words,
        measures,
        slots,
    )


def traits_of(records: list[list[tuple[int, dict[int, float]]]]) -> TraitHistory:
    rows = [record for history in records for record in sorted(history, key=lambda record: record[0])]
    values = np.full((len(rows), 3), np.nan)
    for row, (_, known) in enumerate(rows):
        for place, number in known.items():
            values[row, place] = number
    starts = np.concatenate([[0], np.cumsum([len(history) for history in records])]).astype(np.int64)
    return TraitHistory(starts, np.array([time for time, _ in rows], np.int64), values)


TIMES = st.one_of(
    st.integers(0, 210 * DAY),
    # Exactly on, and one microsecond to either side of, the cut-off and every window's edge.
    st.sampled_from([CUT_OFF - edge * DAY + shift for edge in (0, 1, 7, 20, 30, 90) for shift in (-1, 0, 1)]),
)
EVENTS = st.builds(
    Event,
    TIMES,
    st.sets(st.sampled_from(KEPT[1:])).map(lambda signals: signals | {0}),
    st.dictionaries(st.sampled_from([0, 1]), st.integers(-50, 500).map(float)),
    st.fixed_dictionaries(
        {},
        optional={
            0: st.lists(st.integers(0, 5), min_size=1, max_size=4),
            1: st.lists(st.integers(0, 5), min_size=1, max_size=1),
        },
    ),
)
# Two events of one instant have no order, so "the latest amount" would be a matter of taste.
HISTORIES = st.lists(st.lists(EVENTS, max_size=12, unique_by=lambda event: event.time), min_size=1, max_size=4)
RECORDS = st.lists(
    st.tuples(TIMES, st.dictionaries(st.sampled_from([0, 1, 2]), st.sampled_from([0.0, 1.0, 2.0]))),
    max_size=4,
    unique_by=lambda record: record[0],
)


@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.data())
def test_the_kernel_equals_the_plain_loop(histories, data):
    records = [data.draw(RECORDS) for _ in histories]
    rows = Row(np.repeat(np.arange(len(histories)), 2), np.tile([CUT_OFF, CUT_OFF - 31 * DAY - 7], len(histories)))
    matrix = compute(activities_of(histories), traits_of(records), CODEBOOK, FEATURES, rows)
    for row in range(len(matrix)):
        profile, cut_off = rows.profile[row], int(rows.cut_off[row])
        history = sorted(histories[profile], key=lambda event: event.time)
        known = sorted(records[profile], key=lambda record: record[0])
        for column, feature in enumerate(FEATURES.features):
            expected = value(feature, FEATURES, history, cut_off, known)
            assert matrix[row, column] == pytest.approx(expected, rel=1e-4, abs=1e-3, nan_ok=True), feature.name


@settings(max_examples=40, deadline=None)
@given(HISTORIES, st.lists(EVENTS, min_size=1, max_size=5), RECORDS)
def test_nothing_from_the_cut_off_on_changes_a_feature(histories, future, records):
    """Plant events and attribute values at and after the cut-off."""
    for event in future:
        event.time = max(event.time, CUT_OFF)
    later = [(max(time, CUT_OFF), known) for time, known in records]
    people = len(histories)
    rows = Row(np.arange(people), np.full(people, CUT_OFF))
    before = [[event for event in history if event.time < CUT_OFF] for history in histories]
    planted = [history + future for history in before]
    clean = compute(activities_of(before), no_traits(people, 3), CODEBOOK, FEATURES, rows)
    dirty = compute(activities_of(planted), traits_of([later] * people), CODEBOOK, FEATURES, rows)
    np.testing.assert_array_equal(clean, dirty)


def test_window_edges_are_exact_to_the_microsecond():
    def counted(time: int) -> dict[str, float]:
        matrix = compute(activities_of([[Event(time, {0, 1})]]), no_traits(1, 3), CODEBOOK, FEATURES, row)
        return dict(zip(FEATURES.names, matrix[0].tolist(), strict=True))

    row = Row(np.array([0]), np.array([CUT_OFF]))
    week = "Count of s1 in 7 days"
    assert counted(CUT_OFF - 7 * DAY)[week] == 1
    assert counted(CUT_OFF - 7 * DAY - 1)[week] == 0
    assert counted(CUT_OFF - 1)[week] == 1
    assert counted(CUT_OFF)[week] == 0
    assert math.isnan(counted(CUT_OFF)["Days since s1"])


def test_rows_of_people_far_apart_are_walked_in_parts(monkeypatch):
    rng = np.random.default_rng(2)
    histories = [[Event(int(time), {0, 1}) for time in rng.integers(0, CUT_OFF, 5)] for _ in range(50)]
    rows = Row(rng.integers(0, 50, 3000), np.full(3000, CUT_OFF))
    activities = activities_of(histories)
    whole = compute(activities, no_traits(50, 3), CODEBOOK, FEATURES, rows)
    assert activities.bytes(0, 50) == 50 * 5 * (8 + 2 * 8 + 2 * 4 + 5 * 4) == 50 * activities.bytes(7, 8)
    monkeypatch.setattr(kernel, "BYTES_AT_ONCE", 0)
    np.testing.assert_array_equal(compute(activities, no_traits(50, 3), CODEBOOK, FEATURES, rows), whole)


def test_rows_may_come_in_any_order_and_number():
    rng = np.random.default_rng(1)
    histories = [[Event(int(time), {0, 1}) for time in rng.integers(0, CUT_OFF, 5)] for _ in range(50)]
    profiles = rng.integers(0, 50, 3000)  # enough for several threads
    activities = activities_of(histories)
    many = compute(activities, no_traits(50, 3), CODEBOOK, FEATURES, Row(profiles, np.full(3000, CUT_OFF)))
    each = compute(activities, no_traits(50, 3), CODEBOOK, FEATURES, Row(np.arange(50), np.full(50, CUT_OFF)))
    np.testing.assert_array_equal(many, each[profiles])


@pytest.mark.compiles
def test_the_loop_is_compiled_once_whatever_memory_the_arrays_are_in():
    activities = activities_of([[Event(CUT_OFF - DAY, {0, 1})], [Event(CUT_OFF - 2 * DAY, {1})]])
    apart = replace(activities, times=np.repeat(activities.times, 2)[::2], words=activities.words.copy(order="F"))
    mapped = replace(activities, measures=activities.measures.copy())
    mapped.measures.flags.writeable = False
    rows = Row(np.array([0, 9, 1, 9])[::2], np.full(2, CUT_OFF))
    told = [compute(one, no_traits(2, 3), CODEBOOK, FEATURES, rows) for one in (activities, apart, mapped)]
    np.testing.assert_array_equal(told[0], told[1])
    np.testing.assert_array_equal(told[0], told[2])
    assert len(_walk.signatures) == 1


def test_names_of_features_are_unique():
    assert len(set(FEATURES.names)) == len(FEATURES.names)


def test_a_feature_set_survives_the_way_to_a_file_and_back():
    assert type(FEATURES).from_json(FEATURES.to_json()) == FEATURES
    assert Codebook.from_json(CODEBOOK.to_json()) == CODEBOOK


def test_the_clock_stands_still_where_tracking_was_lost():
    """A history with ten days lost is told as one whose older events came ten days later, in real days of the week."""
    lost = (150 * DAY, 157 * DAY)
    ages = [3, 20, 42.5, 60.25, 99]
    real = [Event(int(CUT_OFF - age * DAY), {0, 1}, {0: age}, {0: [int(age)]}) for age in ages]
    moved = [replace(event, time=event.time + (lost[1] - lost[0]) * (event.time < lost[0])) for event in real]
    rows = Row(np.zeros(1, np.int64), np.array([CUT_OFF]))
    features = replace(FEATURES, silent=(lost,))
    found = compute(activities_of([real]), no_traits(1, 3), CODEBOOK, features, rows)
    assert np.array_equal(
        found, compute(activities_of([moved]), no_traits(1, 3), CODEBOOK, FEATURES, rows), equal_nan=True
    )


def test_events_in_the_silence_are_as_old_as_its_end():
    lost = (150 * DAY, 190 * DAY)
    rows = Row(np.zeros(1, np.int64), np.array([CUT_OFF]))
    features = replace(FEATURES, silent=(lost,))
    columns = {name: place for place, name in enumerate(features.names)}
    events = [Event(160 * DAY, {0, 1}, {}, {})]
    found = compute(activities_of([events]), no_traits(1, 3), CODEBOOK, features, rows)
    assert found[0, columns["Days since s1"]] == 10
    within = Row(np.zeros(1, np.int64), np.array([170 * DAY]))
    found = compute(activities_of([events]), no_traits(1, 3), CODEBOOK, features, within)
    assert found[0, columns["Days since s1"]] == pytest.approx(0, abs=1e-9)
    assert found[0, columns["Count of s1 in 7 days"]] == 1
