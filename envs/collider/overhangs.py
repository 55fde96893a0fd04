"""Treads that overhang: around them the ground is level columns, each solid up to its floor and, over a hollow, again
in a plate under its top.

A column is the square around a sample, a quarter of each of four cells. Between two columns stands a wall wherever one
is solid and the other is not.
"""

from __future__ import annotations

import math

from numpy.typing import NDArray

from envs.collider.geometry import Vector
from envs.collider.level import Span, offer_level, offer_wall
from envs.terrains.cells import OVERHUNG, Corners, corners_of, height_at, height_in_cell, sides_of
from envs.terrains.compiled import compiled

CORNER_X, CORNER_Y = (0.0, 1.0, 1.0, 0.0), (0.0, 0.0, 1.0, 1.0)
"""Where a cell's corners are in it, counter-clockwise."""

Column = tuple[float, float, float]
"""m: solid up to the first height, and from the second to the third; these are equal if there is no hollow."""


@compiled
def floor_at(heights: NDArray, floor: NDArray, risers: NDArray, x: float, y: float) -> float:
    """Height as stored at sample coordinates (x, y) of the lower ground: of the ground, where nothing overhangs."""
    ix, iy = math.floor(x), math.floor(y)
    sides = sides_of(risers, ix, iy)
    if sides & OVERHUNG:
        return height_in_cell(corners_of(floor, ix, iy), sides, x - ix, y - iy)
    return height_at(heights, risers, x, y)


@compiled
def column(top: float, floor: float, plate: float) -> Column:
    """The solid parts under a sample of these heights in m."""
    return floor, top - plate if floor < top else top, top


@compiled
def offer_columns(
    contacts: NDArray,
    n: int,
    buried: bool,
    reach: float,
    c: Vector,
    spacing: Vector,
    plate: float,
    ix: int,
    iy: int,
    tops: Corners,
    floor: NDArray,
) -> int:
    """Add the closest points of cell (ix, iy), of the corner heights `tops` as stored, to n candidates."""
    floors = corners_of(floor, ix, iy)
    middle_x, middle_y = (ix + 0.5) * spacing[0], (iy + 0.5) * spacing[1]
    for corner in range(4):
        ahead = (corner + 1) & 3
        x, y = (ix + CORNER_X[corner]) * spacing[0], (iy + CORNER_Y[corner]) * spacing[1]
        here = column(spacing[2] * tops[corner], spacing[2] * floors[corner], plate)
        west, south, east, north = min(x, middle_x), min(y, middle_y), max(x, middle_x), max(y, middle_y)
        n = offer_level(contacts, n, buried, reach, c, (west, south, east, north), here[2], 1.0)
        if here[0] < here[2]:
            n = offer_level(contacts, n, buried, reach, c, (west, south, east, north), here[1], -1.0)
            n = offer_level(contacts, n, buried, reach, c, (west, south, east, north), here[0], 1.0)
        there = column(spacing[2] * tops[ahead], spacing[2] * floors[ahead], plate)
        if here[0] == there[0] and here[2] == there[2]:
            continue
        along_x = corner & 1 == 0
        wall = (middle_x, south, middle_x, north) if along_x else (west, middle_y, east, middle_y)
        towards = 1.0 if corner < 2 else -1.0
        n = offer_walls(contacts, n, buried, reach, c, wall, corner & 1, towards, here, there)
        n = offer_walls(contacts, n, buried, reach, c, wall, corner & 1, -towards, there, here)
    return n


@compiled
def offer_walls(
    contacts: NDArray,
    n: int,
    buried: bool,
    reach: float,
    c: Vector,
    wall: Span,
    axis: int,
    sign: float,
    solid: Column,
    open: Column,
) -> int:
    """Add the closest points of the walls where column `solid` is solid and `open`, in direction `sign`, is not."""
    n = offer_wall(contacts, n, buried, reach, c, wall, axis, sign, open[0], min(solid[0], open[1]))
    n = offer_wall(contacts, n, buried, reach, c, wall, axis, sign, open[2], solid[0])
    n = offer_wall(contacts, n, buried, reach, c, wall, axis, sign, max(solid[1], open[0]), min(solid[2], open[1]))
    return offer_wall(contacts, n, buried, reach, c, wall, axis, sign, max(solid[1], open[2]), solid[2])
