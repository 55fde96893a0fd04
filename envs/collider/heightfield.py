"""A sphere against a heightfield: the triangles, walls and overhanging treads of its cells under the sphere."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.collider.geometry import Vector, along, finish, offer_triangle, put, select, subtract
from envs.collider.level import is_level, offer_step
from envs.collider.overhangs import CORNER_X, CORNER_Y, floor_at, offer_columns
from envs.terrains.cells import (
    OVERHUNG,
    Corners,
    corners_of,
    has_riser,
    height_at,
    middle_height,
    side_height,
    sides_of,
)
from envs.terrains.compiled import compiled

FARTHEST = 1e6
"""Sample spacings from the first sample beyond which there is no ground; keeps indices in range."""


@compiled
def collide(
    heights: NDArray,
    risers: NDArray,
    floor: NDArray,
    plate: float,
    spacing: Vector,
    origin: Vector,
    centre: Vector,
    radius: float,
    margin: float,
    contacts: NDArray,
) -> int:
    """Contacts of a sphere at `centre` (world, m) with a heightfield whose first sample is at `origin`; their number.

    `spacing` is in m between samples along x and y and per unit of `heights` (ny, nx). Beyond its edge the field goes
    on level. Treads that overhang are plates of `plate` m over the lower ground `floor` (ny, nx), without elements if
    there are none. `contacts` (50, 10) is MuJoCo's array of mjPreContact.
    """
    c = (centre[0] - origin[0], centre[1] - origin[1], centre[2] - origin[2])
    dx, dy, reach = spacing[0], spacing[1], radius + margin
    if not (abs(c[0]) < FARTHEST * dx and abs(c[1]) < FARTHEST * dy and abs(c[2]) < math.inf):
        return 0
    west, east = math.floor((c[0] - reach) / dx), math.floor((c[0] + reach) / dx)
    south, north = math.floor((c[1] - reach) / dy), math.floor((c[1] + reach) / dy)
    lowest, highest = extent(heights, west, east + 1, south, north + 1)
    gap = c[2] - spacing[2] * highest
    if gap >= reach:
        return 0
    if gap > 0.0 and lowest == highest:
        put(contacts, 0, gap, (c[0], c[1], c[2] - gap), (0.0, 0.0, 1.0))
        finish(contacts, 1, False, radius, c, origin)
        return 1
    if gap > 0.0:
        aside = math.sqrt(reach * reach - gap * gap)
        west, east = math.floor((c[0] - aside) / dx), math.floor((c[0] + aside) / dx)
        south, north = math.floor((c[1] - aside) / dy), math.floor((c[1] + aside) / dy)
    n, buried = 0, False
    if gap <= 0.0:
        ground = spacing[2] * height_at(heights, risers, c[0] / dx, c[1] / dy)
        buried = c[2] <= ground
        if buried and floor.shape[0] > 0:
            below = spacing[2] * floor_at(heights, floor, risers, c[0] / dx, c[1] / dy)
            buried = c[2] <= below or c[2] >= ground - plate
            ground = below if c[2] <= below else ground
        if buried:
            put(contacts, 0, ground - c[2], (c[0], c[1], ground), (0.0, 0.0, 1.0))
            n = 1
    for iy in range(south, north + 1):
        for ix in range(west, east + 1):
            corners = corners_of(heights, ix, iy)
            limit = contacts[0, 0] if buried else reach
            top = spacing[2] * max(corners[0], corners[1], corners[2], corners[3])
            if squared_gap(c, spacing, ix, iy, 1.0, top) >= limit * limit:
                continue
            sides = sides_of(risers, ix, iy)
            if is_level(corners, sides):
                n = offer_step(contacts, n, buried, reach, c, spacing, ix, iy, corners, sides)
            elif sides == 0:
                n = offer_triangles(contacts, n, buried, reach, c, spacing, ix, iy, corners)
            elif sides & OVERHUNG:
                n = offer_columns(contacts, n, buried, reach, c, spacing, plate, ix, iy, corners, floor)
            else:
                for corner in range(4):
                    n = offer_quarter(contacts, n, buried, reach, c, spacing, ix, iy, corners, sides, corner)
    if not buried:
        n = select(contacts, n, radius)
    finish(contacts, n, buried, radius, c, origin)
    return n


@compiled
def extent(heights: NDArray, west: int, east: int, south: int, north: int) -> tuple[float, float]:
    """Least and largest height as stored of the samples in a window, ends included; beyond the map those of its edge.

    LLVM leaves `while` loops over a few samples with unsigned indices alone; as `for` they take thrice the time.
    """
    rows, columns = heights.shape
    first_x, last_x = np.uint64(min(max(west, 0), columns - 1)), np.uint64(min(max(east, 0), columns - 1))
    iy, last_y = np.uint64(min(max(south, 0), rows - 1)), np.uint64(min(max(north, 0), rows - 1))
    low = high = heights[iy, first_x]
    while iy <= last_y:
        ix = first_x
        while ix <= last_x:
            height = heights[iy, ix]
            low = height if height < low else low
            high = height if height > high else high
            ix += np.uint64(1)
        iy += np.uint64(1)
    return float(low), float(high)


@compiled
def squared_gap(c: Vector, spacing: Vector, x: float, y: float, side: float, top: float) -> float:
    """Square of the distance in m from c to the box over `side` spacings from (x, y) on, and under `top` m."""
    gap_x = max(x * spacing[0] - c[0], c[0] - (x + side) * spacing[0], 0.0)
    gap_y = max(y * spacing[1] - c[1], c[1] - (y + side) * spacing[1], 0.0)
    gap_z = max(c[2] - top, 0.0)
    return gap_x * gap_x + gap_y * gap_y + gap_z * gap_z


@compiled
def offer_triangles(
    contacts: NDArray,
    n: int,
    buried: bool,
    reach: float,
    c: Vector,
    spacing: Vector,
    ix: int,
    iy: int,
    corners: Corners,
) -> int:
    """Add the closest points of the two triangles of cell (ix, iy) without risers to n candidates; their new number."""
    near, far = place(spacing, ix, iy, corners[0]), place(spacing, ix + 1, iy + 1, corners[2])
    right, left = place(spacing, ix + 1, iy, corners[1]), place(spacing, ix, iy + 1, corners[3])
    n = offer_triangle(contacts, n, buried, reach, c, near, right, far)
    return offer_triangle(contacts, n, buried, reach, c, near, far, left)


@compiled
def offer_quarter(
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
    corner: int,
) -> int:
    """Add the closest points of a quarter of cell (ix, iy) and of the wall ahead of it to n candidates."""
    ahead, behind = (corner + 1) & 3, (corner + 3) & 3
    x, y = CORNER_X[corner], CORNER_Y[corner]
    x_ahead, y_ahead = ix + 0.5 * (x + CORNER_X[ahead]), iy + 0.5 * (y + CORNER_Y[ahead])
    x_behind, y_behind = ix + 0.5 * (x + CORNER_X[behind]), iy + 0.5 * (y + CORNER_Y[behind])
    tip = place(spacing, ix + x, iy + y, corners[corner])
    middle = place(spacing, ix + 0.5, iy + 0.5, middle_height(corners, sides, corner))
    edge = place(spacing, x_ahead, y_ahead, side_height(corners, sides, corner, corner))
    edge_behind = place(spacing, x_behind, y_behind, side_height(corners, sides, behind, corner))
    top = max(tip[2], middle[2], edge[2], edge_behind[2])
    if squared_gap(c, spacing, ix + 0.5 * x, iy + 0.5 * y, 0.5, top) < reach * reach:
        n = offer_triangle(contacts, n, buried, reach, c, middle, tip, edge)
        n = offer_triangle(contacts, n, buried, reach, c, middle, edge_behind, tip)
    if has_riser(sides, corner):
        middle_beyond = place(spacing, ix + 0.5, iy + 0.5, middle_height(corners, sides, ahead))
        edge_beyond = place(spacing, x_ahead, y_ahead, corners[ahead])
        n = offer_riser(contacts, n, buried, reach, c, edge, edge_beyond, middle, middle_beyond)
    return n


@compiled
def offer_riser(
    contacts: NDArray,
    n: int,
    buried: bool,
    reach: float,
    c: Vector,
    edge: Vector,
    edge_beyond: Vector,
    middle: Vector,
    middle_beyond: Vector,
) -> int:
    """Add the closest points of the wall between two pieces, from a side to the cell's middle, to n candidates.

    It faces the lower piece; where that changes on the way, it is two triangles with a common tip.
    """
    at_edge, at_middle = edge[2] - edge_beyond[2], middle[2] - middle_beyond[2]
    first, second = middle_beyond, edge
    if at_edge * at_middle < 0.0:
        first = second = along(edge, subtract(middle, edge), at_edge / (at_edge - at_middle))
    n = offer_triangle(contacts, n, buried, reach, c, edge, edge_beyond, first)
    return offer_triangle(contacts, n, buried, reach, c, second, middle_beyond, middle)


@compiled
def place(spacing: Vector, x: float, y: float, height: float) -> Vector:
    """The point in m of sample coordinates and a height as stored."""
    return x * spacing[0], y * spacing[1], height * spacing[2]
