"""Ctrl-C and SIGTERM as a request to finish the iteration, save and leave."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Context in which the first signal sets `requested` and the second one aborts."""

    def __init__(self, abort: bool = True, notice: str = "finishing this iteration and saving") -> None:
        """No request yet; without `abort` later signals change nothing, for those whose launcher repeats them.

        `notice` tells the user what happens now.
        """
        self.requested, self.abort, self.notice = False, abort, notice
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        """Take over the signals, where Python allows it: in the main thread."""
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and self.abort:
            raise KeyboardInterrupt
        self.requested = True
        hint = "; once more aborts without saving" if self.abort else ""
        print(f"{signal.Signals(number).name}: {self.notice}{hint}.", flush=True)
