"""Generators of stairs and of the evaluation lanes: every riser falls between two samples and is marked as vertical."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.terrains.grid import (
    PLATFORM,
    RESOLUTION,
    Size,
    Terrain,
    Values,
    level_pieces,
    ring,
    shape_of,
    square_distance,
    steps,
)

LANE_FLAT = 2.5
"""m of flat ground along x before a lane's obstacle."""
LANE_STAIRS = 3.5
"""m of x that a lane's stairs go on for at least, before a flat landing."""
LANE_LANDING = 1.0
"""m of flat ground at least behind a lane's last step."""
LEDGE = 0.05
"""m by which the treads of ledged stairs stick out over the risers under them."""
RANDOM_STAIRS = 0.2
"""Standard deviation of the factors on the height and depth of each step of random stairs (Miki et al. S4)."""


def flight(at: NDArray[np.int64], rise: NDArray[np.float64], along: NDArray[np.int64]) -> NDArray[np.float64]:
    """Height in m at distances `along` in samples of a flight of stairs, step k of `rise[k]` m at `at[k]` samples."""
    level = np.concatenate(([0.0], np.cumsum(rise)))
    return level[np.searchsorted(at, along, side="right")]


def stairs_standard(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """A square pyramid of equal steps around the start platform, rising (direction 1) or falling (-1) outwards."""
    return level_pieces(parameters["direction"] * parameters["height"] * ring(size, parameters["depth"]))


def stairs_random(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Pyramid stairs whose step heights and depths are each multiplied by a factor from N(1, 0.2) (S4)."""
    outward = square_distance(size)
    number = 3 * (1 + int(outward.max()) // steps(parameters["depth"]))
    factor = np.random.default_rng(seed).normal(1.0, RANDOM_STAIRS, (2, number)).clip(0.4, 1.6)
    depth = np.round(parameters["depth"] * factor[0] / RESOLUTION).astype(np.int64)
    at = steps(PLATFORM) + np.concatenate(([0], np.cumsum(depth)[:-1]))
    return level_pieces(flight(at, parameters["direction"] * parameters["height"] * factor[1], outward))


def under_ledges(parameters: Values) -> float:
    """How far the hollows of ledged stairs go back under their treads, m."""
    return LEDGE


def under_treads(parameters: Values) -> float:
    """How far the hollows of open stairs go back, m: all of a tread, whose end lies on the next hollow's floor."""
    return parameters["depth"]


def lane(number: int, depth: int, rise: float, size: Size) -> Terrain:
    """A flat run-up along +x, then `number` steps of `rise` m, `depth` samples apart, over the lane's full width."""
    ny, nx = shape_of(size)
    at = steps(LANE_FLAT) + depth * np.arange(number)
    if nx < at[-1] + depth + steps(LANE_LANDING):
        raise ValueError(f"This lane has no room for its obstacle and a landing; make it longer than {size[0]:g} m.")
    profile = flight(at, np.full(number, rise), np.arange(nx))
    return level_pieces(np.tile(profile, (ny, 1)))


def stairs_lane(direction: int, parameters: Values, size: Size) -> Terrain:
    """A lane with a flight of at least 3.5 m along x, up (direction 1) or down (-1), and a flat landing."""
    depth = steps(parameters["depth"])
    return lane(-(-steps(LANE_STAIRS) // depth), depth, direction * parameters["height"], size)


def step_up(parameters: Values, seed: int, size: Size = (10.0, 5.0)) -> Terrain:
    """A lane with a single step up."""
    return lane(1, 1, parameters["height"], size)


def step_down(parameters: Values, seed: int, size: Size = (10.0, 5.0)) -> Terrain:
    """A lane with a single step down."""
    return lane(1, 1, -parameters["height"], size)


def stairs_up(parameters: Values, seed: int, size: Size = (10.0, 5.0)) -> Terrain:
    """A lane with a flight of stairs up."""
    return stairs_lane(1, parameters, size)


def stairs_down(parameters: Values, seed: int, size: Size = (10.0, 5.0)) -> Terrain:
    """A lane with a flight of stairs down."""
    return stairs_lane(-1, parameters, size)
