from __future__ import annotations

import mujoco
import numpy as np
import pytest
from collider_scenes import RADIUS, STEP, add_sphere, contacts_at
from overhang_scenes import (
    FIRST,
    RECESSES,
    RISE,
    any_plates,
    is_solid,
    overhanging,
    overhanging_stairs,
    signed_distance,
)

from envs.terrains.grid import PLATE

UP, DOWN = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)


def boxes(heights, floor, radius):
    """The same flight as MuJoCo boxes: one per level of the lower ground, one per plate."""
    spec = mujoco.MjSpec()

    def add(first, end, bottom, top):
        west, east = (first - 0.5) * STEP if first else -1.0, (end - 0.5) * STEP if end < 41 else 3.0
        pos, size = ((west + east) / 2, 0.5, (bottom + top) / 2), ((east - west) / 2, 3.0, (top - bottom) / 2)
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=pos, size=size)

    top, base = (layer[10].astype(float) for layer in (heights, floor))
    plate = np.where(base < top, top, -1.0)
    for level, bottom in ((base, None), (plate, PLATE)):
        ends = [0, *(np.flatnonzero(np.diff(level)) + 1), 41]
        for first, end in zip(ends[:-1], ends[1:], strict=True):
            if level[first] >= 0.0:
                add(first, end, level[first] - bottom if bottom else -1.0, level[first])
    add_sphere(spec, radius)
    model = spec.compile()
    return model, mujoco.MjData(model)


@pytest.mark.parametrize("kind", RECESSES)
@pytest.mark.parametrize("radius", [0.03, 0.11])
def test_overhanging_stairs_touch_like_boxes(kind, radius):
    heights, floor = overhanging_stairs(kind)
    ours, theirs = overhanging(heights, floor, radius), boxes(heights, floor, radius)
    rng = np.random.default_rng(0)
    positions = rng.uniform((0.3, 0.3, -0.02), (1.7, 0.7, 0.75), (2500, 3))
    down = touching = 0
    for position in positions[~is_solid(heights, floor, positions)]:
        depths, normals, _ = contacts_at(*ours, position)
        true_depths, true_normals, _ = contacts_at(*theirs, position)
        assert depths.max(initial=0.0) == pytest.approx(true_depths.max(initial=0.0), abs=2e-6)
        if len(true_depths) and (len(true_depths) == 1 or true_depths[1] < true_depths[0] - 1e-4):
            touching, down = touching + 1, down + (true_normals[0, 2] < -0.5)
            np.testing.assert_allclose(normals[0], true_normals[0], atol=1e-4)
    assert touching > 100 and down > 10


@pytest.mark.parametrize("radius", [0.03, 0.06])
def test_distance_is_that_to_the_nearest_column_for_any_plates(radius):
    rng = np.random.default_rng(1)
    heights, floor = any_plates(rng)
    model, data = overhanging(heights, floor, radius)
    touching = buried = 0
    for position in rng.uniform((0.15, 0.15, 0.0), (0.85, 0.85, 0.3), (1500, 3)):
        distance = signed_distance(heights, floor, position)
        depths, normals, _ = contacts_at(model, data, position)
        assert len(depths) == 0 or radius - depths[0] == pytest.approx(max(distance, -radius), abs=2e-6)
        assert (len(depths) > 0) == (distance < radius)
        touching, buried = touching + (0 < distance < radius), buried + (distance < 0)
        if -0.015 < distance < -1e-4:
            out = position - (distance - 1e-4) * normals[0]
            assert not is_solid(heights, floor, out[None])[0]
        elif distance > 1e-3:
            for depth, normal in zip(depths, normals, strict=True):
                seen = position - np.outer(np.linspace(0.0, 0.999, 20) * (radius - depth), normal)
                assert not is_solid(heights, floor, seen).any()
    assert min(touching, buried) > 200


def test_foot_under_a_tread_is_free_until_it_touches():
    model, data = overhanging(*overhanging_stairs("open"))
    front, tread, below = (FIRST[1] - 0.5) * STEP, 2 * RISE, RISE
    x = front + 0.12
    for z in np.linspace(below + RADIUS + 1e-6, tread - PLATE - RADIUS - 1e-6, 20):
        assert len(contacts_at(model, data, (x, 0.51, z))[0]) == 0
    depths, normals, points = contacts_at(model, data, (x, 0.51, tread - PLATE - RADIUS + 0.004))
    np.testing.assert_allclose(depths, [0.004], atol=1e-6)
    np.testing.assert_allclose(normals, [DOWN], atol=1e-6)
    np.testing.assert_allclose(points, [(x, 0.51, tread - PLATE + 0.002)], atol=1e-6)


