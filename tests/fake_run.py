"""Tiny training runs in the fake environment."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from fake_env import FakeConfig, FakeEnv

from agents.archive import content_hash
from agents.checkpoint import read_resume
from agents.config import StudentTrainingConfig, TeacherConfig
from agents.models import sizes_for
from agents.rng import seed_everything
from agents.runner import StudentRunner, TeacherRunner
from anymal_policy.normalizer import Normalizer
from anymal_policy.sizes import PAPER, NetworkSizes
from anymal_policy.teacher import Teacher

SMALL_STUDENT = {"num_steps_per_env": 8, "gradient_length": 4}
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


def teacher_record(seed: int = 5, sizes: NetworkSizes = PAPER) -> dict[str, Any]:
    """A Teacher as its policy file holds it: untrained, with statistics that are not trivial."""
    torch.manual_seed(seed)
    normalizer = Normalizer(391)
    normalizer.update(torch.randn(100, 391) * torch.linspace(0.5, 2.0, 391) + torch.linspace(-1.0, 1.0, 391))
    state = {"network": Teacher(16, sizes).state_dict(), "normalizer": normalizer.state_dict()}
    return {**state, "hash": "of the Teacher", "curriculum": {"level": torch.tensor(3)}}


def start_student(
    path: Path, iterations: int, precision: str = "fp32", seed: int = 1, env: Any = None, **settings: Any
) -> StudentRunner:
    path.mkdir(exist_ok=True)
    env = env or FakeEnv(FakeConfig(num_envs=8, seed=seed, noisy_groups=True))
    record = teacher_record(sizes=sizes_for(env.get_observations()))
    seed_everything(seed)
    cfg = StudentTrainingConfig(max_iterations=iterations, **{**SMALL_STUDENT, **settings})
    runner = StudentRunner(env, cfg, "fake", path, precision)
    runner.teach(record)
    return runner


def training_hash(path: Path) -> str:
    """Hash of all that the next iteration depends on."""
    record = read_resume(path)
    names = ("algorithm", "env_state", "rng", "iteration", "samples", "hidden")
    return content_hash({name: record[name] for name in names if name in record})


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "curves.csv").open(newline="") as file:
        return list(csv.DictReader(file))
