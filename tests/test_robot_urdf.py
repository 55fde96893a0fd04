"""The robot model against the figures of ANYbotics' URDF (tests/data/anymal_c_urdf.json), composed independently."""

from __future__ import annotations

import json
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch

from anymal_policy.gait import leg_fk
from anymal_policy.layout import JOINTS, LEGS
from envs import robot

URDF = json.loads((Path(__file__).parent / "data" / "anymal_c_urdf.json").read_text())


def rotation(axis: list[float], angle: float) -> np.ndarray:
    """Rotation matrix about an axis."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def rpy(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """URDF's fixed-axis roll, pitch, yaw."""
    return rotation([0, 0, 1], yaw) @ rotation([0, 1, 0], pitch) @ rotation([1, 0, 0], roll)


def urdf_poses(angles: dict[str, float]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Position and orientation of every URDF link in the base frame."""
    poses = {"base": (np.zeros(3), np.eye(3))}
    remaining = dict(URDF["joints"])
    while remaining:
        for name, joint in list(remaining.items()):
            if joint["parent"] in poses:
                position, orientation = poses[joint["parent"]]
                turn = rotation(joint["axis"], angles[name]) if joint["type"] == "revolute" else np.eye(3)
                poses[joint["child"]] = (position + orientation @ joint["xyz"], orientation @ rpy(*joint["rpy"]) @ turn)
                del remaining[name]
    return poses


def total(parts: list[tuple[float, np.ndarray, np.ndarray]]) -> tuple[float, np.ndarray, np.ndarray]:
    """Mass, centre of mass and inertia about it, of (mass, centre, inertia about its own centre)."""
    mass = sum(m for m, _, _ in parts)
    centre = sum((m * c for m, c, _ in parts), np.zeros(3)) / mass
    offsets = [(m, c - centre, i) for m, c, i in parts]
    return mass, centre, sum((i + m * (r @ r * np.eye(3) - np.outer(r, r)) for m, r, i in offsets), np.zeros((3, 3)))


def urdf_total(angles: dict[str, float]) -> tuple[float, np.ndarray, np.ndarray]:
    parts = []
    for name, (position, orientation) in urdf_poses(angles).items():
        if name in URDF["links"]:
            link = URDF["links"][name]
            xx, xy, xz, yy, yz, zz = link["inertia"]
            frame = orientation @ rpy(*link["rpy"])
            inertia = frame @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ frame.T
            parts.append((link["mass"], position + orientation @ link["xyz"], inertia))
    return total(parts)


def random_pose(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform([-0.4, -2, -2] * 4, [0.4, 2, 2] * 4)


@pytest.mark.parametrize("seed", range(5))
def test_mass_centre_and_inertia_are_the_urdfs_in_any_pose(seed: int):
    model = robot.robot_spec().compile()
    data = mujoco.MjData(model)
    data.qpos[:7] = [0, 0, 0, 1, 0, 0, 0]
    data.qpos[7:] = random_pose(seed)
    mujoco.mj_forward(model, data)
    frames = data.ximat.reshape(-1, 3, 3)
    inertias = frames @ (model.body_inertia[:, :, None] * frames.transpose(0, 2, 1))
    bodies = [(model.body_mass[b], data.xipos[b], inertias[b]) for b in range(1, model.nbody)]
    mass, centre, inertia = urdf_total(dict(zip(JOINTS, data.qpos[7:], strict=True)))
    assert mass == pytest.approx(52.13485)
    for ours, theirs in zip(total(bodies), (mass, centre, inertia), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=1e-6)


def test_mass_is_split_at_the_joints():
    model = robot.robot_spec().compile()
    assert model.body("base").mass[0] == pytest.approx(26.37317)
    for leg in LEGS:
        masses = [model.body(f"{leg}_{part}").mass[0] for part in ("HIP", "THIGH", "SHANK", "FOOT")]
        np.testing.assert_allclose(masses, [2.781, 3.071, 0.58842, 0])


@pytest.mark.parametrize("seed", range(5))
def test_feet_are_where_urdf_and_gait_have_them(seed: int):
    model = robot.robot_spec().compile()
    data = mujoco.MjData(model)
    data.qpos[:3] = 0
    data.qpos[7:] = random_pose(seed)
    mujoco.mj_kinematics(model, data)
    poses = urdf_poses(dict(zip(JOINTS, data.qpos[7:], strict=True)))
    for leg, from_gait in zip(LEGS, leg_fk(torch.from_numpy(data.qpos[7:])).numpy(), strict=True):
        position, orientation = poses[f"{leg}_FOOT"]
        np.testing.assert_allclose(
            data.site(f"{leg}_foot").xpos, position + orientation @ URDF["feet"][f"{leg}_FOOT"]["xyz"], atol=1e-9
        )
        np.testing.assert_allclose(data.site(f"{leg}_foot").xpos, from_gait, atol=1e-5)


def test_limits_are_the_urdfs():
    model = robot.robot_spec().compile()
    for name in JOINTS:
        limit = URDF["joints"][name]["limit"]
        np.testing.assert_allclose(model.joint(name).range, [limit["lower"], limit["upper"]], atol=1e-8)
        assert limit["effort"] == robot.TORQUE_LIMIT == model.actuator(name).forcerange[1]
        assert limit["velocity"] == robot.VELOCITY_LIMIT
    for leg in LEGS:
        assert model.geom(f"{leg}_foot").size[0] == robot.FOOT_RADIUS == URDF["feet"][f"{leg}_FOOT"]["radius"]
