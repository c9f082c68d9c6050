"""Who is one person at which cut-off: tables one can check by hand, and a plain walk over the links as oracle."""

import datetime as dt
from collections import defaultdict

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelier.backend import DuckDB
from likelier.datasets import Dataset
from likelier.events.schema import fields_of, namespaces_of
from likelier.identity import components
from likelier.identity.graph import around, rows_of
from likelier.identity.links import links, node, person_of
from likelier.identity.persons import persons, stands_for
from likelier.timespan import DAY, UTC

START = dt.datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def engine():
    with DuckDB() as engine:
        yield engine


def day(number):
    return START + number * DAY


def table(lines):
    """Lines of `day CRMID cookie [further cookies]`, with - for nothing."""
    rows = [line.split() for line in lines.strip().splitlines()]
    texts = pa.string()
    return pa.table(
        {
            "_id": [f"e{number}" for number in range(len(rows))],
            "timestamp": pa.array([day(int(row[0])) for row in rows], pa.timestamp("us", "UTC")),
            "identityMap.CRMID": pa.array([None if row[1] == "-" else row[1] for row in rows], texts),
            "identityMap.ECID": pa.array([None if row[2] == "-" else row[2] for row in rows], texts),
            "identityMap.ECID.others": pa.array([row[3:] or None for row in rows], pa.list_(texts)),
        }
    )


def resolved(engine, folder, events, cut_offs):
    """For each cut-off: who has which events, by the id that stands for the person."""
    dataset = Dataset("web", "events", fields_of(events.schema), namespaces_of(events.schema), 0)
    rows = ibis.memtable(events)
    found = persons(engine, links([(dataset, rows)]), "CRMID", [day(number) for number in cut_offs], folder)
    mine = found.by_person(rows.select("_id", who=person_of(rows, dataset, "CRMID")))
    told = engine.table(mine)
    spans = found.spans(told["who"].combine_chunks())
    names = stands_for(told["who"].combine_chunks()).to_pylist()
    people = [defaultdict(set) for _ in cut_offs]
    for name, event, (first, last) in zip(names, told["_id"].to_pylist(), spans, strict=True):
        for place in range(first, last + 1):
            assert event not in people[place][name]
            people[place][name].add(event)
    return [dict(one) for one in people]


def test_a_chain_joins_all_its_ids(engine, tmp_path):
    events = table("""
        1 a c1
        2 - c1 c2
        3 - c2 c3
        4 - c3
        5 b -
        6 - c9
    """)
    assert resolved(engine, tmp_path, events, [9]) == [{"a": {"e0", "e1", "e2", "e3"}, "b": {"e4"}}]


def test_what_becomes_known_later_changes_no_earlier_cut_off(engine, tmp_path):
    """The cookie is nobody's until it is seen with `a`; `a` and `b` are two people until they share a cookie."""
    events = table("""
        1 - c1
        3 a c1
        5 b c2
        7 b c1
    """)
    assert resolved(engine, tmp_path, events, [2, 3, 4, 6, 7, 8]) == [
        {"a": {"e1"}, "b": {"e2", "e3"}},
        {"a": {"e1"}, "b": {"e2", "e3"}},  # the link of day 3 is known from that moment on, and so after the cut-off
        {"a": {"e0", "e1"}, "b": {"e2", "e3"}},
        {"a": {"e0", "e1"}, "b": {"e2", "e3"}},
        {"a": {"e0", "e1"}, "b": {"e2", "e3"}},
        {"a": {"e0", "e1", "e2", "e3"}},
    ]


def test_a_hub_joins_nobody(engine, tmp_path, monkeypatch):
    """The kiosk is a person's device until a third one uses it."""
    monkeypatch.setattr(components, "MOST_LINKED", 2)
    events = table("""
        1 a kiosk
        2 b kiosk
        3 a c1
        5 c kiosk
    """)
    assert resolved(engine, tmp_path, events, [4, 6]) == [
        {"a": {"e0", "e1", "e2"}, "c": {"e3"}},
        {"a": {"e0", "e2"}, "b": {"e1"}, "c": {"e3"}},
    ]


def test_placeholders_name_nobody(engine, tmp_path):
    events = table("""
        1 a null
        2 b null
        3 unknown c1
        4 Unknown c1
        5 a 00000000-0000-0000-0000-000000000000
        6 b 00000000-0000-0000-0000-000000000000
        7 a c1
        8 undefined -
    """)
    assert resolved(engine, tmp_path, events, [9]) == [{"a": {"e0", "e2", "e3", "e4", "e6"}, "b": {"e1", "e5"}}]


