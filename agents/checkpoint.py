"""What training leaves behind: `policy.pt`, a policy to use, and `resume.pt`, a training to continue."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from agents import archive
from agents.archive import CheckpointError
from agents.policies import Policy, StudentPolicy, TeacherPolicy
from system.shell import quoted

POLICY_FILE = "policy.pt"
RESUME_FILE = "resume.pt"
RESUME = "resume"
TEACHER = "teacher"
STUDENT = "student"
"""Kinds of policies, and of the runs that train one alone (`--stage`)."""
WALK = "walk"
REFINE = "refine"
BLIND = "blind"
"""Stages of a run of all, beside that of the Student: a Teacher's first and second, and the blind Student's."""
PLAN_FILE = "plan.pt"
"""In a run of all stages: what the later ones shall be."""
TASK_FILE = "task.py"
"""In a run of an own task: a copy of its file."""
CURVES_FILE = "curves.csv"
STAGES = (WALK, REFINE, STUDENT, BLIND)
"""Stages of a run of all in their order, and the folders of what they leave."""
FORMER = {REFINE: TEACHER}
"""Folders of stages that runs of older versions have."""
FOLDERS = {STUDENT: (STUDENT, BLIND), TEACHER: (REFINE, FORMER[REFINE], WALK)}
"""In a run of all stages: where policies of each kind are, the one to use first."""
STAGE_FOLDERS = (WALK, FORMER[REFINE], REFINE, STUDENT, BLIND)
"""All names of the stages' folders, the first stage first."""
POLICIES: dict[str, type[Policy]] = {STUDENT: StudentPolicy, TEACHER: TeacherPolicy}
NEEDED = {
    STUDENT: {"network", "normalizer", "student", "task", "env", "agent"},
    TEACHER: {"network", "normalizer", "std", "critic", "task", "env", "agent"},
}
"""What a policy file of each kind must hold."""
ENGINES = {"warp": ("mujoco-warp", "warp-lang")}
"""Packages that an engine of the physics needs besides MuJoCo."""
WEIGHTS = ("network", "normalizer", "std", "critic")
"""Parts of a policy file that must be finite."""


def load_policy(path: Path | str, *kinds: str) -> Policy:
    """The policy that a file or run directory holds, of one of these `kinds` or of any, ready to act; of a run of all
    stages the latest."""
    record = read_policy(path, *kinds)
    name = record["kind"].capitalize()
    try:
        return POLICIES[record["kind"]](record)
    except (KeyError, RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{path} holds a network of another shape than this version's {name}.") from error


def read_policy(path: Path | str, *kinds: str) -> dict[str, Any]:
    """The raw record of a policy file, or of the run directory that holds one, of these `kinds` or of any."""
    kinds = kinds or tuple(POLICIES)
    folders = [folder for kind in kinds for folder in FOLDERS[kind]]
    record = archive.read(_file(Path(path), POLICY_FILE, folders), *kinds)
    missing = NEEDED[record["kind"]] - set(record)
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}: it comes from another version.")
    return _with_finite(record, path, *WEIGHTS)


def read_resume(run_dir: Path | str) -> dict[str, Any]:
    """The record from which a run directory's training continues, of a run of all stages the latest."""
    path = _file(Path(run_dir), RESUME_FILE, reversed(STAGE_FOLDERS))
    return _with_finite(archive.read(path, RESUME), path, "algorithm")


def _with_finite(record: dict[str, Any], path: Path | str, *parts: str) -> dict[str, Any]:
    """The record, if the numbers in these parts are finite; a CheckpointError else."""
    if not all(finite(record.get(part)) for part in parts):
        raise CheckpointError(f"{path} holds weights that are not finite: its training had diverged; take another one.")
    return record


def finite(value: Any) -> bool:
    """Whether all numbers of all tensors in a record, or in a part of one, are finite."""
    if isinstance(value, Mapping):
        return all(map(finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(finite, value))
    return not isinstance(value, torch.Tensor) or not value.is_floating_point() or bool(value.isfinite().all())


def run_directory(path: Path) -> Path:
    """The run directory that a path names: the directory itself, that of one of its stages, or a file in either."""
    folder = path if path.is_dir() or not path.exists() else path.parent
    return folder.parent if folder.name in STAGE_FOLDERS and (folder.parent / PLAN_FILE).is_file() else folder


def stage_directories(path: Path) -> list[Path]:
    """Where the run that a path names keeps what the stages up to its Student have logged, the first stage first."""
    run = path if path.is_dir() or not path.exists() else path.parent
    places = [run / name for name in STAGE_FOLDERS if name != BLIND]
    return [place for place in places if (place / CURVES_FILE).is_file()] or [run]


def stage_folder(run: Path, stage: str) -> Path:
    """Where a run of all stages keeps what this one leaves."""
    former = run / FORMER.get(stage, stage)
    return former if former.is_dir() else run / stage


def forget_unsaved(path: Path, others: Iterable[str] = ()) -> None:
    """Remove what a run that ends before its first save has left in its directory; files of the names in `others` were
    there before it."""
    if not holds_run(path):
        for name in {PLAN_FILE, TASK_FILE} - set(others):
            (path / name).unlink(missing_ok=True)
        for place in (path / name for name in STAGE_FOLDERS):
            with suppress(OSError):  # it is not there, or holds something
                place.rmdir()


def places(run: Path) -> list[Path]:
    """Where the files of a run may be: in the directory itself, or in its stages' folders, the first one first."""
    return [run, *(run / name for name in STAGE_FOLDERS)]


def holds_run(path: Path) -> bool:
    """Whether a directory holds a training that can be resumed."""
    return any((place / RESUME_FILE).exists() for place in places(path))


def create_run_dir(path: Path) -> Path:
    """The directory for a new run; one that already holds a run, or what is left of one, is refused."""
    if holds_run(path):
        raise ValueError(
            f"{path} already holds a run: continue it with --resume {quoted(path)}, or name another --run-dir."
        )
    for place in places(path):
        if left := [name for name in (POLICY_FILE, CURVES_FILE) if (place / name).exists()]:
            raise ValueError(f"{place} already holds a {left[0]}, which a run would replace: name another --run-dir.")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _file(path: Path, name: str, folders: Iterable[str]) -> Path:
    """The file itself, or that of the run directory, or of the first of its stages' folders that has one.

    Any other file beside a run means its directory, but for what may be a policy that somebody has put there.
    """
    is_policy = path.suffix == ".pt" and path.name not in (RESUME_FILE, PLAN_FILE)
    if path.is_file() and path.name != name and not is_policy and holds_run(run_directory(path)):
        path = path.parent
    if not path.is_dir():
        return path
    for place in (path, *(path / folder for folder in folders)):
        if (place / name).is_file():
            return place / name
    hint = "; a policy is no training to resume: start from it with --init-from" if name == RESUME_FILE else ""
    raise CheckpointError(f"The directory {path} holds no {name}{hint}.")


def versions(engine: str = "mujoco") -> dict[str, str]:
    """Versions that numbers depend on which this engine's robots lead to, with this code's commit if git knows it."""
    packages = ("torch", "mujoco", "rsl-rl-lib", "numpy", *ENGINES.get(engine, ()))
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
        "commit": _commit(),
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() or "unknown"
