"""The report in a real browser, from a file and with no network."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from likelier.insights.backtests import backtest_page
from likelier.insights.reports import report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]


@pytest.fixture(scope="module")
def browser():
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page; it may neither complain nor ask for anything beyond its own file."""
    contexts, trouble = [], []

    def open_(page: str, **options):
        file = tmp_path / "report.html"
        file.write_text(page, encoding="utf-8")
        context = browser.new_context(offline=True, reduced_motion="reduce", **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: message.type in ("error", "warning") and trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.on("request", lambda request: request.url.startswith(("file:", "blob:")) or trouble.append(request.url))
        tab.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            tab.wait_for_selector("html[data-drawn=yes]", state="attached")
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert trouble == []


def test_it_draws_and_answers(opened, insights, run):
    tab = opened(report(insights, run))
    for chart in ("ring", "distribution", "lift", "gains", "calibration", "factor-1"):
        assert tab.locator(f'[data-chart="{chart}"] svg path').count() > 3
    assert tab.locator("#factor-2").is_hidden()
    tab.get_by_role("link", name="Count of purchases").first.click()
    assert tab.locator("#factor-2 svg path").count() > 3
    assert tab.locator("#factor-1").is_hidden()
    tab.locator("#target").fill("100")
    assert tab.locator("#target-words").inner_text().startswith("Target the top 100%: reach 100%")
    tab.locator("[data-chart=gains] svg").click(position={"x": 200, "y": 150})
    expect(tab.locator("#target")).not_to_have_value("100")
    table = tab.locator("figure", has_text="Lift by decile").locator("table")
    assert table.is_hidden()
    tab.locator("figure", has_text="Lift by decile").get_by_text("Show as a table").click()
    assert table.is_visible()


@pytest.mark.parametrize("width", [360, 768, 2560])
def test_nothing_sticks_out_at_any_width(opened, insights, run, width):
    tab = opened(report(insights, run), viewport={"width": width, "height": 800}, color_scheme="dark")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_an_attack_does_nothing(opened, insights, run):
    evil = '<img src=x onerror="document.title=1">"></title></style></script><script>document.title=2</script>'
    insights["instance"]["name"] = evil
    insights["spreads"] = {evil: insights["spreads"]["Country"] | {"labels": [evil, "b", "c", "d"]}}
    insights["factors"]["high"] = [insights["factors"]["high"][0] | {"code": evil}]
    tab = opened(report(insights, run))
    tab.locator("[data-chart=factor-1] svg").hover(position={"x": 200, "y": 80})
    assert tab.title() == f"{evil} – insights"
    assert tab.locator("img").count() == 0


def test_without_scripts_every_table_is_open(opened, insights, run):
    tab = opened(report(insights, run), java_script_enabled=False)
    assert all(table.is_visible() for table in tab.locator("details table").all())
    assert all(panel.is_visible() for panel in tab.locator(".drill").all())


def test_paper_has_every_section_drill_down_and_table(opened, insights, run):
    tab = opened(report(insights, run), color_scheme="dark")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.emulate_media(media="print")
    assert all(table.is_visible() for table in tab.locator("details table").all())
    assert all(panel.locator("svg path").count() > 3 for panel in tab.locator(".drill").all())
    assert tab.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()") == "#1a2230"
    assert len(tab.pdf()) > 50_000


def test_a_backtest_draws_what_it_found(opened, backtest):
    tab = opened(backtest_page(backtest))
    for chart in ("over-time", "calibration", "gains", "spread-2024-05-01", "spread-2024-06-01"):
        assert tab.locator(f'[data-chart="{chart}"] svg path').count() > 3
    assert tab.evaluate("document.documentElement.scrollWidth") <= tab.evaluate("innerWidth")
