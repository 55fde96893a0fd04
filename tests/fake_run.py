"""Tiny training runs in the fake environment."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from fake_env import FakeConfig, FakeEnv

from agents.archive import content_hash
from agents.checkpoint import read_resume
from agents.config import TeacherConfig
from agents.rng import seed_everything
from agents.runner import TeacherRunner

SMALL = {"num_steps_per_env": 4, "num_learning_epochs": 2, "num_mini_batches": 2, "warm_up_steps": 3}


def start(
    path: Path, iterations: int, precision: str = "fp32", seed: int = 1, env: Any = None, **settings: Any
) -> TeacherRunner:
    path.mkdir(exist_ok=True)
    seed_everything(seed)
    env = env or FakeEnv(FakeConfig(num_envs=8, seed=seed))
    return TeacherRunner(
        env, TeacherConfig(max_iterations=iterations, **{**SMALL, **settings}), "fake", path, precision
    )


def resume(path: Path, iterations: int, precision: str = "fp32") -> TeacherRunner:
    continued = start(path, iterations, precision, seed=99)
    continued.restore(read_resume(path))
    return continued


def training_hash(path: Path) -> str:
    """Hash of all that the next iteration depends on."""
    record = read_resume(path)
    return content_hash({name: record[name] for name in ("algorithm", "env_state", "rng", "iteration", "samples")})


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "curves.csv").open(newline="") as file:
        return list(csv.DictReader(file))
