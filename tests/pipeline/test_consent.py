"""Who is looked at when the population asks for consent: a table one can check by hand, through the first stages."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from tests.pipeline import shop

from likelier.activities.consent import gathered
from likelier.activities.reduce import load
from likelier.backend import DuckDB
from likelier.datasets import open_dataset
from likelier.instance import ask
from likelier.lake import Lake
from likelier.pipeline import Inputs, outcomes, preflight
from likelier.pipeline.reading import calendar_of, labels
from likelier.timespan import DAY, UTC

MOMENT = pa.timestamp("us", "UTC")
ALWAYS = dt.datetime(1970, 1, 1, tzinfo=UTC)
CONSENT = {"field": "marketing", "operator": "equals", "value": "Y", "ignore_case": True}
ASKED = shop.instance(datasets=["shop", "people"], eligible_population={"consent": CONSENT})
SAID = [
    ("p00000", ALWAYS, "y"),
    ("p00001", ALWAYS, "n"),
    ("p00002", shop.START + 80 * DAY, "y"),  # from then on
    ("p00003", ALWAYS, "y"),
    ("p00003", shop.START + 120 * DAY, "n"),  # takes it back
    ("p00004", ALWAYS, "y"),
    ("p00004", shop.START + 500 * DAY, "n"),  # has not taken it back yet
    ("p00005", ALWAYS, "y"),
    ("p00005", ALWAYS, "n"),  # says both at once
    ("p00006", ALWAYS, None),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    who, times, said = zip(*SAID, strict=True)
    shop.put(lake, events())
    told = {"identityMap.CRMID": list(who), "timestamp": pa.array(times, MOMENT), "marketing": list(said)}
    shop.put(lake, pa.table(told), "people", "profiles")
    return lake


def events():
    """Eight people come every ten days."""
    people, days = np.repeat(np.arange(8), 15), np.tile(np.arange(0, 150, 10), 8)
    return pa.table(
        {
            "_id": [f"e{number}" for number in range(len(people))],
            "timestamp": pa.array([shop.START + int(day) * DAY for day in days], MOMENT),
            "identityMap.CRMID": [f"p{who:05}" for who in people],
            "commerce.purchases.value": [1.0] * len(people),
        }
    )


def test_only_those_who_said_yes_by_then_and_still_do_are_eligible(lake, tmp_path):
    versions = shop.versions(lake, ["shop", "people"])
    said = shop.read(lake, tmp_path, ASKED, versions)
    question = ask(ASKED, [open_dataset(lake, name) for name in ("shop", "people")])
    calendar = calendar_of(Inputs(ASKED, shop.AS_OF, 7, versions), said, question)
    cut_offs = (*calendar.labelled, calendar.as_of)
    activities, codebook = load(tmp_path / "read")
    eligible, _ = labels(activities, codebook, question, cut_offs)
    found = {
        who: eligible[place].tolist() for place, who in enumerate(activities.ids.to_pylist()) if eligible[place].any()
    }
    always = [True] * len(cut_offs)
    later = [cut_off > shop.START + 80 * DAY for cut_off in cut_offs]
    assert found == {"p00000": always, "p00002": later, "p00004": always}
    assert 0 < sum(later) < len(later)


def test_the_check_counts_them_and_what_came_true_is_told_of_them(lake, tmp_path):
    with DuckDB() as engine:
        counted = preflight(ASKED, shop.AS_OF, engine=engine, lake=lake)
        inputs = Inputs(ASKED, shop.AS_OF, 7, shop.versions(lake, ["shop", "people"]))
        came = outcomes(inputs, (shop.AS_OF - 14 * DAY,), engine=engine, lake=lake, folder=tmp_path)
    assert counted["population_words"] == 'had any activity in the last 45 days, if marketing is "Y" in any case'
    assert counted["counts"]["eligible"] == 3
    assert [who for who, mine in zip(came.ids.to_pylist(), came.eligible[:, 0], strict=True) if mine] == [
        "p00000",
        "p00002",
        "p00004",
    ]


def test_what_is_known_of_others_is_not_looked_at():
    batch = pa.record_batch({"who": ["b", "x", "b"], "t": pa.array([5, 1, 3], MOMENT), "given": [False, True, True]})
    consents = gathered([batch], pa.array(["a", "b"]))
    assert (consents.starts.tolist(), consents.times.tolist(), consents.given.tolist()) == (
        [0, 0, 2],
        [3, 5],
        [True, False],
    )
    none = gathered([], pa.array(["a"]))
    assert none.at([shop.AS_OF]).tolist() == [[False]]
