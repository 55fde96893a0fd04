"""Velocity commands: forward, lateral, yaw rate; resampled, some with the heading held, some for standing still.

On a path between walls or drops they lead along it, ahead or back, with its heading held (decision 64).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from envs.frames import wrap_angle

GROWS_FROM = 0.3
"""c_k at which the ranges of the commands begin to grow: `CurriculumConfig.initial_factor` by default."""

STANDS, TURNS, STRAIGHT, FREE = range(4)
"""Kinds of commands, in the order of their probabilities."""
MOVES = torch.tensor([[False, False, False], [False, False, True], [True, False, False], [True, True, True]])
"""Whether a command moves forward, aside and around, by kind."""
ALONG = torch.tensor([True, False, False])
"""Whether a command on a path may."""

STATE = ("velocity", "heading", "path", "holds_heading", "steps_left")
"""What resuming needs of the commands."""


@dataclass(frozen=True)
class CommandConfig:
    """Distribution of the commands; ranges grow from their start to their end while c_k goes from 0.3 to 1."""

    forward: tuple[float, float] = (0.7, 1.3)
    """m/s, largest |vx| at the start and at the end of the curriculum (Miki E3: 1.2 m/s)."""
    lateral: tuple[float, float] = (0.3, 1.3)
    """m/s, largest |vy| at the start and at the end of the curriculum."""
    yaw_rate: tuple[float, float] = (0.4, 3.3)
    """rad/s, largest |wz| at the start and at the end of the curriculum (Miki E3: 3 rad/s)."""
    heading_probability: float = 0.5
    """Fraction of the other moving commands whose yaw rate holds a random heading instead of being constant."""
    heading_gain: float = 1.0
    """1/s, yaw rate per heading error; clipped to 1 rad/s (legged_gym: 0.5, +-1)."""
    stand_probability: float = 0.06
    """Fraction of commands that are zero (Isaac Lab: 0.02)."""
    turn_probability: float = 0.06
    """Fraction of commands that turn on the spot."""
    straight_probability: float = 0.4
    """Fraction of commands that lead straight ahead in the heading of their first moment, as following a path does."""
    resample_seconds: float = 10.0
    """s between new commands (legged_gym: 10 s)."""
    fixed: tuple[float, float, float] | None = None
    """Forward m/s, lateral m/s, yaw rate rad/s for every robot, not random; at yaw rate 0 the start heading is held."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        kinds = (self.stand_probability, self.turn_probability, self.straight_probability)
        if min(*kinds, self.heading_probability) < 0 or max(sum(kinds), self.heading_probability) > 1 + 1e-9:
            raise ValueError(
                "Probabilities of commands are 0 to 1, those of standing, turning and walking straight ahead together."
            )
        if min(*self.forward, *self.lateral, *self.yaw_rate) < 0 or self.resample_seconds <= 0:
            raise ValueError("Largest speeds of commands are 0 or more, s between them above 0.")


class Commands:
    """The commands of n environments and when they change."""

    def __init__(self, cfg: CommandConfig, num_envs: int, dt: float, generator: torch.Generator) -> None:
        """Nothing is commanded until the first `resample`."""
        self.cfg, self.generator = cfg, generator
        self.period = max(1, round(cfg.resample_seconds / dt))
        chances = cfg.stand_probability, cfg.turn_probability, cfg.straight_probability
        self.kind_ends = torch.tensor(chances).cumsum(0)
        self.velocity = torch.zeros(num_envs, 3)
        self.heading = torch.zeros(num_envs)
        self.path = torch.full((num_envs,), torch.nan)
        self.holds_heading = torch.zeros(num_envs, dtype=torch.bool)
        self.steps_left = torch.zeros(num_envs, dtype=torch.long)

    def follow(self, env_ids: Tensor, path: Tensor) -> None:
        """Let these robots' commands lead along a path of this direction (m,) rad; nan for anywhere."""
        self.path[env_ids] = path

    def resample(self, env_ids: Tensor, yaw: Tensor, factor: float) -> None:
        """New commands for these robots, which look at `yaw` (m,) rad; `factor` 0..1 is c_k."""
        if len(env_ids) == 0:
            return
        if self.cfg.fixed is not None:
            self.velocity[env_ids] = torch.tensor(self.cfg.fixed, dtype=self.velocity.dtype)
            self.holds_heading[env_ids] = self.cfg.fixed[2] == 0 and any(self.cfg.fixed)
            self.heading[env_ids] = yaw
        else:
            self._draw(env_ids, yaw, factor)
        self.steps_left[env_ids] = self.period

    def _draw(self, env_ids: Tensor, yaw: Tensor, factor: float) -> None:
        cfg, u = self.cfg, torch.rand(len(env_ids), 6, generator=self.generator)
        grown = max(0.0, (factor - GROWS_FROM) / (1 - GROWS_FROM))
        reach = torch.tensor([lo + (hi - lo) * grown for lo, hi in (cfg.forward, cfg.lateral, cfg.yaw_rate)])
        velocity = (2 * u[:, :3] - 1) * reach
        kind = torch.bucketize(u[:, 3].contiguous(), self.kind_ends, right=True)
        follows = ~self.path[env_ids].isnan()
        kind = torch.where(follows & (kind == TURNS), STRAIGHT, kind)
        straight = kind == STRAIGHT
        velocity[:, 0] = torch.where(straight, velocity[:, 0].abs(), velocity[:, 0])
        moves = MOVES[kind] & (ALONG | ~follows.unsqueeze(-1))
        self.velocity[env_ids] = torch.where(moves, velocity, 0.0)
        self.holds_heading[env_ids] = straight | ((kind == FREE) & (follows | (u[:, 4] < cfg.heading_probability)))
        heading = torch.where(straight, yaw, (2 * u[:, 5] - 1) * pi)
        self.heading[env_ids] = torch.where(follows, self.path[env_ids], heading)

    def step(self, yaw: Tensor, factor: float) -> None:
        """Count down, resample what is due, and turn held headings into yaw rates; `yaw` (n,) rad."""
        if self.cfg.fixed is None:
            due = torch.nonzero(self.steps_left <= 0).squeeze(-1)
            if len(due):
                self.resample(due, yaw[due], factor)
            self.steps_left -= 1
        self.hold_heading(yaw)

    def hold_heading(self, yaw: Tensor) -> None:
        """Yaw rate of the robots that hold a heading, from their heading error; `yaw` (n,) rad."""
        rate = (self.cfg.heading_gain * wrap_angle(self.heading - yaw)).clamp(-1.0, 1.0)
        self.velocity[:, 2] = torch.where(self.holds_heading, rate, self.velocity[:, 2])

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs."""
        return {name: getattr(self, name).clone() for name in STATE}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict`."""
        for name, value in state.items():
            getattr(self, name).copy_(value)
