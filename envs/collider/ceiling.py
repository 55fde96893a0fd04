"""An upper bound on the ground around each block of samples, by which most spheres are found clear of it at once.

A robot's spheres are mostly in the air. One bound is one place in memory; the samples under a sphere are many.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from envs.collider import BLOCK
from envs.collider.geometry import Vector
from envs.terrains.compiled import compiled

AROUND = 3
"""Sample spacings around a block that its bound covers; spheres that reach farther are looked at closely."""


def ceiling(heights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The bounds of a heightfield (ny, nx), one per block, (ceil(ny / 4), ceil(nx / 4))."""
    bounds = heights
    for _ in ("y", "x"):
        padded = np.pad(bounds, ((AROUND, AROUND + 1 + BLOCK), (0, 0)), mode="edge")
        windows = sliding_window_view(padded, BLOCK + 2 * AROUND + 1, axis=0)[::BLOCK]
        bounds = windows[: -(-len(bounds) // BLOCK)].max(-1).T
    return bounds


@compiled
def is_clear(bounds: NDArray, spacing: Vector, origin: Vector, centre: Vector, reach: float) -> bool:
    """Whether nothing of a heightfield is within `reach` m under a point, for all that its bounds tell, if it has any.

    `origin` (world, m) is the place of its first sample, `spacing` in m between samples and per unit of height.
    """
    rows, columns = bounds.shape
    if rows == 0 or reach > AROUND * min(spacing[0], spacing[1]):
        return False
    ix, iy = int((centre[0] - origin[0]) / spacing[0]), int((centre[1] - origin[1]) / spacing[1])
    row, column = min(max(iy // BLOCK, 0), rows - 1), min(max(ix // BLOCK, 0), columns - 1)
    return centre[2] - origin[2] - reach > spacing[2] * bounds[row, column]
