"""A gamepad at the computer that runs the page: its sticks are the three parts of the command."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from viewer.driving import REACH, Wish, within

SDL = {
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
    "SDL_VIDEODRIVER": "dummy",
    "SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS": "1",
    "SDL_NO_SIGNAL_HANDLERS": "1",
}
"""Environment in which pygame opens no window, hears a gamepad all the same, and leaves Ctrl-C to us."""
FULL = 32767.0
"""A stick at its stop, as SDL counts."""
SLACK = 0.15
"""Of a stick's way around its middle that means nothing: worn sticks do not come to rest in it."""


class Sticks(NamedTuple):
    """Where they are, -1 to 1, as SDL has them: to the right and towards the user are positive."""

    left_x: float
    left_y: float
    right_x: float


class Gamepad:
    """Turns sticks that move into commands; sticks at rest leave the robot to keys, sliders and goals."""

    def __init__(self, read: Callable[[], Sticks]) -> None:
        """`read` says where the sticks are, or raises a ValueError when the gamepad is gone."""
        self.read = read
        self.said = dict.fromkeys(REACH, 0.0)

    def steer(self, wish: Wish) -> None:
        """Put what has changed since the last look into the wish."""
        sticks = self.read()
        wanted = {"forward": -sticks.left_y, "lateral": -sticks.left_x, "turn": -sticks.right_x}
        for axis, stick in wanted.items():
            value = round(REACH[axis] * without_slack(stick), 2) + 0.0
            if value != self.said[axis]:
                self.said[axis] = value
                wish.set(axis, value)


def without_slack(stick: float) -> float:
    """-1 to 1, from 0 at the edge of the slack on."""
    moved = max(0.0, abs(within(stick, -1.0, 1.0)) - SLACK) / (1.0 - SLACK)
    return moved if stick > 0 else -moved


def find_gamepad() -> Gamepad:
    """The first gamepad of this computer, or a ValueError that says what is missing."""
    for name, value in SDL.items():
        os.environ.setdefault(name, value)
    try:
        pygame, pads = importlib.import_module("pygame"), importlib.import_module("pygame._sdl2.controller")
    except (ImportError, RuntimeError) as error:
        raise ValueError(f"A gamepad needs pygame-ce ({error}): `pip install -r requirements.txt`.") from error
    with as_refusal():
        pygame.display.init()
        pads.init()
        number = next((number for number in range(pads.get_count()) if pads.is_controller(number)), None)
        if number is None:
            pads.quit()
            raise ValueError("There is no gamepad at the computer that runs this page: plug one in, and try again.")
        pad = pads.Controller(number)
    axes = (pygame.CONTROLLER_AXIS_LEFTX, pygame.CONTROLLER_AXIS_LEFTY, pygame.CONTROLLER_AXIS_RIGHTX)

    def read() -> Sticks:
        with as_refusal():
            pygame.event.pump()
            if not pad.attached():
                raise ValueError("The gamepad is gone: plug it in, and try again.")
            return Sticks(*(pad.get_axis(axis) / FULL for axis in axes))

    return Gamepad(read)


@contextmanager
def as_refusal() -> Iterator[None]:
    """Context in which what SDL cannot do, with a gamepad that this user may not open, say, is a ValueError."""
    try:
        yield
    except RuntimeError as error:
        raise ValueError(f"The gamepad cannot be read ({error}): plug it in anew, and try again.") from error
