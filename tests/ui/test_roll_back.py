"""Back to the model before, from the run history."""

import re

import pytest
from playwright.sync_api import expect
from tests.pipeline.shop import few_trees, instance
from tests.ui.conftest import CHROMIUM, alive
from tests.ui.test_care import violations, violations_as_seen

from likelier.access.identity import Actor
from likelier.service.instances import delete_instance, save_instance
from likelier.service.runs import start_run
from likelier.service.work import carry_on_here
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]
BACK = "Go back to the model before"


@pytest.fixture(scope="module")
def two_models(home):
    """The id of an instance that has made two models."""
    actor = Actor("ann")
    with open_workspace(read_settings({}, home=home)) as workspace, few_trees():
        saved = save_instance(workspace, actor, instance(name="Made twice"))
        for _ in ("first", "second"):
            run = start_run(workspace, actor, saved, as_of=None, seed=None)
            assert str(carry_on_here(workspace, run).state) == "success"
        yield saved.id
        delete_instance(workspace, actor, saved.id, from_profiles=True)


def test_the_model_before_is_gone_back_to_once_that_is_confirmed(look, two_models):
    tab = look(f"/instances/{two_models}?tab=runs")
    expect(tab.get_by_role("heading", name="The model in use")).to_be_visible()
    tab.get_by_role("button", name=BACK).click()
    asked = tab.get_by_role("alertdialog")
    expect(asked.get_by_text("Everybody is scored again with the model of")).to_be_visible()
    assert violations_as_seen(tab, under_dialog=True) == []
    asked.get_by_role("button", name="Cancel").press("Enter")
    expect(asked).to_have_count(0)
    assert violations(tab) == []
    tab.get_by_role("button", name=BACK).press("Enter")
    asked.get_by_role("button", name="Go back", exact=True).press("Enter")
    scores = tab.get_by_text(re.compile(r"^[\d,]+ customers scored"))
    expect(tab.get_by_role("progressbar").or_(scores).first).to_be_visible()
    expect(tab.get_by_role("progressbar")).to_have_count(0, timeout=400_000)
    alive(tab)
    tab.get_by_role("tab", name="Run history").click()
    expect(tab.get_by_role("table", name="Runs").get_by_text("Rolled back to the model of")).to_be_visible()
    expect(tab.get_by_role("button", name=BACK)).to_be_visible()  # which leads forward again


def test_it_is_not_offered_to_who_may_only_look(look, two_models):
    tab = look(f"/instances/{two_models}?tab=runs", who="viewer")
    expect(tab.get_by_role("heading", name="The model in use")).to_be_visible()
    expect(tab.get_by_role("button", name=BACK)).to_have_count(0)


def test_it_is_not_offered_where_there_is_no_model_before(look):
    tab = look("/")
    tab.get_by_role("link", name="Buy", exact=True).click()
    alive(tab)
    tab.get_by_role("tab", name="Run history").click()
    expect(tab.get_by_role("heading", name="The model in use")).to_be_visible()
    expect(tab.locator(".loading")).to_have_count(0)
    expect(tab.get_by_role("button", name=BACK)).to_have_count(0)
