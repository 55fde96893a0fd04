from __future__ import annotations

import mujoco
import numpy as np
import pytest

from envs.rendering import visual_model
from envs.terrains import Surface, build_map, make_tile
from envs.terrains.grid import PLATE
from envs.terrains.rectangles import rectangles


def seen(model, data, point, direction):
    """m from a point to what is seen along a direction."""
    geom = np.zeros(1, np.int32)
    groups = np.ones(6, np.uint8)
    return mujoco.mj_ray(model, data, np.array(point), np.array(direction), groups, 1, -1, geom)


@pytest.mark.parametrize("name", ["stairs_open", "stairs_ledged", "stairs_open_down"])
def test_plates_cover_every_hollow_once(name):
    tile = make_tile(name, height=0.17, depth=0.3)
    covered = np.zeros(tile.heights.shape, int)
    for west, east, south, north in rectangles(np.where(tile.floor < tile.heights, tile.heights, np.nan)):
        covered[south : north + 1, west : east + 1] += 1
        assert np.ptp(tile.heights[south : north + 1, west : east + 1]) == 0.0
    np.testing.assert_array_equal(covered, tile.floor < tile.heights)


@pytest.mark.parametrize(("name", "behind"), [("stairs_open_up", 0.3), ("stairs_ledged_up", 0.05)])
def test_picture_shows_the_front_of_a_tread_and_the_hollow_under_it(name, behind):
    surface = Surface(build_map([make_tile(name, height=0.17, depth=0.3)]))
    model = visual_model(surface)
    data = mujoco.MjData(model)
    data.qpos[2] = 50.0
    mujoco.mj_forward(model, data)
    x, y, _ = surface.map.tile_start_w[0]
    front, y = float(x) + 0.975, float(y) + 0.013  # beside the seams of the triangles
    assert seen(model, data, (front - 0.5, y, 0.17 - PLATE / 2), (1, 0, 0)) == pytest.approx(0.5, abs=1e-4)
    assert 0.5 + behind - 0.03 < seen(model, data, (front - 0.5, y, 0.08), (1, 0, 0)) < 0.5 + behind + 0.03
    for dx in np.linspace(0.01, 0.28, 28):
        assert seen(model, data, (front + dx, y, 1.0), (0, 0, -1)) == pytest.approx(1.0 - 0.17, abs=2e-3)
