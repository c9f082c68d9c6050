"""The pages for everybody: axe-core on each in both themes, and the whole creation with the keyboard alone."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tests.ui.conftest import CHROMIUM, alive, stranger

from likelier.insights.charts import DARK, LIGHT

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]

PAGES = {
    "/": "Success",
    "/datasets": "Profile attributes",
    "/datasets/shop": "Filled in the last year",
    "/profiles?namespace=CRMID&id=p00007": "What is known",
    "/segments": "Segments",
    "/alerts": "What was noticed",
    "/audit": "instance.create",
    "/instances/new": "What kind of question is it?",
}


COLOURS = ("color-contrast", "link-in-text-block")
"""The rules of axe-core that look at colours."""


def violations(tab):
    """What axe-core finds serious or critical in either theme, and where.

    Under an open dialog it takes the darkened page for the background of everything: colours are checked on the pages.
    """
    expect(tab.locator("html")).to_have_attribute("lang", re.compile("."))
    if tab.locator(".q-dialog__backdrop").count():
        return violations_as_seen(tab, under_dialog=True)
    found = []
    for scheme, other in (("light", DARK), ("dark", LIGHT)):
        tab.emulate_media(color_scheme=scheme)
        expect(tab.locator("body")).to_have_class(re.compile(f"body--{scheme}"))
        for colour in (other.ink, other.soft):  # charts are drawn anew
            expect(tab.locator(f".chart svg text[fill='{colour}']")).to_have_count(0)
        found += violations_as_seen(tab, of_colours=scheme == "dark")  # all else is the same in both
    return found


def violations_as_seen(tab, *, under_dialog=False, of_colours=False):
    options = {"rules": {"color-contrast": {"enabled": not under_dialog}}, "resultTypes": ["violations"]}
    if of_colours:
        options = {"runOnly": {"type": "rule", "values": list(COLOURS)}, "resultTypes": ["violations"]}
    found = Axe().run(tab, options=options).response["violations"]
    return [
        (each["id"], each["impact"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


@pytest.fixture(scope="module")
def visit(browser, served):
    tab = stranger(browser)

    def go(path, words):
        browser.clear_cookies()
        tab.goto(served + path)
        alive(tab)
        expect(tab.get_by_text(words).first).to_be_visible()
        expect(tab.locator(".loading")).to_have_count(0)
        return tab

    yield go
    tab.close()


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_accessible_and_nothing_sticks_out_at_any_width(visit, path):
    tab = visit(path, PAGES[path])
    assert violations(tab) == []
    for width in (360, 768, 2560, 1280):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_panels_dialogs_and_tabs_are_accessible(visit):
    tab = visit("/", "Success")
    tab.get_by_role("button", name="Details of Buy", exact=True).click()
    expect(tab.get_by_text("A customer who makes a purchase within 14 days.")).to_be_visible()
    assert violations(tab) == []
    tab.get_by_role("button", name="Insights").click()
    expect(tab.get_by_text(re.compile(r"^[\d,]+ customers scored"))).to_be_visible()
    assert violations(tab) == []
    tab.locator("button.factor").first.click()
    expect(tab.locator(".drill .chart svg text").first).to_be_visible()
    assert violations(tab) == []
    tab.get_by_role("button", name="Close").click()
    tabs = {
        "Model evaluation": "Target the top 20%",
        "Run history": "Outcome",
        "Performance summary": "Did it come true",
    }
    for name, words in tabs.items():
        tab.get_by_role("tab", name=name).click()
        expect(tab.get_by_text(re.compile(words)).first).to_be_visible()
        assert violations(tab) == []


def test_datasets_are_accessible_in_every_tab_and_on_the_way_in(visit):
    tab = visit("/datasets/shop", "Filled in the last year")
    tabs = {
        "Days": "Events of each day",
        "Preview": "newest rows",
        "Set aside": "Nothing was|could not be used",
        "Batches": "Came on",
    }
    for name, words in tabs.items():
        tab.get_by_role("tab", name=name).click()
        expect(tab.get_by_text(re.compile(words)).first).to_be_visible()
        assert violations(tab) == []
    tab.get_by_role("button", name="Add a file").click()
    expect(tab.get_by_role("button", name="Choose a file")).to_be_visible()
    assert violations(tab) == []
    file = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"customer_id,timestamp,kind\nc1,2024-05-01,view\n"}
    tab.locator("input[type=file]").set_input_files(file)
    expect(tab.get_by_label("Who: a column")).to_have_value("customer_id")
    assert violations(tab) == []


def test_a_segment_is_accessible_from_its_making_to_its_deliveries(visit):
    tab = visit("/segments", "Segments")
    tab.get_by_role("button", name="New segment").first.click()
    tab.get_by_role("button", name="A score").click()
    expect(tab.get_by_text(re.compile("people who have a score"))).to_be_visible()
    assert violations(tab) == []
    tab.get_by_label("Name", exact=True).fill("Looked at with care")
    tab.get_by_role("button", name="Create", exact=True).click()
    expect(tab.get_by_text("Nothing was delivered yet.")).to_be_visible()
    alive(tab)
    assert violations(tab) == []
    tabs = {
        "What sets them apart": "Members and everybody else|Nothing sets them apart",
        "Overlap": "No other segment|people belong to both",
        "Does acting help?": "Nobody is kept back",
        "Members": "Who belongs to it",
    }
    for name, words in tabs.items():
        tab.get_by_role("tab", name=name).click()
        expect(tab.get_by_text(re.compile(words)).first).to_be_visible()
        assert violations(tab) == []
    tab.get_by_role("button", name="Deliver", exact=True).click()
    expect(tab.get_by_label("Where to", exact=True)).to_be_visible()
    assert violations(tab) == []
    tab.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(tab.get_by_role("dialog")).to_have_count(0)
    tab.get_by_role("button", name="Delete").click()
    expect(tab.get_by_text("The segment 'Looked at with care' is deleted.")).to_be_visible()
    assert violations(tab) == []


def test_every_step_of_the_creation_is_accessible(visit):
    tab = visit("/instances/new", "What kind of question is it?")
    tab.get_by_label("Name", exact=True).fill("Made with care")
    tab.get_by_role("button", name="Next").click()
    tab.get_by_role("checkbox", name="shop").click()
    expect(tab.get_by_role("checkbox", name="shop")).to_be_checked()
    assert violations(tab) == []
    tab.get_by_role("button", name="Next").click()
    tab.get_by_role("combobox", name="Field").fill("purchases.val")
    tab.get_by_role("option", name=re.compile("commerce.purchases.value")).click()
    expect(tab.get_by_text("A customer who makes a purchase within 30 days.")).to_be_visible()
    assert violations(tab) == []
    tab.get_by_role("button", name="Next").click()
    expect(tab.get_by_text("How often")).to_be_visible()
    assert violations(tab) == []
    visit("/", "Success")
    tab.get_by_role("button", name="Details of Made with care").click()
    tab.get_by_role("dialog", name="Details").get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("link", name="Made with care")).to_have_count(0)


def test_the_sign_in_page_is_accessible(browser):
    from likelier.api.sign_in import PAGE  # noqa: PLC0415 - only its text is wanted

    tab = stranger(browser)
    told = {"refused": "<p role=alert>No.</p>", "provider": '<a href="/">Sign in with Them</a>', "next": "/"}
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        tab.set_content(PAGE.format(code="en", sign_in="Sign in", name="Name", password="Password", **told))
        assert violations_as_seen(tab) == []
    tab.close()


FOCUSED = """() => {
  const here = document.activeElement;
  const marked = here.closest(".q-field__control, .q-radio, .q-checkbox, .q-toggle") ?? here;
  const seen = [here, marked, ...marked.querySelectorAll("*")].some((each) => {
    const style = getComputedStyle(each), after = getComputedStyle(each, "::after");
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none"
      || parseFloat(after.borderTopWidth) >= 2;
  });
  return [here.getAttribute("aria-label") || here.textContent.trim() || here.tagName, seen];
}"""


def tab_to(tab, name):
    """Press Tab until something of that name has the focus; every stop on the way must be seen to have it."""
    passed = []
    for _ in range(60):
        tab.keyboard.press("Tab")
        said, seen = tab.evaluate(FOCUSED)
        assert seen, f"nothing shows the focus on {said!r}"
        passed.append(said[:40])
        if said.endswith(name):
            return
    pytest.fail(f"Tab never reached {name!r}: {passed}")


def press(tab, name):
    tab_to(tab, name)
    tab.keyboard.press("Enter")


def test_an_instance_is_made_with_the_keyboard_alone(look, served):
    tab = look("/")
    press(tab, "New instance")
    expect(tab.get_by_role("heading", name="New instance")).to_be_visible()
    alive(tab)
    expect(tab.get_by_label("Name", exact=True)).to_be_focused()
    tab.keyboard.type("By keys")
    press(tab, "Next")
    expect(tab.locator("[aria-current=step]")).to_contain_text("Select data")
    tab_to(tab, "shop")
    tab.keyboard.press("Space")
    expect(tab.get_by_role("checkbox", name="shop")).to_be_checked()
    press(tab, "Next")
    expect(tab.locator("[aria-current=step]")).to_contain_text("Define goal")
    tab_to(tab, "Field")
    tab.keyboard.type("purchases.val")
    expect(tab.get_by_role("option", name=re.compile("commerce.purchases.value"))).to_be_visible()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("A customer who makes a purchase within 30 days.")).to_be_visible()
    tab_to(tab, "Outcome window in days")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("14")
    expect(tab.get_by_text("A customer who makes a purchase within 14 days.")).to_be_visible()
    press(tab, "Next")
    expect(tab.locator("[aria-current=step]")).to_contain_text("Set options")
    press(tab, "Create and run")
    expect(tab.get_by_role("heading", name="By keys")).to_be_visible()
    # The run is watched to its end, which is a while on a busy machine.
    expect(tab.get_by_text(re.compile(r"^[\d,]+ customers scored"))).to_be_visible(timeout=400_000)
    tab.goto(served)
    alive(tab)
    tab.get_by_role("button", name="Details of By keys").click()
    tab.get_by_role("dialog", name="Details").get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("link", name="By keys")).to_have_count(0)
