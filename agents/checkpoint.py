"""What training leaves behind: `policy.pt`, a policy to use, and `resume.pt`, a training to continue."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tensordict import TensorDict

from agents import archive
from agents.archive import CheckpointError
from agents.config import TEACHER_GROUPS
from anymal_policy import layout
from anymal_policy.normalizer import Normalizer
from anymal_policy.teacher import Teacher

POLICY_FILE = "policy.pt"
RESUME_FILE = "resume.pt"
RESUME = "resume"
TEACHER = "teacher"

__all__ = ["CheckpointError", "Policy", "create_run_dir", "load_policy", "read_policy", "read_resume", "versions"]


@dataclass(frozen=True)
class Policy:
    """A trained policy: raw observations in, deterministic actions out."""

    network: Teacher
    """Network on normalised observations."""
    normalizer: Normalizer
    """Statistics of the concatenated observation groups."""
    meta: dict[str, Any]
    """Task, configurations, versions, iteration, samples, seed and content hash of its training."""

    @torch.no_grad()
    def act(self, obs: TensorDict) -> torch.Tensor:
        """Actions (n, 16) for the observation groups (n, 133), (n, 208) and (n, 50)."""
        groups = [obs[group] for group in TEACHER_GROUPS]
        normalized = self.normalizer(torch.cat(groups, dim=-1))
        return self.network(*normalized.split([group.shape[-1] for group in groups], dim=-1))

    def reset(self, dones: torch.Tensor) -> None:
        """Forget the finished episodes (n,): nothing here, the Teacher has no memory."""


def load_policy(path: Path | str) -> Policy:
    """The policy in a file or run directory, ready to act."""
    record = read_policy(path)
    network = Teacher(layout.size(layout.ACTION))
    normalizer = Normalizer(sum(layout.size(layout.GROUPS[group]) for group in TEACHER_GROUPS))
    tensors = {name: record.pop(name) for name in ("network", "normalizer", "std", "critic")}
    try:
        network.load_state_dict(tensors["network"])
        normalizer.load_state_dict(tensors["normalizer"])
    except (RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} holds a network of another shape than this version's Teacher.") from error
    return Policy(network.eval(), normalizer.eval(), record)


def read_policy(path: Path | str) -> dict[str, Any]:
    """The raw record of a policy file or of the run directory that holds one."""
    record = archive.read(_file(Path(path), POLICY_FILE), TEACHER)
    missing = {"network", "normalizer", "std", "critic", "task", "env", "agent"} - set(record)
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}: it comes from another version.")
    return record


def read_resume(run_dir: Path | str) -> dict[str, Any]:
    """The record from which a run directory's training continues."""
    return archive.read(_file(Path(run_dir), RESUME_FILE), RESUME)


def create_run_dir(path: Path) -> Path:
    """The directory for a new run; one that already holds a run is refused."""
    if (path / RESUME_FILE).exists():
        raise ValueError(f"{path} already holds a run: continue it with --resume {path}, or name another --run-dir.")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _file(path: Path, name: str) -> Path:
    if not path.is_dir():
        return path
    if not (path / name).is_file():
        raise CheckpointError(f"The directory {path} holds no {name}.")
    return path / name


def versions() -> dict[str, str]:
    """Versions that the numbers in a checkpoint depend on, with the commit of this code where git knows it."""
    packages = ("torch", "mujoco", "rsl-rl-lib", "numpy")
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
