"""What everybody who controls robots has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tensordict import TensorDict
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.terrains import Tile


class NotFiniteError(ValueError):
    """A policy gives actions that are no numbers; the message is one sentence for the user."""


class Agent(Protocol):
    """Acts on the observations of n robots."""

    name: str
    """How it was asked for."""
    env: EnvConfig
    """Default configuration with the gait and clipping that its actions are made for, and the groups it needs."""
    meta: dict[str, Any]
    """What its checkpoint says about it; empty for the baseline agents."""

    def world(self, cfg: EnvConfig, tiles: Sequence[Tile]) -> AnymalEnv:
        """The environment of this configuration in which it acts."""
        ...

    def start(self, num_robots: int, seed: int) -> None:
        """Begin anew with this many robots; the seed makes repeatable what is random."""
        ...

    def act(self, obs: TensorDict) -> Tensor:
        """Actions (n, 16) for the observation groups of n robots."""
        ...

    def reset(self, done: Tensor) -> None:
        """Forget the robots whose episode is over, (n,) bool."""
        ...
