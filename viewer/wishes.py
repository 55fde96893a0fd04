"""What pages ask for, carried out between two steps: viser's threads never touch the simulation."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from viewer.driving import within

Action = Callable[[], None]


class Wishes:
    """Actions in the order in which they were asked for."""

    def __init__(self, refuse: Callable[[str], None]) -> None:
        """`refuse` tells the pages why something cannot be done."""
        self.queue: SimpleQueue[Action] = SimpleQueue()
        self.refuse = refuse

    def ask(self, action: Action) -> None:
        """Do this between two steps."""
        self.queue.put(action)

    def grant(self) -> bool:
        """Do all that was asked for; whether there was anything."""
        asked = False
        while True:
            try:
                action = self.queue.get_nowait()
            except Empty:
                return asked
            asked = True
            try:
                action()
            except (ValueError, OSError) as error:
                self.refuse(str(error))

    def when(self, handle: Any, action: Action) -> None:
        """Do this when a page changes a control, presses a button or triggers a command; not when the program does."""
        listen = next(
            getattr(handle, name) for name in ("on_trigger", "on_click", "on_update") if hasattr(handle, name)
        )

        @listen
        def _(event: Any) -> None:
            if event.client_id is not None:
                self.ask(action)


def number(handle: Any) -> float:
    """The value of a slider within its range, whatever a page has sent."""
    return within(float(handle.value), float(handle.min), float(handle.max))
