"""Generators of flat, rough and sloped ground: pure functions of parameters and seed."""

from __future__ import annotations

from collections.abc import Sequence

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
    shape_of,
    smooth,
    square_distance,
    steepness,
    steps,
)

OCTAVES = (1.0, 0.5, 0.25)
"""Weights of the noise at the feature size and at fractions of it: each octave's size is its weight's share."""
FADE = 0.4
"""m over which roughness grows to its full height around the start platform."""


def perlin(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gradient noise of zero mean on the sample grid, its lattice `spacing` samples apart (Perlin, quintic fade)."""
    y, x = (np.arange(n) / spacing for n in shape)
    angle = rng.uniform(0.0, 2.0 * np.pi, (int(y[-1]) + 2, int(x[-1]) + 2))
    row, column = y.astype(int), x.astype(int)
    v, u = (y - row)[:, None], (x - column)[None, :]

    def corner(dy: int, dx: int) -> NDArray[np.float64]:
        at = angle[np.ix_(row + dy, column + dx)]
        return np.cos(at) * (u - dx) + np.sin(at) * (v - dy)

    fade_v, fade_u = (t**3 * (t * (6.0 * t - 15.0) + 10.0) for t in (v, u))
    near = corner(0, 0) * (1.0 - fade_u) + corner(0, 1) * fade_u
    far = corner(1, 0) * (1.0 - fade_u) + corner(1, 1) * fade_u
    return near * (1.0 - fade_v) + far * fade_v


def bumps(size: Size, feature: float, octaves: Sequence[float], seed: int) -> NDArray[np.float64]:
    """Noise with bumps of about `feature` m, faded out to 0 on the start platform, largest magnitude 1."""
    rng = np.random.default_rng(seed)
    noise = np.sum([w * perlin(shape_of(size), w * feature / RESOLUTION, rng) for w in octaves], axis=0)
    y, x = axes_from_centre(size)
    fade = np.clip((np.hypot(y, x) * RESOLUTION - PLATFORM) / FADE, 0.0, 1.0)
    noise *= fade**2 * (3.0 - 2.0 * fade)
    return noise / abs(noise).max()


def flat(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Level ground."""
    return smooth(np.zeros(shape_of(size)))


def rough(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Perlin noise within +- amplitude."""
    return smooth(parameters["amplitude"] * bumps(size, parameters["feature"], OCTAVES, seed))


def rough_discrete(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Perlin noise within +- amplitude, rounded to one of `levels` equally spaced heights."""
    gaps = parameters["levels"] - 1.0
    level = np.round((bumps(size, parameters["feature"], (1.0,), seed) + 1.0) / 2.0 * gaps)
    return level_pieces(parameters["amplitude"] * (2.0 * level / gaps - 1.0))


def slope(direction: int, parameters: Values, size: Size) -> Terrain:
    """A square pyramid around the start platform, rising (direction 1) or falling (-1) outwards."""
    run = np.maximum(square_distance(size) - steps(PLATFORM), 0) * RESOLUTION
    return smooth(direction * steepness(parameters["slope"]) * run)


def slope_up(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Slopes that rise on all sides of the start platform."""
    return slope(1, parameters, size)


def slope_down(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
    """Slopes that fall on all sides of the start platform."""
    return slope(-1, parameters, size)
