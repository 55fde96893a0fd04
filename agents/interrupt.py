"""A signal as a request to finish the iteration, save and leave, as far as that is done soon."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Any

from system.stopping import Stopped, heeded_signals

GRACE = 2.5
"""s after the request until what is under way is aborted."""


class StopRequest:
    """Context in which the first signal sets `requested`; the second one, or the end of `GRACE`, raises `Stopped`."""

    def __init__(self, abort: bool = True, notice: str = "finishing this iteration and saving") -> None:
        """No request yet; without `abort` a second signal changes nothing, for those whose launcher repeats them.

        `notice` tells the user what happens now.
        """
        self.requested, self.abort, self.notice = False, abort, notice
        self.number = signal.SIGINT
        self._previous: dict[Any, Any] = {}

    def __enter__(self) -> StopRequest:
        """Take over the signals, where Python allows it: in the main thread."""
        if heeded := heeded_signals():
            self._previous = {number: signal.signal(number, self._on_signal) for number in heeded}
            self._previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._out_of_time)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        if self._previous:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def stopped(self) -> Stopped:
        """What to raise when the request cannot be met."""
        return Stopped(self.number)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            if self.abort:
                raise self.stopped()
            return
        self.requested, self.number = True, signal.Signals(number)
        signal.setitimer(signal.ITIMER_REAL, GRACE)
        hint = "; once more aborts without saving" if self.abort else ""
        with suppress(OSError):  # past Python's own files, which may be in use now
            os.write(2, f"{self.number.name}: {self.notice}{hint}.\n".encode())

    def _out_of_time(self, number: int, frame: FrameType | None) -> None:
        raise self.stopped()
