"""The evaluation: n robots cross one kind of ground under the conditions of docs/paper.md, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.checkpoint import versions
from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import EnvConfig
from envs.curriculum import CurriculumConfig
from envs.randomization import RandomizationConfig
from envs.terrains.stairs import LANE_FLAT
from evaluation.agents import ACTS_THROUGH, Agent
from evaluation.cells import TILE_SIZE, Cell, tile_seeds
from evaluation.noise import levels_for, with_noise
from evaluation.summary import summary
from evaluation.trial import DISTANCE, LANE_HALF_WIDTH, Trial

SECONDS = 10.0
"""s that a robot has (Miki et al. Fig. S1, S2)."""
PUSH_SPEED = 0.5
"""m/s that a push adds to the base, in a random horizontal direction."""
PUSH_SECONDS = 5.0
"""s between the pushes of a robot; the first comes at a random time within this period."""
SINGLE_STEPS = ("step_up", "step_down")
"""Lanes that are crossed when all feet are over the edge."""
MAX_ROBOTS = 600
"""Robots simulated at once."""
CONDITIONS = EnvConfig(
    episode_seconds=2 * SECONDS,
    collider="exact",
    curriculum=CurriculumConfig(initial_factor=1.0),
    commands=CommandConfig(fixed=(0.7, 0.0, 0.0), heading_gain=1.0),
    randomization=RandomizationConfig(
        friction=(0.5, 1.25),
        slippery_share=0.0,
        base_mass=5.0,
        leg_mass=0.1,
        motor_strength=0.0,
        wrench_share=0.0,
        push_velocity=0.0,
        joint_position=0.2,
        joint_velocity=1.0,
        tilt=0.15,
        velocity=0.5,
        start_offset=0.3,
    ),
)
"""Miki et al. Fig. S1: 0.7 m/s forward, the heading held by the command, c_k = 1; the pushes are this module's own."""


class Pushes:
    """When and where to each of n robots is pushed, drawn in advance: the same for every agent."""

    def __init__(self, num_robots: int, dt: float, seed: int) -> None:
        """`dt` s, time of a step."""
        generator = torch.Generator().manual_seed(seed)
        self.period = round(PUSH_SECONDS / dt)
        self.first = torch.randint(self.period, (num_robots,), generator=generator)
        count = math.ceil(SECONDS / PUSH_SECONDS)
        self.angle = 2 * torch.pi * torch.rand(num_robots, count, generator=generator)

    def at(self, step: int) -> Tensor:
        """Velocity to add in this step, (n, 2) m/s in the world frame: zero for most."""
        angle = self.angle[:, step // self.period]
        pushed = self.first == step % self.period
        return PUSH_SPEED * pushed.unsqueeze(-1) * torch.stack([angle.cos(), angle.sin()], dim=-1)


def run_batch(
    agent: Agent, cell: Cell, noise: str | None, robots: int, seed: int, batch: int, threads: int
) -> dict[str, Tensor]:
    """First episodes of `robots` robots, as of `Trial.finish`; start states and pushes are the same for every agent."""
    env_seed, push_seed, agent_seed = np.random.SeedSequence((seed, batch)).generate_state(3).tolist()
    own: dict[str, Any] = {name: getattr(agent.env, name) for name in ACTS_THROUGH}
    own |= {"num_envs": robots, "seed": env_seed, "threads": threads, "noisy_groups": agent.env.noisy_groups}
    env = AnymalEnv(with_noise(replace(CONDITIONS, **own), noise), cell.tiles(seed))
    mass = torch.from_numpy(env.simulation.mass.sum(-1)).float()
    trial = Trial(env.state, mass, env.cfg.dt, edge(env) if cell.terrain in SINGLE_STEPS else None)
    pushes = Pushes(robots, env.cfg.dt, push_seed)
    agent.start(robots, agent_seed)
    obs = env.get_observations()
    for step in range(round(SECONDS / env.cfg.dt)):
        command = env.state.command
        env.simulation.add_velocity(pushes.at(step))
        obs, _, done, extras = env.step(agent.act(obs))
        agent.reset(done)
        trial.observe(env.state, command, done, extras["falls"])
        if not trial.running.any():
            break
    env.close()
    return trial.finish()


def edge(env: AnymalEnv) -> Tensor:
    """World x in m from which on the ground is that behind the step, for each robot of a single-step lane, (n,)."""
    corner = torch.from_numpy(env.placement.map.tile_corner_w)
    return corner[env.placement.tile, 0] + LANE_FLAT


def evaluate_cell(
    agent: Agent, cell: Cell, noise: str | None, episodes: int, seed: int, threads: int
) -> dict[str, Any]:
    """One row of the results: an agent on one kind of ground, whatever else is evaluated beside it."""
    with single_torch_thread():
        sizes = batches(episodes)
        parts = [run_batch(agent, cell, noise, robots, seed, batch, threads) for batch, robots in enumerate(sizes)]
    results = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {
        "checkpoint": agent.name,
        "terrain": cell.terrain,
        "difficulty": cell.difficulty,
        "parameters": cell.parameters,
        "noise": noise,
        **summary(results),
    }


def batches(episodes: int) -> list[int]:
    """Robots of each batch: as few batches as memory allows, of nearly equal size."""
    count = math.ceil(episodes / MAX_ROBOTS)
    return [episodes // count + (number < episodes % count) for number in range(count)]


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """One thread for the networks, so that their sums, and with them all results, do not depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def evaluate(
    agents: Sequence[Agent],
    cells: Sequence[Cell],
    noises: tuple[str, ...],
    episodes: int,
    seed: int,
    threads: int,
    report: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Every agent on every cell, Students at every level of noise: {"settings", "cells"}, the same at any thread count.

    `report` gets each row when it is done.
    """
    rows = []
    for cell in cells:
        for agent in agents:
            for noise in levels_for(agent, noises):
                rows.append(evaluate_cell(agent, cell, noise, episodes, seed, threads))
                report(rows[-1])
    return {"settings": settings(agents, noises, episodes, seed), "cells": rows}


def settings(agents: Sequence[Agent], noises: tuple[str, ...], episodes: int, seed: int) -> dict[str, Any]:
    """Everything that the results depend on."""
    randomization = asdict(CONDITIONS.randomization)
    meta = ("hash", "kind", "task", "iteration", "samples", "seed", "precision", "versions", "student", "teacher_hash")
    perceived = {level: with_noise(CONDITIONS, level) for level in noises}
    return {
        "episodes": episodes,
        "seed": seed,
        "seconds": SECONDS,
        "distance": DISTANCE,
        "lane_half_width": LANE_HALF_WIDTH,
        "push_speed": PUSH_SPEED,
        "push_seconds": PUSH_SECONDS,
        "tile_seeds": tile_seeds(seed),
        "tile_size": list(TILE_SIZE),
        "batches": batches(episodes),
        "collider": CONDITIONS.collider,
        "c_k": CONDITIONS.curriculum.initial_factor,
        "command": list(CONDITIONS.commands.fixed or ()),
        "heading_gain": CONDITIONS.commands.heading_gain,
        "randomization": {name: value for name, value in randomization.items() if not name.startswith("push_")},
        "noise": {
            level: {"heights": asdict(cfg.height_noise), "sensors": asdict(cfg.sensor_noise)}
            for level, cfg in perceived.items()
        },
        "agents": [
            {"checkpoint": agent.name, **{name: agent.meta[name] for name in meta if name in agent.meta}}
            | {name: value for name, value in asdict(agent.env).items() if name in ACTS_THROUGH}
            for agent in agents
        ],
        "versions": versions(),
    }
