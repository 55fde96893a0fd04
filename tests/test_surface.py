from __future__ import annotations

import mujoco
import numpy as np
import pytest

from envs.terrains import TRAINING_TYPES, Surface, Tile, build_map, make_tile
from envs.terrains.cells import height_at


def tile_of(heights):
    heights = np.asarray(heights, np.float32)
    start = (heights.shape[1] // 2 * 0.05, heights.shape[0] // 2 * 0.05)
    return Tile("user", {}, 0, heights, np.zeros(heights.shape, np.uint8), start)


def model_of(surface, ball=False):
    spec = mujoco.MjSpec()
    spec.add_material(name="ground")
    surface.add_to_spec(spec)
    if ball:
        body = spec.worldbody.add_body(name="ball", pos=[0, 0, 50])
        body.add_freejoint()
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.03, 0, 0], contype=1, conaffinity=0)
    model = spec.compile()
    surface.write_to_model(model)
    return model


def ray_heights(model, points):
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    geom, down = np.zeros(1, np.int32), np.array([0.0, 0.0, -1.0])
    hits = [mujoco.mj_ray(model, data, np.array([*xy, 30.0]), down, None, 1, -1, geom) for xy in points]
    return 30.0 - np.array(hits)


@pytest.fixture(scope="module")
def rugged():
    rng = np.random.default_rng(0)
    white_noise = tile_of(rng.uniform(-0.3, 0.5, (60, 80)))
    return Surface(build_map([white_noise, tile_of(rng.uniform(-2.0, -1.0, (60, 80))), white_noise]), "stock")


def points_on(surface, count, seed=1, inset=0.01):
    rows, columns = surface.map.heights.shape
    low = np.array(surface.map.origin_w)
    return np.random.default_rng(seed).uniform(
        low + inset, low + (columns * 0.05 - 0.06, rows * 0.05 - 0.06), (count, 2)
    )


def test_height_is_mujocos_heightfield(rugged):
    points = points_on(rugged, 2000)
    np.testing.assert_allclose(rugged.height(points), ray_heights(model_of(rugged), points), atol=1e-4)


@pytest.mark.parametrize("name", ["flat", "step_down", "stairs_up", "slope_down", "boxes"])
def test_every_kind_of_map_compiles_to_its_own_heights(name):
    surface = Surface(build_map([make_tile(name, 1.0)]), "stock")
    points = points_on(surface, 300)
    np.testing.assert_allclose(surface.height(points), ray_heights(model_of(surface), points), atol=1e-4)


def test_samples_lie_where_the_map_says(rugged):
    terrain = rugged.map
    iy, ix = np.unravel_index(np.random.default_rng(2).permutation(terrain.heights.size)[:500], terrain.heights.shape)
    points = np.array(terrain.origin_w) + 0.05 * np.stack((ix, iy), axis=-1)
    np.testing.assert_allclose(rugged.height(points), terrain.heights[iy, ix], atol=1e-5)


def test_plane_is_exact_between_samples():
    y, x = np.mgrid[:70, :70] * 0.05
    surface = Surface(build_map([tile_of(0.3 * x - 0.2 * y)]))
    points = np.random.default_rng(3).uniform(-1.6, 1.6, (500, 2))
    expected = 0.3 * (points[:, 0] + 1.75) - 0.2 * (points[:, 1] + 1.75)
    np.testing.assert_allclose(surface.height(points), expected, atol=1e-6)


def test_beyond_the_map_the_edge_goes_on(rugged):
    x0, y0 = rugged.map.origin_w
    rows, columns = rugged.map.heights.shape
    x1, y1 = x0 + (columns - 1) * 0.05, y0 + (rows - 1) * 0.05
    outside = [[x0 - 7.0, 0.33], [x1 + 7.0, 0.33], [0.21, y0 - 1e6], [0.21, y1 + 1e30]]
    edge = [[x0, 0.33], [x1, 0.33], [0.21, y0], [0.21, y1]]
    np.testing.assert_allclose(rugged.height(outside), rugged.height(edge), atol=1e-6)


def test_positions_that_are_no_numbers_give_finite_heights(rugged):
    strange = np.array([[np.nan, 0.0], [0.0, np.nan], [np.inf, -np.inf], [np.nan, np.nan]])
    feet = np.broadcast_to(strange[:, None], (4, 4, 2))
    assert np.isfinite(rugged.height(strange)).all()
    assert np.isfinite(rugged.foot_heights(feet, np.array([0.0, np.nan, np.inf, 1.0]), np.ones((52, 2)))).all()
    assert np.isfinite(rugged.max_height(strange, 0.5)).all()


def test_foot_heights_are_the_same_bits_at_any_thread_count(rugged):
    rng = np.random.default_rng(0)
    feet, yaw, offsets = rng.uniform(-2, 6, (300, 4, 2)), rng.uniform(-3, 3, 300), rng.uniform(-0.5, 0.5, (52, 2))
    alone = rugged.foot_heights(feet, yaw, offsets)
    for threads in (2, 3):
        shared = Surface(rugged.map, rugged.collider, threads).foot_heights(feet, yaw, offsets)
        np.testing.assert_array_equal(shared, alone)


