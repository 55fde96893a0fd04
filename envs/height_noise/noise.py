"""The elevation maps of n robots: what each of them gets wrong, and when it is renewed."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from envs.height_noise.config import HeightNoiseConfig
from envs.height_noise.points import AREAS, Areas, Draws, Holes, perturb_heights, perturb_positions
from envs.height_noise.shown import Query

MEMORY = ("condition", "age", "clock", "foot_offset", "origin", "cells", "patches")
"""What a map remembers from one look to the next."""


class HeightNoise:
    """Errors of n elevation maps (Miki et al. S8); episode-long ones are drawn as unit normals and scaled at each look.

    After `reset` of all robots: `renewed` once a policy step, then `sample` for the robots that it names.
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

    def reset(self, env_ids: Tensor) -> None:
        """New maps for the episodes that these robots start, at a random time before their next renewal."""
        m, random = len(env_ids), self.generator
        self._draw_condition(env_ids)
        self.age[env_ids] = 0
        self.clock[env_ids] = torch.rand(m, generator=random, dtype=torch.float64)
        self.foot_offset[env_ids] = torch.randn(m, 4, 3, generator=random)
        self.origin[env_ids] = torch.rand(m, 2, generator=random) * self.cfg.cell_size * AREAS
        self.cells[env_ids] = torch.randn(m, AREAS * AREAS, generator=random)
        self.patches[env_ids] = torch.rand(m, AREAS * AREAS, generator=random)

    def renewed(self) -> Tensor:
        """Let a policy step pass; the robots (m,) whose map is renewed in it."""
        self.age += 1
        self._draw_condition(torch.nonzero(self.age % self.redraw_steps == 0).squeeze(-1))
        self.clock += self.updates_per_step
        due = self.clock >= 1
        self.clock -= due.double()
        return torch.nonzero(due).squeeze(-1)

    def holes(self, count: int, factor: float) -> Holes:
        """Patches without information in this many maps that do not fail; `factor` is c_sk."""
        cfg = self.cfg
        return Holes(
            np.full((count, 4), cfg.missing_fraction * factor),
            np.full(count, cfg.missing_size),
            np.full(count, cfg.missing_height),
        )

    def sample(
        self,
        env_ids: Tensor,
        points_w: Tensor,
        foot_height_w: Tensor,
        query: Query,
        factor: float,
        holes: Holes | None = None,
    ) -> Tensor:
        """Heights in the world (m, 4, 52) m that the maps of these robots have at `points_w` (m, 4, 52, 2) m.

        NaN where they know none. `foot_height_w` (m, 4) m is the height about which they invent some; `factor` is c_sk.
        """
        cfg, numbers = self.cfg, points_w.shape[:3]
        draws = Draws(
            self._normal(3, *numbers),
            self._normal(3, *numbers[:2]),
            torch.rand(numbers, generator=self.generator).numpy(),
            self.foot_offset[env_ids].numpy(),
        )
        areas = Areas(
            self.origin[env_ids].numpy(),
            (cfg.cell_offset * factor * self.cells[env_ids]).numpy(),
            cfg.cell_size,
            self.patches[env_ids].numpy(),
        )
        holes = self.holes(len(env_ids), factor) if holes is None else holes
        z, seen = (self.table[self.condition[env_ids]] * factor).numpy(), points_w.clone()
        perturb_positions(seen.numpy(), z, draws)
        heights = query(rearrange(seen, "m foot point xy -> (m foot point) xy")).reshape(numbers).clone()
        perturb_heights(heights.numpy(), seen.numpy(), foot_height_w.numpy(), z, draws, areas, holes)
        return heights

    def _draw_condition(self, env_ids: Tensor) -> None:
        self.condition[env_ids] = torch.bucketize(
            torch.rand(len(env_ids), generator=self.generator), self.thresholds, right=True
        )

    def _normal(self, *shape: int) -> NDArray[np.float32]:
        return torch.randn(*shape, generator=self.generator).numpy()

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs but the generator, which belongs to the caller."""
        return {name: getattr(self, name).clone() for name in MEMORY}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict`."""
        for name in MEMORY:
            setattr(self, name, state[name].clone())
