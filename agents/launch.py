"""The other processes of a training that was started as one: each is a rank, with an equal share of the robots."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from agents import distributed
from system.files import scratch

PATIENCE = 60.0  # s for the others to end after the first rank has
HASTE = 1.0  # s for that when the first rank was interrupted


class Others:
    """Ranks 1 and up, and what they wrote to stderr, which mostly repeats what the first rank says."""

    def __init__(self) -> None:
        """No rank has been started."""
        self.running: list[subprocess.Popen[bytes]] = []
        self.notes: list[IO[bytes]] = []

    def start(self, rank: int, command: Sequence[str], shared: dict[str, str], notes: IO[bytes]) -> None:
        """Start the process of this rank."""
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        self.running.append(subprocess.Popen(command, env=os.environ | shared | own, stderr=notes))
        self.notes.append(notes)

    def all_run(self) -> bool:
        """Whether none has ended."""
        return all(process.poll() is None for process in self.running)

    def end(self, patience: float = PATIENCE) -> None:
        """Wait for s until they have ended, and end those that do not."""
        deadline = time.monotonic() + patience
        for process in self.running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def hurry(self) -> None:
        """End them soon: they are told to, and need not finish anything."""
        for process in self.running:
            with suppress(ProcessLookupError):
                process.terminate()
        self.end(HASTE)

    def messages(self) -> str:
        """What they wrote to stderr until they ended, by rank."""
        self.end()
        for notes in self.notes:
            notes.seek(0)
        return "".join(notes.read().decode(errors="replace") for notes in self.notes)


@contextmanager
def processes(count: int, command: Sequence[str]) -> Iterator[Others]:
    """Context in which this process is the first of `count` ranks; `command` is what all of them are started with.

    Where torch.distributed.run has started the ranks, or for a single one, nothing happens.
    """
    others = Others()
    if count == 1 or distributed.launched():
        yield others
        return
    with ExitStack() as stack:
        shared = {
            distributed.MEETING: str(stack.enter_context(scratch())),
            distributed.FIRST: str(os.getpid()),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
        }
        stack.callback(others.end)
        try:
            for rank in range(1, count):
                others.start(rank, [sys.executable, *command], shared, stack.enter_context(tempfile.TemporaryFile()))
            stack.callback(_restore, {name: os.environ.get(name) for name in (*shared, "RANK", "LOCAL_RANK")})
            os.environ.update(shared | {"RANK": "0", "LOCAL_RANK": "0"})
            yield others
        except BaseException:
            others.hurry()
            raise


def _restore(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
