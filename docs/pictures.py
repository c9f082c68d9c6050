"""Take the pictures of a report: `python docs/pictures.py report.html` writes `report-<look>.png` beside this file."""

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


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(__file__).parent)