def test_foot_in_the_depth_of_a_hollow_touches_the_wall_behind():
    model, data = overhanging(*overhanging_stairs("ledged"))
    front = (FIRST[1] - 0.5) * STEP
    wall = front + RECESSES["ledged"]
    depths, normals, _ = contacts_at(model, data, (wall - RADIUS + 0.003, 0.51, RISE + RADIUS - 0.002))
    np.testing.assert_allclose(depths, [0.003, 0.002], atol=1e-6)
    np.testing.assert_allclose(normals, [(-1.0, 0.0, 0.0), UP], atol=1e-6)
    depths, normals, _ = contacts_at(model, data, (front - RADIUS + 0.003, 0.51, 2 * RISE - PLATE / 2))
    np.testing.assert_allclose(depths, [0.003], atol=1e-6)
    np.testing.assert_allclose(normals, [(-1.0, 0.0, 0.0)], atol=1e-6)


@pytest.mark.parametrize(("sunk", "direction"), [(0.015, UP), (0.025, DOWN)])
def test_foot_in_a_plate_leaves_by_the_nearer_side(sunk, direction):
    model, data = overhanging(*overhanging_stairs("open"))
    depths, normals, _ = contacts_at(model, data, ((FIRST[1] + 2) * STEP, 0.51, 2 * RISE - sunk))
    np.testing.assert_allclose(depths, [RADIUS + min(sunk, PLATE - sunk)], atol=1e-6)
    np.testing.assert_allclose(normals, [direction], atol=1e-6)


def test_foot_pushed_up_into_a_tread_comes_to_rest_under_it():
    model, data = overhanging(*overhanging_stairs("open"))
    model.opt.gravity[2] = 20.0
    data.qpos[:3] = ((FIRST[1] + 2) * STEP, 0.51, RISE + 0.06)
    for _ in range(1000):
        mujoco.mj_step(model, data)
    assert data.qpos[2] == pytest.approx(2 * RISE - PLATE - RADIUS, abs=2e-3)
    assert abs(data.qvel[2]) < 1e-3


def test_foot_sunk_under_the_floor_of_a_hollow_comes_up_into_it_gently():
    model, data = overhanging(*overhanging_stairs("open"))
    data.qpos[:3] = ((FIRST[1] + 2) * STEP, 0.51, RISE - 0.05)
    fastest = 0.0
    for _ in range(1500):
        mujoco.mj_step(model, data)
        fastest = max(fastest, np.abs(data.qvel[:3]).max())
    assert data.qpos[2] == pytest.approx(RISE + RADIUS, abs=2e-3)
    assert fastest < 2.0


@pytest.mark.parametrize("kind", ["ledged", "open"])
@pytest.mark.parametrize("start", [0.0, 0.004, 0.008, 0.012])
def test_foot_at_3_m_per_s_does_not_tunnel(kind, start):
    model, data = overhanging(*overhanging_stairs(kind))
    model.opt.timestep = 0.005
    front, tread = (FIRST[1] - 0.5) * STEP, 2 * RISE
    wall = front + RECESSES[kind]

    def fly(position, direction):
        mujoco.mj_resetData(model, data)
        data.qpos[:3], data.qvel[:3] = position, 3.0 * np.array(direction)
        for _ in range(80):
            mujoco.mj_step(model, data)
            yield data.qpos[:3]

    for x, _, _ in fly((front - 0.1 - start, 0.51, tread - PLATE / 2), (1.0, 0.0, 0.05)):
        assert x < front
    for x, _, z in fly((front - 0.1 - start, 0.51, RISE + 0.06), (1.0, 0.0, 0.0)):
        assert x < wall and RISE < z < tread
    for _, _, z in fly((front + 0.03, 0.51, tread + 0.1 + start), DOWN):
        assert z > tread - PLATE / 2
    for _, _, z in fly((front + RECESSES[kind] - RADIUS, 0.51, RISE + 0.04 + start), UP):
        assert z < tread - PLATE / 2
