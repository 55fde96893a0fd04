"""The file of an own task, and the copy that its run keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.checkpoint import TASK_FILE
from envs.tasks import run_file, split
from envs.terrains import TRAINING_TYPES
from system.console import say
from system.files import whole
from system.shell import quoted


def keep_copy(task: str, run_dir: Path) -> None:
    """Put a copy of an own task's file into the run directory."""
    file, _ = split(task)
    if file is not None and not (run_dir / TASK_FILE).exists():
        with whole(run_dir / TASK_FILE) as part:
            part.write_bytes(file.read_bytes())


def run_task(record: dict[str, Any], run_dir: Path, named: str | None) -> str:
    """The task of a run to resume, its file run: as it was named, or the own one that is `named` now.

    The copy in the run is not run by itself: a run directory may come from anywhere. A ValueError if the file is gone
    that defines terms or terrain of the run; a note if it has changed.
    """
    file, name = split(record["task"])
    if file is None:
        return record["task"]
    file, task = (file, record["task"]) if named is None else (split(named)[0] or file, named)
    copy = run_dir / TASK_FILE
    own = [term for terms in record["env"].get("own", {}).values() for term in terms]
    own += [name for name in record["env"].get("terrain", {}).get("types", ()) if name not in TRAINING_TYPES]
    if not file.is_file() and own:
        raise ValueError(
            f"{file}, which defines {', '.join(own)} of this run, is not here: read the copy that the run keeps, "
            f"and add --task {quoted(copy)}:{name}"
        )
    if file.is_file():
        run_file(file)
    if file.is_file() and copy.is_file() and copy.read_bytes() != file.read_bytes():
        say(f"Note: {file} has changed since the run began; settings stay the run's, own terms are the file's.")
    return task
