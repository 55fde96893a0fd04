"""Who takes the place of the recorder, to need no OpenGL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envs.anymal import AnymalEnv
from evaluation.belief import BeliefView

SHORT = ["--viewer", "video", "--seconds", "0.06", "--terrain", "flat", "--size", "64", "48"]
"""Flags of a play of three steps that is recorded."""


class Spectator:
    """Remembers where it was put and what it saw."""

    def __init__(self) -> None:
        """Nothing so far."""
        self.commands: list[list[float]] = []

    @contextmanager
    def recording(
        self,
        env: AnymalEnv,
        size: tuple[int, int],
        video: Path | None = None,
        frames: Path | None = None,
        belief: BeliefView | None = None,
    ) -> Iterator[Spectator]:
        """Take the arguments of evaluation.recording."""
        self.env, self.size, self.video, self.frames, self.belief = env, size, video, frames, belief
        yield self

    def show(self) -> bool:
        """Note the command."""
        self.commands.append(self.env.state.command[0].tolist())
        return True
