"""The elevation maps of n robots: what each of them gets wrong, and when it is renewed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor

from envs.height_noise.config import HeightNoiseConfig

Query = Callable[[Tensor], Tensor]
"""Height of the ground in m (k,) at world points (k, 2) m."""
AREAS = 16
"""Cells, and patches, along each side of a robot's map, after which they repeat; a power of 2."""
MEMORY = ("condition", "age", "clock", "foot_offset", "origin", "cells", "patches")
"""What a map remembers from one look to the next."""


class HeightNoise:
    """Errors of n elevation maps (Miki et al. S8); episode-long ones are drawn as unit normals and scaled at each look.

    After `reset` of all rows: `renewed` once a policy step, then `sample` for the rows that it names.
    """

    def __init__(self, cfg: HeightNoiseConfig, num_envs: int, dt: float, generator: torch.Generator) -> None:
        """Maps without errors; `dt` s is a policy step."""
        self.cfg, self.generator = cfg, generator
        self.table, self.thresholds = cfg.table(), cfg.probabilities().cumsum(0)[:-1]
        self.updates_per_step = min(cfg.map_rate * dt, 1.0)
        self.redraw_steps = max(1, round(cfg.redraw_seconds / dt))
        self.condition = torch.zeros(num_envs, dtype=torch.long)
        self.age = torch.zeros(num_envs, dtype=torch.long)
        self.clock = torch.zeros(num_envs, dtype=torch.float64)
        self.foot_offset = torch.zeros(num_envs, 4, 3)
        self.origin = torch.zeros(num_envs, 2)
        self.cells = torch.zeros(num_envs, AREAS * AREAS)
        self.patches = torch.zeros(num_envs, AREAS * AREAS)

    def reset(self, rows: Tensor) -> None:
        """New maps for the episodes that start in these rows, at a random time before their next renewal."""
        m, random = len(rows), self.generator
        self._draw_condition(rows)
        self.age[rows] = 0
        self.clock[rows] = torch.rand(m, generator=random, dtype=torch.float64)
        self.foot_offset[rows] = torch.randn(m, 4, 3, generator=random)
        self.origin[rows] = torch.rand(m, 2, generator=random) * self.cfg.cell_size * AREAS
        self.cells[rows] = torch.randn(m, AREAS * AREAS, generator=random)
        self.patches[rows] = torch.rand(m, AREAS * AREAS, generator=random)

    def renewed(self) -> Tensor:
        """Let a policy step pass; the rows (m,) whose map is renewed in it."""
        self.age += 1
        self._draw_condition(torch.nonzero(self.age % self.redraw_steps == 0).squeeze(-1))
        self.clock += self.updates_per_step
        due = self.clock >= 1
        self.clock -= due.double()
        return torch.nonzero(due).squeeze(-1)

    def sample(self, rows: Tensor, points_w: Tensor, foot_height_w: Tensor, query: Query, factor: float) -> Tensor:
        """Heights in the world (m, 4, 52) m that the maps of these rows have at `points_w` (m, 4, 52, 2) m.

        `foot_height_w` (m, 4) m is the height about which missing samples are filled in; `factor` is c_sk.
        """
        z = rearrange(self.table[self.condition[rows]] * factor, "m z -> z m 1 1")
        offset = rearrange(self.foot_offset[rows], "m foot xyz -> xyz m foot 1")
        points, feet = points_w.shape[:3], (*points_w.shape[:2], 1)
        shift = z[0] * self._normal(2, *points) + z[2] * self._normal(2, *feet) + z[6] * offset[:2]
        seen = points_w + rearrange(shift, "xy m foot point -> m foot point xy")
        heights = query(rearrange(seen, "m foot point xy -> (m foot point) xy")).reshape(points)
        heights = heights + self._vertical(z, offset[2], feet, points)
        if self.cfg.cell_offset * factor > 0:
            heights += self.cfg.cell_offset * factor * self._area(self.cells, rows, seen, self.cfg.cell_size)
        if self.cfg.missing_share * factor > 0:
            missing = self._area(self.patches, rows, seen, self.cfg.missing_size) < self.cfg.missing_share * factor
            fill = foot_height_w.unsqueeze(-1) + self.cfg.missing_height * self._normal(*points)
            heights = torch.where(missing, fill, heights)
        return heights

    def _vertical(self, z: Tensor, offset: Tensor, feet: tuple[int, ...], points: tuple[int, ...]) -> Tensor:
        """e_pz + e_outlier + e_fz + w_z, m; the first two are one normal of their joint variance."""
        outlier = (torch.rand(points, generator=self.generator) < z[5]) * z[4]
        spread = (z[1].square() + outlier.square()).sqrt()
        return spread * self._normal(*points) + z[3] * self._normal(*feet) + z[7] * offset

    def _area(self, areas: Tensor, rows: Tensor, points_w: Tensor, size: float) -> Tensor:
        """Value, out of (n, AREAS^2), of the square of side `size` m that each point (m, 4, 52, 2) lies in."""
        along = ((points_w + rearrange(self.origin[rows], "m xy -> m 1 1 xy")) * (1 / size)).floor_().long()
        along &= AREAS - 1
        place = along[..., 1] * AREAS + along[..., 0] + rearrange(rows * AREAS**2, "m -> m 1 1")
        return areas.take(place)

    def _draw_condition(self, rows: Tensor) -> None:
        self.condition[rows] = torch.bucketize(
            torch.rand(len(rows), generator=self.generator), self.thresholds, right=True
        )

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs but the generator, which belongs to the caller."""
        return {name: getattr(self, name).clone() for name in MEMORY}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict`."""
        for name in MEMORY:
            setattr(self, name, state[name].clone())
