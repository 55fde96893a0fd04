"""A training's run directory: one training works in it at a time, whatever the moment at which others want it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from agents import checkpoint, distributed
from agents.checkpoint import CheckpointError
from system.files import forget_parts
from system.folders import free_folder, taken
from system.shell import quoted

WRITTEN = ("resume", "policy", "plan", "task", "curves")
"""Beginnings of the names of the files that a training writes."""


@contextmanager
def owned(new: Path | None, resumed: Path | None, task: str, record: dict[str, Any] | None) -> Iterator[Path]:
    """Context in which this training, on all its ranks, alone works in its run directory; the first rank takes it.

    It is the one `resumed` from `record`, or the `new` one, which must hold no run, or a free one named after task and
    time. A ValueError or an OSError on all ranks if it cannot be had.
    """
    with ExitStack() as stack:
        outcome: Path | Exception | None = None
        if distributed.rank() == 0:
            try:
                outcome = stack.enter_context(_resumed(resumed, record) if resumed else _new(new or _free(task)))
            except (ValueError, OSError) as error:
                outcome = error
        outcome = distributed.gather(outcome)[0]
        if isinstance(outcome, Exception):
            raise outcome
        assert outcome is not None
        yield outcome


@contextmanager
def _new(path: Path) -> Iterator[Path]:
    with taken(path):
        others = [each.name for each in path.iterdir()]
        try:
            yield checkpoint.create_run_dir(path)
        finally:
            checkpoint.forget_unsaved(path, others)


@contextmanager
def _resumed(path: Path, record: dict[str, Any] | None) -> Iterator[Path]:
    with taken(path):
        if record is not None and checkpoint.read_resume(path)["hash"] != record["hash"]:
            raise CheckpointError(f"The run {quoted(path)} has gone on since this command began: give it once more.")
        for place in checkpoint.places(path):
            for stem in WRITTEN:
                forget_parts(place, stem)
        yield path


def _free(task: str) -> Path:
    """A new directory named after task, one of a file without its path, and time."""
    name = Path(task).name.replace(".py:", "_")
    return free_folder(Path("runs") / f"{name}_{datetime.now():%Y-%m-%d_%H-%M-%S}")
