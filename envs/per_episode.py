"""Numbers that differ from robot to robot and from episode to episode, each kind of a generator of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

Bounds = tuple[float, float]
"""Least and largest value; equal for a constant."""


class OwnGenerator:
    """A generator for one kind of thing, so that drawing more or fewer of it changes nothing else that is drawn."""

    def __init__(self, seed: int, stream: int) -> None:
        """`stream` tells apart what is drawn with one seed; 1 are the errors of sensors."""
        self.stream, self.generator = stream, torch.Generator()
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Draw from here on with this seed."""
        self.generator.manual_seed(stream_seed(seed, self.stream))

    def state_dict(self) -> dict[str, Any]:
        """Everything that resuming needs."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        self.generator.set_state(state["generator"])


class PerEpisode(OwnGenerator):
    """One number for each of n robots, uniform within bounds, anew in every episode; a constant draws nothing."""

    def __init__(self, bounds: Bounds, num_envs: int, seed: int, stream: int) -> None:
        """The lower bound until the first draw."""
        super().__init__(seed, stream)
        self.low, self.high = bounds
        self.values = torch.full((num_envs,), float(self.low))

    def draw(self, env_ids: Tensor) -> Tensor:
        """Values of the episodes that these robots start, (m,)."""
        if self.high > self.low:
            share = torch.rand(len(env_ids), generator=self.generator)
            self.values[env_ids] = self.low + (self.high - self.low) * share
        return self.values[env_ids]

    def state_dict(self) -> dict[str, Any]:
        """Everything that resuming needs."""
        return {**super().state_dict(), "values": self.values.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        super().load_state_dict(state)
        self.values = state["values"].clone()


def stream_seed(seed: int, stream: int) -> int:
    """Seed of a generator of its own, unlike that of any other seed or stream."""
    return int(np.random.SeedSequence((seed, stream)).generate_state(1, np.uint64)[0])


def require_range(flag: str, bounds: Bounds, least: float, most: float) -> None:
    """Refuse bounds that are no range within `least` and `most`."""
    if not least <= bounds[0] <= bounds[1] <= most:
        raise ValueError(f"{flag} takes two numbers, the smaller first, from {least:g} to {most:g}.")
