"""When the next step is due: real time, slow motion, pause and single steps."""

from __future__ import annotations

import time
from collections.abc import Callable

SPEEDS = {"real time": 1.0, "half": 0.5, "quarter": 0.25, "tenth": 0.1}
"""Name -> simulated s per s."""
LATEST = 0.1
"""s behind time at which the clock gives up catching up: then the computer is too slow, and time stretches."""


class Clock:
    """Paces the steps of a simulation; what draws it may drop pictures, but never steps."""

    def __init__(self, dt: float, now: Callable[[], float] = time.monotonic) -> None:
        """Steps of `dt` s in real time."""
        self.dt, self.now = dt, now
        self.speed, self.paused, self.singles = 1.0, False, 0
        self.next = now()

    def due(self) -> bool:
        """Whether a step is due; if so, it counts as made."""
        if self.paused:
            self.next = self.now()
            self.singles, single = max(0, self.singles - 1), self.singles > 0
            return single
        if self.now() < self.next:
            return False
        self.next = max(self.next + self.dt / self.speed, self.now() - LATEST)
        return True

    def wait(self) -> float:
        """s until there may be something to do, at most one step."""
        return min(max(self.next - self.now(), 0.0), self.dt) if not self.paused else self.dt

    def step_once(self) -> None:
        """Pause, and let one step pass."""
        self.paused, self.singles = True, self.singles + 1
