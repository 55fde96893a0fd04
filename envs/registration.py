"""Names of the tasks in Gymnasium; `import envs` registers them, as does `gymnasium.make("envs:ANYmalRough-v0")`."""

from __future__ import annotations

import gymnasium

IDS = {"ANYmalFlat-v0": "anymal_flat", "ANYmalRough-v0": "anymal_rough"}
"""Gymnasium's id -> task."""


def register_envs() -> None:
    """Let `gymnasium.make` (one robot) and `gymnasium.make_vec` (many at once) know the tasks; again does no harm."""
    for env_id, task in IDS.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(
                env_id,
                entry_point="envs.gymnasium_env:AnymalGymEnv",
                vector_entry_point="envs.gymnasium_env:AnymalVectorEnv",
                kwargs={"task": task},
            )
