"""The triangles that pictures show are the surface that robots walk on."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from envs.rendering import visual_model
from envs.terrains import Surface, build_map, make_tile
from envs.terrains.mesh import LARGEST, ground_mesh
from envs.terrains.user import user_tile

GROUNDS = ["flat", "rough", "rough_discrete", "grid_steps", "boxes", "stairs_standard", "stairs_open", "slope_up"]


def seen_from_above(surface: Surface, points: np.ndarray) -> np.ndarray:
    """Heights that a ray from above meets in the picture's model, (k,) m."""
    model = visual_model(surface)
    data = mujoco.MjData(model)
    data.qpos[:3] = (0.0, 0.0, 90.0)
    mujoco.mj_forward(model, data)
    geom, groups, down = np.zeros(1, np.int32), np.ones(6, np.uint8), np.array([0.0, 0.0, -1.0])
    return np.array(
        [10.0 - mujoco.mj_ray(model, data, np.array([*p, 10.0]), down, groups, 1, -1, geom) for p in points]
    )


@pytest.mark.parametrize("family", GROUNDS)
def test_ground_is_seen_where_it_is(family: str) -> None:
    surface = Surface(build_map([make_tile(family)]))
    points = np.random.default_rng(0).uniform(-2.9, 2.9, (200, 2))
    np.testing.assert_allclose(seen_from_above(surface, points), surface.height(points), atol=1e-5)


def test_heights_between_risers_of_a_users_map_are_seen_where_they_are() -> None:
    heights = np.random.default_rng(1).uniform(0.0, 0.12, (70, 70)).cumsum(0) / 4
    surface = Surface(build_map([user_tile(heights)]))
    points = np.random.default_rng(2).uniform(-1.6, 1.6, (300, 2))
    np.testing.assert_allclose(seen_from_above(surface, points), surface.height(points), atol=1e-5)


def test_walls_are_upright_and_face_the_lower_ground_and_tops_face_up() -> None:
    mesh = ground_mesh(Surface(build_map([make_tile("stairs_up", height=0.17, depth=0.3)])))
    wall = np.cross(mesh.walls[:, 1] - mesh.walls[:, 0], mesh.walls[:, 2] - mesh.walls[:, 0])
    assert (wall[:, 0] < 0).all()
    np.testing.assert_allclose(wall[:, 1:], 0.0, atol=1e-9)
    assert (np.cross(mesh.tops[:, 1] - mesh.tops[:, 0], mesh.tops[:, 2] - mesh.tops[:, 0])[:, 2] > 0).all()


def test_stock_collider_has_no_upright_walls() -> None:
    surface = Surface(build_map([make_tile("stairs_up")]), "stock")
    assert len(ground_mesh(surface).walls) == 0
    points = np.random.default_rng(0).uniform(-2.4, 2.4, (200, 2))
    np.testing.assert_allclose(seen_from_above(surface, points), surface.height(points), atol=1e-5)


def test_level_ground_takes_few_triangles_and_large_maps_no_more_than_a_browser_can_show() -> None:
    assert len(ground_mesh(Surface(build_map([make_tile("flat")]))).tops) <= 2 * 10 * 10
    terrain = build_map([make_tile("rough", size=(40.0, 40.0))])
    mesh = ground_mesh(Surface(terrain))
    assert len(mesh.tops) <= 2 * LARGEST
    reach = -np.array(terrain.origin_w)
    assert np.abs(mesh.tops[..., :2]).max(axis=(0, 1)) == pytest.approx(reach, abs=0.2)


def test_maps_without_tiles_that_overhang_need_no_floor() -> None:
    surface = Surface(build_map([make_tile("stairs_open")]))
    closed = Surface(replace(surface.map, floor=None, risers=surface.map.risers & 3))
    assert len(ground_mesh(surface).walls) > len(ground_mesh(closed).walls)
