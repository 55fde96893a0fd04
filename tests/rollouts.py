"""Rollouts of an environment with random actions, and everything that it gave back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import TerrainConfig
from envs.curriculum import CurriculumConfig
from envs.randomization import RandomizationConfig

WILD: dict[str, Any] = {
    "commands": CommandConfig(resample_seconds=0.3),
    "curriculum": CurriculumConfig(initial_factor=0.9, update_steps=150),
    "randomization": RandomizationConfig(push_seconds=0.5),
    "episode_seconds": 0.9,
    "terrain": TerrainConfig(types=("slope_up", "flat"), tile_size=4.0),
}
"""Everything random, often: commands, pushes, resets and curriculum updates within a second."""


def actions(env: AnymalEnv, steps: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(env.num_envs, 16, generator=generator) for _ in range(steps)]


def rollout(env: AnymalEnv, steps: int, seed: int = 0) -> list[Tensor]:
    """Everything that the environment gives back for random actions."""
    given = []
    for action in actions(env, steps, seed):
        observed, reward, done, extras = env.step(action)
        given += [*(observed[name] for name in sorted(observed.keys())), reward, done, *extras.values()]
    return given


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def rollout_from(env: AnymalEnv, first: int, last: int) -> list[Tensor]:
    """The rest of a rollout of `last` steps whose first ones are done."""
    given = []
    for action in actions(env, last)[first:]:
        observations, reward, done, extras = env.step(action)
        given += [*(observations[name] for name in sorted(observations.keys())), reward, done, *extras.values()]
    return given
