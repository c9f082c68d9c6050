"""Take the pictures beside this file.

`python docs/pictures.py report.html` takes those of a report; `python docs/pictures.py http://127.0.0.1:8080 NAME`
those of the pages of a server that asks for no sign-in, with the insights of the instance NAME. With a FOLDER after
that, every page and tab of a home made by `likelier demo` is taken into it, narrow and wide, light and dark, to be
looked at, and what sticks out at the side is told.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, sync_playwright

LOOKS = {"light": (1280, "light"), "dark": (1280, "dark"), "phone": (390, "light")}
ALL_LOOKS = LOOKS | {"phone-dark": (390, "dark")}
PLACES = {
    "instances": ("/", []),
    "instance-details": ("/", [("button", "Details of {instance}")]),
    "insights": ("{here}", []),
    "drill-down": ("{here}", [(".factor", "")]),
    "evaluation": ("{here}?tab=evaluation", []),
    "run-history": ("{here}?tab=runs", []),
    "performance": ("{here}?tab=performance", []),
    "edit": ("/instances/new?edit={id}", []),
    "edit-data": ("/instances/new?edit={id}", [("button", "Next")]),
    "look-at-data": ("/instances/new?edit={id}", [("button", "Next"), ("details summary", "")]),
    "edit-goal": ("/instances/new?edit={id}", [("button", "Next"), ("button", "Next")]),
    "edit-options": ("/instances/new?edit={id}", [("button", "Next")] * 3),
    "datasets": ("/datasets", []),
    "upload": ("/datasets", [("button", "Upload a file")]),
    "dataset": ("/datasets/shop", []),
    "dataset-days": ("/datasets/shop", [("tab", "Days")]),
    "dataset-preview": ("/datasets/shop", [("tab", "Preview")]),
    "dataset-set-aside": ("/datasets/shop", [("tab", "Set aside")]),
    "dataset-batches": ("/datasets/shop", [("tab", "Batches")]),
    "profiles": ("/profiles", []),
    "segments": ("/segments", []),
    "new-segment": ("/segments", [("button", "New segment"), ("button", "A score"), ("button", "What they did")]),
    "segment": ("/segments", [("row", "link")]),
    "segment-apart": ("/segments", [("row", "link"), ("tab", "What sets them apart")]),
    "segment-overlap": ("/segments", [("row", "link"), ("tab", "Overlap")]),
    "segment-hold-out": ("/segments", [("row", "link"), ("tab", "Does acting help?")]),
    "edit-segment": ("/segments", [("row", "link"), ("button", "Edit")]),
    "deliver": ("/segments", [("row", "link"), ("button", "Deliver")]),
    "profile": ("/segments", [("row", "link"), ("member", "link")]),
    "alerts": ("/alerts", []),
    "audit": ("/audit", []),
    "lost": ("/instances/nowhere", []),
}


@contextmanager
def tabs(looks: Mapping[str, Any], **options: Any) -> Iterator[Iterator[tuple[str, int, Page]]]:
    """Open a tab for each look, one after the other."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        def opened() -> Iterator[tuple[str, int, Page]]:
            for look, (width, scheme) in looks.items():
                size = {"width": width, "height": 1000}
                context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", **options)
                yield look, width, context.new_page()
                context.close()

        yield opened()
        browser.close()


def take(page: Path, to: Path) -> None:
    """Photograph a page as it looks on a screen, in the dark and on a phone."""
    with tabs(LOOKS, offline=True) as each:
        for look, _, tab in each:
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("html[data-drawn=yes]", state="attached")
            tab.wait_for_timeout(300)  # the drawings settle
            tab.screenshot(path=to / f"report-{look}.png")


def take_pages(address: str, instance: str, to: Path) -> None:
    """Photograph the instances and the insights of one."""
    with tabs(LOOKS) as each:
        for look, _, tab in each:
            tab.goto(address)
            tab.get_by_role("link", name=instance, exact=True).wait_for()
            tab.wait_for_timeout(300)
            tab.screenshot(path=to / f"instances-{look}.png")
            tab.get_by_role("link", name=instance, exact=True).click()
            tab.locator(".chart.ring svg path").first.wait_for()
            tab.wait_for_timeout(800)
            tab.screenshot(path=to / f"insights-{look}.png")


def take_all(address: str, instance: str, to: Path) -> None:
    """Photograph every page in every look."""
    to.mkdir(parents=True, exist_ok=True)
    with tabs(ALL_LOOKS) as each:
        for look, width, tab in each:
            tab.goto(address)
            here = tab.get_by_role("link", name=instance, exact=True).get_attribute("href")
            known = {"here": here, "id": here.rpartition("/")[2], "instance": instance}
            for name, (path, clicks) in PLACES.items():
                tab.goto(address + path.format(**known))
                settle(tab)
                for kind, words in clicks:
                    found(tab, kind, words.format(**known)).click()
                    settle(tab)
                tab.screenshot(path=to / f"{name}-{look}.png", full_page=True)
                if (wide := tab.evaluate("document.documentElement.scrollWidth")) > width:
                    sys.stdout.write(f"{name} is {wide} wide at {width}\n")


def found(tab: Page, kind: str, words: str) -> Locator:
    if not words:
        return tab.locator(kind).first
    if words == "link":
        return tab.locator({"row": "table a.name", "member": "ul.members a"}[kind]).first
    return tab.get_by_role(kind, name=words, exact=True).first


def settle(tab: Page) -> None:
    """Wait until the page hears, nothing loads, and the drawings are still."""
    tab.locator("html[data-live=yes]").wait_for(state="attached")
    tab.wait_for_function("!document.querySelector('.loading')")
    tab.wait_for_timeout(900)


if __name__ == "__main__":
    here = Path(__file__).parent
    if not sys.argv[1].startswith("http"):
        take(Path(sys.argv[1]), here)
    elif len(sys.argv) == 3:
        take_pages(sys.argv[1], sys.argv[2], here)
    else:
        take_all(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
