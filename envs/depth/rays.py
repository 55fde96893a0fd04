"""Where rays meet the terrain's surface, with its upright risers, in machine code.

A ray passes over blocks of cells whose highest sample it stays above, goes through the cells of the others, and in a
cell that it may touch through its pieces: two triangles, or four quarters, at whose borders risers stand. Treads over
a hollow are met as if they were solid below.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.depth.compiled import compiled
from envs.terrains import Surface
from envs.terrains.cells import height_in_cell
from envs.terrains.grid import RESOLUTION

BLOCK = 8
"""Cells along a block's side."""
PAST = 1e-7
"""m beyond a border at which a ray is taken to be in the next piece."""
MISSED = math.inf
"""m to the ground along a ray that does not meet it, or leaves the map before."""


class Ground(NamedTuple):
    """The surface as rays need it."""

    heights: NDArray
    """(ny, nx) m."""
    sides: NDArray
    """(ny, nx) of each cell, as `Surface` has looked them up."""
    blocks: NDArray
    """Highest sample of each block of cells."""
    x0: float
    """m, place of sample [0, 0]."""
    y0: float
    """m."""


def ground_of(surface: Surface) -> Ground:
    """The surface, with the highest sample of every block."""
    heights = surface.map.heights
    blocks = np.empty([-(-(side - 1) // BLOCK) for side in heights.shape], np.float32)
    highest_in_blocks(heights, blocks)
    return Ground(heights, surface.sides, blocks, *surface.map.origin_w)


@compiled
def highest_in_blocks(heights: NDArray, blocks: NDArray) -> None:
    """Highest sample of each block, those on its border included, into `blocks`."""
    rows, columns = heights.shape
    for by in range(blocks.shape[0]):
        for bx in range(blocks.shape[1]):
            highest = heights[by * BLOCK, bx * BLOCK]
            for iy in range(by * BLOCK, min(by * BLOCK + BLOCK, rows - 1) + 1):
                for ix in range(bx * BLOCK, min(bx * BLOCK + BLOCK, columns - 1) + 1):
                    highest = max(highest, heights[iy, ix])
            blocks[by, bx] = highest


@compiled
def inverse(speed: float) -> float:
    """m along a ray for each unit of a coordinate, which changes by `speed` per m; inf where it does not change."""
    return 1.0 / speed if speed != 0.0 else math.inf


@compiled
def until(at: float, per_unit: float, low: float, high: float) -> float:
    """m along a ray from coordinate `at` until it leaves [low, high] on one axis; `per_unit` is the axis's inverse."""
    return ((high if per_unit > 0.0 else low) - at) * per_unit if per_unit < math.inf else math.inf


@compiled
def cast(ground: Ground, origin: NDArray, ray: NDArray, longest: float) -> tuple[float, float]:
    """m to the ground along a unit vector, MISSED beyond `longest`, and the cosine of the angle to its normal."""
    rows, columns = ground.heights.shape
    gx, gy = (origin[0] - ground.x0) / RESOLUTION, (origin[1] - ground.y0) / RESOLUTION
    sx, sy, z, slope = ray[0] / RESOLUTION, ray[1] / RESOLUTION, origin[2], ray[2]
    px, py = inverse(sx), inverse(sy)
    t = 0.0
    while t < longest:
        x, y = gx + (t + PAST) * sx, gy + (t + PAST) * sy
        if not (0.0 <= x < columns - 1 and 0.0 <= y < rows - 1):
            break
        bx, by = int(x) // BLOCK, int(y) // BLOCK
        out = (
            t
            + PAST
            + min(until(x, px, bx * BLOCK, (bx + 1) * BLOCK), until(y, py, by * BLOCK, (by + 1) * BLOCK), longest)
        )
        if z + slope * (out if slope < 0.0 else t) <= ground.blocks[by, bx]:
            distance, cosine = cast_in_block(ground, gx, gy, z, sx, sy, px, py, slope, t, min(out, longest))
            if distance < MISSED:
                return distance, cosine
        t = out
    return MISSED, 0.0


@compiled
def cast_in_block(
    ground: Ground,
    gx: float,
    gy: float,
    z: float,
    sx: float,
    sy: float,
    px: float,
    py: float,
    slope: float,
    start: float,
    end: float,
) -> tuple[float, float]:
    """As `cast`, from `start` to `end` m along the ray, cell by cell."""
    rows, columns = ground.heights.shape
    t = start
    while t < end:
        x, y = gx + (t + PAST) * sx, gy + (t + PAST) * sy
        if not (0.0 <= x < columns - 1 and 0.0 <= y < rows - 1):
            break
        ix, iy = int(x), int(y)
        out = min(t + PAST + min(until(x, px, ix, ix + 1), until(y, py, iy, iy + 1)), end)
        heights = ground.heights
        corners = (
            float(heights[iy, ix]),
            float(heights[iy, ix + 1]),
            float(heights[iy + 1, ix + 1]),
            float(heights[iy + 1, ix]),
        )
        if z + slope * (out if slope < 0.0 else t) <= max(corners):
            u, v = gx - ix, gy - iy
            sides = int(ground.sides[iy, ix])
            distance, cosine = cast_in_cell(corners, sides, u, v, z, sx, sy, slope, t, out)
            if distance < MISSED:
                return distance, cosine
        t = out
    return MISSED, 0.0


@compiled
def cast_in_cell(
    corners: tuple[float, float, float, float],
    sides: int,
    u: float,
    v: float,
    z: float,
    sx: float,
    sy: float,
    slope: float,
    start: float,
    end: float,
) -> tuple[float, float]:
    """As `cast`, from `start` to `end` m along a ray that is at (u, v) of the cell at 0 m, piece by piece.

    On each piece, taken to be straight along the ray, the ray is below the ground at its beginning: there is a riser,
    on the border that it has crossed last; or at its end: there is the ground in between.
    """
    level = math.hypot(sx, sy) * RESOLUTION
    t = start
    while t < end:
        out = end
        if sides == 0:
            if sx != sy and t < (v - u) / (sx - sy) < out:
                out = (v - u) / (sx - sy)
        else:
            if sx != 0.0 and t < (0.5 - u) / sx < out:
                out = (0.5 - u) / sx
            if sy != 0.0 and t < (0.5 - v) / sy < out:
                out = (0.5 - v) / sy
        middle = 0.5 * (t + out)
        right, upper = u + middle * sx >= 0.5, v + middle * sy >= 0.5
        first = piece(corners, sides, u + t * sx, v + t * sy, right, upper)
        last = piece(corners, sides, u + out * sx, v + out * sy, right, upper)
        over, then = z + slope * t - first, z + slope * out - last
        if over <= 0.0:
            past_x, past_y = off_border(u + t * sx) * abs(sy), off_border(v + t * sy) * abs(sx)
            across = abs(sx) if past_x < past_y else abs(sy) if past_y < past_x else max(abs(sx), abs(sy))
            return t, RESOLUTION * across
        if then <= 0.0:
            along = t + (out - t) * over / (over - then)
            run = max((out - t) * level, 1e-9)
            rise = (last - first) / run
            return along, min(abs(level * rise - slope) / math.sqrt(1.0 + rise * rise), 1.0)
        t = out
        if out == end:
            break
    return MISSED, 0.0


@compiled
def off_border(at: float) -> float:
    """Sides of a cell from a coordinate to the nearest border of a quarter, where risers stand."""
    return abs(at - 0.5 * math.floor(2.0 * at + 0.5))


@compiled
def piece(
    corners: tuple[float, float, float, float], sides: int, u: float, v: float, right: bool, upper: bool
) -> float:
    """Height at (u, v) of the quarter that is right or left, upper or lower, also on its border with another one."""
    u, v = min(max(u, 0.0), 1.0), min(max(v, 0.0), 1.0)
    if sides != 0:
        u = max(u, 0.5) if right else min(u, 0.5 - 1e-9)
        v = max(v, 0.5) if upper else min(v, 0.5 - 1e-9)
    return height_in_cell(corners, sides, u, v)


@compiled
def met(origin: NDArray, ray: NDArray, capsule: NDArray, farthest: float) -> bool:
    """Whether a ray comes within the radius of a capsule (7,), both ends and radius in m, before `farthest` m."""
    a, b, c, d, e = 0.0, 0.0, 0.0, 0.0, 0.0
    for axis in range(3):
        side, gap = capsule[3 + axis] - capsule[axis], origin[axis] - capsule[axis]
        a += ray[axis] * side
        b += side * side
        c += ray[axis] * gap
        d += side * gap
        e += gap * gap
    below = b - a * a
    share = min(max((d - a * c) / below, 0.0), 1.0) if below > 1e-12 else 0.0
    along = max(a * share - c, 0.0)
    if along >= farthest:
        return False
    away = e + along * along + share * share * b + 2.0 * (along * c - along * share * a - share * d)
    return away <= capsule[6] * capsule[6]
