"""What pages ask for, carried out between two steps: viser's threads never touch the simulation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from system.console import say
from viewer.driving import within

Action = Callable[[], None]


class Wishes:
    """Actions in the order in which they were asked for."""

    def __init__(self, refuse: Callable[[str], None]) -> None:
        """`refuse` tells the pages why something cannot be done."""
        self.queue: SimpleQueue[Action] = SimpleQueue()
        self.pending: set[Action] = set()
        self.refuse = refuse

    def ask(self, action: Action) -> None:
        """Do this between two steps."""
        self.queue.put(action)

    def ask_once(self, action: Action) -> None:
        """Do this between two steps, once however often it is asked for until then: it looks by itself what to do."""
        if action not in self.pending:
            self.pending.add(action)
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
            self.pending.discard(action)  # before it looks: what changes from here on asks for it again
            try:
                action()
            except (ValueError, OSError) as error:
                self.refuse(str(error))
            except Exception as error:  # of what a page has sent: it may be anything, and ends the page for nobody else
                say(f"A wish of a page has failed: {error!r}")
                self.refuse("That went wrong here; where the page was started, it says why.")

    def when_pressed(self, handle: Any, action: Action) -> None:
        """Do this when a page presses a button or triggers a command."""

        @(handle.on_trigger if hasattr(handle, "on_trigger") else handle.on_click)
        async def _(event: Any) -> None:
            self.ask(action)

    def when_reshaped(self, control: Any, action: Action) -> None:
        """Do this once for all that pages have done to controls with this action since the last time."""

        @control.on_update
        async def _(event: Any) -> None:
            if event.client_id is not None:
                self.ask_once(action)

    def when_changed(self, control: Any, action: Callable[[Any], None]) -> None:
        """Do this with the value that a page has given a control; nothing when the program gives it one.

        viser awaits an `async` listener at once and in order: later the program may have written another value.
        """

        @control.on_update
        async def _(event: Any) -> None:
            if event.client_id is not None:
                self.ask(partial(action, value_of(event.target)))


def value_of(control: Any) -> Any:
    """The value of a control, of a slider within its range, whatever a page has sent."""
    if not hasattr(control, "min"):
        return control.value
    return within(float(control.value), float(control.min), float(control.max))
