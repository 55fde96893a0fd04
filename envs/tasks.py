"""The tasks: a name, and the configuration it stands for."""

from __future__ import annotations

from envs.config import EnvConfig, TerrainConfig
from envs.rewards import S7_LITERAL

TASKS: dict[str, EnvConfig] = {
    "anymal_flat": EnvConfig(terrain=TerrainConfig(types=("flat",), tile_size=20.0)),
    "anymal_rough": EnvConfig(),
    "anymal_rough_s7": EnvConfig(rewards=S7_LITERAL),
}
"""Task name -> configuration."""


def task_config(name: str) -> EnvConfig:
    """Configuration of the task; an unknown name is refused with the list of known ones."""
    if name not in TASKS:
        raise ValueError(f"There is no task '{name}'; choose one of {', '.join(TASKS)}.")
    return TASKS[name]
