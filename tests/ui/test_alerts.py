"""Alerts: the list of all, and those of an instance on its page."""

import datetime as dt

import pytest
from playwright.sync_api import expect
from tests.ui.conftest import CHROMIUM, alive
from tests.ui.test_care import press, tab_to, violations

from likelier.service.workspace import open_workspace
from likelier.settings import read_settings
from likelier.store import alerts, instances
from likelier.store.alerts import Alert
from likelier.timespan import DAY

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]
NAME = "Buy"
NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def watched(home):
    """The id of an instance of which three matters were noticed; one is over."""
    with open_workspace(read_settings({}, home=home)) as workspace:
        with workspace.store.write() as connection:
            found = instances.get(connection, NAME)
            for kind, words, over in (
                ("drift", "Prices doubled.", None),
                ("failed run", "The disk is full.", None),
                ("missed schedule", "It has not begun.", NOON + DAY),
            ):
                told = {"webhook": NOON.isoformat()} if over else {}
                made = Alert(f"watched {kind}", found.id, NAME, kind, kind, words, NOON, over_at=over, sent=told)
                assert alerts.add(connection, made)
        yield found.id
        with workspace.store.write() as connection:
            alerts.remove(connection, found.id)


def test_alerts_are_listed_found_by_instance_and_lead_to_it(look, watched):
    tab = look("/alerts")
    table = tab.get_by_role("table", name="Alerts")
    over = table.get_by_role("row").filter(has_text="It has not begun.")
    expect(over.get_by_text("since 2 May 2024, 12:00 UTC")).to_be_visible()
    expect(over.get_by_text("told by webhook")).to_be_visible()
    lasts = table.get_by_role("row").filter(has_text="Prices doubled.")
    expect(lasts.get_by_text("Lasts")).to_be_visible()
    expect(lasts.get_by_text("noted")).to_be_visible()
    expect(tab.get_by_text("Nobody is told of alerts.")).to_be_visible()
    assert violations(tab) == []
    for width in (360, 390, 1280):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab_to(tab, "Search the alerts")
    tab.keyboard.type("no such thing")
    expect(tab.get_by_text("No alert matches.")).to_be_visible()
    tab.get_by_label("Search the alerts").fill("buy")
    expect(table.get_by_role("link", name=NAME, exact=True)).to_have_count(3)
    press(tab, NAME)
    expect(tab.get_by_role("heading", name=NAME, exact=True)).to_be_visible()


def test_an_instance_tells_of_what_lasts_and_is_not_told_there_otherwise(look, watched):
    tab = look(f"/instances/{watched}")
    noticed = tab.get_by_role("region", name="Alerts")
    expect(noticed.get_by_text("Prices doubled.")).to_be_visible()
    expect(noticed.get_by_role("listitem")).to_have_count(1)
    assert violations(tab) == []


def test_a_test_says_what_is_missing_and_is_for_administrators(look, watched):
    tab = look("/alerts")
    press(tab, "Send a test")
    expect(tab.get_by_text("Nobody is told. Set LIKELIER_ALERT_WEBHOOK")).to_be_visible()
    tab = look("/alerts", who="viewer")
    expect(tab.get_by_role("table", name="Alerts")).to_be_visible()
    alive(tab)
    expect(tab.get_by_role("button", name="Send a test")).to_have_count(0)
