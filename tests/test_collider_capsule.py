"""Capsules against the ground: what touches between their ends, and nothing else than a sphere moved along the axis."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from collider_scenes import (
    STEP,
    add_boxes,
    add_sphere,
    along_axis,
    contacts_at,
    grid,
    ground_points,
    sphere_on,
    stairs,
    turned,
    z_axis,
)
from mujoco.batch import Batch
from overhang_scenes import FIRST, RISE, any_plates, overhanging, overhanging_stairs, signed_distance
from scipy.spatial import KDTree

from envs.collider.marks import REACH
from envs.terrains.cells import height_at
from envs.terrains.grid import PLATE

SHAFT, THIGH, BASE = (0.0175, 0.124), (0.0375, 0.104), (0.09, 0.4345)
"""Radius and half length of the axis in m."""
UP = (0.0, 0.0, 1.0)


def axis_points(position, axis, half, count=161):
    """Points (count, 3) along an axis."""
    return np.asarray(position) + np.linspace(-half, half, count)[:, None] * axis


def over_ground(rng, heights, risers, axis, half, clear):
    """A random position at which an axis comes as near as `clear` m above the ground."""
    points = axis_points(rng.uniform((0.6, 0.4, 0.0), (1.2, 0.6, 0.0)), axis, half)
    ground = [height_at(heights, risers, x / STEP, y / STEP) for x, y, _ in points]
    middle = points[len(points) // 2]
    return np.array((*middle[:2], (ground - points[:, 2]).max() + clear))


def over_stairs(rng, edges, tops, axis, half, clear):
    """A random position at which an axis comes as near as `clear` m above stairs, and its distance from them in m.

    Exact in the plane across the stairs: ends against treads and risers, and the treads' edges against the axis.
    """
    middle = rng.uniform((0.6, 0.4, 0.0), (1.2, 0.6, 0.0))
    corners = np.stack((edges[1:-1], np.maximum(tops[1:], tops[:-1])), -1)
    ends = np.array([(middle + side * half * axis)[[0, 2]] for side in (-1, 1)])
    low, high = ends[np.argsort(ends[:, 0])]
    passed = corners[(corners[:, 0] > low[0]) & (corners[:, 0] < high[0])]
    over = low[1] + (passed[:, 0] - low[0]) / (high[0] - low[0]) * (high[1] - low[1])
    under = [tops[np.searchsorted(edges, end[0]) - 1] for end in ends]
    rise = max(np.max(under - ends[:, 1]), np.max(passed[:, 1] - over, initial=-np.inf)) + clear
    middle[2] += rise
    ends[:, 1] += rise
    beside = np.maximum(np.maximum(edges[:-1] - ends[:, :1], ends[:, :1] - edges[1:]), 0.0)
    from_ends = np.hypot(beside, np.maximum(ends[:, 1:] - tops, 0.0)).min()
    along, from_first = ends[1] - ends[0], corners - ends[0]
    share = np.clip(from_first @ along / (along @ along), 0.0, 1.0)
    return middle, min(from_ends, np.linalg.norm(from_first - share[:, None] * along, axis=-1).min())


@pytest.mark.parametrize("slope", [(0.0, 0.0), (-0.3, 0.8)])
@pytest.mark.parametrize(("radius", "half"), [SHAFT, THIGH])
def test_slope_touches_both_ends_as_a_plane_does(slope, radius, half):
    x, y = grid()
    model, data = sphere_on(slope[0] * x + slope[1] * y, radius=radius, half=half)
    normal = np.array((-slope[0], -slope[1], 1.0)) / np.linalg.norm((*slope, 1.0))
    rng = np.random.default_rng(0)
    for depth, share in zip(rng.uniform(0.001, radius, 30), rng.uniform(0.0, 0.9, 30), strict=True):
        flat = np.cross(normal, rng.normal(size=3))
        lean = share * depth / (2 * half)
        axis = np.sqrt(1 - lean**2) * flat / np.linalg.norm(flat) - lean * normal
        foot = np.array((*rng.uniform(0.4, 0.6, 2), 0.0))
        foot[2] = slope[0] * foot[0] + slope[1] * foot[1]
        middle = foot + (radius - depth + half * lean) * normal
        depths, normals, points = contacts_at(model, data, middle, quaternion=along_axis(axis))
        np.testing.assert_allclose(depths, (depth, (1 - share) * depth), atol=1e-6)
        np.testing.assert_allclose(normals, (normal, normal), atol=1e-4)
        ends = [middle + sign * half * axis for sign in (1, -1)]
        expected = [end - (radius - 0.5 * d) * normal for end, d in zip(ends, depths, strict=True)]
        np.testing.assert_allclose(points, expected, atol=1e-6)


def test_shaft_over_a_nosing_touches_there_between_its_ends():
    heights, risers, first = stairs()
    radius, half = SHAFT
    model, data = sphere_on(heights, risers, radius=radius, half=half)
    nosing = np.array(((first[1] - 0.5) * STEP, 0.513, 0.3))
    for yaw in (0.0, 0.5):
        axis = np.array((np.cos(0.6) * np.cos(yaw), np.cos(0.6) * np.sin(yaw), np.sin(0.6)))
        out = np.array((-axis[2], 0.0, axis[0])) / np.hypot(axis[0], axis[2])
        for gap in (0.012, -0.006):
            middle = nosing + gap * out + 0.02 * axis
            depths, normals, points = contacts_at(model, data, middle, quaternion=along_axis(axis))
            np.testing.assert_allclose(depths, [radius - gap], atol=1e-6)
            np.testing.assert_allclose(normals, [out], atol=1e-6)
            np.testing.assert_allclose(points, [nosing - 0.5 * (radius - gap) * out], atol=1e-6)


@pytest.mark.parametrize(("radius", "half"), [SHAFT, THIGH, BASE])
def test_stairs_touch_like_boxes(radius, half):
    heights, risers, first = stairs()
    spec = mujoco.MjSpec()
    add_boxes(spec, heights, first)
    add_sphere(spec, radius, half=half)
    boxes = spec.compile()
    ours, theirs = sphere_on(heights, risers, radius=radius, half=half), (boxes, mujoco.MjData(boxes))
    edges = np.array([-9.0, *((ix - 0.5) * STEP for ix in first), 9.0])
    tops = heights[0, [0, *first]]
    rng = np.random.default_rng(0)
    touching = alike = 0
    for _ in range(400):
        quaternion, axis = turned(rng)
        position, nearest = over_stairs(rng, edges, tops, axis, half, rng.uniform(0.02, 1.3) * radius)
        depths, normals, _ = contacts_at(*ours, position, quaternion=quaternion)
        assert depths.max(initial=0.0) == pytest.approx(max(radius - nearest, 0.0), abs=1e-6)
        true_depths, true_normals, _ = contacts_at(*theirs, position, quaternion=quaternion)
        touching += len(depths) > 0
        if len(depths) and len(true_depths) == 1 and true_depths[0] == pytest.approx(depths[0], abs=1e-6):
            alike += 1
            np.testing.assert_allclose(normals[0], true_normals[0], atol=1e-4)
        assert len(depths) <= 4
    assert touching > 250 and alike > 100


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_deepest_contact_is_at_the_nearest_ground_for_any_risers(share):
    rng = np.random.default_rng(6)
    heights = rng.uniform(0.0, 0.1, (21, 21)).astype(np.float32).astype(np.float64)
    risers = ((rng.random((21, 21)) < share) | 2 * (rng.random((21, 21)) < share)).astype(np.uint8)
    radius, half = 0.03, 0.1
    model, data = sphere_on(heights, risers, radius=radius, half=half)
    tree = KDTree(ground_points(heights, risers))
    touching = 0
    for _ in range(400):
        quaternion, axis = turned(rng)
        position = np.array((*rng.uniform(0.3, 0.7, 2), rng.uniform(0.03, 0.2)))
        points = axis_points(position, axis, half)
        ground = np.array([height_at(heights, risers, x / STEP, y / STEP) for x, y, _ in points])
        nearest = np.copysign(tree.query(points)[0], points[:, 2] - ground).min()
        if nearest < 0.002:
            continue
        depths, normals, _ = contacts_at(model, data, position, quaternion=quaternion)
        touching += nearest < radius
        assert depths.max(initial=0.0) == pytest.approx(max(radius - nearest, 0.0), abs=3e-3)
        assert (normals[:, 2] > -1e-6).all()
    assert touching > 40


def test_deepest_contact_on_smooth_ground_is_that_of_the_stock_collider():
    x, y = grid(31, 31)
    heights = (0.08 * np.sin(6 * x) * np.cos(5 * y)).astype(np.float32).astype(np.float64)
    radius, half = THIGH
    ours, stock = (sphere_on(heights, exact=exact, radius=radius, half=half) for exact in (True, False))
    rng, touching = np.random.default_rng(3), 0
    for _ in range(400):
        quaternion, axis = turned(rng)
        flat = np.zeros(heights.shape, np.uint8)
        position = over_ground(rng, heights - heights.min(), flat, axis, half, rng.uniform(0.2, 1.1) * radius)
        position[2] += heights.min()
        depths, _, _ = contacts_at(*ours, position, quaternion=quaternion)
        true_depths, _, _ = contacts_at(*stock, position, quaternion=quaternion)
        touching += len(depths) > 0
        assert depths.max(initial=0.0) == pytest.approx(true_depths.max(initial=0.0), abs=2e-4)
    assert touching > 150


def test_distance_is_that_to_the_nearest_column_for_any_plates():
    rng = np.random.default_rng(1)
    heights, floor = any_plates(rng)
    radius, half = 0.03, 0.04
    model, data = overhanging(heights, floor, radius, half)
    right = touching = 0
    for _ in range(250):
        quaternion, axis = turned(rng)
        position = rng.uniform((0.25, 0.25, 0.0), (0.75, 0.75, 0.3))
        points = axis_points(position, axis, half, 81)
        nearest = min(signed_distance(heights, floor, point) for point in points)
        if nearest > 0.002:
            depths, _, _ = contacts_at(model, data, position, quaternion=quaternion)
            assert (len(depths) > 0) == (nearest < radius) or abs(nearest - radius) < 5e-4
            touching += nearest < radius
            right += nearest < radius and depths.max(initial=0.0) == pytest.approx(radius - nearest, abs=5e-4)
    assert touching > 40 and right > 0.97 * touching


def test_capsule_over_a_plate_does_not_feel_what_is_under_it():
    model, data = overhanging(*overhanging_stairs("open"), *THIGH)
    x = (FIRST[1] + 2) * STEP
    depths, normals, _ = contacts_at(model, data, (x, 0.51, 2 * RISE + 0.03), quaternion=along_axis((0, 1, 0)))
    np.testing.assert_allclose(depths, [0.0075, 0.0075], atol=1e-6)
    np.testing.assert_allclose(normals, [UP, UP], atol=1e-6)
    under = 2 * RISE - PLATE - 0.03
    depths, normals, _ = contacts_at(model, data, (x, 0.51, under), quaternion=along_axis((0, 1, 0)))
    np.testing.assert_allclose(depths, [0.0075, 0.0075], atol=1e-6)
    np.testing.assert_allclose(normals, [(0.0, 0.0, -1.0)] * 2, atol=1e-6)


@pytest.mark.parametrize("speed", [0.0, 3.0])
def test_shaft_that_falls_on_a_nosing_stays_above_the_stairs(speed):
    heights, risers, first = stairs()
    radius, half = SHAFT
    model, data = sphere_on(heights, risers, radius=radius, half=half)
    model.opt.timestep = 0.005
    axis = np.array((1.0, 0.0, 0.5)) / np.hypot(1.0, 0.5)
    data.qpos[:3], data.qpos[3:7] = ((first[1] - 0.5) * STEP, 0.5, 0.4), along_axis(axis)
    data.qvel[2] = -speed
    for _ in range(600):
        mujoco.mj_step(model, data)
        points = axis_points(data.qpos[:3], z_axis(data.qpos[3:7]), half, 21)
        ground = np.array([height_at(heights, risers, x / STEP, y / STEP) for x, y, _ in points])
        assert (points[:, 2] > ground - 0.02).all()
    assert np.abs(data.qvel[:3]).max() < 0.3


@pytest.mark.parametrize(("radius", "half"), [SHAFT, (0.09, 0.3)])
def test_no_capsule_that_touches_is_taken_for_clear(radius, half):
    rng = np.random.default_rng(9)
    heights, risers = rng.uniform(0.0, 0.3, (24, 26)) ** 3, rng.integers(0, 4, (24, 26)).astype(np.uint8)
    place = dict(pos=(12.3, -4.5, 0.7), step=(0.05, 0.07), radius=radius, half=half)
    bounded, unbounded = sphere_on(heights, risers, **place), sphere_on(heights, risers, **place)
    assert bounded[0].geom_user[0, REACH] > radius
    unbounded[0].geom_user[:, REACH] = -1.0
    touching = clear = 0
    for _ in range(1500):
        position = np.array(place["pos"]) + rng.uniform((-1.0, -1.2, -0.1), (1.0, 1.2, 0.3))
        quaternion, _ = turned(rng)
        ours, all_of_them = (contacts_at(*each, position, quaternion=quaternion) for each in (bounded, unbounded))
        for one, other in zip(ours, all_of_them, strict=True):
            np.testing.assert_array_equal(one, other)
        touching, clear = touching + (len(ours[0]) > 0), clear + (len(ours[0]) == 0)
    assert min(touching, clear) > 200


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(3)
    risers = rng.integers(0, 4, (21, 21)).astype(np.uint8)
    model, _ = sphere_on(rng.uniform(0.0, 0.1, (21, 21)), risers, radius=0.02, half=0.06)
    states = []
    for threads in (1, 3):
        batch = Batch(model, 40, threads)
        batch.bind("qpos")[:, :3] = np.random.default_rng(4).uniform((0.2, 0.2, 0.1), (0.8, 0.8, 0.3), (40, 3))
        batch.step(nstep=200)
        states.append(np.array(batch.bind("qpos")))
    np.testing.assert_array_equal(*states)


@pytest.mark.parametrize("position", [(np.nan, 0.5, 0.0), (0.5, np.inf, 0.0), (1e30, 0.5, 0.0)])
def test_capsule_nowhere_has_no_contact(position):
    model, data = sphere_on(np.zeros((21, 21)), half=0.1)
    model.geom_rbound[0] = 0.0
    assert len(contacts_at(model, data, position)[0]) == 0


def test_other_heightfields_keep_the_stock_collider():
    flat, position = np.zeros((21, 21)), (0.51, 0.52, 0.025)
    exact, unmarked = (sphere_on(flat, exact=exact, half=0.1) for exact in (True, False))
    lying = along_axis((1, 0, 0))
    assert len(contacts_at(*unmarked, position, quaternion=lying)[0]) != 2
    assert len(contacts_at(*exact, position, quaternion=lying)[0]) == 2
