"""The report: what it says, that it stands alone, that nothing in the data can break out of it."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser

import pytest

from likelier.insights.reports import report

HOSTILE = (
    """</script><script>document.title='owned'</script><img src=x onerror="document.title='owned'">'"&{{7*7}}{a}"""
)


class Text(HTMLParser):
    """What a reader sees, and which elements and attributes the page has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.hidden = 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())


def shown(page: str) -> str:
    return Text(page).text


def embedded(page: str, name: str):
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)[1])


def test_the_headline_is_in_words_a_marketer_understands(insights, run):
    scores = {"low": 2000, "medium": 347, "high": 412, "mean_probability": 0.338}
    insights["scores"] |= scores | {"expected": {"low": 0.1, "medium": 0.3, "high": 0.71}}
    assert (
        "2,759 customers scored. 412 are high: expect 71 of 100 of them to make a purchase in the next 30 days, "
        "2.1 times the average." in shown(report(insights, run))
    )


def test_every_section_is_there(insights, run):
    text = shown(report(insights, run))
    for title in (
        "Low, medium, high",
        "Distribution of the scores",
        "Why: the most influential factors",
        "How good the model is",
        "Whom a campaign reaches",
        "Lift by decile",
        "Do the probabilities come true?",
        "Data and windows",
        "Score, probability, percentile",
        "What this model may not be used for",
        "Run details",
    ):
        assert title in text
    assert "Deciding whether an offer makes somebody likelier to act" in text
    assert "r-20111101-1" in text
    assert "version 3" in text
    assert "Seed 7" in text
    assert "commerce.purchases.value" in text


def test_it_says_what_the_numbers_of_the_model_mean(insights, run):
    insights["metrics"]["auc"] = {"value": 0.812, "low": 0.794, "high": 0.83}
    insights["metrics"]["gains"] = [
        {"fraction": part / 100, "reached": min(1, part / 100 * 2.9)} for part in range(101)
    ]
    text = shown(report(insights, run))
    assert "in 81 of 100 such pairs the model gives the first the higher score" in text
    assert "the 95% interval runs from 0.79 to 0.83" in text
    assert re.sub(r"\s+([,:])", r"\1", text).count(
        "Target the top 20%: reach 58% of those who will make a purchase, 2.9 times random."
    )


def test_the_timeline_says_what_each_cut_off_is_for(insights, run):
    text = shown(report(insights, run))
    assert "learn 4 cut-offs, 4 Jun 2011 – 2 Sep 2011 2,207 – 2,538" in text
    assert "judge 2 Oct 2011 2,648" in text
    assert "score 1 Nov 2011 2,759 – –" in text
    assert "learn 4 Jul 2011 2,317" in text  # every cut-off, below


def test_every_chart_has_a_table_and_a_label(insights, run):
    page = report(insights, run)
    charts = re.findall(r'data-chart="([^"]+)" role="img" aria-label="[^"]+"', page)
    assert len(charts) == 5 + len(insights["spreads"])
    assert page.count('data-chart="') == page.count('<details class="table" open>') - 1 == len(charts)
    for theme in ("light", "dark"):
        assert sorted(embedded(page, "chart-options")[theme]) == sorted(charts)


def test_every_factor_leads_to_its_drill_down(insights, run):
    page = report(insights, run)
    ids = Text(page).ids
    links = re.findall(r'class="factor" href="#([^"]+)"', page)
    assert len(links) == 30
    assert set(links) <= set(ids)
    assert len(ids) == len(set(ids))


def test_nothing_is_fetched(insights, run):
    page = report(insights, run)
    parsed = Text(page)
    assert not {"link", "img", "iframe", "object", "embed", "video", "audio", "source"} & set(parsed.tags)
    assert not [value for name, value in parsed.attributes if name in ("src", "srcset", "action", "data", "poster")]
    assert all(value.startswith("#") for name, value in parsed.attributes if name == "href")
    assert "url(" not in page
    assert "@import" not in page
    assert not re.search(r"https?:", re.sub(r'<script type="text/plain".*?</script>', "", page, flags=re.DOTALL))
    assert "default-src 'none'" in page


def test_it_is_small(insights, run):
    assert len(report(insights, run).encode()) < 1_500_000


def test_it_is_the_same_every_time(insights, run):
    assert report(insights, run) == report(insights, run)


def hostile(value):
    """The same insights with every text of the dataset and of the person replaced by an attack."""
    if isinstance(value, dict):
        return {key: hostile(each) if key not in KEPT else each for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each) for each in value]
    return HOSTILE if isinstance(value, str) else value


KEPT = {"propensity_type", "cut_off", "judge_cut_off", "as_of", "kind", "direction", "spreads", "history_start"}


def attacked(insights):
    evil = hostile(insights)
    spread = insights["spreads"]["Country"] | {"feature": HOSTILE, "labels": [HOSTILE] * 4}
    return evil | {"spreads": {HOSTILE: spread}, "data_versions": {HOSTILE: 1}}


def test_a_hostile_name_stays_a_name(insights, run):
    page = report(attacked(insights), run | {"id": HOSTILE, "error": HOSTILE, "timings": {HOSTILE: 1}})
    calm = report(insights, run)
    assert "<script>document" not in page
    assert "onerror" not in [name for name, _ in Text(page).attributes]
    assert page.count("</script>") == calm.count("</script>") == 4
    assert html.unescape(HOSTILE) in html.unescape(page)
    assert embedded(page, "chart-options")["light"]["factor-1"]["xAxis"][0]["data"][0] == HOSTILE


def test_a_poor_model_is_said_to_be_poor(example, run):
    text = shown(report(example.make(strength=0.2), run))
    assert "Poor model" in text
    assert "Do not act on these scores" in text


def test_a_training_issue_shows_its_code_message_and_suggestions(insights, example):
    error = {"code": 402, "message": "The AUC is 0.58; 0.65 is needed.", "suggestions": ["Look back 180 days."]}
    text = shown(report(insights, example.run(state="training_issue", error=error)))
    assert "402 BAD MODEL" in text
    assert "The AUC is 0.58; 0.65 is needed." in text
    assert "What would help Look back 180 days." in text


@pytest.mark.parametrize("error", ["410 NO POPULATION: nobody was active.", None])
def test_a_failed_run_has_a_page_too(example, error):
    page = report({}, example.run(state="failed", error=error, seed=11, version=2, data_versions={"shop": 5}))
    assert "Failed" in shown(page)
    assert "Nobody was scored." in shown(page)
    assert "Definition version 2" in shown(page)
    assert "Seed 11 Data: shop version 5" in shown(page)
    assert error is None or error in shown(page)
    assert 'data-chart="' not in page


def test_a_bucket_without_anybody_or_without_factors(insights, run):
    insights["scores"] |= {"high": 0}
    insights["scores"]["expected"]["high"] = None
    insights["factors"] |= {"high": [], "medium": []}
    text = shown(report(insights, run))
    assert "Nobody is in this bucket." in text
    assert "No factor stands out here." in text
    assert "are medium: expect" in text


def test_no_factors_at_all(insights, run):
    page = report(insights | {"factors": {}, "spreads": {}}, run)
    assert "most influential factors" not in page


def test_a_factor_without_a_drill_down(insights, run):
    page = report(insights | {"spreads": {}}, run)
    assert page.count('class="name"') == 30
    assert 'class="factor" href' not in page


def test_figures_that_are_missing_are_left_out(insights, run):
    insights["metrics"] |= {
        "auc": {"value": None, "low": None, "high": None},
        "calibration": [],
        "gains": [],
        "brier": None,
        "calibration_error": None,
    }
    for tenth in insights["metrics"]["deciles"]:
        tenth |= {"lift": None, "lift_low": None, "lift_high": None}
    text = shown(report(insights, run))
    assert "There is no AUC" in text
    assert "Brier" not in text
    assert "Whom a campaign reaches" not in text


def test_churn_is_said_the_other_way_round(example, run):
    page = report(example.make("churn"), run)
    assert "of them not to make a purchase in the next 30 days" in shown(page)
    assert "High is red here" in shown(page)


def test_a_report_tells_what_came_of_the_runs_so_far(insights, run, backtest):
    came = backtest["cut_offs"][1] | {"state": "provisional", "settles": "2024-06-03T00:00:00+00:00", "corrections": []}
    assert "Did it come true?" not in report(insights, run)
    html = report(insights, run, [came])
    assert "Scored on 1 May 2024. Of " in html
    assert "Provisional until the data reaches 3 Jun 2024: late events may still come." in html
    assert '"over-time"' in html
