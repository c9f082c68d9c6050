"""Take the pictures beside this file.

`python docs/pictures.py report.html` takes those of a report; `python docs/pictures.py http://127.0.0.1:8080 NAME`
those of the pages of a server that asks for no sign-in, with the insights of the instance NAME.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

LOOKS = {"light": (1280, "light"), "dark": (1280, "dark"), "phone": (390, "light")}


def take(page: Path, to: Path) -> None:
    """Photograph a page as it looks on a screen, in the dark and on a phone."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for look, (width, scheme) in LOOKS.items():
            context = browser.new_context(
                viewport={"width": width, "height": 1000}, color_scheme=scheme, reduced_motion="reduce", offline=True
            )
            tab = context.new_page()
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("html[data-drawn=yes]", state="attached")
            tab.wait_for_timeout(300)  # the drawings settle
            tab.screenshot(path=to / f"report-{look}.png")
        browser.close()


def take_pages(address: str, instance: str, to: Path) -> None:
    """Photograph the instances and the insights of one."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for look, (width, scheme) in LOOKS.items():
            context = browser.new_context(
                viewport={"width": width, "height": 1000}, color_scheme=scheme, reduced_motion="reduce"
            )
            tab = context.new_page()
            tab.goto(address)
            tab.get_by_role("link", name=instance, exact=True).wait_for()
            tab.wait_for_timeout(300)
            tab.screenshot(path=to / f"instances-{look}.png")
            tab.get_by_role("link", name=instance, exact=True).click()
            tab.locator(".chart.ring svg path").first.wait_for()
            tab.wait_for_timeout(800)
            tab.screenshot(path=to / f"insights-{look}.png")
        browser.close()


if __name__ == "__main__":
    here = Path(__file__).parent
    if sys.argv[1].startswith("http"):
        take_pages(sys.argv[1], sys.argv[2], here)
    else:
        take(Path(sys.argv[1]), here)
