"""A gamepad's sticks become the three parts of the command, and what is missing is said in one sentence."""

from __future__ import annotations

import asyncio
import importlib
from types import SimpleNamespace
from typing import Any

import pytest

from viewer.driving import REACH, Wish
from viewer.gamepad import FULL, SDL, SLACK, Gamepad, Sticks, find_gamepad, without_slack
from viewer.panels.gamepad import GamepadSwitch
from viewer.wishes import Wishes

REST = Sticks(0.0, 0.0, 0.0)


class Pads:
    """pygame with a gamepad, or none, that a test moves."""

    CONTROLLER_AXIS_LEFTX, CONTROLLER_AXIS_LEFTY, CONTROLLER_AXIS_RIGHTX = range(3)

    def __init__(self, count: int = 1) -> None:
        self.count, self.there, self.axes = count, True, [0, 0, 0]
        self.display = self.event = self
        self.pumped = 0

    def init(self) -> None: ...
    def quit(self) -> None: ...

    def pump(self) -> None:
        self.pumped += 1

    def get_count(self) -> int:
        return self.count

    def is_controller(self, number: int) -> bool:
        return number == self.count - 1

    def Controller(self, number: int) -> Pads:  # noqa: N802
        assert number == self.count - 1
        return self

    def attached(self) -> bool:
        return self.there

    def get_axis(self, axis: int) -> int:
        return self.axes[axis]


@pytest.fixture
def pads(monkeypatch: pytest.MonkeyPatch) -> Pads:
    return plugged(monkeypatch, Pads(count=2))


def plugged(monkeypatch: pytest.MonkeyPatch, pads: Pads) -> Pads:
    for name in SDL:
        monkeypatch.setenv(name, SDL[name])
    monkeypatch.setattr(importlib, "import_module", lambda name: pads)
    return pads


def test_sticks_are_walk_and_turn_with_left_and_ahead_positive(pads: Pads) -> None:
    wish, gamepad = Wish(), find_gamepad()
    pads.axes = [0, -32768, 0]
    gamepad.steer(wish)
    assert (wish.forward, wish.lateral, wish.turn) == (REACH["forward"], 0.0, 0.0)
    pads.axes = [-32768, 0, 32767]
    gamepad.steer(wish)
    assert (wish.forward, wish.lateral, wish.turn) == (0.0, REACH["lateral"], -REACH["turn"])
    assert pads.pumped == 2


def test_slack_means_nothing_and_half_the_way_beyond_it_is_half_the_reach() -> None:
    assert without_slack(SLACK) == without_slack(-0.9 * SLACK) == 0.0
    assert without_slack(SLACK + 0.5 * (1 - SLACK)) == pytest.approx(0.5)
    assert without_slack(-1.0) == without_slack(-40000 / FULL) == -1.0


def test_sticks_at_rest_leave_keys_and_goals_alone_and_letting_go_ends_what_they_began() -> None:
    sticks = [REST]
    wish, gamepad = Wish(forward=0.5), Gamepad(lambda: sticks[0])
    gamepad.steer(wish)
    assert wish.forward == 0.5
    wish.go_to((1.0, 0.0))
    gamepad.steer(wish)
    assert wish.goal_w == (1.0, 0.0)
    sticks[0] = Sticks(0.0, -1.0, 0.0)
    gamepad.steer(wish)
    assert (wish.forward, wish.goal_w) == (REACH["forward"], None)
    sticks[0] = REST
    gamepad.steer(wish)
    assert wish.forward == 0.0


def test_no_gamepad_and_no_package_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, Pads(count=0))
    with pytest.raises(ValueError, match="no gamepad at the computer that runs this page"):
        find_gamepad()

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ValueError, match="pygame-ce .*pip install"):
        find_gamepad()


def test_the_package_opens_without_screen_or_gamepad(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame")
    for name in SDL:
        monkeypatch.delenv(name, raising=False)
    try:
        find_gamepad()
    except ValueError as error:
        assert "There is no gamepad" in str(error)


class Switch:
    """A checkbox of viser."""

    def __init__(self) -> None:
        self.value, self.listeners = False, []

    def on_update(self, listener: Any) -> None:
        self.listeners.append(listener)

    def press(self, value: bool) -> None:
        self.value = value
        for listener in self.listeners:
            asyncio.run(listener(SimpleNamespace(client_id=1, target=self)))


def test_a_gamepad_that_is_pulled_out_stops_the_robot_and_switches_itself_off(pads: Pads) -> None:
    said: list[str] = []
    switch, wishes, wish = Switch(), Wishes(said.append), Wish()
    gui = SimpleNamespace(add_checkbox=lambda *_, **__: switch)
    page: Any = SimpleNamespace(server=SimpleNamespace(gui=gui), wishes=wishes, session=SimpleNamespace(wish=wish))
    panel = GamepadSwitch(page)

    def look() -> None:
        wishes.ask(panel.feel)
        wishes.grant()

    pads.axes = [0, -32768, 0]
    look()
    assert wish.forward == 0.0
    switch.press(True)
    look()
    look()
    assert (switch.value, wish.forward) == (True, REACH["forward"])
    pads.there = False
    look()
    look()
    assert (switch.value, wish.forward) == (False, 0.0)
    assert said == ["The gamepad is gone: plug it in, and try again."]


def test_a_switch_that_finds_none_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, Pads(count=0))
    said: list[str] = []
    switch, wishes = Switch(), Wishes(said.append)
    page: Any = SimpleNamespace(server=SimpleNamespace(gui=SimpleNamespace(add_checkbox=lambda *_, **__: switch)))
    page.wishes = wishes
    GamepadSwitch(page)
    switch.press(True)
    wishes.grant()
    assert switch.value is False
    assert len(said) == 1


class Refused(Pads):
    """A gamepad that this user may not open."""

    def Controller(self, number: int) -> Pads:  # noqa: N802
        raise RuntimeError("Permission denied")


def test_a_gamepad_that_cannot_be_opened_or_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, Refused())
    with pytest.raises(ValueError, match="cannot be read .Permission denied."):
        find_gamepad()
    pads = plugged(monkeypatch, Pads())
    gamepad = find_gamepad()

    def quit_meanwhile() -> None:
        raise RuntimeError("video system not initialized")

    monkeypatch.setattr(pads, "pump", quit_meanwhile)
    with pytest.raises(ValueError, match="cannot be read .video system"):
        gamepad.steer(Wish())
