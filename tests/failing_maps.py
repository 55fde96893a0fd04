"""Elevation maps without errors but their failures, and robots that look at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from einops import repeat
from torch import Tensor

from anymal_policy.layout import ring_offsets
from envs.height_noise import (
    FAILURES,
    FailureConfig,
    FailureName,
    HeightNoise,
    HeightNoiseConfig,
    MapFailures,
    Pose,
)
from envs.sensors import ring_points

ROBOTS, DT, REDRAW = 400, 0.02, 500
ROWS = torch.arange(ROBOTS)
RINGS = torch.from_numpy(ring_offsets()).float()
FEET = torch.tensor([[0.4, 0.2, 0.03], [0.4, -0.2, 0.03], [-0.4, 0.2, 0.03], [-0.4, -0.2, 0.03]])
ALWAYS: dict[str, Any] = {"probability": 1.0, "sudden": 0.0}
Ground = Callable[[Tensor], Tensor]


def at(x: float = 0.0, y: float = 0.0, z: float = 0.0, heading: float = 0.0) -> Pose:
    """Robots that stand with their soles at height z."""
    place = torch.tensor([x, y, z])
    feet = repeat(FEET + place, "foot xyz -> n foot xyz", n=ROBOTS)
    base = repeat(place + torch.tensor([0.0, 0.0, 0.55]), "xyz -> n xyz", n=ROBOTS)
    return Pose(feet, feet[..., 2] - 0.03, base, torch.full((ROBOTS,), heading))


class Maps:
    """Maps without S8's errors, and their failures."""

    def __init__(self, only: FailureName | None, seed: int = 0, pose: Pose | None = None, **changes: Any) -> None:
        generator = torch.Generator().manual_seed(seed)
        quiet = HeightNoiseConfig(cell_offset=0.0, missing_fraction=0.0)
        self.noise = HeightNoise(quiet, ROBOTS, DT, generator)
        self.noise.table[:] = 0.0
        self.failures = MapFailures(FailureConfig(only=only, **{**ALWAYS, **changes}), REDRAW, ROBOTS, DT, generator)
        self.noise.reset(ROWS)
        self.failures.reset(ROWS, at() if pose is None else pose, 1.0)

    def walk(self, pose: Pose, steps: int = 1) -> None:
        for _ in range(steps):
            self.failures.advance(pose)

    def points(self) -> Tensor:
        return ring_points(*self.failures.looks_from(ROWS), RINGS)

    def look(self, pose: Pose, ground: Ground) -> Tensor:
        """Heights (n, 4, 52) m."""
        shown, holes = self.failures.shown(ROWS, pose, ground), self.failures.holes(ROWS, self.noise.holes(ROBOTS, 1.0))
        return self.noise.sample(ROWS, self.points(), pose.soles, shown, 1.0, holes)

    def size(self, name: str) -> Tensor:
        return self.failures.sizes[:, list(FAILURES["blank"]._fields).index(name)]


def level(points: Tensor) -> Tensor:
    return torch.zeros(len(points))


def hills(points: Tensor) -> Tensor:
    return (points[:, 0] * 3).sin() * 0.2 + points[:, 1].square()
