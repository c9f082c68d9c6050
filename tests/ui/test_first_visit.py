"""A home without anything, as its first person meets it: the printed password, the way in, what to do first."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import pytest
from playwright.sync_api import expect
from tests.ui.conftest import CHROMIUM, alive, stranger, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]


@pytest.fixture
def begun(tmp_path):
    """`likelier serve` on an empty home: its address, and the password it printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What pytest hangs into its own process makes NiceGUI take the server for a test of its own.
    here = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "NICEGUI", "LIKELIER"))}
    words = [sys.executable, "-m", "likelier.cli", "serve", "--port", str(port), "--home", str(tmp_path / "home")]
    log = tmp_path / "log"
    with log.open("wb") as lines:
        server = subprocess.Popen(words, env=here, stdout=subprocess.DEVNULL, stderr=lines)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/healthz", server)
        yield address, re.search(r"the password (\S+)", log.read_text(encoding="utf-8"))[1]
    finally:
        server.terminate()
        server.wait(60)


def test_the_first_person_signs_in_with_the_password_that_was_printed(browser, begun):
    address, password = begun
    tab = stranger(browser)
    tab.goto(address)
    expect(tab).to_have_title("Sign in - likelier")
    expect(tab.get_by_label("Name", exact=True)).to_be_focused()
    tab.keyboard.type("admin")
    tab.get_by_label("Password").fill("guessed")
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("alert")).to_be_visible()
    tab.get_by_label("Name", exact=True).fill("admin")
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Sign in").click()
    alive(tab)
    expect(tab.get_by_role("heading", name="Instances", exact=True)).to_be_visible()
    expect(tab.get_by_role("heading", name="Nothing is asked yet")).to_be_visible()
    expect(tab.get_by_role("button", name="New instance")).to_be_visible()
    tab.get_by_role("link", name="Datasets", exact=True).click()
    expect(tab.get_by_role("heading", name="No data yet")).to_be_visible()
    alive(tab)
    tab.get_by_role("button", name="Who I am").click()
    expect(tab.get_by_text("admin", exact=True)).to_be_visible()
    expect(tab.get_by_text("May change everything")).to_be_visible()
    tab.get_by_role("link", name="Sign out").click()
    expect(tab).to_have_title("Sign in - likelier")
    tab.goto(f"{address}/segments")
    expect(tab).to_have_title("Sign in - likelier")
    tab.close()
