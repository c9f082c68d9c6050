"""Charts say what the numbers say, in the colours of the propensity type."""

from __future__ import annotations

import json

import pytest

from likelier.insights import charts
from likelier.insights.charts import BUCKETS, DARK, LIGHT, Look

GREEN, YELLOW, RED = LIGHT.good, LIGHT.middle, LIGHT.bad


@pytest.mark.parametrize(("propensity_type", "high", "low"), [("conversion", GREEN, RED), ("churn", RED, GREEN)])
class TestPolarity:
    def test_the_ring(self, propensity_type, high, low):
        slices = charts.ring({"low": 5, "medium": 3, "high": 2}, propensity_type)["series"][0]["data"]
        assert [(each["name"], each["value"], each["itemStyle"]["color"]) for each in slices] == [
            ("High", 2, high),
            ("Medium", 3, YELLOW),
            ("Low", 5, low),
        ]

    def test_the_distribution(self, propensity_type, high, low):
        bars = charts.distribution([1] * 40, propensity_type)["series"][0]["data"]
        assert [bar["itemStyle"]["color"] for bar in bars] == [low] * 10 + [YELLOW] * 20 + [high] * 10

    def test_the_spread(self, propensity_type, high, low):
        factor = {"kind": "flag", "labels": ["no", "yes"], "low": [1, 0], "medium": [0.5, 0.5], "high": [0, 1]}
        panels = charts.spread(factor, propensity_type)["series"]
        assert [(panel["name"], panel["itemStyle"]["color"]) for panel in panels] == [
            ("High", high),
            ("Medium", YELLOW),
            ("Low", low),
        ]


def test_a_bucket_without_anybody_has_no_slice():
    slices = charts.ring({"low": 5, "medium": 3, "high": 0}, "conversion")["series"][0]["data"]
    assert [each["name"] for each in slices] == ["Medium", "Low"]


def test_no_meaning_hangs_on_a_colour_alone(insights):
    ring = charts.ring(insights["scores"], "conversion")["series"][0]["data"]
    assert [each["label"]["formatter"] for each in ring] == ["▲", "●", "▼"]
    spread = charts.spread(insights["spreads"]["Country"], "conversion")
    assert [axis["name"] for axis in spread["yAxis"]] == ["▲ High", "● Medium", "▼ Low"]


def test_people_without_a_value_stand_last():
    factor = {
        "kind": "category",
        "labels": ["GB", "DE"],
        "low": [0.5, 0.3],
        "medium": [1.0, 0.0],
        "high": [1.0, 0.0],
        "missing": {"low": 0.2, "medium": 0.0, "high": 0.0},
    }
    assert [(name, shares["low"], shares["high"]) for name, shares in charts.spread_rows(factor)] == [
        ("GB", 0.5, 1.0),
        ("DE", 0.3, 0.0),
        ("no value", 0.2, 0.0),
    ]
    assert charts.spread_rows(factor | {"absent": "never"})[-1][0] == "never"


def test_of_many_categories_the_most_common_stay():
    shares = [1 / 20] * 18 + [0.06, 0.04]
    factor = {"kind": "category", "labels": [f"SKU{k}" for k in range(20)]} | dict.fromkeys(BUCKETS, shares)
    rows = charts.spread_rows(factor)
    assert [name for name, _ in rows] == ["SKU18", *(f"SKU{k}" for k in range(10)), "other values"]
    assert sum(shares["high"] for _, shares in rows) == pytest.approx(1)
    assert charts.spread_rows({"kind": "category", "labels": []}) == []


def test_few_distinct_numbers_go_by_themselves():
    factor = {"kind": "number", "labels": ["0", "1", "2.5"]} | {key: [0.5, 0.3, 0.2] for key in BUCKETS}
    assert [name for name, _ in charts.spread_rows(factor)] == ["0", "1", "2.5"]


def test_the_panels_of_a_spread_share_one_scale(insights):
    for factor in insights["spreads"].values():
        panels = charts.spread(factor, "conversion")["yAxis"]
        largest = max(share for _, shares in charts.spread_rows(factor) for share in shares.values())
        assert [axis["max"] for axis in panels] == [largest] * 3


def test_lift_has_its_average_and_its_whiskers():
    tenth = {"decile": 1, "profiles": 100, "qualifying": 40, "rate": 0.4, "lift": 2.5, "lift_low": 2.1, "lift_high": 3}
    bars, whiskers = charts.lift([tenth, tenth | {"lift_low": None}])["series"]
    assert bars["data"][0]["tooltip"]["formatter"] == "top 10%: 2.5× (2.1× – 3.0×)\n40 / 100"
    assert bars["markLine"]["data"] == [{"yAxis": 1}]
    assert whiskers["data"] == [[2.1, 2.5, 2.5, 2.5, 3], []]


def test_gains_are_percentages_with_a_line_where_one_aims():
    model, at_random = charts.gains([{"fraction": 0, "reached": 0}, {"fraction": 0.2, "reached": 0.5812}], 0.2)[
        "series"
    ]
    assert model["data"] == [[0, 0], [20, 58.1]]
    assert model["markLine"]["data"] == [{"xAxis": 20}]
    assert at_random["data"] == [[0, 0], [100, 100]]


def test_calibration_of_a_rare_goal_fills_its_axes():
    point = {"mean_probability": 0.011, "rate": 0.012, "low": 0.008, "high": 0.017, "profiles": 500}
    option = charts.calibration([point])
    assert option["xAxis"]["max"] == option["yAxis"]["max"] == 2
    assert option["series"][0]["markLine"]["data"] == [[{"coord": [1.1, 0.8]}, {"coord": [1.1, 1.7]}]]


def test_charts_are_json_in_both_themes_and_in_the_asked_language(insights):
    for look in (Look(LIGHT), Look(DARK), Look(DARK, say=lambda text: f"<{text}>")):
        drawn = [
            charts.ring(insights["scores"], "churn", look),
            charts.distribution(insights["scores"]["histogram"], "churn", look),
            charts.lift(insights["metrics"]["deciles"], look),
            charts.gains(insights["metrics"]["gains"], 0.2, look),
            charts.calibration(insights["metrics"]["calibration"], look),
            *(charts.spread(factor, "churn", look) for factor in insights["spreads"].values()),
        ]
        assert all(json.loads(json.dumps(option, allow_nan=False)) for option in drawn)
        assert all(option["tooltip"]["renderMode"] == "richText" for option in drawn)
    assert drawn[0]["series"][0]["data"][0]["name"] == "<High>"


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_colours_have_the_contrast_that_low_vision_needs(palette):
    for text in (palette.ink, palette.soft, palette.accent):
        assert contrast(text, palette.card) >= 4.5
    for shape in (palette.good, palette.middle, palette.bad, palette.accent):
        assert contrast(shape, palette.card) >= 3


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
