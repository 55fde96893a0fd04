"""State: what is on the page, as a file that a browser keeps and gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import viser

from viewer import saved
from viewer.server import take_files

if TYPE_CHECKING:
    from viewer.page import Page

NAME = "anymal.json"
"""Of the file in the browser; this computer keeps none."""


class StatePanel:
    """One button gives the file to the browser in which it is pressed, the other takes one."""

    def __init__(self, page: Page) -> None:
        """Add the buttons to the present tab."""
        self.page = page
        gui = page.server.gui
        gui.add_markdown("The state is a file: ground, map, body, command, and where the robots are.")
        button = gui.add_button("Save the state")
        self.file = gui.add_upload_button("Load a state", mime_type="application/json")
        take_files(page.server, self.file, saved.LARGEST, lambda: page.wishes.ask(self._refuse))

        @button.on_click
        def _(event: viser.GuiEvent[Any]) -> None:
            client = event.client
            if client is not None:
                page.wishes.ask(lambda: self._give(client))

        @self.file.on_upload
        def _(event: viser.GuiEvent[Any]) -> None:
            content = self.file.value.content
            page.wishes.ask(lambda: self._take(content))

    def _give(self, client: viser.ClientHandle) -> None:
        """Let the browser save the present state."""
        client.send_file_download(NAME, saved.write(self.page.session.save()), save_immediately=True)

    def _refuse(self) -> None:
        raise ValueError(saved.NOT_OURS)

    def _take(self, content: bytes) -> None:
        """Go on from a file."""
        self.page.session.restore(saved.read(content))
        self.page.world.take()
