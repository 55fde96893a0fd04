"""Rays that clear an elevation map: they skip blocks of cells, but no cell that they pass below."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from mapping import MapConfig
from mapping.rays import END, GOLDEN, INNER, follow_rays
from mapping.scratch import new_scratch

N = 37
"""Cells along a side: blocks of 8 do not fit."""
CFG = MapConfig(size=N * MapConfig().resolution, ray_stride=1)
SIDE = CFG.resolution


def misses_cell_by_cell(heights: NDArray, corner: NDArray, points: NDArray, eye: NDArray, variance: float) -> NDArray:
    """Rays below each cell (N, N), by a look at every cell side of each from its first on."""
    misses = np.zeros((N, N), np.int32)
    for number, point in enumerate(points):
        start, way = eye[:2] / SIDE - corner, (point - eye)[:2] / SIDE
        away = math.hypot(*way)
        for along in np.arange(1.0 + number * GOLDEN % 1.0, away - END - 3 * math.sqrt(variance) / SIDE, 1.0):
            at = start + along / away * way
            column, row = (math.floor(part) for part in at)
            if not (0 <= column < N and 0 <= row < N) or np.abs(at - [column, row] - 0.5).max() > INNER:
                continue
            cell = (row + corner[1]) % N, (column + corner[0]) % N
            over = heights[cell] - eye[2] - along / away * (point - eye)[2] - CFG.clearance
            misses[cell] += over > CFG.gate * math.sqrt(variance)
    return misses


@pytest.mark.parametrize("corner", [(0, 0), (-18, -19), (1003, -77)])
def test_rays_find_every_cell_that_they_pass_below(corner: tuple[int, int]) -> None:
    rng, variance, place = np.random.default_rng(abs(sum(corner))), 1e-4, np.array(corner)
    heights = rng.uniform(0.0, 0.1, (N, N)).astype(np.float32)
    heights[rng.random((N, N)) < 0.15] = 0.4
    heights[rng.random((N, N)) < 0.1] = np.nan
    heights[0, 0] = 1.0  # higher than the eye: no ray is above all cells at its beginning
    eye = np.append((place + N / 2) * SIDE, 0.6)
    points = np.column_stack([(place + rng.uniform(0.0, N, (400, 2))) * SIDE, rng.uniform(-0.2, 0.1, 400)])
    scratch = new_scratch(N)
    room, own = np.zeros(len(points), np.int64), np.full(N * N, variance, np.float32)
    found = follow_rays(
        heights.reshape(-1), own, place, N, points, np.full(len(points), variance), eye, CFG.rules(), scratch, room, 0
    )
    expected = misses_cell_by_cell(heights, place, points, eye, variance)
    assert 50 < found == np.count_nonzero(expected)
    np.testing.assert_array_equal(scratch.misses.reshape(N, N), expected)
