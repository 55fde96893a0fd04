"""Drive: keys, sliders, a click on the ground, pushes, and time."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import viser
from numpy.typing import NDArray

from viewer.clock import SPEEDS
from viewer.driving import AROUND, ASIDE, AXES, FASTER, REACH
from viewer.panels.gamepad import GamepadSwitch
from viewer.wishes import value_of

if TYPE_CHECKING:
    from viewer.page import Page

HELP = (
    "**W S** faster, slower · hold **A D** turn · hold **Q E** step aside · **space** stop  \n"
    "**P** push · **R** start again · **T** pause · **N** one step · **Ctrl-K** all keys  \n"
    "Shift and a click on the ground send the robots there."
)
LABELS = {"forward": "Forward", "lateral": "Step aside", "turn": "Turn"}
"""What the parts of a command are called."""
SIGNS = {"forward": "Backward below 0.", "lateral": "Right below 0.", "turn": "Right below 0."}
UNITS = {"forward": "m/s", "lateral": "m/s", "turn": "rad/s"}
STEERING = {"A": ("turn", AROUND), "D": ("turn", -AROUND), "Q": ("lateral", ASIDE), "E": ("lateral", -ASIDE)}
"""Key -> what it makes the robot do while it is held."""
RELEASED = "cmd/ctrl+alt+shift"
"""With these, a steering key says that it is let go of (keys.js)."""
NO_LINE = "A page has sent a click without a line of sight."
STRONGEST = 2.0
"""m/s, largest push."""


class DrivePanel:
    """What the user wants of the robots, and how fast time passes."""

    def __init__(self, page: Page) -> None:
        """Add the controls to the present tab."""
        self.page = page
        gui, pressed, changed = page.server.gui, page.wishes.when_pressed, page.wishes.when_changed
        gui.add_markdown(HELP)
        self.sliders = {axis: self._slider(axis) for axis in AXES}
        pressed(gui.add_button("Stop"), self._stop)
        pressed(gui.add_button("Start again", hint="All robots, where they stood first on this ground."), self._restart)
        self.gamepad = GamepadSwitch(page)
        with gui.add_folder("Push"):
            self.size = gui.add_slider(
                "Strength, m/s",
                min=0.0,
                max=STRONGEST,
                step=0.1,
                initial_value=0.8,
                hint="Speed that it gives the base.",
            )
            self.angle = gui.add_slider(
                "Towards, degrees", min=-180, max=180, step=15, initial_value=90, hint="0 ahead, 90 left, -90 right."
            )
            pressed(gui.add_button("Push"), self._push)
        with gui.add_folder("Time"):
            self.paused = gui.add_checkbox("Pause", initial_value=False)
            self.speed = gui.add_dropdown("Pace", tuple(SPEEDS))
            changed(self.paused, self._pause)
            changed(self.speed, self._pace)
            pressed(gui.add_button("One step"), self._single)
        self.follows = gui.add_checkbox("View follows the robot", initial_value=True)
        changed(self.follows, self._follow)
        self._bind_keys()
        page.server.scene.on_click(modifier="shift")(self._clicked)

    def _slider(self, axis: str) -> viser.GuiSliderHandle[float]:
        """One part of the command."""
        reach, value = REACH[axis], getattr(self.page.session.wish, axis)
        slider = self.page.server.gui.add_slider(
            f"{LABELS[axis]}, {UNITS[axis]}", min=-reach, max=reach, step=0.05, initial_value=value, hint=SIGNS[axis]
        )
        self.page.wishes.when_changed(slider, partial(self._want, axis))
        return slider

    def _bind_keys(self) -> None:
        """Hotkeys, which are in viser's list of commands, too."""
        self._key("Faster", "W", lambda: self._faster(FASTER))
        self._key("Slower", "S", lambda: self._faster(-FASTER))
        for key, (axis, value) in STEERING.items():
            side = "left" if value > 0 else "right"
            self._key(f"{LABELS[axis]} {side}", key, partial(self._want, axis, value))
            self._key(f"{LABELS[axis]} {side} no more", key, partial(self._want, axis, 0.0), RELEASED)
        self._key("Stop", "space", self._stop)
        self._key("Push", "P", self._push)
        self._key("Start again", "R", self._restart)
        self._key("Pause or go on", "T", self._toggle)
        self._key("One step", "N", self._single)

    def _key(self, label: str, key: str, action: Callable[[], None], modifier: str | None = None) -> None:
        """A command with a hotkey."""
        command = self.page.server.gui.add_command(label, hotkey=key, modifier=modifier)  # pyright: ignore[reportArgumentType]
        self.page.wishes.when_pressed(command, action)

    def _want(self, axis: str, value: float) -> None:
        self.page.session.wish.set(axis, value)

    def _faster(self, step: float) -> None:
        self.page.session.wish.faster(step)

    def _stop(self) -> None:
        self.page.session.wish.stop()

    def _restart(self) -> None:
        self.page.session.restart()

    def _push(self) -> None:
        self.page.session.push(value_of(self.size), math.radians(value_of(self.angle)))

    def _pause(self, on: bool) -> None:
        self.page.clock.paused = on

    def _toggle(self) -> None:
        self.page.clock.paused = not self.page.clock.paused

    def _single(self) -> None:
        self.page.clock.step_once()

    def _pace(self, name: str) -> None:
        self.page.clock.speed = SPEEDS.get(name, 1.0)

    def _follow(self, on: bool) -> None:
        self.page.stage.followed = on

    def _clicked(self, event: viser.SceneClickEvent) -> None:
        """Send the robots to where the ground is under the pointer."""
        self.page.wishes.ask(lambda: self._go(vector_of(event.ray_origin), vector_of(event.ray_direction)))

    def _go(self, origin: np.ndarray, direction: np.ndarray) -> None:
        goal = self.page.stage.ground_at(origin, direction)
        if goal is not None:
            self.page.session.wish.go_to(goal)

    def show(self) -> None:
        """What the user wants now, whichever way it was said."""
        for axis, slider in self.sliders.items():
            slider.value = getattr(self.page.session.wish, axis)
        self.paused.value = self.page.clock.paused


def vector_of(sent: Any) -> NDArray[np.float64]:
    """Three finite numbers (3,), or a ValueError: viser hands on whatever a page has sent."""
    try:
        vector = np.array([float(part) for part in sent])
    except (TypeError, ValueError) as error:
        raise ValueError(NO_LINE) from error
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise ValueError(NO_LINE)
    return vector
