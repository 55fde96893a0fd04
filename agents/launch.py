"""The other processes of a training that was started as one: each is a rank, with an equal share of the robots."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO

from agents import distributed

PATIENCE = 60.0  # s for the others to end after the first rank has


class Others:
    """Ranks 1 and up, and what they wrote to stderr, which mostly repeats what the first rank says."""

    def __init__(self) -> None:
        """Nobody yet."""
        self.running: list[subprocess.Popen[bytes]] = []
        self.notes: list[IO[bytes]] = []

    def start(self, rank: int, command: Sequence[str], shared: dict[str, str], notes: IO[bytes]) -> None:
        """Start the process of this rank."""
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        self.running.append(subprocess.Popen(command, env=os.environ | shared | own, stderr=notes))
        self.notes.append(notes)

    def end(self) -> None:
        """Wait until they have ended, and end those that do not."""
        for process in self.running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()

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
    shared = {
        "TORCHELASTIC_RUN_ID": distributed.OWN_LAUNCH,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
    }
    with ExitStack() as stack:
        stack.callback(others.end)
        for rank in range(1, count):
            others.start(rank, [sys.executable, *command], shared, stack.enter_context(tempfile.TemporaryFile()))
        stack.callback(_restore, {name: os.environ.get(name) for name in (*shared, "RANK", "LOCAL_RANK")})
        os.environ.update(shared | {"RANK": "0", "LOCAL_RANK": "0"})
        yield others


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _restore(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
