from __future__ import annotations

import mujoco
import numpy as np
import pytest
from collider_scenes import RADIUS, STEP, add_sphere, contacts_at, grid, sphere_on

MIDDLE = 0.5


def sphere_on_plane(radius=RADIUS):
    spec = mujoco.MjSpec()
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1])
    add_sphere(spec, radius)
    model = spec.compile()
    return model, mujoco.MjData(model)


def height_between(heights, x, y):
    """Height on MuJoCo's triangles."""
    ix, iy = int(x / STEP), int(y / STEP)
    u, v = x / STEP - ix, y / STEP - iy
    near, far = heights[iy, ix], heights[iy + 1, ix + 1]
    if u > v:
        return near + (heights[iy, ix + 1] - near) * u + (far - heights[iy, ix + 1]) * v
    return near + (far - heights[iy + 1, ix]) * u + (heights[iy + 1, ix] - near) * v


@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.4, 0.0), (-0.3, 0.8)])
def test_slope_gives_the_single_contact_of_a_plane(slope):
    x, y = grid()
    model, data = sphere_on(slope[0] * x + slope[1] * y)
    normal = np.array((-slope[0], -slope[1], 1.0)) / np.linalg.norm((*slope, 1.0))
    rng = np.random.default_rng(0)
    for depth in rng.uniform(0.001, 2 * RADIUS - 0.001, 50):
        foot = np.array((*rng.uniform(0.3, 0.7, 2), 0.0))
        foot[2] = slope[0] * foot[0] + slope[1] * foot[1]
        depths, normals, points = contacts_at(model, data, foot + (RADIUS - depth) * normal)
        np.testing.assert_allclose(depths, [depth], atol=1e-6)
        np.testing.assert_allclose(normals, [normal], atol=1e-4)
        np.testing.assert_allclose(points, [foot - 0.5 * depth * normal], atol=1e-6)


def test_convex_edge_gives_one_contact_in_the_direction_from_the_edge():
    x, _ = grid()
    model, data = sphere_on(-2.0 * abs(x - MIDDLE))
    for lean in (-0.9, -0.3, 0.0, 0.5, 1.0):
        out = np.array((np.sin(lean), 0.0, np.cos(lean)))
        depths, normals, _ = contacts_at(model, data, np.array((MIDDLE, 0.513, 0.0)) + (RADIUS - 0.004) * out)
        np.testing.assert_allclose(depths, [0.004], atol=1e-6)
        np.testing.assert_allclose(normals, [out], atol=1e-4)


def test_concave_corner_gives_a_contact_with_either_side():
    x, _ = grid()
    model, data = sphere_on(3.0 * np.maximum(x - MIDDLE, 0.0))
    ramp = np.array((-3.0, 0.0, 1.0)) / np.sqrt(10.0)
    up = np.array((0.0, 0.0, 1.0))
    bisector = np.array((-np.sqrt(10.0) / 3 + 1 / 3, 0.0, 1.0))
    depths, normals, _ = contacts_at(model, data, np.array((MIDDLE, 0.52, 0.0)) + (RADIUS - 0.002) * bisector)
    np.testing.assert_allclose(depths, [0.002, 0.002], atol=1e-6)
    np.testing.assert_allclose(normals[np.argsort(normals[:, 0])], [ramp, up], atol=1e-4)


def test_ground_below_margin_is_a_contact_at_positive_distance():
    model, data = sphere_on(np.zeros((21, 21)), margin=0.01)
    depths, normals, _ = contacts_at(model, data, (0.41, 0.43, RADIUS + 0.006))
    np.testing.assert_allclose(depths, [-0.006], atol=1e-9)
    np.testing.assert_allclose(normals, [(0.0, 0.0, 1.0)], atol=1e-9)
    assert len(contacts_at(model, data, (0.41, 0.43, RADIUS + 0.011))[0]) == 0


@pytest.mark.parametrize("radius", [0.03, 0.11])
@pytest.mark.parametrize("roughness", [0.02, 0.2])
def test_deepest_contact_is_that_of_the_stock_collider(radius, roughness):
    rng = np.random.default_rng(1)
    heights = rng.uniform(0.0, roughness, (25, 25)).astype(np.float32).astype(np.float64)
    ours, stock = sphere_on(heights, radius=radius), sphere_on(heights, exact=False, radius=radius)
    touching = agreeing = 0
    for _ in range(1500):
        x, y = rng.uniform(0.3, 0.9, 2)
        position = x, y, height_between(heights, x, y) + rng.uniform(0.1, 1.2) * radius
        depths, normals, _ = contacts_at(*ours, position)
        true_depths, true_normals, _ = contacts_at(*stock, position)
        deepest = true_depths.max(initial=0.0)
        assert depths.max(initial=0.0) == pytest.approx(deepest, abs=2e-5)
        assert len(depths) <= max(len(true_depths), 1)
        if deepest > 1e-4 and (len(true_depths) == 1 or true_depths[1] < deepest - 2e-4):
            touching += 1
            agreeing += normals[0] @ true_normals[0] > 0.9999
    assert touching > 100
    assert agreeing == touching


