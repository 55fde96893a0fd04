"""Scenes for the collider's tests: treads and plates over a hollow, and where they are solid."""

from __future__ import annotations

import mujoco
import numpy as np
from collider_scenes import RADIUS, STEP, add_ground, add_sphere

from envs.collider import write_heights
from envs.terrains.grid import PLATE, covered, hollow, level_pieces

RISE, DEPTH = 0.17, 6
"""m and samples, of the stairs."""
FIRST = np.arange(8, 30, DEPTH)
"""First sample of each tread."""
RECESSES = {"ledged": 0.05, "open": DEPTH * STEP, "deep": 0.5}
"""Kind of a flight -> m under each tread that are hollow."""


def overhanging(heights, floor, radius=RADIUS, half=0.0):
    """A sphere or capsule over level pieces whose treads are plates where the lower ground is below them."""
    heights, risers = level_pieces(heights)
    floor = floor.astype(np.float32)
    low, span = heights.min().astype(float), np.ptp(heights).astype(float)
    spec = mujoco.MjSpec()
    add_ground(spec, heights, risers | covered(heights, floor), plate=PLATE)
    add_sphere(spec, radius, half=half)
    model = spec.compile()
    write_heights(model, "h", *((layer.astype(float) - low) / span for layer in (heights, floor)))
    return model, mujoco.MjData(model)


def overhanging_stairs(kind):
    """Heights and lower ground of a flight up along x, and one step down at its end."""
    level = np.searchsorted(FIRST, np.arange(41), side="right").astype(np.float32)
    level[FIRST[-1] + DEPTH :] = 0.0
    heights = np.tile(np.float32(RISE) * level, (21, 1))
    return heights, hollow(heights, RECESSES[kind])


def is_solid(heights, floor, points):
    """Whether points (k, 3) lie in the ground, (k,)."""
    ix, iy = (np.floor(points[:, axis] / STEP + 0.5).astype(int) for axis in (0, 1))
    top, base, z = heights[iy, ix], floor[iy, ix], points[:, 2]
    return (z < base) | ((z < top) & (z >= np.where(base < top, top - PLATE, base)))


def any_plates(rng):
    """Heights and lower ground of level columns, half of them plates over a hollow."""
    heights = rng.integers(2, 9, (21, 21)).astype(np.float32) * np.float32(0.03)
    lower = rng.integers(0, 4, (21, 21)).astype(np.float32) * np.float32(0.02)
    plates = np.pad(rng.random((19, 19)) < 0.5, 1) & (heights - lower > PLATE + 0.01)
    return heights, np.where(plates, lower, heights)


def signed_distance(heights, floor, point):
    """m from a point to the ground, less than 0 in it: the distance to the nearest solid or empty part of a column."""
    bottom = np.where(floor < heights, heights - PLATE, heights)
    inside = is_solid(heights, floor, np.array([point]))[0]
    parts = ((floor, bottom), (heights, np.inf)) if inside else ((-np.inf, floor), (bottom, heights))
    squared = sum(
        np.maximum(abs(np.arange(count).reshape(shape) * STEP - at) - STEP / 2, 0.0) ** 2
        for count, shape, at in zip(heights.shape[::-1], ((1, -1), (-1, 1)), point[:2], strict=True)
    )
    nearest = np.inf
    for low, high in parts:
        outside = np.maximum(np.maximum(low - point[2], point[2] - high), 0.0)
        nearest = min(nearest, np.sqrt(np.where(low < high, squared + outside**2, np.inf)).min())
    return -nearest if inside else nearest
