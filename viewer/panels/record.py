"""Record: what a browser shows, as a video that it then saves."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import viser

from evaluation.recording import is_complete, open_video
from system.console import say
from system.files import scratch
from viewer.server import arrives

if TYPE_CHECKING:
    from viewer.page import Page

RATE = 25
"""Pictures per second of the video."""
LONGEST = 120.0
"""s after which a recording ends by itself."""
PATIENCE = 20.0
"""s that a browser may take for a picture, and for the video."""
LARGEST = (1280, 720)
"""Pixels, width and height that a video has at most."""


class RecordPanel:
    """A button that starts a recording of the browser in which it is pressed, and ends it."""

    def __init__(self, page: Page) -> None:
        """Add the controls to the present tab."""
        self.page, self.thread = page, None
        self.stop = threading.Event()
        gui = page.server.gui
        gui.add_markdown("Records what this browser shows, for at most two minutes, and saves it as an .mp4.")
        self.button = gui.add_button("Record")

        @self.button.on_click
        def _(event: viser.GuiEvent[Any]) -> None:
            client = event.client
            if client is not None:
                page.wishes.ask(lambda: self._toggle(client))

    def _toggle(self, client: viser.ClientHandle) -> None:
        """Begin, or end what has begun."""
        if self.thread is not None and self.thread.is_alive():
            self.stop.set()
            return
        self.stop.clear()
        self.button.label = "End the recording"
        self.thread = threading.Thread(target=self._record, args=(client,), daemon=True)
        self.thread.start()

    def _record(self, client: viser.ClientHandle) -> None:
        """Film until it is over, then give the video to the browser."""
        try:
            video = film(client, self.stop)
            client.send_file_download("anymal.mp4", video, save_immediately=True)
            if not arrives(self.page.server, client, PATIENCE):
                raise TimeoutError("its browser has not taken it.")
        except (RuntimeError, TimeoutError, ValueError, OSError) as error:
            reason = f"There is no recording: {error}"
            say(reason)  # at the end of the page nobody else hears it
            self.page.wishes.ask(lambda: self.page.tell(reason))
        finally:
            self.button.label = "Record"

    def close(self) -> None:
        """End a recording that runs, and wait until its browser has it."""
        self.stop.set()
        if self.thread is not None:
            self.thread.join(timeout=3 * PATIENCE)
            if self.thread.is_alive():
                say("The recording is lost: its browser takes too long.")


def film(client: viser.ClientHandle, stop: threading.Event) -> bytes:
    """An .mp4 of what a browser shows until `stop`: at its own pace, in which a slow one shows fewer pictures."""
    size = video_size(client.camera.image_width, client.camera.image_height)
    with scratch() as folder:
        path = folder / "video.mp4"
        with closing(open_video(path, size, RATE)) as video:
            begin, written = time.monotonic(), 0
            while not stop.is_set() and time.monotonic() - begin < LONGEST:
                picture = np.ascontiguousarray(client.get_render(size[1], size[0], timeout=PATIENCE)[..., :3])
                due = max(1, round((time.monotonic() - begin) * RATE) - written)
                for _ in range(due):
                    video.send(picture)
                written += due
                stop.wait(max(0.0, begin + written / RATE - time.monotonic()))
        if not is_complete(path):
            raise ValueError("ffmpeg could not write it to the end: see whether there is space for temporary files.")
        return path.read_bytes()


def video_size(width: int, height: int) -> tuple[int, int]:
    """Even sides of the browser's proportions, at most `LARGEST`."""
    scale = min(1.0, LARGEST[0] / max(width, 1), LARGEST[1] / max(height, 1))
    return max(16, round(width * scale) // 2 * 2), max(16, round(height * scale) // 2 * 2)
