"""What the simulation reads and applies means what it says: frames, signs, magnitudes, currency."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from worlds import DEFAULT, hold, pose, put, simulation

from anymal_policy.gait import leg_fk
from anymal_policy.layout import LEGS
from envs.frames import multiply, roll_pitch_quaternion, rotate, yaw_quaternion
from envs.robot import TORQUE_LIMIT
from envs.simulation import Simulation
from envs.state import RobotState

GRAVITY = 9.81
ROBOT_MASS = 52.13  # kg
LEANING = multiply(yaw_quaternion(torch.tensor(2.0)), roll_pitch_quaternion(torch.tensor(0.4), torch.tensor(-0.3)))


@pytest.fixture(scope="module")
def standing() -> tuple[Simulation, RobotState]:
    """A robot that has stood on level ground for four seconds."""
    sim = simulation()
    put(sim, pose())
    return sim, hold(sim, 4.0)


@pytest.fixture(scope="module")
def moving() -> tuple[Simulation, RobotState]:
    """A leaning, turning robot in the air, in motion at every joint, after a policy step."""
    sim = simulation()
    velocity = torch.cat([torch.tensor([1.0, -0.5, 0.3, 0.7, -0.9, 1.1]), torch.linspace(-3, 3, 12)])
    put(sim, pose(3.0, LEANING), velocity.expand(1, 18))
    return sim, hold(sim, 0.02)


def current(sim: Simulation) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Simulation 0 with everything recomputed from its state."""
    model, data = sim.batch.get_model(0), sim.batch.get_data(0)
    mujoco.mj_forward(model, data)
    return model, data


def body_velocity(sim: Simulation, body: str, local: bool) -> Tensor:
    """Angular and linear velocity of a body's origin, (6,)."""
    model, data = current(sim)
    result = np.zeros(6)
    kind = mujoco.mjtObj.mjOBJ_XBODY
    mujoco.mj_objectVelocity(model, data, kind, model.body(body).id, result, int(local))
    return torch.from_numpy(result).float()


def test_a_standing_robots_feet_carry_its_weight_upwards(standing: tuple[Simulation, RobotState]) -> None:
    force = standing[1].foot_force_w[0]
    assert (force[:, 2] > 80).all()
    assert force[:, 2].sum().item() == pytest.approx(ROBOT_MASS * GRAVITY, rel=0.005)
    assert force[:, :2].sum(0).abs().max() < 0.01 * ROBOT_MASS * GRAVITY


def test_a_standing_robot_touches_the_ground_with_its_feet_alone(standing: tuple[Simulation, RobotState]) -> None:
    state = standing[1]
    assert_close(state.foot_contact, torch.ones(1, 4))
    assert state.thigh_contact.sum() + state.shank_contact.sum() + state.base_contact.sum() == 0
    assert_close(state.foot_normal_w, torch.tensor([0.0, 0, 1]).expand(1, 4, 3), atol=0.02, rtol=0)


def test_a_robot_in_the_air_touches_nothing(moving: tuple[Simulation, RobotState]) -> None:
    state = moving[1]
    for quantity in (state.foot_contact, state.foot_force_w, state.foot_normal_w, state.shank_contact):
        assert_close(quantity, torch.zeros_like(quantity))


def test_feet_on_a_slope_feel_its_normal_and_still_carry_the_weight() -> None:
    slope = (0.15, -0.1)
    normal = torch.tensor([-slope[0], -slope[1], 1.0])
    normal = normal / normal.norm()
    sim = simulation(slope=slope)
    aligned = roll_pitch_quaternion(torch.asin(-normal[1]), torch.atan2(normal[0], normal[2]))
    assert rotate(aligned, torch.tensor([0.0, 0, 1])).dot(normal) > 0.999
    rows = put(sim, pose(0.56, aligned))
    sim.set_friction(rows, torch.full((1, 4), 1.2))
    state = hold(sim, 3.5)
    assert_close(state.foot_contact, torch.ones(1, 4))
    assert_close(state.foot_normal_w, normal.expand(1, 4, 3), atol=0.02, rtol=0)
    assert_close(state.foot_force_w[0].sum(0), torch.tensor([0.0, 0, ROBOT_MASS * GRAVITY]), atol=12.0, rtol=0)


def test_velocities_are_of_the_base_origin_in_the_base_frame(moving: tuple[Simulation, RobotState]) -> None:
    sim, state = moving
    expected = body_velocity(sim, "base", local=True)
    assert_close(state.angular_velocity_b[0], expected[:3], atol=1e-4, rtol=0)
    assert_close(state.linear_velocity_b[0], expected[3:], atol=1e-4, rtol=0)


