"""Odometry that drifts with what n robots walk and turn: where they take themselves to be."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor

from envs.depth.config import OdometryConfig
from envs.state import State

MEMORY = ("share", "error", "turned", "place", "heading")


class Odometry:
    """Errors of n odometries; the frame of each is the world's at the start of its episode."""

    def __init__(self, cfg: OdometryConfig, num_envs: int, generator: torch.Generator) -> None:
        """Without errors, until the first `reset`."""
        self.cfg, self.generator = cfg, generator
        self.share = torch.zeros(num_envs, 7, dtype=torch.float64)
        self.error = torch.zeros(num_envs, 3, dtype=torch.float64)
        self.turned = torch.zeros(num_envs, dtype=torch.float64)
        self.place = torch.zeros(num_envs, 3, dtype=torch.float64)
        self.heading = torch.zeros(num_envs, dtype=torch.float64)

    def reset(self, env_ids: Tensor, s: State) -> None:
        """No drift yet for these robots, which start episodes."""
        self.share[env_ids] = torch.randn(len(env_ids), 7, generator=self.generator, dtype=torch.float64)
        self.error[env_ids], self.turned[env_ids] = 0.0, 0.0
        self.place[env_ids], self.heading[env_ids] = s.base_position_w[env_ids].double(), s.heading[env_ids].double()

    def advance(self, s: State) -> None:
        """Drift of a policy step: it grows with the way walked and the angle turned."""
        cfg, place, heading = self.cfg, s.base_position_w.double(), s.heading.double()
        step, turn = place - self.place, torch.remainder(heading - self.heading + math.pi, 2 * math.pi) - math.pi
        way = step[:, :2].norm(dim=-1)
        wrong = turned_by(self.heading + self.turned, self.share[:, :3])
        self.error += turned_by(self.turned, step) - step + cfg.drift * rearrange(way, "n -> n 1") * wrong
        self.turned += cfg.turn * turn.abs() * self.share[:, 3] + cfg.turn_per_metre * way * self.share[:, 4]
        self.place, self.heading = place, heading

    def tilt(self) -> Tensor:
        """Error of roll and pitch (about each robot's own heading), (n, 2) rad."""
        return self.cfg.tilt * self.share[:, 5:]

    def frames(self) -> Tensor:
        """Each robot's place in the world and in its odometry's frame (m), and the turn between them (rad), (n, 7)."""
        return torch.cat([self.place, self.place + self.error, rearrange(self.turned, "n -> n 1")], dim=-1)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs but the generator, which belongs to the caller."""
        return {name: getattr(self, name).clone() for name in MEMORY}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict`."""
        for name in MEMORY:
            setattr(self, name, state[name].clone())


def turned_by(angle: Tensor, vector: Tensor) -> Tensor:
    """Vectors (n, 3) turned about z by angles (n,) rad."""
    c, s = angle.cos(), angle.sin()
    x, y, z = vector.unbind(-1)
    return torch.stack([c * x - s * y, s * x + c * y, z], dim=-1)
