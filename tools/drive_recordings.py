"""What drives meet: position errors and velocities of walking robots, and of a bench that moves single joints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.drives import DriveConfig
from envs.drives.network import PERIOD
from envs.terrains import make_tile
from evaluation.agents import Agent
from evaluation.conditions import CONDITIONS
from evaluation.rollout import Step, roll_out

UPDATES = 4
"""Updates of a drive in a policy step."""


@dataclass(frozen=True)
class Walk:
    """Where robots walk for a recording."""

    family: str
    parameters: dict[str, float]
    command: tuple[float, float, float] = (0.7, 0.0, 0.0)
    """m/s, m/s, rad/s."""


WALKS = (
    Walk("flat", {}),
    Walk("flat", {}, (0.0, 0.0, 0.0)),
    Walk("flat", {}, (1.2, 0.4, 0.0)),
    Walk("flat", {}, (0.0, 0.0, 2.0)),
    Walk("rough", {"amplitude": 0.05}),
    Walk("stairs_up", {"height": 0.12, "depth": 0.30}),
    Walk("stairs_up", {"height": 0.17, "depth": 0.30}),
    Walk("stairs_down", {"height": 0.17, "depth": 0.30}),
    Walk("step_up", {"height": 0.20}),
    Walk("step_down", {"height": 0.30}),
)
"""Standing, walking, turning, climbing and landing."""


class Recorder:
    """Keeps what the drives of n robots see, update by update, in the robots' first episodes."""

    def __init__(self, env: AnymalEnv) -> None:
        """Record the environment's simulation from now on."""
        self.simulation, self.advance = env.simulation, env.simulation.step
        self.simulation.decimation, self.simulation.step = 1, self.step  # type: ignore[method-assign]
        self.running, self.seen = torch.ones(env.num_envs, dtype=torch.bool), []
        self.updates = torch.zeros(env.num_envs, dtype=torch.long)

    def step(self, joint_target: Tensor) -> None:
        """A policy step of the simulation, in single updates."""
        for _ in range(UPDATES):
            error = joint_target.numpy() - self.simulation.qpos[:, 7:]
            self.seen.append(np.stack([error, self.simulation.qvel[:, 6:]], -1).astype(np.float32))
            self.advance(joint_target)

    def observe(self, step: Step) -> None:
        """An episode is recorded until the policy step that ends it."""
        self.running &= ~step.done
        self.updates += UPDATES * self.running

    def sequences(self) -> list[NDArray[np.float32]]:
        """Of each joint of each robot, (updates, 2): position error in rad and velocity in rad/s, from the start on."""
        joints = rearrange(np.stack(self.seen), "t n joint x -> n joint t x")
        return [joint[:count] for robot, count in zip(joints, self.updates, strict=True) for joint in robot]


def walking(agent: Agent, walk: Walk, drive: DriveConfig, robots: int, seconds: float, seed: int) -> Recorder:
    """What the drives of robots see on one ground, under the conditions of evaluation."""
    tile = make_tile(walk.family, seed=seed, size=None, **walk.parameters)
    cfg = replace(
        CONDITIONS,
        commands=replace(CONDITIONS.commands, fixed=walk.command),
        num_envs=robots,
        seed=seed,
        drive=drive,
        gait=agent.env.gait,
        noisy_groups=agent.env.noisy_groups,
    )
    env = AnymalEnv(cfg, [tile])
    recorder = Recorder(env)
    roll_out(env, agent, seed, round(seconds / cfg.dt), [], [recorder])
    return recorder


def bench(count: int, updates: int, seed: int) -> NDArray[np.float32]:
    """Sequences (count, updates, 2) of joints on a bench: held steps up to saturation, chirps, and coloured noise.

    A third each. Half of the steps begin with the drive's memory at zero, half after some time at rest; half of the
    joints that meet them are held.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(updates) * PERIOD
    size = rng.uniform(-1.8, 1.8, (count, 1)) * rng.choice([0.2, 0.5, 1.0], (count, 1))
    rate = rng.uniform(-8.0, 8.0, (count, 1)) * rng.choice([0.0, 0.0, 0.3, 1.0], (count, 1))
    begin = rng.choice([0.0, 1.0], (count, 1)) * rng.uniform(0.0, 0.4, (count, 1))
    steps = np.stack([size * (time >= begin), rate * (time >= begin)], -1)
    low, high = rng.uniform(0.3, 2.0, (count, 1)), rng.uniform(4.0, 25.0, (count, 1))
    angle = 2 * np.pi * (low * time + (high - low) * time**2 / (2 * time[-1]))
    chirps = np.stack([size * np.sin(angle), rate * np.cos(angle + rng.uniform(-1.5, 1.5, (count, 1)))], -1)
    noise = rng.normal(size=(count, updates, 2))
    kept = np.exp(-PERIOD / rng.uniform(0.01, 0.2, (count, 1)))
    for update in range(1, updates):
        noise[:, update] = kept * noise[:, update - 1] + np.sqrt(1 - kept**2) * noise[:, update]
    coloured = noise * rng.uniform(0.1, 1.0, (count, 1, 1)) * np.array([0.6, 5.0])
    kinds = [np.arange(count)[:, None, None] % 3 == kind for kind in range(3)]
    return np.select(kinds, [steps, chirps, coloured]).astype(np.float32)
