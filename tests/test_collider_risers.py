from __future__ import annotations

import mujoco
import numpy as np
import pytest
from collider_scenes import (
    RADIUS,
    STEP,
    add_boxes,
    add_ground,
    add_sphere,
    contacts_at,
    ground_points,
    sphere_on,
    stairs,
)
from scipy.spatial import KDTree

from anymal_policy.layout import DEFAULT_JOINT_POSITION
from envs import robot
from envs.collider import write_heights
from envs.collider.geometry import select
from envs.collider.heightfield import offer_quarter, offer_triangles
from envs.collider.level import ALONG_X, ALONG_Y, is_level, offer_step
from envs.terrains.cells import height_at
from envs.terrains.grid import RISER_X, RISER_Y, level_pieces


@pytest.mark.parametrize("radius", [0.03, 0.11])
def test_stairs_touch_like_boxes(radius):
    heights, risers, first = stairs()
    spec = mujoco.MjSpec()
    add_boxes(spec, heights, first)
    add_sphere(spec, radius)
    boxes = spec.compile()
    ours, theirs = sphere_on(heights, risers, radius=radius), (boxes, mujoco.MjData(boxes))
    rng = np.random.default_rng(5)
    touching = 0
    for _ in range(1500):
        x, y = rng.uniform(0.3, 1.7), rng.uniform(0.3, 0.7)
        ground = height_at(heights, risers, x / STEP, y / STEP)
        position = (x, y, ground + rng.uniform(0.05, 1.1) * radius)
        depths, normals, _ = contacts_at(*ours, position)
        true_depths, true_normals, _ = contacts_at(*theirs, position)
        assert depths.max(initial=0.0) == pytest.approx(true_depths.max(initial=0.0), abs=2e-6)
        if len(true_depths) and (len(true_depths) == 1 or true_depths[1] < true_depths[0] - 1e-4):
            touching += 1
            np.testing.assert_allclose(normals[0], true_normals[0], atol=1e-4)
    assert touching > 300


@pytest.mark.parametrize("sides", [0, ALONG_X, ALONG_Y])
def test_level_cell_touches_as_the_triangles_that_it_consists_of(sides):
    rng, spacing, touching = np.random.default_rng(8), (STEP, STEP, 1.0), 0
    for _ in range(4000):
        a, b = rng.uniform(0.0, 0.2, 2)
        corners = {0: (a, a, a, a), ALONG_X: (a, a, b, b), ALONG_Y: (a, b, b, a)}[sides]
        assert is_level(corners, sides)
        centre, found = tuple(rng.uniform((-0.06, -0.06, -0.05), (0.11, 0.11, 0.25))), np.zeros((2, 50, 10))
        mine = offer_step(found[0], 0, False, 0.06, centre, spacing, 0, 0, corners, sides)
        theirs = offer_triangles(found[1], 0, False, 0.06, centre, spacing, 0, 0, corners) if sides == 0 else 0
        for corner in range(4 if sides else 0):
            theirs = offer_quarter(found[1], theirs, False, 0.06, centre, spacing, 0, 0, corners, sides, corner)
        mine, theirs = select(found[0], mine, 0.06), select(found[1], theirs, 0.06)
        touching += mine > 0
        # a triangle can add its own nearest point where another one hides that of both
        assert min(theirs, 1) <= mine <= theirs
        np.testing.assert_allclose(found[0, :1], found[1, :1], atol=1e-12)
        for contact in found[0, :mine]:
            assert np.isclose(found[1, :theirs], contact, atol=1e-12).all(-1).any()
    assert touching > 400


def test_tilted_cells_and_crossing_risers_are_not_level():
    assert not is_level((0.0, 0.1, 0.1, 0.0), 0) and not is_level((0.0, 0.0, 0.1, 0.1), 0)
    assert not is_level((0.0, 0.1, 0.2, 0.0), ALONG_Y) and not is_level((0.0, 0.1, 0.1, 0.0), ALONG_X)
    assert not is_level((0.0, 0.1, 0.1, 0.0), 1 | 2)


def test_wall_stands_halfway_and_upright():
    heights, risers, first = stairs()
    model, data = sphere_on(heights, risers)
    walls = (np.array(first) - 0.5) * STEP
    np.testing.assert_allclose(np.diff(walls[:-1]), 0.30)
    for height in (0.04, 0.08, 0.12):
        depths, normals, points = contacts_at(model, data, (walls[0] - RADIUS + 0.003, 0.52, height))
        np.testing.assert_allclose(depths, [0.003], atol=1e-7)
        np.testing.assert_allclose(normals, [(-1.0, 0.0, 0.0)], atol=1e-6)
        np.testing.assert_allclose(points, [(walls[0] + 0.0015, 0.52, height)], atol=1e-6)


def test_corner_of_tread_and_riser_gives_both_contacts():
    heights, risers, first = stairs()
    model, data = sphere_on(heights, risers)
    wall = (first[1] - 0.5) * STEP
    for y in np.linspace(0.5, 0.55, 11):
        depths, normals, _ = contacts_at(model, data, (wall - RADIUS + 0.002, y, 0.15 + RADIUS - 0.003))
        np.testing.assert_allclose(depths, [0.003, 0.002], atol=1e-7)
        np.testing.assert_allclose(normals, [(0.0, 0.0, 1.0), (-1.0, 0.0, 0.0)], atol=1e-6)


