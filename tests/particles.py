"""Particle filters and learners of known ability, for the tests of the curriculum."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from envs.curriculum import CurriculumConfig, ParticleFilter
from envs.ranks import ALONE, Ranks

CFG = CurriculumConfig()
Learner = Callable[[Tensor], Tensor]  # cells (m, axes) -> traversability (m,)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def make(
    shapes: list[tuple[int, ...]], cfg: CurriculumConfig = CFG, seed: int = 0, ranks: Ranks = ALONE
) -> ParticleFilter:
    return ParticleFilter([f"type_{i}" for i in range(len(shapes))], shapes, cfg, seeded(seed), ranks)


def attempt(filter_: ParticleFilter, learner: Learner, generator: Generator, trajectories: int = 60) -> None:
    """Every type gets this many trajectories, six per particle as in Lee et al., by a learner of known ability."""
    type_ids = torch.arange(len(filter_.names)).repeat_interleave(trajectories)
    cells, numbers = filter_.draw(type_ids, generator)
    filter_.record(type_ids, numbers, torch.rand(len(type_ids), generator=generator) < learner(cells))


def train(
    filter_: ParticleFilter, learner: Learner, updates: int, generator: Generator, trajectories: int = 60
) -> list[Tensor]:
    """Particles (types, particles, axes) after every update."""
    held = []
    for _ in range(updates):
        attempt(filter_, learner, generator, trajectories)
        filter_.update(generator)
        held.append(filter_.cells)
    return held


def logistic(centre: float) -> Learner:
    """Crosses easy cells always, hard ones never, half of those at `centre`."""
    return lambda cells: torch.sigmoid((centre - cells[:, 0]) / 0.7)


def place(filter_: ParticleFilter, cells: Tensor) -> None:
    filter_.load_state_dict(filter_.state_dict() | {"cells": cells.expand_as(filter_.cells)})


def train_late(
    filter_: ParticleFilter, learner: Learner, samples: int, generator: Generator, robots: int = 1024, steps: int = 1000
) -> list[Tensor]:
    """Traversability of each robot's ground (robots,), every 20 steps; an episode's outcome is known at its end.

    That is after two and a half updates of 400,000 samples; three of ten commands say nothing about the ground.
    """
    types = torch.arange(robots) % len(filter_.names)
    cells, numbers = filter_.draw(types, generator)
    left = torch.randint(1, steps + 1, (robots,), generator=generator)
    stood, to_update = [], CFG.update_steps
    for _ in range(samples // (20 * robots)):
        left -= 20
        done = torch.nonzero(left <= 0).squeeze(-1)
        crossed = torch.rand(len(done), generator=generator) < learner(cells[done])
        usable = torch.rand(len(done), generator=generator) < 0.7
        filter_.record(types[done][usable], numbers[done][usable], crossed[usable])
        cells[done], numbers[done] = filter_.draw(types[done], generator)
        left[done] += steps
        to_update -= 20 * robots
        if to_update <= 0:
            filter_.update(generator)
            to_update += CFG.update_steps
        stood.append(learner(cells))
    return stood


def settled(stood: list[Tensor]) -> tuple[float, float]:
    """Shares of the robots on ground that is crossed in 40 to 95 % of the attempts, and on easier; from 2/5 on."""
    late = torch.stack(stood[2 * len(stood) // 5 :])
    return ((late > 0.4) & (late < 0.95)).double().mean().item(), (late > 0.95).double().mean().item()
