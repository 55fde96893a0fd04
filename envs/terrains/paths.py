"""Ground with something beside it: a path along x between walls, banisters or drops (decision 63)."""

from __future__ import annotations

import numpy as np

from envs.terrains.grid import (
    PLATFORM,
    RISER_Y,
    Size,
    Terrain,
    Values,
    axes_from_centre,
    level_pieces,
    shape_of,
    smooth,
    steps,
)

BANISTER = 1.1
"""m, height up to which a wall is a banister, and the ground goes on behind it; higher ones are solid."""
THICKNESS = 0.1
"""m, of a banister."""
SIDE = 0.4
"""m that a tile must have beside its path, at least."""


def path_rows(rows: int, width: float) -> slice:
    """Rows of samples of a path of `width` m along the middle of a tile of so many rows; its edges fall between rows.

    A path of an even number of rows reaches half a sample less to +y than to -y.
    """
    count = steps(width)
    if rows < count + 2 * steps(SIDE):
        raise ValueError(f"This tile has no room for a path of {width:g} m and what is beside it; make it wider.")
    first = rows // 2 - count // 2
    return slice(first, first + count)


def raised_beside(terrain: Terrain, width: float, rise: float, thickness: float | None = None) -> Terrain:
    """The same ground, `rise` m higher (lower if negative) beside a path of `width` m along x, which it follows.

    With a `thickness` in m only what lies so close to the path is raised, else all up to the tile's edges.
    """
    heights, risers = terrain[0].copy(), terrain[1].copy()
    path = path_rows(len(heights), width)
    beside = np.zeros(len(heights), bool)
    reach = len(heights) if thickness is None else steps(thickness)
    beside[max(path.start - reach, 0) : path.stop + reach] = True
    beside[path] = False
    heights[beside] += np.float32(rise)
    risers[:-1][beside[1:] != beside[:-1]] |= RISER_Y
    return heights, risers


def between_walls(terrain: Terrain, width: float, height: float) -> Terrain:
    """The ground of a path of `width` m along x with walls or banisters of this height over the ground beside it."""
    return raised_beside(terrain, width, height, THICKNESS if height <= BANISTER else None)


def corridor(parameters: Values, seed: int, size: Size = (12.0, 5.0)) -> Terrain:
    """Level ground between walls."""
    return between_walls(smooth(np.zeros(shape_of(size))), parameters["width"], parameters["wall"])


def stairwell(parameters: Values, seed: int, size: Size = (12.0, 5.0)) -> Terrain:
    """Two flights of equal steps along x, rising (direction 1) or falling (-1) from the start, between walls."""
    along, depth = abs(axes_from_centre(size)[1]), steps(parameters["depth"])
    number = np.maximum(along - steps(PLATFORM) + depth, 0) // depth
    flights = np.repeat(parameters["direction"] * parameters["height"] * number, shape_of(size)[0], axis=0)
    return between_walls(level_pieces(flights), parameters["width"], parameters["wall"])


def bridge(parameters: Values, seed: int, size: Size = (12.0, 5.0)) -> Terrain:
    """A level path with a drop on both sides."""
    return raised_beside(smooth(np.zeros(shape_of(size))), parameters["width"], -parameters["drop"])
