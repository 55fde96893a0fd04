"""How well a Student's robots perceive in play and evaluation; others know the truth, or nothing at all."""

from __future__ import annotations

from dataclasses import replace

from envs.config import EnvConfig
from envs.height_noise import LEVELS
from envs.sensor_noise import SensorNoiseConfig
from evaluation.agents import Agent

NONE = "none"
"""Level at which maps and sensors are perfect."""


def require_levels(names: list[str]) -> tuple[str, ...]:
    """The levels, each once; a ValueError for one that does not exist."""
    for name in names:
        if name not in LEVELS:
            raise ValueError(f"There is no noise '{name}'; choose from {', '.join(LEVELS)}.")
    return tuple(dict.fromkeys(names))


def levels_for(agent: Agent, asked: tuple[str, ...]) -> tuple[str | None, ...]:
    """Levels at which it makes sense to look at this agent: a Teacher sees no noise, a control sees nothing."""
    if agent.env.noisy_groups:
        return asked
    return (NONE,) if agent.meta else (None,)


def with_noise(cfg: EnvConfig, level: str | None) -> EnvConfig:
    """The environment with this noise on what Students perceive; sensors are perfect at `none` only."""
    if level is None:
        return cfg
    sensors = SensorNoiseConfig(scale=0.0 if level == NONE else 1.0)
    return replace(cfg, height_noise=LEVELS[level], sensor_noise=sensors)