def test_foot_heights_turn_the_ring_with_the_robot(rugged):
    rng = np.random.default_rng(4)
    feet, yaw, offsets = rng.uniform(-3, 3, (6, 4, 2)), rng.uniform(-np.pi, np.pi, 6), rng.uniform(-0.5, 0.5, (52, 2))
    heights = rugged.foot_heights(feet.astype(np.float32), yaw, offsets)
    assert heights.shape == (6, 4, 52) and heights.dtype == np.float32
    turned = np.exp(1j * yaw)[:, None] * (offsets[:, 0] + 1j * offsets[:, 1])
    points = feet.astype(np.float32)[:, :, None] + np.stack((turned.real, turned.imag), axis=-1)[:, None]
    np.testing.assert_allclose(heights.ravel(), rugged.height(points.reshape(-1, 2)), atol=1e-5)


def test_level_pieces_between_risers_have_the_heights_of_the_collider():
    """Nearly all cells with risers have them, and a way of their own to their height; the collider has none."""
    surface = Surface(
        build_map([make_tile(kind.family, 0.7, seed=3, size=(8.0, 8.0)) for kind in TRAINING_TYPES.values()])
    )
    points = points_on(surface, 40_000)
    points[::2] = np.round(points[::2] / 0.025) * 0.025
    at = (points - surface.map.origin_w) * (1.0 / 0.05)
    of_cells = [height_at(surface.map.heights, surface.map.risers, x, y) for x, y in at]
    np.testing.assert_array_equal(surface.height(points), np.array(of_cells, np.float32))
    rings = surface.foot_heights(points.reshape(-1, 4, 2), np.zeros(len(points) // 4), np.zeros((1, 2)))
    np.testing.assert_array_equal(rings.ravel(), surface.height(points))


def test_positive_yaw_turns_the_forward_point_to_the_left():
    ramp = Surface(build_map([tile_of(np.mgrid[:80, :80][0] * 0.05)]))
    feet = np.zeros((1, 4, 2))
    left, right = (ramp.foot_heights(feet, [yaw], [[0.5, 0.0]]) for yaw in (np.pi / 2, -np.pi / 2))
    np.testing.assert_allclose(left - right, 1.0, atol=1e-5)


def test_max_height_bounds_every_point_of_the_disc_and_little_more(rugged):
    rng = np.random.default_rng(5)
    centres = points_on(rugged, 40, inset=1.0)
    highest = rugged.max_height(centres, 0.3)
    angle, radius = rng.uniform(0, 2 * np.pi, 3000), 0.3 * np.sqrt(rng.uniform(0, 1, 3000))
    disc = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)
    for centre, bound in zip(centres, highest, strict=True):
        assert bound >= rugged.height(centre + disc).max() - 1e-6
    step = Surface(build_map([make_tile("step_up", height=0.4)]))
    ahead = np.array([[x, 0.0] for x in (-0.5, -0.38, -0.28, 0.5)]) + (-2.5, 0.0)
    np.testing.assert_allclose(step.max_height(ahead, 0.3), [0.0, 0.0, 0.4, 0.4], atol=1e-6)


@pytest.mark.parametrize(("collider", "halfway"), [("exact", (0.0, 0.2)), ("stock", (0.08, 0.12))])
def test_risers_stand_upright_halfway_between_samples_or_slope_over_one_cell(collider, halfway):
    surface = Surface(build_map([make_tile("step_up", height=0.2)]), collider)
    edge = float(surface.map.tile_corner_w[0, 0]) + 2.5 - 0.025
    heights = surface.height([[edge + dx, 0.3] for dx in (-0.06, -0.005, 0.005, 0.06)])
    np.testing.assert_allclose(heights, [0.0, *halfway, 0.2], atol=1e-5)


def test_ball_comes_to_rest_on_the_surface():
    surface = Surface(build_map([make_tile("step_up", height=0.2)]))
    model = model_of(surface, ball=True)
    data = mujoco.MjData(model)
    for x, ground in ((-4.0, 0.0), (3.0, 0.2)):
        mujoco.mj_resetData(model, data)
        data.qpos[:3] = x, 0.4, ground + 0.06
        mujoco.mj_step(model, data, 400)
        assert data.qpos[2] == pytest.approx(ground + 0.03, abs=2e-3)
        assert data.ncon >= 1


@pytest.mark.parametrize("name", ["stairs_open_up", "stairs_ledged_down"])
def test_overhanging_stairs_look_solid_from_above_and_need_the_exact_collider(name):
    tiles = [make_tile(kind, height=0.17, depth=0.3) for kind in (name, f"stairs_{name.rsplit('_', 1)[1]}")]
    hanging, solid = (Surface(build_map([tile])) for tile in tiles)
    points = points_on(hanging, 1000)
    np.testing.assert_array_equal(hanging.height(points), solid.height(points))
    with pytest.raises(ValueError, match=f"{name} overhang.*--env.collider exact"):
        Surface(hanging.map, "stock")


def test_foot_reaches_under_a_tread_of_open_stairs_in_the_world():
    surface = Surface(build_map([make_tile("stairs_open_up", height=0.17, depth=0.3), make_tile("stairs_up")]))
    model = model_of(surface, ball=True)
    data = mujoco.MjData(model)
    corner = surface.map.tile_corner_w[0]
    for z, contacts in ((0.06, 0), (0.17 - 0.04 - 0.029, 1), (0.029, 1)):
        data.qpos[:3] = (*(corner + (2.5 + 0.1, 2.0)), z)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        assert data.ncon == contacts
