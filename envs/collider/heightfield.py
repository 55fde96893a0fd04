"""A sphere against a heightfield: the triangles and walls of its cells under the sphere."""

from __future__ import annotations

import math

from numba import njit
from numpy.typing import NDArray

from envs.collider.geometry import Vector, finish, offer_triangle, put, select
from envs.terrains.cells import Corners, corners_of, has_riser, height_in_cell, middle_height, side_height, sides_of

CORNER_X, CORNER_Y = (0.0, 1.0, 1.0, 0.0), (0.0, 0.0, 1.0, 1.0)
"""Where a cell's corners are in it, counter-clockwise."""
FARTHEST = 1e6
"""Sample spacings from the first sample beyond which there is no ground; keeps indices in range."""


@njit(cache=True, error_model="numpy")
def collide(
    heights: NDArray,
    risers: NDArray,
    spacing: Vector,
    origin: Vector,
    centre: Vector,
    radius: float,
    margin: float,
    contacts: NDArray,
) -> int:
    """Contacts of a sphere at `centre` (world, m) with a heightfield whose first sample is at `origin`; their number.

    `spacing` is in m between samples along x and y and per unit of `heights` (ny, nx). Beyond its edge the field goes
    on level. `contacts` (50, 10) is MuJoCo's array of mjPreContact.
    """
    c = (centre[0] - origin[0], centre[1] - origin[1], centre[2] - origin[2])
    dx, dy, reach = spacing[0], spacing[1], radius + margin
    if not (abs(c[0]) < FARTHEST * dx and abs(c[1]) < FARTHEST * dy and abs(c[2]) < math.inf):
        return 0
    west, east = math.floor((c[0] - reach) / dx), math.floor((c[0] + reach) / dx)
    south, north = math.floor((c[1] - reach) / dy), math.floor((c[1] + reach) / dy)
    bottom = (c[2] - reach) / spacing[2]
    if not any_above(heights, bottom, west, east + 1, south, north + 1):
        return 0
    ground = spacing[2] * height_at(heights, risers, c[0] / dx, c[1] / dy)
    buried = c[2] < ground
    n = 0
    if buried:
        put(contacts, 0, ground - c[2], (c[0], c[1], ground), (0.0, 0.0, 1.0))
        n = 1
    for iy in range(south, north + 1):
        for ix in range(west, east + 1):
            corners = corners_of(heights, ix, iy)
            if max(corners[0], corners[1], corners[2], corners[3]) >= bottom:
                sides = sides_of(risers, ix, iy)
                n = offer_cell(contacts, n, buried, reach, c, spacing, ix, iy, corners, sides)
    if not buried:
        n = select(contacts, n, radius)
    finish(contacts, n, buried, radius, c, origin)
    return n


@njit(cache=True, error_model="numpy")
def any_above(heights: NDArray, bottom: float, west: int, east: int, south: int, north: int) -> bool:
    """Whether any sample of a window, ends included, is at least as high as `bottom`."""
    rows, columns = heights.shape
    for iy in range(south, north + 1):
        for ix in range(west, east + 1):
            if heights[min(max(iy, 0), rows - 1), min(max(ix, 0), columns - 1)] >= bottom:
                return True
    return False


@njit(cache=True, error_model="numpy")
def height_at(heights: NDArray, risers: NDArray, x: float, y: float) -> float:
    """Height as stored at sample coordinates (x, y)."""
    ix, iy = math.floor(x), math.floor(y)
    return height_in_cell(corners_of(heights, ix, iy), sides_of(risers, ix, iy), x - ix, y - iy)


@njit(cache=True, error_model="numpy")
def offer_cell(
    contacts: NDArray,
    n: int,
    buried: bool,
    reach: float,
    c: Vector,
    spacing: Vector,
    ix: int,
    iy: int,
    corners: Corners,
    sides: int,
) -> int:
    """Add the closest points of the surfaces of cell (ix, iy) to n candidates; their new number."""
    if sides == 0:
        a, b = place(spacing, ix, iy, corners[0]), place(spacing, ix + 1, iy, corners[1])
        d, e = place(spacing, ix + 1, iy + 1, corners[2]), place(spacing, ix, iy + 1, corners[3])
        n = offer_triangle(contacts, n, buried, reach, c, a, b, d)
        return offer_triangle(contacts, n, buried, reach, c, a, d, e)
    for side in range(4):
        ahead = (side + 1) & 3
        x, y = ix + CORNER_X[side], iy + CORNER_Y[side]
        x_ahead, y_ahead = ix + CORNER_X[ahead], iy + CORNER_Y[ahead]
        x_side, y_side = 0.5 * (x + x_ahead), 0.5 * (y + y_ahead)
        middle = place(spacing, ix + 0.5, iy + 0.5, middle_height(corners, sides, side))
        middle_ahead = place(spacing, ix + 0.5, iy + 0.5, middle_height(corners, sides, ahead))
        edge = place(spacing, x_side, y_side, side_height(corners, sides, side, side))
        edge_ahead = place(spacing, x_side, y_side, side_height(corners, sides, side, ahead))
        n = offer_triangle(contacts, n, buried, reach, c, middle, place(spacing, x, y, corners[side]), edge)
        corner_ahead = place(spacing, x_ahead, y_ahead, corners[ahead])
        n = offer_triangle(contacts, n, buried, reach, c, middle_ahead, edge_ahead, corner_ahead)
        if has_riser(sides, side):
            n = offer_triangle(contacts, n, buried, reach, c, edge, edge_ahead, middle_ahead)
            n = offer_triangle(contacts, n, buried, reach, c, edge, middle_ahead, middle)
    return n


@njit(cache=True, error_model="numpy")
def place(spacing: Vector, x: float, y: float, height: float) -> Vector:
    """The point in m of sample coordinates and a height as stored."""
    return x * spacing[0], y * spacing[1], height * spacing[2]
