"""Expected against actual on tables one can check by hand, and the pages that show them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from likelier.insights import charts
from likelier.insights.backtests import backtest_page, headline
from likelier.insights.performance import Outcome, came_true

#             probability, score, did
TABLE = """
    0.05  10  no
    0.10  20  no
    0.15  24  yes
    0.30  25  no
    0.50  50  yes
    0.80  75  yes
    0.90  90  no
    0.95  99  yes
"""


def outcome(table=TABLE):
    rows = [line.split() for line in table.strip().splitlines()]
    probability, score = (np.array([float(row[k]) for row in rows]) for k in (0, 1))
    return Outcome(probability, score, np.array([row[2] == "yes" for row in rows]))


def test_each_bucket_has_what_was_expected_and_what_happened():
    buckets = came_true(outcome())["buckets"]
    told = {name: (each["profiles"], each["qualifying"], round(each["expected"], 4)) for name, each in buckets.items()}
    assert told == {"low": (3, 1, 0.1), "medium": (2, 1, 0.4), "high": (3, 2, 0.8833)}


def test_those_who_did_and_those_who_did_not_are_counted_apart():
    histograms = came_true(outcome())["histograms"]
    assert (sum(histograms["did"]), sum(histograms["did_not"])) == (4, 4)
    assert histograms["did"][-1] == 1


def test_a_bucket_with_nobody_has_no_rates():
    told = came_true(outcome().where(np.array([True] * 5 + [False] * 3)))["buckets"]["high"]
    assert told == {"profiles": 0, "qualifying": 0, "expected": None, "rate": None, "low": None, "high": None}


def test_where_all_did_there_is_no_order_to_judge():
    told = came_true(outcome().where(outcome().reached))
    assert (told["auc"], told["lift"], told["gains"]) == (None, None, [])
    assert told["all"]["rate"] == 1


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=1, max_size=60))
def test_it_agrees_with_plain_counting(rows):
    probability, did = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    told = came_true(Outcome(probability, 100 * probability, did))
    assert sum(each["profiles"] for each in told["buckets"].values()) == len(rows)
    assert sum(each["qualifying"] for each in told["buckets"].values()) == sum(did)
    assert told["all"]["low"] <= told["all"]["rate"] <= told["all"]["high"]
    if did.any() and not did.all():
        assert told["auc"]["value"] == pytest.approx(roc_auc_score(did, probability))


def test_the_headline_says_whether_it_came_true(backtest):
    said = headline(backtest)
    assert said[0] == "Put back in time 3 times, 30 days apart; 2 runs would have given scores."
    assert said[1].startswith("Of ")
    assert "were expected to make a purchase;" in said[1]
    assert said[-1].startswith("The AUC on what then happened was 0.")


def test_the_page_shows_every_cut_off_those_that_failed_too(backtest):
    html = backtest_page(backtest)
    assert "407 NOT ENOUGH HISTORICAL EVENT DATA" in html
    assert "no, too poor" in html
    assert html.count("1 scored people") == 2
    assert '"over-time"' in html
    assert "<script>alert(1)" not in html
    assert not [word for word in ("http://", "https://") if word in html.split('id="library"')[0]]


def test_a_backtest_in_which_nothing_gave_scores_has_a_page(backtest):
    html = backtest_page({**backtest, "cut_offs": backtest["cut_offs"][:1], "together": None})
    assert "None of the 1 runs in the past would have given scores." in html


def test_what_is_not_settled_yet_is_drawn_hollow(backtest):
    runs = [
        {"at": row["cut_off"], "buckets": row["buckets"], "provisional": place == 1}
        for place, row in enumerate(backtest["cut_offs"][1:])
    ]
    option = charts.over_time(runs, "churn")
    dotted, solid = option["series"][:2]
    assert (dotted["lineStyle"]["type"], len(dotted["data"])) == ([3, 5], 2)
    fills = [dot["itemStyle"]["color"] for dot in solid["data"]]
    assert fills == [charts.LIGHT.bad, charts.LIGHT.card]
    assert len(solid["markLine"]["data"]) == 2
    json.dumps(option)
