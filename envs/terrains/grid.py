"""The sample grid that all terrain shares: heights in m and risers as arrays [iy, ix], 5 cm apart."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

RESOLUTION = 0.05
"""m between neighbouring height samples."""
PLATFORM = 0.8
"""m, half-width of the flat square that a robot starts on in the middle of a training tile."""
RISER_X = np.uint8(1)
"""Bit of a sample: a vertical wall stands between it and its neighbour at ix + 1."""
RISER_Y = np.uint8(2)
"""Bit of a sample: a vertical wall stands between it and its neighbour at iy + 1."""
COVERED = np.uint8(4)
"""Bit of a sample: of the corners of the cell from it to ix + 1, iy + 1, one at least is a plate over a hollow."""
PLATE = 0.04
"""m, thickness of a tread over a hollow."""
SLIT = 0.01
"""m, height from which the space under a tread is a hollow."""

Heights = NDArray[np.float32]
Risers = NDArray[np.uint8]
Terrain = tuple[Heights, Risers]
Values = Mapping[str, float]
Size = tuple[float, float]


def steps(length: float) -> int:
    """A length in m as the nearest whole number of sample spacings, at least 1."""
    return max(1, round(length / RESOLUTION))


def shape_of(size: Size) -> tuple[int, int]:
    """Samples (ny, nx) of a tile of `size` = (x, y) m; the sample at the far edge belongs to the neighbouring tile."""
    return steps(size[1]), steps(size[0])


def axes_from_centre(size: Size) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole sample distances of rows (ny, 1) and columns (1, nx) from the tile's middle sample."""
    ny, nx = shape_of(size)
    return np.arange(ny)[:, None] - ny // 2, np.arange(nx)[None, :] - nx // 2


def square_distance(size: Size) -> NDArray[np.int64]:
    """Chebyshev distance of each sample from the tile's middle sample, in samples (ny, nx)."""
    y, x = axes_from_centre(size)
    return np.maximum(abs(y), abs(x))


def ring(size: Size, width: float) -> NDArray[np.int64]:
    """Number of the square ring of `width` m that each sample lies in (ny, nx); 0 is the start platform."""
    return np.maximum(square_distance(size) - steps(PLATFORM) + steps(width), 0) // steps(width)


def risers_where(heights: Heights, min_step: float = 1e-4) -> Risers:
    """Risers of a terrain of level pieces: every step between neighbours of more than `min_step` m is a wall."""
    risers = np.zeros(heights.shape, np.uint8)
    risers[:, :-1] |= (abs(np.diff(heights, axis=1)) > min_step) * RISER_X
    risers[:-1] |= (abs(np.diff(heights, axis=0)) > min_step) * RISER_Y
    return risers


def level_pieces(heights: NDArray) -> Terrain:
    """Heights of a terrain of level pieces, with all its risers."""
    heights = heights.astype(np.float32)
    return heights, risers_where(heights)


def hollow(heights: Heights, recess: float) -> Heights:
    """The lower ground (ny, nx) of level pieces where every riser stands `recess` m further back, under its tread.

    Where it leaves a hollow under `heights`, the tread over it is a plate; elsewhere, and on the terrain's edge, which
    closes the hollows, it is `heights`.
    """
    lowest = minimum_filter(heights, 2 * steps(recess) + 1, mode="nearest")
    inside = np.pad(np.ones([side - 2 for side in heights.shape], bool), 1)
    return np.where(inside & (heights - lowest > PLATE + SLIT), lowest, heights)


def covered(heights: Heights, floor: Heights) -> Risers:
    """The bits COVERED (ny, nx) of a terrain with the lower ground `floor`."""
    plate = floor < heights
    corner = np.zeros(heights.shape, bool)
    corner[:-1, :-1] = plate[:-1, :-1] | plate[:-1, 1:] | plate[1:, :-1] | plate[1:, 1:]
    return corner * COVERED


def smooth(heights: NDArray) -> Terrain:
    """Heights of a terrain without risers."""
    return heights.astype(np.float32), np.zeros(heights.shape, np.uint8)


def steepness(degrees: float) -> float:
    """Rise per m of a slope given in degrees."""
    return math.tan(math.radians(degrees))
