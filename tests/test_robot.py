"""The robot model by experiment: drives, contacts, sensors, standing."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from anymal_policy.layout import DEFAULT_JOINT_POSITION, JOINTS, LEGS
from envs import robot

GRAVITY = 9.81


CYLINDERS = {
    "base_left": (0.09, 1.049, (0.0, 0.07, 0.0)),
    "base_right": (0.09, 1.049, (0.0, -0.07, 0.0)),
    "thigh_knee": (0.05, 0.14, (0.0, 0.0303, -0.285)),
    "shank_shaft": (0.0175, 0.282504, (0.08795, 0.01305, -0.168985)),
}
"""Radius, length and centre in m of cylinders of the URDF, in the frame of the base or of the left front leg's link;
those of the base from its front face to its rear face."""
BOXES = {
    "thigh_bar": ((0.075, 0.06, 0.282627), (0.0, 0.03, -0.1413135)),
    "shank_arm": ((0.114998, 0.04, 0.0675), (0.057499, 0.02, 0.0)),
}
"""Size and centre in m of boxes of the URDF, likewise."""
DISCS = {"thigh_top": (0.065, (0.0, 0.04, 0.0)), "shank_knee": (0.06, (0.0, 0.02, 0.0))}
"""Radius and centre in m of short cylinders of the URDF, likewise."""


def build(
    ground_friction: float = 1.0, visual: bool = True, shapes: robot.Shapes = "links"
) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """The robot in its default pose, its soles on a plane."""
    spec = robot.robot_spec(visual, shapes)
    spec.worldbody.add_geom(
        name="plane", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], contype=0, conaffinity=1,
        friction=[ground_friction, 0.005, 0.0001],
    )  # fmt: skip
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[2] = robot.STANDING_HEIGHT
    data.qpos[7:] = data.ctrl[:] = DEFAULT_JOINT_POSITION
    return model, data


def run(model: mujoco.MjModel, data: mujoco.MjData, seconds: float) -> None:
    mujoco.mj_step(model, data, round(seconds / model.opt.timestep))


def sensors(data: mujoco.MjData, quantity: str) -> np.ndarray:
    return np.stack([data.sensor(f"{leg}_{quantity}").data for leg in LEGS])


def feet(model: mujoco.MjModel, data: mujoco.MjData) -> np.ndarray:
    """Foot centres in the world, (4, 3) m."""
    return data.site_xpos[[model.site(f"{leg}_foot").id for leg in LEGS]].copy()


def random_pose(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform([-0.4, -2, -2] * 4, [0.4, 2, 2] * 4)


def test_joints_and_drives_come_in_the_layouts_order():
    model, _ = build()
    assert tuple(model.joint(j).name for j in range(1, 13)) == JOINTS
    assert tuple(model.actuator(a).name for a in range(12)) == JOINTS
    assert model.actuator_trnid[:, 0].tolist() == list(range(1, 13))


@pytest.mark.parametrize("strength", [1.0, 0.8])
def test_torque_is_pd_inside_peak_torque_and_torque_speed_line(strength: float):
    """In all four quadrants: the line limits driving, not braking; a drive's strength scales gains and envelope."""
    model, data = build()
    model.actuator_gainprm *= strength
    model.actuator_forcerange *= strength
    data.qpos[2] = 5
    for speed in np.linspace(-9, 9, 19):
        for error in np.linspace(-2, 2, 21):
            data.qvel[6:], data.ctrl[:] = speed, data.qpos[7:] + error
            mujoco.mj_forward(model, data)
            bound = robot.STALL_TORQUE * (1 - np.array([-speed, speed]) / robot.VELOCITY_LIMIT)
            torque = np.clip(85 * error - 1.5 * speed, -bound[0], bound[1])
            torque = np.clip(torque, -robot.TORQUE_LIMIT, robot.TORQUE_LIMIT)
            np.testing.assert_allclose(data.actuator_force, strength * torque, atol=1e-9)


def test_drives_have_armature_and_no_friction_of_their_own():
    model, _ = build()
    assert (model.dof_armature[6:] == 0.06).all()
    assert (model.dof_frictionloss == 0).all()
    assert (model.dof_damping == 0).all()


def test_stands_on_its_proportional_gain_without_creeping():
    model, data = build()
    run(model, data, 2.0)
    before = feet(model, data)
    assert robot.STANDING_HEIGHT - 0.05 < data.qpos[2] < robot.STANDING_HEIGHT
    assert np.abs(data.actuator_force).max() < 25
    run(model, data, 1.0)
    assert np.abs(feet(model, data) - before).max() < 0.01


def test_foot_force_is_on_the_foot_and_carries_the_weight():
    model, data = build()
    run(model, data, 2.0)
    force = sensors(data, "foot_force")
    assert (force[:, 0] > 0).all()
    weight = GRAVITY * model.body_mass.sum()
    np.testing.assert_allclose(force[:, 1:].sum(0), [0, 0, weight], atol=0.01 * weight)
    np.testing.assert_allclose(sensors(data, "foot_normal"), np.tile([0, 0, 1], (4, 1)), atol=1e-9)


