"""What can be put in control of the robots: a trained policy, or a baseline agent, zero or random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor

from agents import checkpoint
from agents.checkpoint import Policy, load_policy
from agents.config import STUDENT_GROUPS, restore
from anymal_policy import layout
from envs.anymal import AnymalEnv
from envs.config import EnvConfig, as_recorded
from envs.drives import require_network
from envs.terrains import Tile
from evaluation.acting import Agent, NotFiniteError
from evaluation.drives import OWN, Drives
from evaluation.exported import ENDINGS, ExportedAgent
from evaluation.physics import decimation

ROOT = Path(__file__).resolve().parents[1]
TEACHER = "pretrained/teacher.pt"
PRETRAINED = ("pretrained/student.pt", TEACHER)
"""Policies that come with the project, the one to prefer first."""
NUM_ACTIONS = layout.size(layout.ACTION)
ACTS_THROUGH = ("gait", "action_limit", "drive")
"""Settings of an environment that give a policy's actions their meaning."""
TOLD = (*ACTS_THROUGH, "decimation")
"""Those that a policy tells of its training."""
DEFAULT = EnvConfig()
"""Environment in which agents act unless a task is named."""


class ZeroAgent:
    """Every action is zero: the gait alone, stepping on the spot."""

    name = "zero"

    def __init__(self, task: EnvConfig = DEFAULT) -> None:
        """Made for the environment of a task."""
        self.env, self.meta = task, {}

    def world(self, cfg: EnvConfig, tiles: Sequence[Tile]) -> AnymalEnv:
        """An environment as it is."""
        return AnymalEnv(cfg, tiles)

    def start(self, num_robots: int, seed: int) -> None:
        """Nothing to begin."""

    def act(self, obs: TensorDict) -> Tensor:
        """Zeros (n, 16)."""
        return torch.zeros(len(obs), NUM_ACTIONS)

    def reset(self, done: Tensor) -> None:
        """Nothing to forget."""


class RandomAgent(ZeroAgent):
    """Every action is uniform in [-1, 1], anew at each step."""

    name = "random"

    def __init__(self, task: EnvConfig = DEFAULT) -> None:
        """Repeatable from the start."""
        super().__init__(task)
        self.generator = torch.Generator().manual_seed(0)

    def start(self, num_robots: int, seed: int) -> None:
        """Draw from the beginning of the seed's sequence."""
        self.generator.manual_seed(seed)

    def act(self, obs: TensorDict) -> Tensor:
        """Uniform samples (n, 16)."""
        return 2 * torch.rand(len(obs), NUM_ACTIONS, generator=self.generator) - 1


class TrainedAgent:
    """A policy from a checkpoint, without exploration."""

    def __init__(self, name: str, policy: Policy, task: EnvConfig = DEFAULT, drives: Drives = OWN) -> None:
        """Act in the gait, clipping and drives that the policy was trained with, in the evaluation's physics.

        A ValueError if the file of its drives is not what it was, and `drives` does not name one.
        """
        self.name, self.policy = name, policy
        self.meta = policy.meta
        env = trained_for(policy.meta["env"], task)
        drive = drives(asdict(env.drive))
        require_network(drive, self.meta.get("drive_network") if drives.network is None else None, name)
        noisy = policy.groups == STUDENT_GROUPS
        self.env = replace(env, drive=drive, decimation=decimation(env.dt), noisy_groups=noisy)

    def world(self, cfg: EnvConfig, tiles: Sequence[Tile]) -> AnymalEnv:
        """An environment as it is."""
        return AnymalEnv(cfg, tiles)

    def start(self, num_robots: int, seed: int) -> None:
        """Forget all robots."""
        self.policy.reset(torch.ones(num_robots, dtype=torch.bool))

    def act(self, obs: TensorDict) -> Tensor:
        """The policy's mean actions (n, 16); a NotFiniteError for others than numbers."""
        actions = self.policy.act(obs)
        if not actions.isfinite().all():
            raise NotFiniteError(f"{self.name} gives actions that are not finite numbers, so it cannot be judged.")
        return actions

    def reset(self, done: Tensor) -> None:
        """Forget the robots whose episode is over, (n,) bool."""
        self.policy.reset(done)


def trained_for(env: Mapping[str, Any], task: EnvConfig = DEFAULT) -> EnvConfig:
    """A task's environment with what a policy's recorded configuration says about its actions and observations."""
    recorded = as_recorded(env)
    own = replace(task.own, observations=tuple(recorded.get("own", {}).get("observations", ())))
    return replace(restore(task, {name: recorded[name] for name in TOLD if name in recorded}), own=own)


BASELINES = {agent.name: agent for agent in (ZeroAgent, RandomAgent)}
"""Baseline agents, which need no checkpoint, by name."""


def load_agent(name: str | Path | None = None, task: EnvConfig = DEFAULT, drives: Drives = OWN) -> Agent:
    """The baseline agent of that name, the policy in that file or run directory, or the pretrained policy for None.

    A file of export.py acts through its runner. All have `drives`; the rest of their environment is that of `task`.
    """
    if name is None:
        pretrained = find_pretrained()
        return TrainedAgent(pretrained, load_policy(ROOT / pretrained), task, drives)
    if str(name) in BASELINES:
        return BASELINES[str(name)](replace(task, drive=drives(asdict(task.drive))))
    if Path(name).suffix in ENDINGS:
        return ExportedAgent(str(name), task, drives)
    return TrainedAgent(str(name), load_policy(name), task, drives)


def find_teacher(path: Path | None = None, drives: Drives = OWN) -> Agent | None:
    """The Teacher in that file or run directory; for None the pretrained one, or None if there is none."""
    if path is None and not (ROOT / TEACHER).is_file():
        return None
    return TrainedAgent(str(path or TEACHER), load_policy(path or ROOT / TEACHER, checkpoint.TEACHER), drives=drives)


def find_pretrained() -> str:
    """The preferred pretrained policy, as a path within the project."""
    for path in PRETRAINED:
        if (ROOT / path).is_file():
            return path
    raise ValueError(f"There is no {' or '.join(PRETRAINED)}: train a policy and name it with --checkpoint.")
