"""The files that a training leaves in its run directory, also while its disk is full."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agents import archive, checkpoint, distributed
from agents.interrupt import StopRequest
from system.console import say
from system.files import Troubles

SECONDS = 30.0
"""s between two saves, at most, as far as an iteration lets it be."""
RETRY = 1.0
"""s between two attempts to save a training that has nothing else to do."""


class Saves:
    """Writes them, on the first rank; what there is no room for is written later."""

    def __init__(self, run_dir: Path) -> None:
        """Nothing has been written."""
        self.run_dir = run_dir
        self.troubles = Troubles("training goes on and writes what is missing when that is possible again.")
        self.kept: dict[str, dict[str, Any]] = {}
        self.at = -SECONDS

    def due(self, iteration_seconds: float) -> bool:
        """Whether the next chance would come later than `SECONDS` after the last save; the same on all ranks."""
        return distributed.any_rank(time.monotonic() - self.at + iteration_seconds >= SECONDS)

    def write(self, resume: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
        """Replace both files; raises an OSError."""
        if distributed.rank() == 0:
            archive.write(self.run_dir / checkpoint.RESUME_FILE, resume)
            archive.write(self.run_dir / checkpoint.POLICY_FILE, policy)
        self.at = time.monotonic()

    def try_to_write(self, resume: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
        """The same, but one warning in place of the OSError; the next chance is taken."""
        with self.troubles.tolerated(checkpoint.RESUME_FILE):
            self.write(resume, policy)

    def keep(self, iteration: int, policy: Mapping[str, Any]) -> None:
        """Write a policy that stays, as it is now, when there is room for it."""
        self.kept[f"policy_{iteration}.pt"] = copy.deepcopy(archive.plain(policy))

    def write_kept(self) -> None:
        """Write the policies that shall stay, as far as there is room for them."""
        for name in list(self.kept):
            with self.troubles.tolerated(name):
                archive.write(self.run_dir / name, self.kept[name])
                del self.kept[name]

    def write_at_first(self, resume: Mapping[str, Any], policy: Mapping[str, Any], stop: StopRequest) -> None:
        """Save a training that begins: raises the OSError, but waits for room if earlier stages have been trained."""
        if checkpoint.holds_run(checkpoint.run_directory(self.run_dir)):
            self.write_at_last(resume, policy, stop)
        else:
            self.write(resume, policy)

    def write_at_last(self, resume: Mapping[str, Any], policy: Mapping[str, Any], stop: StopRequest) -> None:
        """Save a training that is over, waiting for room as long as nobody stops it; then raises the OSError."""
        patiently(lambda: self.write(resume, policy), lambda: stop.requested)


def patiently(write: Callable[[], None], stopped: Callable[[], bool] = lambda: False) -> None:
    """Write, all ranks together, waiting for room as long as nobody stops it; then raises the OSError of rank 0."""
    waiting = False
    while True:
        failure: OSError | None = None
        try:
            write()
        except OSError as error:
            failure = error
        failure = distributed.gather(failure)[0]
        if failure is None:
            return
        if distributed.any_rank(stopped()):
            raise failure
        if not waiting and distributed.rank() == 0:
            say(f"warning: {failure}; the run waits until that is possible. Ctrl-C gives it up.")
        waiting = True
        time.sleep(RETRY)
