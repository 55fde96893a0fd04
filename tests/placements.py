"""Robots on curricula and on fixed tiles, without a simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from envs.config import EnvConfig, TerrainConfig
from envs.curriculum import CurriculumConfig
from envs.placement import CurriculumPlacement, Placement, make_placement
from envs.terrains import Tile

SLOPES = TerrainConfig(types=("flat", "slope_up"), tile_size=5.0)


def curriculum(num_envs: int = 1, seed: int = 0, caution: float = 0.0, **changes: Any) -> CurriculumPlacement:
    """Robots under a curriculum on flat ground and slopes, a fraction of them with caution."""
    cfg = EnvConfig(
        num_envs=num_envs,
        terrain=SLOPES,
        curriculum=replace(CurriculumConfig(), **changes),
        caution_probability=caution,
    )
    placement = make_placement(cfg, None, torch.Generator().manual_seed(seed))
    assert isinstance(placement, CurriculumPlacement)
    placement.start(torch.arange(num_envs))
    return placement


def fixed(*tiles: Tile, num_envs: int = 4) -> Placement:
    """Robots on tiles without a curriculum."""
    return make_placement(EnvConfig(num_envs=num_envs), tiles, torch.Generator().manual_seed(0))
