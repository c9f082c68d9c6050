"""The pages in a real browser, in the words of who uses them."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect
from tests.ui.conftest import CHROMIUM, alive, stranger

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]

CSV = """customer_id,timestamp,event_type,sku,amount
ann,2024-05-01T10:00:00Z,purchase,a1,12.5
bob,2024-05-02T11:00:00Z,view,a2,
bob,not a time,view,a2,
"""


def open_insights(look):
    tab = look("/")
    tab.get_by_role("link", name="Buy", exact=True).click()
    expect(tab.get_by_role("heading", name="Buy", exact=True)).to_be_visible()
    alive(tab)
    return tab


def test_instances_are_listed_searched_and_told_in_words(look):
    tab = look("/")
    expect(tab.get_by_role("table", name="Instances").get_by_text("Success").first).to_be_visible()
    tab.get_by_label("Search the instances").fill("no such thing")
    expect(tab.get_by_text("No instance matches")).to_be_visible()
    tab.get_by_label("Search the instances").fill("commerce.purchases")
    tab.get_by_role("button", name="Details of Buy", exact=True).click()
    panel = tab.get_by_role("complementary", name="Details")
    expect(panel.get_by_text("A customer who makes a purchase within 14 days.")).to_be_visible()
    expect(panel.get_by_text("Customers who had any activity in the last 45 days.")).to_be_visible()


def test_insights_say_who_and_why(look):
    tab = open_insights(look)
    expect(tab.get_by_text(re.compile(r"^[\d,]+ customers scored"))).to_be_visible()
    expect(tab.locator(".chart.ring svg path").first).to_be_visible()
    tab.locator("button.factor").first.click()
    expect(tab.locator(".drill .chart svg text").first).to_be_visible()
    tab.get_by_role("button", name="Close").click()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download").click()
        tab.get_by_text("Scores as CSV").click()
    assert download.value.suggested_filename == "Scores - Buy.csv"


def test_the_slider_says_whom_a_campaign_reaches(look):
    tab = open_insights(look)
    tab.get_by_role("tab", name="Model evaluation").click()
    expect(tab.get_by_text(re.compile(r"^Target the top 20%"))).to_be_visible()
    tab.get_by_role("slider").press("ArrowRight")
    expect(tab.get_by_text(re.compile(r"^Target the top 21%"))).to_be_visible()
    tab.get_by_role("tab", name="Run history").click()
    expect(tab.get_by_role("table", name="Runs").get_by_text("Success")).to_be_visible()
    tab.get_by_role("tab", name="Performance summary").click()
    expect(tab.get_by_text("Did it come true?")).to_be_visible()


def test_a_file_comes_in_with_a_guessed_mapping(look):
    tab = look("/datasets")
    tab.get_by_role("button", name="Upload a file").click()
    file = {"name": "visits.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    tab.locator("input[type=file]").set_input_files(file)
    expect(tab.get_by_label("Who: a column")).to_have_value("customer_id")
    tab.get_by_role("button", name="Ingest").click()
    expect(tab.get_by_role("heading", name="visits", exact=True)).to_be_visible()
    tab.get_by_role("tab", name="Set aside").click()
    expect(tab.get_by_text("not a time").first).to_be_visible()


def test_an_instance_is_made_in_four_steps(look):
    tab = look("/instances/new")
    tab.get_by_role("button", name="Next").click()
    expect(tab.get_by_text("Give it a name first.")).to_be_visible()
    tab.get_by_label("Name").fill("Gold again")
    tab.get_by_role("button", name="Next").click()
    tab.get_by_role("checkbox", name="shop").click()
    tab.get_by_role("checkbox", name="customers").click()
    tab.get_by_role("button", name="Next").click()
    field = tab.get_by_role("combobox", name="Field")
    field.fill("purchases.val")
    tab.get_by_role("option", name=re.compile("commerce.purchases.value")).click()
    expect(tab.get_by_text("A customer who makes a purchase within 30 days.")).to_be_visible()
    tab.get_by_label("Outcome window in days").fill("14")
    expect(tab.get_by_text("A customer who makes a purchase within 14 days.")).to_be_visible()
    expect(tab.get_by_text("A run can go ahead.")).to_be_visible()
    assert "draft=" in tab.url
    tab.reload()
    alive(tab)
    expect(tab.get_by_label("Name")).to_have_value("Gold again")
    for step in ("Select data", "Define goal", "Set options"):
        tab.get_by_role("button", name="Next").click()
        expect(tab.locator("[aria-current=step]")).to_contain_text(step)
    tab.get_by_role("button", name="Create and run").click()
    expect(tab.get_by_role("heading", name="Gold again")).to_be_visible()
    expect(tab.get_by_role("progressbar")).to_be_visible()
    tab.get_by_role("button", name="Stop the run").click()
    expect(tab.get_by_role("progressbar")).to_be_hidden()
    expect(tab.get_by_text("Cancelled").first.or_(tab.get_by_text("No scores yet"))).to_be_visible()
    tab = look("/")
    tab.get_by_role("button", name="Details of Gold again").click()
    tab.get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("link", name="Gold again")).to_be_hidden()


def test_a_person_is_shown_with_reasons(look):
    tab = look("/profiles")
    tab.get_by_label("Id", exact=True).fill("p00007")
    tab.get_by_role("button", name="Find").click()
    # Copies of the instance that other tests ran and deleted may have left their scores.
    expect(tab.get_by_text(re.compile("ahead of about")).first).to_be_visible()
    expect(tab.get_by_text("everything else").first).to_be_visible()
    alive(tab)
    tab.get_by_label("Id", exact=True).fill("nobody")
    tab.get_by_role("button", name="Find").click()
    expect(tab.get_by_text("Nothing is known of 'nobody'")).to_be_visible()


def test_a_segment_is_made_of_a_bucket(look):
    tab = open_insights(look)
    tab.get_by_role("button", name="Create segment").first.click()
    tab.get_by_role("dialog").get_by_role("button", name="Create", exact=True).click()
    expect(tab.get_by_role("heading", name="Buy: high")).to_be_visible()
    expect(tab.get_by_role("heading", name="Members")).to_be_visible()


def test_who_may_only_look_is_offered_nothing_else(look, served):
    tab = look("/", who="viewer")
    expect(tab.get_by_role("link", name="Buy", exact=True)).to_be_visible()
    expect(tab.get_by_role("button", name="New instance")).to_be_hidden()
    tab.get_by_role("button", name="Details of Buy", exact=True).click()
    expect(tab.get_by_role("button", name="Insights")).to_be_visible()
    expect(tab.get_by_role("button", name="Delete")).to_be_hidden()
    tab.goto(served + "/instances/new")
    alive(tab)
    expect(tab.get_by_text("Access restricted")).to_be_visible()


@pytest.fixture
def tab(browser, served):
    """A tab that may complain, as browsers do of whatever is not there."""
    tab = stranger(browser)
    yield tab
    tab.close()


def test_a_place_without_a_page_leads_back(tab, served):
    tab.goto(f"{served}/instances/of/mine")
    alive(tab)
    expect(tab.get_by_role("heading", name="There is no such page")).to_be_visible()
    tab.get_by_role("button", name="All instances").click()
    expect(tab.get_by_role("heading", name="Instances", exact=True)).to_be_visible()


def test_programs_are_told_of_a_missing_page_as_before(served):
    answer = httpx.get(f"{served}/assets/none.css", timeout=60)
    assert answer.status_code == 404
    assert "There is no such page" not in answer.text


@pytest.mark.parametrize(
    ("at", "told"),
    [("page", "This page could not be drawn"), ("place", "Something went wrong"), ("button", "Something went wrong")],
)
def test_a_fault_of_ours_is_told_without_its_details(tab, served, at, told):
    tab.goto(f"{served}/faulty?at={at}")
    alive(tab)
    if at == "button":
        tab.get_by_role("button", name="Fail").click()
    expect(tab.get_by_text(told).first).to_be_visible()
    expect(tab.get_by_text("nobody is to read this")).to_have_count(0)
