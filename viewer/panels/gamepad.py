"""Gamepad: a switch for the one at the computer that runs the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viewer.gamepad import Gamepad, find_gamepad

if TYPE_CHECKING:
    from viewer.page import Page


class GamepadSwitch:
    """Looked for when it is switched on; off again when there is none, or none any more."""

    def __init__(self, page: Page) -> None:
        """Add the switch to the present tab."""
        self.page = page
        self.pad: Gamepad | None = None
        self.switch = page.server.gui.add_checkbox(
            "Gamepad",
            initial_value=False,
            hint="At the computer that runs this page: left stick walks and steps aside, right stick turns.",
        )
        page.wishes.when_changed(self.switch, self._switch)

    def _switch(self, on: bool) -> None:
        self.pad, self.switch.value = None, False
        if on:
            self.pad = find_gamepad()
            self.switch.value = True

    def feel(self) -> None:
        """Let the gamepad steer, if there is one."""
        if self.pad is None:
            return
        try:
            self.pad.steer(self.page.session.wish)
        except ValueError:
            self.pad, self.switch.value = None, False
            self.page.session.wish.stop()
            raise
