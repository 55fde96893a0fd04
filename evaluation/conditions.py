"""The conditions of an evaluation (docs/paper.md, decision 24): the world, who is pushed, how long it lasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import EnvConfig
from envs.curriculum import CurriculumConfig
from envs.randomization import RandomizationConfig
from envs.terrains import Tile
from envs.terrains.stairs import LANE_FLAT
from evaluation.agents import ACTS_THROUGH, Agent
from evaluation.noise import with_noise
from evaluation.trial import LANE_HALF_WIDTH

Command = tuple[float, float, float]
"""Forward and lateral velocity in m/s, yaw rate in rad/s."""
Change = Callable[[EnvConfig], EnvConfig]
"""What a world has otherwise than the conditions of evaluation."""
WALK: Command = (0.7, 0.0, 0.0)
"""Miki et al. Fig. S1."""
SECONDS = 10.0
"""s that a robot has (Miki et al. Fig. S1, S2)."""
PUSH_SPEED = 0.5
"""m/s that a push adds to the base, in a random horizontal direction."""
PUSH_SECONDS = 5.0
"""s between the pushes of a robot; the first comes at a random time within this period."""
CONDITIONS = EnvConfig(
    episode_seconds=2 * SECONDS,
    collider="exact",
    curriculum=CurriculumConfig(initial_factor=1.0),
    commands=CommandConfig(fixed=WALK, heading_gain=1.0),
    randomization=RandomizationConfig(
        friction=(0.5, 1.25),
        slippery_probability=0.0,
        base_mass=5.0,
        leg_mass=0.1,
        motor_strength=0.0,
        wrench_probability=0.0,
        push_velocity=0.0,
        joint_position=0.2,
        joint_velocity=1.0,
        tilt=0.15,
        velocity=0.5,
        start_offset=0.3,
    ),
)
"""Miki et al. Fig. S1: 0.7 m/s forward, the heading held by the command, c_k = 1; the pushes are `Pushes`."""


class Seeds(NamedTuple):
    """Of the parts of an evaluation that draw for themselves."""

    environment: int
    pushes: int
    agent: int


@dataclass(frozen=True)
class Crowd:
    """Robots that are evaluated side by side, and what is drawn for them: the same for every agent and ground."""

    robots: int
    """On all cells together, or on each where that is said."""
    seed: int = 0
    """Of the evaluation: terrain, start states, randomisation, pushes and the agent's draws."""
    batch: int = 0
    """Which of the crowds of one evaluation it is, each with draws of its own."""
    threads: int = 1
    """Of the physics."""
    command: Command = WALK

    @property
    def seeds(self) -> Seeds:
        """Of what is drawn."""
        return Seeds(*np.random.SeedSequence((self.seed, self.batch)).generate_state(3).tolist())


class Pushes:
    """When and where to each of n robots is pushed, drawn in advance: the same for every agent."""

    def __init__(self, num_robots: int, dt: float, seed: int) -> None:
        """`dt` s, time of a step."""
        generator = torch.Generator().manual_seed(seed)
        self.period = round(PUSH_SECONDS / dt)
        self.first = torch.randint(self.period, (num_robots,), generator=generator)
        count = -(-round(SECONDS / dt) // self.period)
        self.angle = 2 * torch.pi * torch.rand(num_robots, count, generator=generator)

    def at(self, step: int) -> Tensor:
        """Velocity to add in this step, (n, 2) m/s in the world frame: zero for most."""
        angle = self.angle[:, step // self.period]
        pushed = self.first == step % self.period
        return PUSH_SPEED * pushed.unsqueeze(-1) * torch.stack([angle.cos(), angle.sin()], dim=-1)

    def __call__(self, env: AnymalEnv, step: int) -> None:
        """Push who is due before this step."""
        env.simulation.add_velocity(self.at(step))


def unchanged(cfg: EnvConfig) -> EnvConfig:
    """The world as it is under the conditions of evaluation."""
    return cfg


def environment(
    agent: Agent, tiles: Sequence[Tile], noise: str | None, crowd: Crowd, change: Change = unchanged
) -> AnymalEnv:
    """The world under the conditions of evaluation, for this agent.

    `change` comes last: it replaces what belongs to the agent, too.
    """
    own: dict[str, Any] = {name: getattr(agent.env, name) for name in (*ACTS_THROUGH, "decimation", "own")}
    own |= {"num_envs": crowd.robots, "seed": crowd.seeds.environment, "threads": crowd.threads}
    own |= {"noisy_groups": agent.env.noisy_groups}
    commands = replace(CONDITIONS.commands, fixed=crowd.command)
    return agent.world(change(with_noise(replace(CONDITIONS, commands=commands, **own), noise)), tiles)


def masses(env: AnymalEnv) -> Tensor:
    """Mass of each robot in kg, (n,)."""
    return torch.from_numpy(env.simulation.mass.sum(-1)).float()


def edge(env: AnymalEnv) -> Tensor:
    """World x in m from which on the ground is that behind the obstacle's edge, for each robot of a lane, (n,)."""
    corner = torch.from_numpy(env.placement.map.tile_corner_w)
    return corner[env.placement.tile, 0] + LANE_FLAT


def half_width(env: AnymalEnv) -> Tensor:
    """m to either side of its start line at which each robot has left its lane, or the path it started on, (n,)."""
    return (env.placement.path_width(torch.arange(env.num_envs)) / 2).clamp(max=LANE_HALF_WIDTH)
