"""What the rays of a cloud clear: cells far below whose height they pass are no longer there.

Arrays of cells are flat, (n * n,).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numpy.typing import NDArray

from mapping.blocks import block_of, highest_in_blocks, until_border
from mapping.compiled import compiled, inlined
from mapping.config import Rules
from mapping.scratch import Scratch
from mapping.window import OUTSIDE, UNKNOWN, first_of, kept_at

END = 2.0
"""Cells (plus three standard deviations) before a ray's end in which it clears nothing: there is what it has met."""
INNER = 0.35
"""Half the side, as a fraction of a cell's, of the square around a cell's middle that a ray must meet to clear it."""
GOLDEN = 0.6180339887498949
"""Cells by which each ray is looked at elsewhere than the one before, or all might meet but borders of cells."""


class Ray(NamedTuple):
    """A ray above the window: where it begins, and what it goes for each cell side of its way over the ground."""

    x: float
    """Cells from the window's corner."""
    y: float
    """Cells."""
    z: float
    """m."""
    step_x: float
    """Cells."""
    step_y: float
    """Cells."""
    step_z: float
    """m."""
    last: float
    """Cell sides of its way, from which on it clears nothing."""


@compiled
def follow_rays(
    flat: NDArray,
    own: NDArray,
    corner: NDArray,
    n: int,
    points: NDArray,
    variance: NDArray,
    origin: NDArray,
    rules: Rules,
    scratch: Scratch,
    cells: NDArray,
    turn: int,
) -> int:
    """Visibility check: count for each cell the rays that pass well below its height; the number of such cells."""
    missed, first = 0, first_of(corner, n)
    highest = highest_in_blocks(flat, n, scratch.blocks)
    x, y = origin[0] / rules.resolution - corner[0], origin[1] / rules.resolution - corner[1]
    for i in range(turn % rules.ray_stride, len(points), rules.ray_stride):
        if cells[i] == OUTSIDE:
            continue
        dx = points[i, 0] / rules.resolution - corner[0] - x
        dy = points[i, 1] / rules.resolution - corner[1] - y
        dz, away = points[i, 2] - origin[2], math.hypot(dx, dy)
        last = away - END - 3.0 * math.sqrt(variance[i]) / rules.resolution
        begin = 0.0
        if origin[2] >= highest - rules.clearance:
            if dz >= 0.0:
                continue
            begin = away * (highest - rules.clearance - origin[2]) / dz
        if begin < last:
            ray = Ray(x, y, origin[2], dx / away, dy / away, dz / away, last)
            along = math.floor(begin) + 1.0 + (i * GOLDEN) % 1.0
            missed = follow(ray, along, flat, own, first, n, rules, scratch, missed)
    return missed


@inlined
def follow(
    ray: Ray,
    along: float,
    flat: NDArray,
    own: NDArray,
    first: tuple[int, int],
    n: int,
    rules: Rules,
    scratch: Scratch,
    missed: int,
) -> int:
    """Look at a ray once a cell side, from `along` cell sides of its way on, in the blocks that it does not stay above.

    Returns the number of cells with misses, of which there were `missed`.
    """
    while along < ray.last:
        u, v = ray.x + along * ray.step_x, ray.y + along * ray.step_y
        if not (0.0 <= u < n and 0.0 <= v < n):
            if along > n:
                break
            along += 1.0
            continue
        border = min(until_border(u, first[0], ray.step_x, n), until_border(v, first[1], ray.step_y, n))
        more = int(min(border, ray.last - along))
        lowest = ray.z + min(along * ray.step_z, (along + more) * ray.step_z)
        if scratch.blocks[block_of(int(u), int(v), first, n)] - lowest - rules.clearance > 0.0:
            for step in range(more + 1):
                missed = look(ray, along + step, flat, own, first, n, rules, scratch, missed)
        along += more + 1.0
    return missed


@inlined
def look(
    ray: Ray,
    along: float,
    flat: NDArray,
    own: NDArray,
    first: tuple[int, int],
    n: int,
    rules: Rules,
    scratch: Scratch,
    missed: int,
) -> int:
    """Count a miss where a ray, `along` cell sides of its way, passes well below a cell; as `follow`."""
    u, v = ray.x + along * ray.step_x, ray.y + along * ray.step_y
    column, row = int(u), int(v)
    if along < ray.last and abs(u - column - 0.5) <= INNER and abs(v - row - 0.5) <= INNER:
        cell = kept_at(column, row, first, n)
        over = flat[cell] - (ray.z + along * ray.step_z) - rules.clearance
        if over > 0.0 and over * over > rules.gate * rules.gate * own[cell]:
            if scratch.misses[cell] == 0:
                scratch.missed[missed] = cell
                missed += 1
            scratch.misses[cell] += 1
    return missed


@compiled
def clear(flat: NDArray, own: NDArray, missed: int, rules: Rules, scratch: Scratch) -> None:
    """Visibility cleanup: forget cells that enough rays pass below and in which no point of the cloud lies as high."""
    for i in range(missed):
        cell = scratch.missed[i]
        if scratch.misses[cell] >= rules.clear_rays and scratch.top[cell] < flat[cell] - rules.clearance:
            flat[cell], own[cell] = UNKNOWN, 0.0
        scratch.misses[cell] = 0
