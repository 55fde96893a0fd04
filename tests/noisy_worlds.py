"""Environments that give a Student's observations, and rollouts of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from worlds import environment

from envs.anymal import AnymalEnv
from envs.height_noise import LEVELS, HeightNoiseConfig
from envs.sensor_noise import SensorNoiseConfig
from envs.sensors import NoisySensors
from envs.terrains import make_tile

NOISY: dict[str, Any] = {"noisy_groups": True, "height_noise": HeightNoiseConfig(factor=1.0, redraw_seconds=0.3)}
PERFECT: dict[str, Any] = {
    "noisy_groups": True,
    "height_noise": LEVELS["none"],
    "sensor_noise": SensorNoiseConfig(scale=0.0),
}


def actions(env: AnymalEnv, steps: int, seed: int = 0) -> list[Tensor]:
    """Half as large as those of rollouts.py: robots fall later."""
    generator = torch.Generator().manual_seed(seed)
    return [0.5 * torch.randn(env.num_envs, 16, generator=generator) for _ in range(steps)]


def rollout(env: AnymalEnv, steps: int, clean: bool = False) -> list[Tensor]:
    """What the environment gives back for random actions: all of it, or only what does not need noise."""
    given = []
    for action in actions(env, steps):
        observed, reward, done, extras = env.step(action)
        names = [name for name in sorted(observed.keys()) if not (clean and name.endswith("_noisy"))]
        given += [*(observed[name] for name in names), reward, done, *extras.values()]
    return given


def stairs(num_envs: int = 4, **changes: Any) -> AnymalEnv:
    """Robots on stairs with perfect sensors, but for what is changed."""
    tiles = [make_tile("stairs_standard", 0.7, size=(4.0, 4.0), height=0.12)]
    return environment(num_envs, tiles, **{**PERFECT, **changes})


def sensors_of(env: AnymalEnv) -> NoisySensors:
    """Of an environment that has noisy groups."""
    assert isinstance(env.sensors, NoisySensors)
    return env.sensors