def test_feet_in_the_air_feel_nothing():
    model, data = build()
    data.qpos[2] = 1
    mujoco.mj_forward(model, data)
    assert not sensors(data, "foot_force").any()
    assert not sensors(data, "foot_normal").any()


def test_friction_brakes_with_the_foots_coefficient_not_the_grounds():
    model, data = build(ground_friction=1.0)
    feet = [model.geom(f"{leg}_foot").id for leg in LEGS]
    model.geom_friction[feet, 0] = 0.2
    run(model, data, 1.0)
    data.qvel[0] = 2.0
    run(model, data, 0.05)
    force = sensors(data, "foot_force")[:, 1:].sum(0)
    assert force[0] / force[2] == pytest.approx(-0.2, rel=0.05)


def test_thigh_and_shank_contacts_are_the_legs_own():
    model, data = build()
    data.qpos[7:] = [0, np.pi / 2, 0, 0, -np.pi / 2, 0, 0, -np.pi / 2, 0, 0, -np.pi / 2, 0]
    data.qpos[7 + JOINTS.index("LF_HFE")] = 0
    data.qpos[7 + JOINTS.index("LF_KFE")] = -2.6
    data.qpos[2] = 0.285 + 0.05
    mujoco.mj_forward(model, data)
    for part in ("thigh_contact", "shank_contact"):
        assert sensors(data, part)[:, 0].astype(bool).tolist() == [True, False, False, False]
    assert not sensors(data, "foot_force")[:, 0].any()
    assert data.sensor("base_contact").data[0] == 0


@pytest.mark.parametrize("roll", [0, np.pi / 2, np.pi])
def test_base_touches_on_every_side(roll: float):
    model, data = build()
    data.qpos[2], data.qpos[3:7] = 0.085, [np.cos(roll / 2), np.sin(roll / 2), 0, 0]
    mujoco.mj_forward(model, data)
    assert data.sensor("base_contact").data[0] > 0


@pytest.mark.parametrize("shapes", ["links", "spheres"])
def test_no_shape_reaches_below_a_standing_robots_feet(shapes: robot.Shapes):
    model, data = build(shapes=shapes)
    mujoco.mj_kinematics(model, data)
    for g in np.flatnonzero(model.geom_contype):
        name, along = model.geom(g).name, model.geom_size[g, 1] * abs(data.geom_xmat[g, 8])
        height = data.geom_xpos[g, 2] - model.geom_size[g, 0] - along
        assert height == pytest.approx(0, abs=1e-6) if name.endswith("_foot") else height > 0.015, name


@pytest.mark.parametrize("name", [*CYLINDERS, *BOXES, *DISCS])
@pytest.mark.parametrize("leg", range(4))
def test_links_have_the_shapes_of_the_urdf(leg: int, name: str):
    """Round where the URDF has corners, but as long, as thick and in the same place, mirrored from leg to leg."""
    model, _ = build()
    mirror = np.array((1 if leg < 2 else -1, 1 if leg % 2 == 0 else -1, 1))
    geom = model.geom(name) if name.startswith("base") else model.geom(f"{LEGS[leg]}_{name}")
    axis = np.empty(3)
    mujoco.mju_rotVecQuat(axis, np.array((0.0, 0.0, 1.0)), geom.quat)
    radius, length = geom.size[0], 2 * (geom.size[0] + geom.size[1])
    if name in CYLINDERS:
        expected, centre = (CYLINDERS[name][:2]), CYLINDERS[name][2]
        np.testing.assert_allclose((radius, length), expected, atol=1e-4)
    elif name in DISCS:
        expected, centre = DISCS[name]
        assert (radius, geom.size[1]) == (expected, 0.0)
    else:
        size, centre = BOXES[name]
        ahead = int(np.argmax(np.abs(axis)))
        assert size[ahead] == max(size) and 2 * radius == max(np.delete(size, ahead))
        end = np.abs(geom.pos)[ahead] + length / 2
        assert end == pytest.approx(abs(centre[ahead]) + size[ahead] / 2, abs=1e-4)
        centre = np.where(np.arange(3) == ahead, geom.pos * mirror, centre)
    np.testing.assert_allclose(geom.pos, centre if name.startswith("base") else centre * mirror, atol=1e-4)


def test_the_robot_never_collides_with_itself():
    model, data = build()
    data.qpos[2] = 5
    for seed in range(20):
        data.qpos[7:] = random_pose(seed)
        mujoco.mj_forward(model, data)
        assert data.ncon == 0


def test_looks_do_not_change_the_motion():
    states = []
    for visual in (True, False):
        model, data = build(visual=visual)
        data.qvel[0] = 0.5
        run(model, data, 0.5)
        states.append(np.concatenate([data.qpos, data.qvel]))
    np.testing.assert_array_equal(*states)
