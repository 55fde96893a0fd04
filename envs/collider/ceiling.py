"""An upper bound on the ground around each block of samples, by which most shapes are found clear of it at once.

A robot's shapes are mostly in the air. One bound is one place in memory; the samples under a shape are many.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from envs.collider.geometry import Vector, along
from envs.collider.marks import (
    BLOCK,
    DENSITY_X,
    DENSITY_Y,
    LAST_X,
    LAST_Y,
    MIDDLE_X,
    MIDDLE_Y,
    REACH,
    RISE,
)
from envs.terrains.compiled import compiled

AROUND = 3
"""Sample spacings around a block that its bound covers; spheres that reach farther are looked at closely."""
MOST_PIECES = 16
"""Pieces of a capsule for which bounds are looked up; a longer one is looked at closely."""
ROUNDING = 1e-9
"""Share of that reach which is left to rounding errors in finding the block."""


def ceiling(heights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The bounds of a heightfield (ny, nx), one per block, (ceil(ny / 4), ceil(nx / 4))."""
    bounds = heights
    for _ in ("y", "x"):
        padded = np.pad(bounds, ((AROUND, AROUND + 1 + BLOCK), (0, 0)), mode="edge")
        windows = sliding_window_view(padded, BLOCK + 2 * AROUND + 1, axis=0)[::BLOCK]
        bounds = windows[: -(-len(bounds) // BLOCK)].max(-1).T
    return bounds


def block_marks(shape: tuple[int, ...], half: tuple[float, float], rise: float, first: int) -> list[float]:
    """The user values of a heightfield's geom from REACH on, whose bounds are behind the `first` numbers.

    It has `shape` (ny, nx) samples over +-`half` (x, y) m, and `rise` m per unit of height.
    """
    last = shape[1] - 1, shape[0] - 1
    spacing = [2 * side / samples for side, samples in zip(half, last, strict=True)]
    density = [1 / (BLOCK * gap) for gap in spacing]
    middle = [samples / (2 * BLOCK) for samples in last]
    last_block = [samples // BLOCK for samples in last]
    return [(1 - ROUNDING) * AROUND * min(spacing), first, *density, *middle, *last_block, rise]


@compiled
def is_clear(user: NDArray, bounds: NDArray, offset: Vector, reach: float) -> bool:
    """Whether nothing of a heightfield is within `reach` m under a point, for all that its bounds tell.

    `user` (COUNT,) are the user values of its geom, `bounds` what begins with its bounds, row by row along x, and
    `offset` in m is where the point is from the geom's position.
    """
    return reach <= user[REACH] and offset[2] - reach > bound_at(user, bounds, offset[0], offset[1])


@compiled
def is_capsule_clear(
    user: NDArray, bounds: NDArray, offset: Vector, direction: Vector, half: float, reach: float
) -> bool:
    """The same of an axis around a point, to `half` m on either side along `direction`: piece by piece of it."""
    aside, room = half * max(abs(direction[0]), abs(direction[1])), user[REACH] - reach
    if not (room > 0.0 and aside < MOST_PIECES * room):
        return False
    pieces = int(aside / room) + 1
    length = half / pieces
    below = length * abs(direction[2]) + reach
    for i in range(pieces):
        middle = along(offset, direction, (2 * i + 1 - pieces) * length)
        if not middle[2] - below > bound_at(user, bounds, middle[0], middle[1]):
            return False
    return True


@compiled
def bound_at(user: NDArray, bounds: NDArray, x: float, y: float) -> float:
    """Height in m above the geom's position that no ground exceeds within REACH of (x, y) m from it."""
    last_x, last_y = int(user[LAST_X]), int(user[LAST_Y])
    column = min(max(int(x * user[DENSITY_X] + user[MIDDLE_X]), 0), last_x)
    row = min(max(int(y * user[DENSITY_Y] + user[MIDDLE_Y]), 0), last_y)
    return user[RISE] * bounds[np.uint64(row * (last_x + 1) + column)]
