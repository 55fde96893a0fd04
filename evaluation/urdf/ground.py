"""A lane's ground as boxes, which MuJoCo's own collider meets: an oracle apart from our heightfield."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np

from envs.terrains import RESOLUTION, TerrainMap
from envs.terrains.grid import RISER_X

AROUND = 2.0
"""m by which a tile's ground goes on around it."""
THICKNESS = 0.5
"""m of ground under the lowest level."""


class Level(NamedTuple):
    """A level piece of ground over the full width of a tile, in the world."""

    low: float
    """m, least x."""
    high: float
    """m, largest x."""
    height: float
    """m."""


def levels(terrain: TerrainMap, tile: int) -> list[Level]:
    """The level pieces of a tile along x, from riser to riser; a ValueError if it is not made of such."""
    heights, risers = terrain.tiles[tile].heights, terrain.tiles[tile].risers
    at = np.flatnonzero(np.diff(heights[0]))
    if (heights != heights[0]).any() or not (risers[:, at] & RISER_X).all():
        family = terrain.tiles[tile].family
        raise ValueError(f"{family} is not made of level pieces along x: only such ground can be built of boxes.")
    walls = float(terrain.tile_corner_w[tile, 0]) + (at + 0.5) * RESOLUTION
    west = float(terrain.tile_corner_w[tile, 0])
    sides = [west - AROUND, *walls.tolist(), west + float(terrain.tile_size[tile, 0]) + AROUND]
    pieces = heights[0, [0, *(at + 1)]].tolist()
    return [Level(*piece) for piece in zip(sides[:-1], sides[1:], pieces, strict=True)]


def add_ground(spec: mujoco.MjSpec, terrain: TerrainMap, tile: int) -> None:
    """Add a tile's ground to the world, where the terrain has it."""
    south, width = float(terrain.tile_corner_w[tile, 1]), float(terrain.tile_size[tile, 1])
    pieces = levels(terrain, tile)
    bottom = min(piece.height for piece in pieces) - THICKNESS
    for piece in pieces:
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[(piece.low + piece.high) / 2, south + width / 2, (piece.height + bottom) / 2],
            size=[(piece.high - piece.low) / 2, width / 2 + AROUND, (piece.height - bottom) / 2],
            contype=0,
            conaffinity=1,
        )
