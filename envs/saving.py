"""State of the environment for a bit-exact resume: everything that its next step depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from tensordict import TensorDict
from torch import Tensor

from envs.state import State

if TYPE_CHECKING:
    from envs.anymal import AnymalEnv

PER_EPISODE = ("drives", "delay", "stiffness")
"""What draws by itself at an episode's start; runs of before some of them existed do not name them."""


def state_dict(env: AnymalEnv) -> dict[str, Any]:
    """State of `env` in tensors and numbers."""
    return {
        "state": copies(vars(env.state)),
        "observations": {name: group.clone() for name, group in env.observations.items()},
        "episode_length": env.episode_length_buf.clone(),
        "samples": env.samples,
        "generator": env.generator.get_state(),
        "simulation": env.simulation.state_dict(),
        **{name: getattr(env, name).state_dict() for name in PER_EPISODE},
        "commands": env.commands.state_dict(),
        "placement": env.placement.state_dict(),
        "senses": env.sensors.state_dict(),
    }


def load_state_dict(env: AnymalEnv, state: dict[str, Any]) -> None:
    """Restore `state_dict` into `env`, whose metrics begin anew."""
    env.simulation.load_state_dict(state["simulation"])
    for name in PER_EPISODE:
        if name in state:
            getattr(env, name).load_state_dict(state[name])
    env.commands.load_state_dict(state["commands"])
    env.placement.load_state_dict(state["placement"])
    env.sensors.load_state_dict(state.get("senses", {}))
    env.generator.set_state(state["generator"])
    env.state = State(**{"caution": torch.zeros(env.num_envs), **copies(state["state"])})
    env.observations = TensorDict(copies(state["observations"]), [env.num_envs])
    env.episode_length_buf, env.samples = state["episode_length"].clone(), state["samples"]
    env.metrics_since.drain()


def copies(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values by name, tensors as copies of their own."""
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in values.items()}
