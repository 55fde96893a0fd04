"""All terrain of a run in one height array: tiles of equal size side by side, with their places in the world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.terrains.grid import RESOLUTION, RISER_X, RISER_Y, Heights, Risers, covered, risers_where, steps
from envs.terrains.tile import Tile

BORDER = 1.0
"""m by which the outermost heights are continued around the map, to carry robots that leave it."""


@dataclass(frozen=True, eq=False)
class TerrainMap:
    """Tiles of equal size side by side in one height array, centred on the world's origin."""

    heights: Heights
    """(ny, nx) m in the world."""
    risers: Risers
    """(ny, nx) uint8, as of the tiles; a jump between two tiles is a riser, too, and cells with plates are COVERED."""
    origin_w: tuple[float, float]
    """m, world position of sample [0, 0]."""
    tiles: tuple[Tile, ...]
    tile_corner_w: NDArray[np.float32]
    """(k, 2) m, the corner of least x and y of each tile."""
    tile_start_w: NDArray[np.float32]
    """(k, 3) m, each tile's start on the surface."""
    tile_size: NDArray[np.float32]
    """(k, 2) m, sides along x and y."""
    floor: Heights | None = None
    """(ny, nx) m, the lower ground as of the tiles; None if no tread overhangs."""


def build_map(tiles: Sequence[Tile]) -> TerrainMap:
    """Tiles laid out row by row on a nearly square grid; what is left of the last row is flat."""
    if not tiles:
        raise ValueError("A terrain needs at least one tile.")
    if len({tile.heights.shape for tile in tiles}) > 1:
        raise ValueError("All tiles of a terrain must have the same size; make them with one `size`.")
    ny, nx = tiles[0].heights.shape
    columns = min(max(round(math.sqrt(len(tiles) * ny / nx)), 1), len(tiles))
    rows = math.ceil(len(tiles) / columns)
    heights, risers = np.zeros((rows * ny, columns * nx), np.float32), np.zeros((rows * ny, columns * nx), np.uint8)
    cell = np.stack(np.divmod(np.arange(len(tiles)), columns), axis=-1) * (ny, nx)  # (k, 2) first sample (iy, ix)
    for (iy, ix), tile in zip(cell, tiles, strict=True):
        heights[iy : iy + ny, ix : ix + nx] = tile.heights
        risers[iy : iy + ny, ix : ix + nx] = tile.risers
    mark_seams(heights, risers, ny, nx)
    corner = np.array((-columns * nx, -rows * ny)) * RESOLUTION / 2.0
    tile_corner = corner + cell[:, ::-1] * RESOLUTION
    start = np.array([tile.start for tile in tiles])
    floor = lower_ground(heights, cell, tiles)
    heights, risers = with_border(heights, risers)
    if floor is not None:
        floor = np.pad(floor, steps(BORDER), mode="edge")
        risers |= covered(heights, floor)
    return TerrainMap(
        heights=heights,
        risers=risers,
        origin_w=(float(corner[0] - BORDER), float(corner[1] - BORDER)),
        tiles=tuple(tiles),
        tile_corner_w=tile_corner.astype(np.float32),
        tile_start_w=np.column_stack((tile_corner + start, [tile.start_height for tile in tiles])).astype(np.float32),
        tile_size=np.tile(np.array(tiles[0].size, np.float32), (len(tiles), 1)),
        floor=floor,
    )


def lower_ground(heights: Heights, cell: NDArray[np.int64], tiles: Sequence[Tile]) -> Heights | None:
    """The tiles' lower ground, each from its first sample (iy, ix) in `cell` (k, 2) on, if a tread of any overhangs."""
    if all(tile.floor is None for tile in tiles):
        return None
    floor = heights.copy()
    for (iy, ix), tile in zip(cell, tiles, strict=True):
        if tile.floor is not None:
            ny, nx = tile.floor.shape
            floor[iy : iy + ny, ix : ix + nx] = tile.floor
    return floor


def mark_seams(heights: Heights, risers: Risers, ny: int, nx: int) -> None:
    """Mark the jumps between neighbouring tiles steeper than 45 degrees as risers, in place."""
    jumps = risers_where(heights, min_step=RESOLUTION)
    risers[:, nx - 1 :: nx] |= jumps[:, nx - 1 :: nx] & RISER_X
    risers[ny - 1 :: ny] |= jumps[ny - 1 :: ny] & RISER_Y


def with_border(heights: Heights, risers: Risers) -> tuple[Heights, Risers]:
    """Heights and risers continued outwards by the border: ridges and risers that reach the edge run on straight."""
    n = steps(BORDER)
    across_y = np.pad(np.pad(risers & RISER_X, ((n, n), (0, 0)), mode="edge"), ((0, 0), (n, n)))
    across_x = np.pad(np.pad(risers & RISER_Y, ((0, 0), (n, n)), mode="edge"), ((n, n), (0, 0)))
    return np.pad(heights, n, mode="edge"), across_y | across_x