def test_heading_is_where_the_forward_axis_points_however_the_robot_leans() -> None:
    sim = simulation(200)
    quaternions = torch.randn(200, 4, generator=torch.Generator().manual_seed(3))
    put(sim, pose(5.0, quaternions / quaternions.norm(dim=-1, keepdim=True), count=200))
    state = sim.read()
    forward = rotate(state.base_quaternion, torch.tensor([1.0, 0.0, 0.0]).expand(200, 3))
    assert_close(state.heading, torch.atan2(forward[:, 1], forward[:, 0]), atol=1e-5, rtol=0)


def test_velocity_in_the_yaw_frame_is_level_and_turned_by_the_heading_alone() -> None:
    sim = simulation()
    qvel = torch.cat([torch.tensor([[0.3, 1.0, 0.7]]), torch.zeros(1, 15)], dim=-1)
    facing_left = yaw_quaternion(torch.tensor(math.pi / 2))
    put(sim, pose(1.0, multiply(facing_left, roll_pitch_quaternion(torch.tensor(0.4), torch.tensor(-0.5)))), qvel)
    assert_close(sim.read().linear_velocity_yaw, torch.tensor([[1.0, -0.3, 0.7]]), atol=1e-6, rtol=0)


def test_a_robot_that_faces_left_and_moves_along_x_moves_to_its_right() -> None:
    sim = simulation()
    qvel = torch.zeros(1, 18)
    qvel[0, 0] = 1.0
    put(sim, pose(1.0, yaw_quaternion(torch.tensor(math.pi / 2))), qvel)
    assert_close(sim.read().linear_velocity_b, torch.tensor([[0.0, -1, 0]]), atol=1e-6, rtol=0)


def test_gravity_in_the_base_frame_points_to_the_lower_side() -> None:
    sim = simulation(2)
    nose_down = roll_pitch_quaternion(torch.tensor(0.0), torch.tensor(0.3))
    right_down = roll_pitch_quaternion(torch.tensor(0.3), torch.tensor(0.0))
    put(sim, pose(1.0, torch.stack([nose_down, right_down]), count=2))
    sine, cosine = math.sin(0.3), math.cos(0.3)
    expected = torch.tensor([[sine, 0, -cosine], [0, -sine, -cosine]])
    assert_close(sim.read().gravity_b, expected, atol=1e-6, rtol=0)


def test_foot_positions_and_velocities_are_those_after_the_step(moving: tuple[Simulation, RobotState]) -> None:
    sim, state = moving
    feet = state.base_position_w + rotate(state.base_quaternion, leg_fk(state.joint_position[0]))
    assert_close(state.foot_position_w[0], feet, atol=1e-4, rtol=0)
    velocities = torch.stack([body_velocity(sim, f"{leg}_FOOT", local=False)[3:] for leg in LEGS])
    assert_close(state.foot_velocity_w[0], velocities, atol=1e-3, rtol=0)


@pytest.mark.parametrize("joint", range(12))
def test_each_target_drives_its_own_joint_with_the_gains(joint: int) -> None:
    sim = simulation()
    qvel = torch.zeros(1, 18)
    qvel[0, 6 + joint] = 0.5
    rows = put(sim, pose(2.0), qvel)
    sim.control[0, sim.actuators[joint]] += 0.1
    sim.settle(rows)
    expected = torch.zeros(12)
    expected[joint] = 85 * 0.1 - 1.5 * 0.5
    assert_close(sim.read().joint_torque[0], expected, atol=1e-4, rtol=0)


def test_motor_strength_scales_each_joints_torque_and_its_limit() -> None:
    sim = simulation(2)
    rows = put(sim, pose(2.0, count=2))
    strength = torch.ones(2, 12)
    strength[1] = torch.linspace(0.7, 1.3, 12)
    sim.set_strength(rows, strength)
    for error, torque in ((0.1, 8.5), (-3.0, -TORQUE_LIMIT)):
        sim.control[:] = DEFAULT.numpy() + error
        sim.settle(rows)
        assert_close(sim.read().joint_torque, torque * strength, atol=1e-3, rtol=0)


def test_friction_bounds_what_each_foot_holds() -> None:
    sim = simulation()
    rows = put(sim, pose())
    sim.set_friction(rows, torch.tensor([[0.8, 0.8, 0.1, 0.8]]))
    state = hold(sim, 0.3)  # later it has slid away
    force = state.foot_force_w[0]
    shear = force[:, :2].norm(dim=-1) / force[:, 2]
    assert shear[2] < 0.1 * math.sqrt(2) + 0.01  # a pyramid's edge
    assert (shear[[0, 1, 3]] > 0.15).all()