def test_the_id_that_was_linked_first_stands_for_the_person(engine, tmp_path):
    events = table("""
        1 z c1
        2 a c2
        3 a c1
    """)
    assert resolved(engine, tmp_path, events, [9]) == [{"z": {"e0", "e1", "e2"}}]


def test_without_links_everybody_is_alone(engine, tmp_path):
    events = table("""
        1 a -
        2 - c1
    """)
    assert resolved(engine, tmp_path, events, [9]) == [{"a": {"e0"}}]


IDS = st.sampled_from(["-", "a", "b", "c", "d"])
COOKIES = st.sampled_from(["-", "p", "q", "r", "s"])
EVENTS = st.lists(st.tuples(st.integers(0, 9), IDS, COOKIES, st.sampled_from(["", "t", "p"])), min_size=1, max_size=14)


@settings(max_examples=8)
@given(rows=EVENTS, cut_offs=st.sets(st.integers(1, 10), min_size=1, max_size=3).map(sorted))
def test_every_cut_off_is_a_walk_over_the_links_known_before_it(engine, tmp_path_factory, rows, cut_offs):
    lines = [
        f"{when} {crm} {first} {more if more != first and first != '-' else ''}" for when, crm, first, more in rows
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "MOST_LINKED", 3)
        found = resolved(engine, tmp_path_factory.mktemp("work"), table("\n".join(lines)), cut_offs)
        assert found == [walked([line.split() for line in lines], cut_off) for cut_off in cut_offs]
        events = table("\n".join(lines))
        for cut_off, people in zip(cut_offs, found, strict=True):
            assert alone(events, cut_off) == people


def alone(events, cut_off):
    """The same of each id by itself, as one person is looked up."""
    dataset = Dataset("web", "events", fields_of(events.schema), namespaces_of(events.schema), 0)

    def find(namespace, one):
        column = f"identityMap.{namespace}"
        rows = events.select([column, f"{column}.others"] if namespace == "ECID" else [column]).to_pylist()
        carried = [row[column] == one or one in (row.get(f"{column}.others") or ()) for row in rows]
        return [(dataset, events.filter(pa.array(carried)))]

    people = {}
    for one in {one for one in events["identityMap.CRMID"].to_pylist() if one}:
        person = around(find, node("CRMID", one), [], day(cut_off))
        who = person.stands("CRMID")
        rows = rows_of(person, find, "CRMID", who)["web"]
        assert set(rows["identityMap.CRMID"].to_pylist()) <= {who}
        assert len(set(rows["_id"].to_pylist())) == len(rows)
        assert people.setdefault(who, set(rows["_id"].to_pylist())) == set(rows["_id"].to_pylist())
    return people


def walked(rows, cut_off):
    """Go from id to id, one link at a time."""
    ids = [[("CRMID", row[1]), *(("ECID", one) for one in row[2:])] for row in rows]
    ids = [[one for one in row if one[1] != "-"] for row in ids]
    pairs = [
        (min(x, y), max(x, y), int(row[0]))
        for row, mine in zip(rows, ids, strict=True)
        for x in mine[:2]
        for y in mine
        if x != y
        and (x[0] != y[0] or x == next(one for one in mine if one[0] == x[0]))
        and not (x[0] == "CRMID" and y != next((one for one in mine if one[0] == "ECID"), None))
    ]
    first = {}
    for x, y, when in pairs:
        first[x, y] = min(when, first.get((x, y), 99))
    neighbours = defaultdict(set)
    for (x, y), when in first.items():
        if when < cut_off:
            neighbours[x].add(y)
            neighbours[y].add(x)
    hubs = {one for one, others in neighbours.items() if len(others) > 3}
    since = defaultdict(lambda: 99)
    for (x, y), when in first.items():
        since[x], since[y] = min(since[x], when), min(since[y], when)

    def person(one):
        mine, open_ = {one}, [one]
        while open_:
            at = open_.pop()
            for other in neighbours[at] if at not in hubs else ():
                if other not in mine and other not in hubs:
                    mine.add(other)
                    open_.append(other)
        named = sorted((since[each], each) for each in mine if each[0] == "CRMID")
        return named[0][1][1] if named else None

    told = defaultdict(set)
    for number, mine in enumerate(ids):
        if mine and (who := person(mine[0])):
            told[who].add(f"e{number}")
    return dict(told)


def test_nodes_are_named_by_namespace_and_id():
    assert node("CRMID", "a:b").split("\x1f") == ["CRMID", "a:b"]
