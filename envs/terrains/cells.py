"""The ground between four height samples: two triangles as MuJoCo cuts them, or level pieces around vertical risers.

A cell's corners are numbered round about: 0 near (0, 0), 1 right (1, 0), 2 far (1, 1), 3 left (0, 1); its side i joins
corners i and i + 1, and is bit i of the cell's `sides` if a riser crosses it. A riser stands in the middle of the side
and runs to the middle of the cell, so that walls are whole sample spacings apart. Corners without a riser between them
form one piece. Each quarter of a cell with risers is two triangles: from the cell's middle, where a piece has the mean
height of its corners, to the middle of a side and on to the corner. In the middle of a side with a riser a piece has
its corner's height, in that of another side the mean of both corners: neighbouring cells join without gaps. Where a
tread overhangs at a corner, the cell is OVERHUNG: all four corners are level pieces.
"""

from __future__ import annotations

import math

from numpy.typing import NDArray

from envs.terrains.compiled import compiled
from envs.terrains.grid import COVERED, RISER_X, RISER_Y

Corners = tuple[float, float, float, float]
OVERHUNG = 16
"""Bit of `sides`, along with all four sides: a tread overhangs at a corner of the cell."""
LEVEL = 32
"""Bit of `sides`, where it has been looked up: the pieces between a cell's risers are all level."""


@compiled
def corners_of(heights: NDArray, ix: int, iy: int) -> Corners:
    """Heights of the corners of cell (ix, iy) as stored; beyond the map those of its nearest edge."""
    rows, columns = heights.shape
    west, east = min(max(ix, 0), columns - 1), min(max(ix + 1, 0), columns - 1)
    south, north = min(max(iy, 0), rows - 1), min(max(iy + 1, 0), rows - 1)
    return (
        float(heights[south, west]),
        float(heights[south, east]),
        float(heights[north, east]),
        float(heights[north, west]),
    )


@compiled
def sides_of(risers: NDArray, ix: int, iy: int) -> int:
    """The sides of cell (ix, iy) that risers cross, and OVERHUNG; beyond the map those of its nearest edge run on.

    RISER_X is bit 0 and RISER_Y bit 1, as are the sides 0 and 1 that they cross; the opposite sides are two bits on.
    An array without elements means that there are no risers.
    """
    rows, columns = risers.shape
    if rows == 0:
        return 0
    west, east = min(max(ix, 0), columns - 1), min(max(ix + 1, 0), columns - 1)
    south, north = min(max(iy, 0), rows - 1), min(max(iy + 1, 0), rows - 1)
    sides = (OVERHUNG | 15) * int(risers[south, west] & COVERED != 0)
    if west < east:
        sides |= int(risers[south, west] & RISER_X) | int(risers[north, west] & RISER_X) << 2
    if south < north:
        sides |= int(risers[south, east] & RISER_Y) | int(risers[south, west] & RISER_Y) << 2
    return sides


@compiled
def has_riser(sides: int, side: int) -> bool:
    """Whether a riser crosses a side, numbered modulo 4."""
    return bool(sides >> (side & 3) & 1)


@compiled
def middle_height(corners: Corners, sides: int, corner: int) -> float:
    """Height in the cell's middle of the piece that a corner belongs to."""
    if sides & (sides - 1) == 0:
        return 0.25 * (corners[0] + corners[1] + corners[2] + corners[3])
    ahead = not has_riser(sides, corner)
    behind = not has_riser(sides, corner + 3)
    opposite = (ahead and not has_riser(sides, corner + 1)) or (behind and not has_riser(sides, corner + 2))
    total = corners[corner] + ahead * corners[(corner + 1) & 3] + behind * corners[(corner + 3) & 3]
    return (total + opposite * corners[(corner + 2) & 3]) / (1 + ahead + behind + opposite)


@compiled
def side_height(corners: Corners, sides: int, side: int, corner: int) -> float:
    """Height in the middle of a side of the piece that one of its corners belongs to."""
    if has_riser(sides, side):
        return corners[corner]
    return 0.5 * (corners[side] + corners[(side + 1) & 3])


@compiled
def has_level_pieces(corners: Corners, sides: int) -> bool:
    """Whether a cell has risers, and every quarter of it the height of its corner throughout."""
    level = sides != 0
    for corner in range(4):
        height, behind = corners[corner], (corner + 3) & 3
        level = level and middle_height(corners, sides, corner) == height
        level = level and side_height(corners, sides, corner, corner) == height
        level = level and side_height(corners, sides, behind, corner) == height
    return level


@compiled
def height_in_triangles(corners: Corners, u: float, v: float) -> float:
    """Height at (u, v) in [0, 1]^2 of a cell without risers."""
    near, right, far, left = corners
    east_x, east_y, west_x, west_y = right - near, far - right, far - left, left - near
    along_x, along_y = (east_x, east_y) if u > v else (west_x, west_y)
    return near + along_x * u + along_y * v


@compiled
def height_of_quarter(corners: Corners, u: float, v: float) -> float:
    """Height of the corner that (u, v) in [0, 1]^2 is nearest to, on a riser that of the larger u or v."""
    near, right, far, left = corners
    south, north = (right, far) if u >= 0.5 else (near, left)
    return north if v >= 0.5 else south


@compiled
def height_in_cell(corners: Corners, sides: int, u: float, v: float) -> float:
    """Height at (u, v) in [0, 1]^2 of a cell; on a riser that of the larger u or v."""
    if sides == 0:
        return height_in_triangles(corners, u, v)
    if sides & LEVEL:
        return height_of_quarter(corners, u, v)
    if u >= 0.5:
        corner, side_x, side_y = (2, 2, 1) if v >= 0.5 else (1, 0, 1)
    else:
        corner, side_x, side_y = (3, 2, 3) if v >= 0.5 else (0, 0, 3)
    to_x, to_y = abs(2.0 * u - 1.0), abs(2.0 * v - 1.0)
    middle = middle_height(corners, sides, corner)
    if to_y >= to_x:
        side = side_height(corners, sides, side_x, corner)
        return middle + (side - middle) * to_y + (corners[corner] - side) * to_x
    side = side_height(corners, sides, side_y, corner)
    return middle + (side - middle) * to_x + (corners[corner] - side) * to_y


@compiled
def height_at(heights: NDArray, risers: NDArray, x: float, y: float) -> float:
    """Height as stored at sample coordinates (x, y)."""
    ix, iy = math.floor(x), math.floor(y)
    return height_in_cell(corners_of(heights, ix, iy), sides_of(risers, ix, iy), x - ix, y - iy)
