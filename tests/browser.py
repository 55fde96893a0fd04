"""A real browser for tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import viser
from pages import SLOW, wait_until
from playwright.sync_api import Browser, Page, sync_playwright

from viewer.server import address

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
"""Names and places of its program on Linux and macOS."""
SOFTWARE = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""Flags with which Chromium draws in three dimensions without a graphics card, for root, too."""
SIZE = {"width": 840, "height": 400}
"""Pixels: few, as software draws them, and enough for a robot beside the controls."""
CALM = """window.requestAnimationFrame = draw => setTimeout(() => draw(performance.now()), 250)
window.cancelAnimationFrame = clearTimeout"""
"""Four pictures a second: what software draws at full speed leaves nothing for what is tested."""


def find_chromium() -> str:
    """The browser's program; without one the test is skipped, and fails in CI, which installs it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = "There is no Chromium or Chrome to open the page in: install one (apt-get install chromium)."
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(SOFTWARE))
        yield browser
        browser.close()


def visit(browser: Browser, server: viser.ViserServer) -> Page:
    """The page in a new tab, as soon as it is drawn."""
    tab = browser.new_page(viewport=SIZE)  # pyright: ignore[reportArgumentType]
    tab.set_default_timeout(1000 * SLOW)
    tab.add_init_script(CALM)
    before = len(server.get_clients())
    tab.goto(address(server))
    tab.wait_for_selector("canvas[data-engine]", state="attached")
    wait_until("the page knows the browser", lambda: len(server.get_clients()) > before)
    tab.get_by_role("tab", name="Drive").wait_for()
    return tab