def test_nosing_gives_one_contact():
    heights, risers, first = stairs()
    model, data = sphere_on(heights, risers)
    out = np.array((-0.6, 0.0, 0.8))
    nosing = np.array(((first[1] - 0.5) * STEP, 0.513, 0.3))
    depths, normals, _ = contacts_at(model, data, nosing + (RADIUS - 0.004) * out)
    np.testing.assert_allclose(depths, [0.004], atol=1e-6)
    np.testing.assert_allclose(normals, [out], atol=1e-5)


def test_inner_corner_of_two_walls_gives_three_contacts():
    y, x = np.mgrid[:21, :21]
    heights, risers = level_pieces(0.2 * ((x >= 10) | (y >= 10)))
    model, data = sphere_on(heights.astype(np.float64), risers)
    wall = 9.5 * STEP
    depths, normals, _ = contacts_at(model, data, (wall - 0.028, wall - 0.027, 0.026))
    np.testing.assert_allclose(depths, [0.004, 0.003, 0.002], atol=1e-7)
    np.testing.assert_allclose(normals, [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)], atol=1e-6)


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.8, 0.0, -0.6), (0.7, 0.1, -0.7)])
def test_foot_at_3_m_per_s_stops_at_the_riser(direction):
    heights, risers, first = stairs()
    model, data = sphere_on(heights, risers)
    model.opt.timestep = 0.005
    wall = (first[1] - 0.5) * STEP
    data.qpos[:3], data.qvel[:3] = (wall - 0.1, 0.5, 0.25), 3.0 * np.array(direction)
    for _ in range(200):
        mujoco.mj_step(model, data)
        assert data.qpos[0] < wall
    assert data.qpos[2] > -RADIUS


def test_contact_is_at_the_nearest_point_of_the_height_function_for_any_risers():
    rng = np.random.default_rng(6)
    heights = rng.uniform(0.0, 0.1, (21, 21)).astype(np.float32).astype(np.float64)
    risers = (RISER_X * (rng.random((21, 21)) < 0.4) | RISER_Y * (rng.random((21, 21)) < 0.4)).astype(np.uint8)
    model, data = sphere_on(heights, risers, radius=0.06)
    tree = KDTree(ground_points(heights, risers))
    touching = 0
    for _ in range(1000):
        x, y = rng.uniform(0.2, 0.8, 2)
        ground = height_at(heights, risers, x / STEP, y / STEP)
        z = ground + rng.uniform(-0.03, 0.06)
        nearest = np.copysign(tree.query((x, y, z))[0], z - ground)
        depths, _, _ = contacts_at(model, data, (x, y, z))
        if nearest < 0.055:
            touching += 1
            assert 0.06 - depths[0] == pytest.approx(nearest, abs=3e-3)
    assert touching > 900


def test_height_jumps_on_risers_and_nowhere_else():
    rng = np.random.default_rng(7)
    heights = rng.uniform(0.0, 0.1, (21, 21))
    risers = (RISER_X * (rng.random((21, 21)) < 0.3) | RISER_Y * (rng.random((21, 21)) < 0.3)).astype(np.uint8)
    for ix, iy, share in zip(*rng.integers(2, 18, (2, 300)), rng.uniform(0.01, 0.99, 300), strict=True):
        below, above = (height_at(heights, risers, ix + share, iy + shift) for shift in (-1e-9, 1e-9))
        assert above == pytest.approx(below, abs=1e-6)
        west, east = (height_at(heights, risers, ix + 0.5 + shift, iy) for shift in (-1e-9, 1e-9))
        jump = heights[iy, ix + 1] - heights[iy, ix] if risers[iy, ix] & RISER_X else 0.0
        assert east - west == pytest.approx(jump, abs=1e-6)


def robot_at_rest(spec, heights=None):
    """The pose and the speed of a robot 3 s after it is dropped from 1 cm onto the ground of its spec."""
    model = spec.compile()
    if heights is not None:
        write_heights(model, "h", heights / model.hfield_size[0, 2])
    data = mujoco.MjData(model)
    data.qpos[:3] = (0.9, 0.51, robot.STANDING_HEIGHT + 0.05)
    data.qpos[7:] = data.ctrl[:] = DEFAULT_JOINT_POSITION
    for _ in range(600):
        mujoco.mj_step(model, data)
    return data.qpos.copy(), np.abs(data.qvel).max()


def test_robot_stands_on_a_step_as_on_boxes():
    heights, risers = level_pieces(np.where(np.arange(41) >= 22, 0.04, 0.0) * np.ones((21, 1)))
    heights = heights.astype(np.float64)
    field, boxes = robot.robot_spec(), robot.robot_spec()
    add_ground(field, heights, risers, contype=0)
    add_boxes(boxes, heights, [22])
    (ours, our_speed), (theirs, their_speed) = robot_at_rest(field, heights), robot_at_rest(boxes)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert our_speed == pytest.approx(their_speed, abs=1e-3)
    assert our_speed < 0.1
