"""Generators of terrain from level pieces other than stairs: large steps, step stairs, grid steps, boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.terrains.grid import (
    PLATFORM,
    RESOLUTION,
    Size,
    Terrain,
    Values,
    axes_from_centre,
    level_pieces,
    ring,
    shape_of,
    square_distance,
    steps,
)

BOX_SIDE = (0.3, 1.0)
"""m, range of the sides of random boxes."""
BOX_HEIGHT = (0.3, 1.0)
"""Range of a box's height as a fraction of the highest one's."""
COLUMN_HEIGHT = (0.5, 1.5)
"""Range of a grid column's height as a fraction of the mean, so that the largest step is one mean height."""
BAND_WIDTH = (0.7, 1.3)
"""Range of the width of a large step as a fraction of the mean."""


def bands(offset: NDArray[np.int64], width: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Number of the band of about `width` m that each sample lies in along one axis; 0 holds the start platform."""
    number = 2 * offset.size // steps(width) + 2
    spacing = np.round(rng.uniform(*BAND_WIDTH, (2, number)) * width / RESOLUTION).astype(np.int64)
    edges = np.cumsum(spacing, axis=1) - spacing[:, :1] // 2
    edges += np.maximum(steps(PLATFORM) - edges[:, :1], 0)
    ahead = np.searchsorted(edges[0], offset.ravel(), side="right")
    behind = np.searchsorted(edges[1], -offset.ravel(), side="right")
    return (ahead - behind).reshape(offset.shape)


def large_step(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Two levels, `height` apart, in rectangles that alternate along both axes; the start is on either level."""
    rng = np.random.default_rng(seed)
    y, x = (bands(offset, parameters["width"], rng) for offset in axes_from_centre(size))
    upper = (y + x + rng.integers(2)) % 2
    return level_pieces(parameters["height"] * upper)


def step_stair(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """A few wide steps around the start platform, each up or down by `height` at random."""
    number = ring(size, parameters["width"])
    sign = np.random.default_rng(seed).choice((-1.0, 1.0), int(number.max()))
    level = np.concatenate(([0.0], np.cumsum(sign)))
    return level_pieces(parameters["height"] * level[number])


def grid_steps(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Square columns of `width` m with random heights about the mean `height`; the start platform is at the mean."""
    rng = np.random.default_rng(seed)
    side, (ny, nx) = steps(parameters["width"]), shape_of(size)
    shift = rng.integers(0, side, 2)
    row, column = (np.arange(ny) + shift[0]) // side, (np.arange(nx) + shift[1]) // side
    heights = (parameters["height"] * rng.uniform(*COLUMN_HEIGHT, (row[-1] + 1, column[-1] + 1)))[np.ix_(row, column)]
    heights[square_distance(size) < steps(PLATFORM)] = parameters["height"]
    return level_pieces(heights)


def boxes(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Boxes of up to `height` at random places and yaws, `density` per m^2, the higher one where two overlap."""
    rng = np.random.default_rng(seed)
    heights = np.zeros(shape_of(size))
    y, x = (axis * RESOLUTION for axis in axes_from_centre(size))
    for _ in range(round(parameters["density"] * size[0] * size[1])):
        centre, half = rng.uniform(-0.5, 0.5, 2) * size, 0.5 * rng.uniform(*BOX_SIDE, 2)
        yaw, top = rng.uniform(0.0, np.pi), parameters["height"] * rng.uniform(*BOX_HEIGHT)
        dx, dy = x - centre[0], y - centre[1]
        ahead, left = np.cos(yaw) * dx + np.sin(yaw) * dy, np.cos(yaw) * dy - np.sin(yaw) * dx
        inside = (abs(ahead) <= half[0]) & (abs(left) <= half[1])
        heights[inside] = np.maximum(heights[inside], top)
    heights[square_distance(size) < steps(PLATFORM)] = 0.0
    return level_pieces(heights)
