"""A real browser for tests, and a page that it may look at."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import viser
from playwright.sync_api import Browser, Page, sync_playwright

from evaluation.agents import load_agent
from viewer.driving import Wish
from viewer.page import Page as Screen
from viewer.server import address, open_server
from viewer.session import Session
from viewer.world import World

NAMES = ("chromium", "chromium-browser", "google-chrome")
SOFTWARE = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""Flags with which Chromium draws in three dimensions without a graphics card, for root, too."""
SIZE = {"width": 840, "height": 400}
"""Pixels: few, as software draws them, and enough for a robot beside the controls."""
CALM = """window.requestAnimationFrame = draw => setTimeout(() => draw(performance.now()), 250)
window.cancelAnimationFrame = clearTimeout"""
"""Four pictures a second: what software draws at full speed leaves nothing for what is tested."""
SLOW = 180.0
"""s that a machine with much to do may take for anything."""


def find_chromium() -> str:
    """The browser's program; without one the test is skipped, and fails in CI, which installs it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = "There is no Chromium to open the page in: apt-get install chromium."
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


@contextmanager
def shown(terrain: str = "flat") -> Iterator[Screen]:
    """A page with the gait alone on it, walking on a thread of its own: few pictures, plainly lit, for software."""
    session = Session([load_agent("zero")], World(terrain), Wish(), {})
    screen = Screen(open_server(port=0), session, ("zero",))
    screen.every |= {screen.show_picture: 0.5, screen.show_numbers: 1.0}
    screen.server.scene.configure_default_lights(cast_shadow=False)
    screen.server.scene.configure_environment_map(hdri=None)
    over = threading.Event()

    def walk() -> None:
        while not over.is_set():
            screen.advance()

    thread = threading.Thread(target=walk)
    thread.start()
    yield screen
    over.set()
    thread.join()
    screen.close()


def visit(browser: Browser, server: viser.ViserServer) -> Page:
    """The page in a new tab, as soon as it is drawn."""
    tab = browser.new_page(viewport=SIZE)  # pyright: ignore[reportArgumentType]
    tab.set_default_timeout(1000 * SLOW)
    tab.add_init_script(CALM)
    before = len(server.get_clients())
    tab.goto(address(server))
    tab.wait_for_selector("canvas[data-engine]", state="attached")
    wait_until(lambda: len(server.get_clients()) > before)
    tab.get_by_role("tab", name="Drive").wait_for()
    return tab


def wait_until(true: Callable[[], object]) -> None:
    """Return when it is true; a test fails if that never happens."""
    until = time.monotonic() + SLOW
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)