def test_contacts_are_distinct_and_point_out_of_the_ground():
    rng = np.random.default_rng(2)
    heights = rng.uniform(0.0, 0.1, (25, 25))
    model, data = sphere_on(heights, radius=0.06)
    several = 0
    for _ in range(500):
        x, y = rng.uniform(0.3, 0.9, 2)
        _, normals, _ = contacts_at(model, data, (x, y, height_between(heights, x, y) + rng.uniform(-0.06, 0.06)))
        cosines = normals @ normals.T
        np.testing.assert_allclose(np.diag(cosines), 1.0, atol=1e-9)
        assert (cosines - 2.0 * np.eye(len(normals)) <= 0.95).all()
        assert (normals[:, 2] >= 0.0).all()
        several += len(normals) > 1
    assert several > 50


def test_buried_centre_leaves_by_the_nearest_surface():
    x, _ = grid()
    heights = np.where(x > MIDDLE + 1e-6, 0.2, 0.0)
    model, data = sphere_on(heights)
    riser = np.array((-0.2, 0.0, STEP)) / np.hypot(0.2, STEP)
    middle_of_riser = np.array((MIDDLE + STEP / 2, 0.5, 0.1))
    for sunk in (0.001, 0.01, 0.02):
        depths, normals, _ = contacts_at(model, data, middle_of_riser - sunk * riser)
        np.testing.assert_allclose(depths, [RADIUS + sunk], atol=1e-5)
        np.testing.assert_allclose(normals, [riser], atol=1e-4)


def test_deep_overlap_is_pushed_up_gently():
    model, data = sphere_on(np.zeros((21, 21)))
    depths, normals, _ = contacts_at(model, data, (0.5, 0.5, -0.4))
    np.testing.assert_allclose(depths, [2 * RADIUS])
    np.testing.assert_allclose(normals, [(0.0, 0.0, 1.0)])
    fastest = 0.0
    for _ in range(2000):
        mujoco.mj_step(model, data)
        fastest = max(fastest, np.abs(data.qvel[:3]).max())
    assert data.qpos[2] == pytest.approx(RADIUS, abs=2e-3)
    assert fastest < 2.0


@pytest.mark.parametrize("height", [-1e-12, 0.0, 1e-12])
def test_centre_at_the_height_of_the_ground_is_pushed_up(height):
    model, data = sphere_on(np.zeros((21, 21)))
    depths, normals, _ = contacts_at(model, data, (0.51, 0.52, height))
    np.testing.assert_allclose(depths, [RADIUS], atol=1e-9)
    np.testing.assert_allclose(normals, [(0.0, 0.0, 1.0)], atol=1e-9)


@pytest.mark.parametrize("position", [(np.nan, 0.5, 0.0), (0.5, np.inf, 0.0), (0.5, 0.5, -np.inf), (1e30, 0.5, 0.0)])
def test_sphere_nowhere_has_no_contact(position):
    model, data = sphere_on(np.zeros((21, 21)))
    model.geom_rbound[0] = 0.0
    assert len(contacts_at(model, data, position)[0]) == 0


def test_ground_goes_on_level_beyond_the_edge():
    x, _ = grid()
    model, data = sphere_on(0.1 * x)
    depths, normals, _ = contacts_at(model, data, (1.15, 0.5, 0.1 + RADIUS - 0.005))
    np.testing.assert_allclose(depths, [0.005], atol=1e-6)
    np.testing.assert_allclose(normals, [(0.0, 0.0, 1.0)], atol=1e-9)


def test_dropped_sphere_moves_as_on_a_plane():
    ours, plane = sphere_on(np.zeros((21, 21))), sphere_on_plane()
    for model, data in (ours, plane):
        data.qpos[:3], data.qvel[:3] = (0.4, 0.5, 0.1), (0.3, 0.2, 0.0)
        for _ in range(500):
            mujoco.mj_step(model, data)
    np.testing.assert_allclose(ours[1].qpos, plane[1].qpos, atol=1e-6)
    assert abs(ours[1].qvel[2]) < 1e-4


@pytest.mark.parametrize("speed", [3.0, 6.0])
def test_fast_sphere_does_not_tunnel(speed):
    x, _ = grid(21, 41)
    model, data = sphere_on(np.where(abs(x - 1.2) < 0.06, 0.4, 0.0))
    model.opt.timestep = 0.005
    for direction in ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.8, 0.1, -0.6)):
        mujoco.mj_resetData(model, data)
        data.qpos[:3], data.qvel[:3] = (0.6, 0.5, 0.2), speed * np.array(direction)
        for _ in range(100):
            mujoco.mj_step(model, data)
            assert data.qpos[2] > -RADIUS
            assert data.qpos[0] < 1.2
        assert data.qpos[2] > 0.8 * RADIUS
