"""Particle filters and learners of known ability, for the tests of the curriculum."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from envs.curriculum import CurriculumConfig, ParticleFilter

CFG = CurriculumConfig()
Learner = Callable[[Tensor], Tensor]  # cells (m, axes) -> traversability (m,)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def make(shapes: list[tuple[int, ...]], cfg: CurriculumConfig = CFG, seed: int = 0) -> ParticleFilter:
    return ParticleFilter([f"type_{i}" for i in range(len(shapes))], shapes, cfg, seeded(seed))


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
