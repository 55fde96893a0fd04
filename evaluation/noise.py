"""How well a Student's robots perceive in play and evaluation; others know the truth, or nothing at all."""

from __future__ import annotations

from dataclasses import replace

from envs.config import EnvConfig
from envs.depth import DepthConfig
from envs.height_noise import LEVELS
from envs.sensor_noise import SensorNoiseConfig
from evaluation.agents import Agent

NONE = "none"
"""Level at which maps and sensors are perfect."""
NOMINAL = "nominal"
"""Level that is meant where nobody names one."""
MAPPED = "mapped"
"""Level at which robots make their maps by themselves."""
SENSED = DepthConfig(sensors="cameras")
"""How they do so where nobody asks for anything else."""


def require_levels(names: list[str]) -> tuple[str, ...]:
    """The levels, each once; a ValueError for one that does not exist."""
    for name in names:
        if name not in LEVELS:
            raise ValueError(f"There is no noise '{name}'; choose from {', '.join(LEVELS)}.")
    return tuple(dict.fromkeys(names))


def levels_for(agent: Agent, asked: tuple[str, ...]) -> tuple[str | None, ...]:
    """Levels at which it makes sense to look at this agent: a Teacher sees no noise, a baseline agent sees nothing."""
    if agent.env.noisy_groups:
        return asked
    return (NONE,) if agent.meta else (None,)


def with_noise(cfg: EnvConfig, level: str | None) -> EnvConfig:
    """The environment with this noise on what Students perceive; sensors are perfect at `none` only."""
    if level is None:
        return cfg
    sensors = SensorNoiseConfig(scale=0.0 if level == NONE else 1.0)
    depth = SENSED if level == MAPPED else DepthConfig()
    return replace(cfg, height_noise=LEVELS[level], sensor_noise=sensors, depth=depth)


def with_map(cfg: EnvConfig, depth: DepthConfig) -> EnvConfig:
    """An environment in which robots that make their maps by themselves do so with these sensors."""
    return cfg if cfg.depth.sensors == "none" else replace(cfg, depth=depth)


def require_sensors(depth: DepthConfig) -> None:
    """A ValueError if there are no sensors that a map could be made with."""
    if depth.sensors == "none":
        raise ValueError("A map needs sensors: choose `--map.sensors cameras` or domes, or another --noise.")
