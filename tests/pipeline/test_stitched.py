"""Stitched people in a run: what they did before they signed in counts, as far as it was known at each cut-off."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.pipeline import shop

from likelier.activities.reduce import load
from likelier.backend import DuckDB
from likelier.datasets import open_dataset
from likelier.identity.cuts import CUTS, cut
from likelier.identity.links import node
from likelier.identity.persons import stands_for
from likelier.instance import ask
from likelier.lake import Lake
from likelier.pipeline import Inputs, outcomes
from likelier.pipeline.reading import calendar_of, labels
from likelier.timespan import DAY

ASKED = shop.instance(stitch=True)
PEOPLE = 150


def anonymous(events, share=0.85):
    """Most visits without a purchase are those of a cookie; a person has one cookie, and every purchase shows it."""
    hidden = pa.array(np.random.default_rng(3).random(len(events)) < share)
    visit = pc.is_null(events["commerce.purchases.value"])
    who = events["identityMap.CRMID"]
    known = pc.if_else(pc.and_(hidden, visit), pa.scalar(None, pa.string()), who)
    cookie = pc.binary_join_element_wise("cookie", who, "-")
    return events.set_column(2, "identityMap.CRMID", known).append_column("identityMap.ECID", cookie)


EVENTS = anonymous(shop.events(PEOPLE))
NAMED = [one for one in pc.unique(EVENTS["identityMap.CRMID"]).to_pylist() if one]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    shop.put(lake, EVENTS)
    return lake


@pytest.fixture(scope="module")
def versions(lake):
    return shop.versions(lake, ["shop"]) | {CUTS: lake.version(CUTS)}


@pytest.fixture(scope="module")
def reading(lake, versions, tmp_path_factory):
    """The first stage, done: what it said, the activities it left, and its cut-offs."""
    folder = tmp_path_factory.mktemp("run") / "a"
    said = shop.read(lake, folder, ASKED, versions)
    question = ask(ASKED, [open_dataset(lake, "shop")])
    calendar = calendar_of(Inputs(ASKED, shop.AS_OF, 7, versions), said, question)
    return said, load(folder / "read"), question, (*calendar.labelled, calendar.as_of)


def told(cut_offs):
    """By a plain loop: who is eligible at each cut-off, and who of them reaches the goal."""
    rows = {who: [] for who in NAMED}
    for row in EVENTS.to_pylist():
        login, who = row["identityMap.CRMID"], row["identityMap.ECID"].removeprefix("cookie-")
        if who in rows:
            rows[who].append((row["timestamp"], login is not None, row["commerce.purchases.value"] is not None))
    found = set()
    for who, mine in rows.items():
        for cut_off in cut_offs:
            known = any(signed_in and when < cut_off for when, signed_in, _ in mine)
            counting = [(when, bought) for when, signed_in, bought in mine if signed_in or known]
            if any(cut_off - 45 * DAY <= when < cut_off for when, _ in counting):
                bought = any(bought and cut_off <= when < cut_off + 14 * DAY for when, bought in counting)
                found.add((who, cut_off, bought))
    return found


def test_eligibility_and_outcomes_are_what_was_known_at_each_cut_off(reading):
    _, (activities, codebook), question, cut_offs = reading
    eligible, reached = labels(activities, codebook, question, cut_offs)
    names = stands_for(activities.ids).to_pylist()
    found = [(names[who], cut_offs[at], bool(reached[who, at])) for who, at in np.argwhere(eligible)]
    assert len(found) == len(set(found)) > PEOPLE
    assert set(found) == told(cut_offs)


def test_each_cut_off_has_its_own_people(reading):
    """A person seen first as two ids stands there more than once, each time for other cut-offs."""
    said, (activities, _), _, cut_offs = reading
    names = np.array(stands_for(activities.ids).to_pylist())
    assert said["profiles"] == len(NAMED) == len(set(names)) < len(names)
    for name in NAMED:
        places = [at for first, last in activities.spans[names == name] for at in range(first, last + 1)]
        assert sorted(places) == list(range(len(cut_offs)))
    now = activities.ids.filter(pa.array(activities.spans[:, 1] == len(cut_offs) - 1)).to_pylist()
    assert sorted(now) == sorted(NAMED)
    assert len(np.unique(activities.people)) == len(NAMED)


def test_what_came_true_is_decided_of_the_same_people(lake, versions, reading, tmp_path):
    cut_offs = reading[3][-3:-1]
    with DuckDB() as engine:
        came = outcomes(Inputs(ASKED, shop.AS_OF, 7, versions), cut_offs, engine=engine, lake=lake, folder=tmp_path)
    eligible = [(who, at, reached) for who, at, reached in told(cut_offs)]
    for cut_off in cut_offs:
        people = sorted(who for who, at, _ in eligible if at == cut_off)
        known, reached = came.of(pa.array(people), cut_off)
        assert known.all()
        assert dict(zip(people, reached.tolist(), strict=True)) == {
            who: bought for who, at, bought in eligible if at == cut_off
        }


def test_a_cut_link_counts_as_never_seen(lake, versions, reading, tmp_path):
    _, (before, _), _, _ = reading
    rows = EVENTS.select(["identityMap.CRMID", "identityMap.ECID"]).to_pylist()
    who = next(row["identityMap.CRMID"] for row in rows if row["identityMap.CRMID"])
    cut(lake, node("ECID", f"cookie-{who}"), node("CRMID", who), at=shop.AS_OF, by="ann", id_="1")
    shop.read(lake, tmp_path, ASKED, versions | {CUTS: lake.version(CUTS)})
    after, _ = load(tmp_path / "read")
    assert _events(before, who) == sum(row["identityMap.ECID"] == f"cookie-{who}" for row in rows)
    assert _events(after, who) == sum(row["identityMap.CRMID"] == who for row in rows) < _events(before, who)


def _events(activities, who):
    place = activities.ids.to_pylist().index(who)
    return int(activities.starts[place + 1] - activities.starts[place])
