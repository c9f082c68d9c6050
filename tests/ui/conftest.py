"""A served home with one finished instance, and a browser before it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.pipeline.shop import attributes, events, few_trees, instance, put

from likelier.access.identity import Actor
from likelier.service.instances import save_instance
from likelier.service.runs import start_run
from likelier.service.work import carry_on_here
from likelier.service.workspace import open_workspace
from likelier.settings import read_settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def alive(tab) -> None:
    """Wait until the page is connected: what is typed before is not heard."""
    expect(tab.locator("html")).to_have_attribute("data-live", "yes")


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A home where 'Buy' was run on a small shop."""
    folder = tmp_path_factory.mktemp("home")
    with open_workspace(read_settings({}, home=folder)) as workspace:
        put(workspace.lake, events(1500))
        put(workspace.lake, attributes(1500), "customers", "profiles")
        actor = Actor("ann")
        run = start_run(workspace, actor, save_instance(workspace, actor, instance()), as_of=None, seed=None)
        with few_trees():
            assert str(carry_on_here(workspace, run).state) == "success"
    return folder


@pytest.fixture(scope="session")
def served(home):
    """The address of the pages."""
    with _serving(home) as address:
        yield address


@contextlib.contextmanager
def _serving(home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "tests.ui.serving", str(home), str(port)]
    server = subprocess.Popen(words, cwd=Path(__file__).parents[2])
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def wait_for(address, server):
    until = time.monotonic() + 300  # a busy machine takes its time to load
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=20).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
        else:
            return
    pytest.fail("the pages were not served")


@pytest.fixture(scope="session")
def remembered(tmp_path_factory):
    """Where the browser keeps the scripts it has compiled: most of what opening a page would cost."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")  # an event loop goes round while it is there: no other tests may run meanwhile
def browser(remembered):
    """A browser that was here before; who looks is forgotten by :func:`stranger`."""
    expect.set_options(timeout=60_000)
    options = {"args": ["--no-sandbox", "--disable-gpu"], "reduced_motion": "reduce"}
    with sync_playwright() as driver:
        opened = driver.chromium.launch_persistent_context(remembered, executable_path=CHROMIUM, **options)
        opened.set_default_timeout(60_000)
        yield opened
        opened.close()


def stranger(browser):
    """Open a tab of which nobody knows anything."""
    browser.clear_cookies()
    return browser.new_page()


@pytest.fixture
def look(browser, served):
    """Open a page; it may not complain."""
    tabs, trouble = [], []

    def open_(path="/", *, who="ann"):
        tab = stranger(browser)
        tabs.append(tab)
        browser.add_cookies([{"name": "who", "value": who, "url": served}])
        tab.on("console", lambda message: message.type == "error" and trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.goto(served + path)
        alive(tab)
        return tab

    yield open_
    for tab in tabs:
        tab.close()
    assert trouble == []
