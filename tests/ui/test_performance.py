"""The performance summary of a run whose outcome window has closed."""

import pytest
from playwright.sync_api import expect
from tests.pipeline.shop import DAYS, START, instance
from tests.service.scored import publish

from likelier.access.identity import Actor
from likelier.service.instances import delete_instance, save_instance
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings
from likelier.timespan import DAY

NAME = "Came true in April"


@pytest.fixture(scope="module")
def closed(home):
    """The id of an instance that scored people long ago, the later ones higher."""
    actor, people = Actor("ann"), {f"p{number:05}": (number + 1) / 250 for number in range(200)}
    with open_workspace(read_settings({}, home=home)) as workspace:
        asked = instance(
            name=NAME, datasets=["shop", "customers"], profile_attributes=[{"name": "Tier", "field": "tier"}]
        )
        saved = save_instance(workspace, actor, asked)
        publish(workspace, actor, saved, START + (DAYS - 40) * DAY, people)
        yield saved.id
        delete_instance(workspace, actor, saved.id, from_profiles=True)


def test_the_summary_says_what_came_true_and_tells_a_run_apart_by_an_attribute(look, closed):
    tab = look(f"/instances/{closed}?tab=performance")
    expect(tab.get_by_text("were expected to make a purchase")).to_be_visible()
    expect(tab.get_by_text("Before outcomes were known, 0.60 (0.55 – 0.65) was estimated").first).to_be_visible()
    tab.get_by_label("By attribute").click()
    tab.get_by_role("option", name="Tier", exact=True).click()
    table = tab.get_by_role("table", name="Expected and actual by Tier")
    expect(table.get_by_role("cell", name="gold", exact=True)).to_be_visible()
