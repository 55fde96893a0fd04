"""The page in a real browser: what one sees, and that keys, lists and switches reach the robot."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser import chromium, visit
from pages import shown, wait_until
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from viewer.gamepad import Gamepad
from viewer.page import Page as Screen


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def screen(browser: Browser) -> Iterator[Screen]:
    with shown() as screen:
        yield screen


@pytest.fixture(scope="module")
def tab(browser: Browser, screen: Screen) -> Page:
    return visit(browser, screen.server)


def picture(tab: Page) -> np.ndarray:
    """What the tab shows in its middle, left of the controls, (height, width, 3)."""
    shot = tab.screenshot(clip={"x": 250, "y": 150, "width": 250, "height": 200}, timeout=180_000)
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def red(picture: np.ndarray) -> np.ndarray:
    """Where a picture shows the cover of a robot, (height, width)."""
    return picture[..., 0] - picture[..., 1:].max(-1) > 60


def control(tab: Page, handle: Any) -> Locator:
    """What a user takes hold of to change a control."""
    return tab.locator(f"[id='{handle._impl.uuid}']")


def test_the_robot_is_seen_and_moves(screen: Screen, tab: Page) -> None:
    screen.session.wish.set("forward", 0.4)
    wait_until("the robot is drawn", lambda: red(picture(tab)).any())
    first = picture(tab)
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 50
    steps = screen.session.focused.walk.steps
    wait_until("the robot has walked on", lambda: screen.session.focused.walk.steps > steps + 25)
    wait_until("the picture has changed", lambda: (red(picture(tab)) != red(first)).sum() > 20)


def test_keys_drive_the_robot_and_not_the_camera(screen: Screen, tab: Page) -> None:
    wish, state = screen.session.wish, lambda: screen.session.focused.env.state
    wish.stop()
    (client,) = screen.server.get_clients().values()
    eye = client.camera.position.copy()
    tab.keyboard.press("w")
    tab.keyboard.press("w")
    wait_until("W is heard twice", lambda: state().command[0, 0] > 0.15)
    tab.keyboard.down("d")
    wait_until("D turns", lambda: wish.turn < 0)
    assert wish.forward == pytest.approx(0.2)
    tab.keyboard.up("d")
    wait_until("D let go of turns no more", lambda: wish.turn == 0)
    tab.keyboard.down("q")
    wait_until("Q steps aside", lambda: wish.lateral > 0)
    tab.evaluate("window.dispatchEvent(new Event('blur'))")
    wait_until("a window that is left steps aside no more", lambda: wish.lateral == 0)
    tab.keyboard.up("q")
    tab.keyboard.press("Space")
    wait_until("space stops", lambda: wish.forward == 0)
    assert client.camera.position == pytest.approx(eye, abs=1e-6)


def test_a_click_with_shift_sends_the_robot_there(screen: Screen, tab: Page) -> None:
    tab.keyboard.down("Shift")
    tab.mouse.click(120, 330)
    tab.keyboard.up("Shift")
    wait_until("the click is heard", lambda: screen.session.wish.goal_w is not None)
    goal, state = screen.session.wish.goal_w, screen.session.focused.env.state
    assert goal is not None
    assert 0.2 < float(np.hypot(*(np.array(goal) - state.base_position_w[0, :2].numpy()))) < 6.0
    screen.session.wish.stop()


def test_policies_are_swapped_and_sensors_covered_while_the_robot_walks(screen: Screen, tab: Page) -> None:
    steps = screen.session.focused.walk.steps
    tab.get_by_role("tab", name="Policy").click()
    control(tab, screen.policy.policy).click()
    tab.get_by_role("option", name="pretrained/student.pt").click()
    wait_until("the Student has taken over", lambda: screen.session.focused.agent.name.endswith("student.pt"))
    tab.get_by_role("tab", name="World").click()
    control(tab, screen.world.cover).check()
    wait_until("the sensors are covered", lambda: screen.session.world.noise == "covered")
    assert screen.session.focused.walk.steps > steps


def test_the_state_is_saved_and_loaded_and_what_cannot_be_is_said(
    screen: Screen, tab: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Gamepad:
        raise ValueError("There is no gamepad.")

    monkeypatch.setattr("viewer.panels.gamepad.find_gamepad", none)
    tab.get_by_role("tab", name="Record").click()
    screen.session.wish.set("forward", 0.35)
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="Save the state").click()
    state = saved.value.path().read_bytes()
    screen.session.wish.stop()
    give(tab, state)
    wait_until("the state is loaded", lambda: screen.session.wish.forward == 0.35)
    give(tab, b"{}")
    tab.get_by_text("This file is no state").wait_for()
    tab.get_by_role("tab", name="Drive").click()
    control(tab, screen.drive.gamepad.switch).check()
    tab.get_by_text("There is no gamepad").wait_for()


def give(tab: Page, state: bytes) -> None:
    """Choose a file to load."""
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Load a state").click()
    chooser.value.set_files({"name": "anymal.json", "mimeType": "application/json", "buffer": state})


def test_two_browsers_see_the_same_and_the_page_ends_when_both_have_gone(
    browser: Browser, screen: Screen, tab: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.page.PATIENCE", 0.0)
    other = visit(browser, screen.server)
    screen.session.wish.stop()
    other.keyboard.press("w")
    wait_until("W of the other browser is heard", lambda: screen.session.wish.forward > 0)
    assert not screen.abandoned()
    other.close()
    wait_until("the other browser has gone", lambda: len(screen.server.get_clients()) == 1)
    assert not screen.abandoned()
    tab.close()
    wait_until("the page has noticed that all have gone", screen.abandoned)