def test_slippery_feet_slide_where_others_hold() -> None:
    sim = simulation(2)
    rows = put(sim, pose(count=2))
    sim.set_friction(rows, torch.tensor([[0.05], [0.8]]).expand(2, 4))
    start = hold(sim, 0.1).foot_position_w
    moved = (hold(sim, 0.2).foot_position_w - start).norm(dim=-1)
    assert (moved[0] > 0.05).all()
    assert (moved[1] < 0.01).all()


def test_added_mass_is_carried_by_the_feet() -> None:
    sim = simulation(3)
    rows = put(sim, pose(count=3))
    links = torch.ones(3, 12)
    links[2] = 1.1
    sim.set_mass(rows, torch.tensor([0.0, 5, 0]), links)
    weight = hold(sim, 4.0).foot_force_w[..., 2].sum(-1)
    legs = 4 * (2.781 + 3.071 + 0.588)
    expected = GRAVITY * torch.tensor([ROBOT_MASS, ROBOT_MASS + 5, ROBOT_MASS + 0.1 * legs])
    assert_close(weight, expected, atol=2.0, rtol=0)


def test_inertia_grows_with_mass_and_each_link_has_its_own_factor() -> None:
    sim = simulation(2)
    links = torch.linspace(0.8, 1.2, 12)
    sim.set_mass(torch.tensor([1]), torch.tensor([-3.0]), links.expand(1, 12))
    original, changed = sim.batch.get_model(0), sim.batch.get_model(1)
    names = [f"{leg}_{part}" for leg in LEGS for part in ("HIP", "THIGH", "SHANK")]
    factors = {name: link for name, link in zip(names, links.tolist(), strict=True)}
    factors["base"] = 1 - 3 / original.body("base").mass[0]
    for name, factor in factors.items():
        assert changed.body(name).mass[0] == pytest.approx(original.body(name).mass[0] * factor, rel=1e-6)
        np.testing.assert_allclose(changed.body(name).inertia, original.body(name).inertia * factor, rtol=1e-6)
    assert changed.body("base").subtreemass[0] == pytest.approx(changed.body_mass.sum())


def momentum(sim: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Linear momentum, and angular momentum about the centre of mass, of all robots in the world frame, (n, 3) each."""
    linear, angular = [], []
    for row in range(sim.batch.nsim):
        model, data = sim.batch.get_model(row), sim.batch.get_data(row)
        mujoco.mj_forward(model, data)
        mujoco.mj_subtreeVel(model, data)
        base = model.body("base").id
        linear.append(data.subtree_linvel[base] * model.body_subtreemass[base])
        angular.append(data.subtree_angmom[base].copy())
    return np.stack(linear), np.stack(angular)


def test_an_external_wrench_acts_on_the_base_in_the_world_frame_from_then_on() -> None:
    force, torque = np.array([30.0, -20.0, 10.0]), np.array([4.0, -5.0, 6.0])
    sim = simulation(3)
    rows = put(sim, pose(3.0, LEANING, count=3))
    none = np.zeros(3)
    wrenches = torch.from_numpy(np.stack([[none, none], [force, none], [none, torque]])).float()
    sim.set_wrench(rows, wrenches[:, 0], wrenches[:, 1])
    hold(sim, 0.04)
    linear, angular = momentum(sim)
    np.testing.assert_allclose(linear[1] - linear[0], force * 0.04, rtol=0.01)
    np.testing.assert_allclose(linear[2] - linear[0], none, atol=1e-3)
    np.testing.assert_allclose(angular[2] - angular[0], torque * 0.04, rtol=0.05)
    _, data = current(sim)
    arm = data.body("base").xipos - data.body("base").subtree_com
    np.testing.assert_allclose(angular[1] - angular[0], np.cross(arm, force) * 0.04, atol=0.01)


def test_a_push_adds_horizontal_velocity_in_the_world_frame_to_its_row() -> None:
    sim = simulation(2)
    put(sim, pose(3.0, yaw_quaternion(torch.tensor(math.pi / 2)), count=2))
    sim.add_velocity(torch.tensor([[0.0, 0.0], [0.5, -0.2]]))
    state = hold(sim, 0.02)
    assert_close(state.linear_velocity_b[0, :2], torch.zeros(2), atol=0.02, rtol=0)
    assert_close(state.linear_velocity_b[1, :2], torch.tensor([-0.2, -0.5]), atol=0.02, rtol=0)
