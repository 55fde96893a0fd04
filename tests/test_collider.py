from __future__ import annotations

import subprocess
import sys

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch
from scipy.spatial import KDTree

from anymal_policy.layout import DEFAULT_JOINT_POSITION
from envs import robot
from envs.collider import stand_risers, use_exact
from envs.terrains.cells import height_at
from envs.terrains.grid import RISER_X, RISER_Y, level_pieces

STEP = 0.05
RADIUS = 0.03
SPHERE = mujoco.mjtGeom.mjGEOM_SPHERE
MIDDLE = 0.5


def add_ground(spec, heights, risers=None, exact=True, **geom):
    """A heightfield whose sample [0, 0] is at the world's origin."""
    ny, nx = heights.shape
    low, half = float(heights.min()), ((nx - 1) * STEP / 2, (ny - 1) * STEP / 2)
    size = [*half, max(float(np.ptp(heights)), 0.01), 1.0]
    spec.add_hfield(name="h", nrow=ny, ncol=nx, size=size, userdata=np.zeros(heights.size))
    place = {"pos": [*half, low]} | geom
    field = spec.worldbody.add_geom(name="h", type=mujoco.mjtGeom.mjGEOM_HFIELD, hfieldname="h", **place)
    if risers is not None:
        stand_risers(spec, field, risers)
    elif exact:
        use_exact(field)


def add_sphere(spec, radius=RADIUS, margin=0.0):
    body = spec.worldbody.add_body()
    body.add_freejoint()
    body.add_geom(type=SPHERE, size=[radius, 0, 0], mass=1.0, margin=margin)


def sphere_on(heights, risers=None, exact=True, radius=RADIUS, margin=0.0, **geom):
    spec = mujoco.MjSpec()
    add_ground(spec, heights, risers, exact, **geom)
    add_sphere(spec, radius, margin)
    model = spec.compile()
    model.hfield_data[:] = ((heights - heights.min()) / model.hfield_size[0, 2]).ravel()
    return model, mujoco.MjData(model)


def sphere_on_plane(radius=RADIUS):
    spec = mujoco.MjSpec()
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1])
    add_sphere(spec, radius)
    model = spec.compile()
    return model, mujoco.MjData(model)


def contacts_at(model, data, position):
    """Depths (k,), normals out of the ground (k, 3) and points (k, 3), deepest first."""
    data.qpos[:3] = position
    mujoco.mj_kinematics(model, data)
    mujoco.mj_collision(model, data)
    order = np.argsort(data.contact.dist)
    out = np.where(model.geom_type[data.contact.geom[order, 1:]] == SPHERE, 1.0, -1.0)
    return -data.contact.dist[order], out * data.contact.frame[order, :3], data.contact.pos[order]


def grid(ny=21, nx=21):
    y, x = np.mgrid[:ny, :nx] * STEP
    return x, y


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


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(3)
    model, _ = sphere_on(rng.uniform(0.0, 0.1, (21, 21)))
    states = []
    for threads in (1, 3):
        batch = Batch(model, 40, threads)
        batch.bind("qpos")[:, :3] = np.random.default_rng(4).uniform((0.2, 0.2, 0.1), (0.8, 0.8, 0.3), (40, 3))
        batch.step(nstep=200)
        states.append(np.array(batch.bind("qpos")))
    np.testing.assert_array_equal(*states)
    assert (np.abs(states[0][:, 2]) < 0.2).all()


def add_boxes(spec, heights, ix_edges):
    """The solid of a flight along x whose level changes halfway to each sample of `ix_edges`, as MuJoCo boxes."""
    edges = [-1.0, *((ix - 0.5) * STEP for ix in ix_edges), 3.0]
    for west, east in zip(edges[:-1], edges[1:], strict=True):
        top = heights[0, min(max(round((west + east) / 2 / STEP), 0), heights.shape[1] - 1)]
        low = -1.0
        pos, size = ((west + east) / 2, 0.5, (top + low) / 2), ((east - west) / 2, 3.0, (top - low) / 2)
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=pos, size=size)


def stairs(rise=0.15, depth=6):
    """Heights, risers and the first sample of each step of a flight up along x, and one step down at its end."""
    first = np.arange(8, 30, depth)
    level = np.searchsorted(first, np.arange(41), side="right").astype(np.float64)
    level[first[-1] + depth :] = 0.0
    heights, risers = level_pieces(np.tile(rise * level, (21, 1)))
    return heights.astype(np.float64), risers, [*first, first[-1] + depth]


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


def ground_points(heights, risers, spacing=0.002):
    """Points all over the ground, its walls included, about `spacing` apart."""
    side = np.arange(0.1, 0.9, spacing)
    z = np.array([[height_at(heights, risers, x / STEP, y / STEP) for x in side] for y in side])
    y, x = np.meshgrid(side, side, indexing="ij")
    points = [np.stack((x, y, z), -1).reshape(-1, 3)]
    for axis in (0, 1):
        a, b = (np.stack((x, y, z), -1).take(np.arange(len(side) - 1) + k, axis) for k in (0, 1))
        a, b = a.reshape(-1, 3), b.reshape(-1, 3)
        number = np.ceil(abs(a - b)[:, 2] / spacing).astype(int)
        share = (np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)) / np.repeat(number, number)
        middle = np.repeat(0.5 * (a + b), number, axis=0)
        middle[:, 2] = np.repeat(a[:, 2], number) * share + np.repeat(b[:, 2], number) * (1 - share)
        points.append(middle)
    return np.concatenate(points)


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
    """The pose and the speed of a robot 2 s after it is dropped from 1 cm onto the ground of its spec."""
    model = spec.compile()
    if heights is not None:
        model.hfield_data[:] = (heights / model.hfield_size[0, 2]).ravel()
    data = mujoco.MjData(model)
    data.qpos[:3] = (0.9, 0.51, robot.STANDING_HEIGHT + 0.05)
    data.qpos[7:] = data.ctrl[:] = DEFAULT_JOINT_POSITION
    for _ in range(400):
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


def test_other_heightfields_keep_the_stock_collider():
    flat = np.zeros((21, 21))
    sphere_on(flat)
    unmarked, turned = sphere_on(flat, exact=False), sphere_on(flat, quat=[0.0, 0.0, 0.0, 1.0])
    position = (0.51, 0.52, RADIUS - 0.005)
    assert len(contacts_at(*unmarked, position)[0]) > 1
    assert len(contacts_at(*turned, position)[0]) > 1


def test_missing_numba_names_the_stock_collider():
    script = """
import sys
sys.modules["numba"] = None
import mujoco
from envs.collider import use_exact
try:
    use_exact(mujoco.MjSpec().worldbody.add_geom())
except ValueError as error:
    print(error)
"""
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "--env.collider stock" in output
    assert output.count("\n") == 1
